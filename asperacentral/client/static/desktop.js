/**
 * IBM Aspera for desktop, or what answers as it: JSON-RPC 2.0 by POST, and a WebSocket that tells of transfers.
 * @module
 */

import { TransferError, pause, tell } from './status.js';

const FIRST_PORT = 33024;
const LAST_PORT = 33029;
const RECONNECT_MS = 1000;
const ADDRESS = '127.0.0.1';

/** One local client. `onOpen` and `onClose` tell of its WebSocket, `onActivity` of its transfers. */
export class DesktopClient {
  /**
   * @param {{appId: string, supportMultipleUsers?: boolean}} options
   * @param {{onOpen: () => void, onClose: () => void, onActivity: (type: string, transfers: object[]) => void}} events
   */
  constructor(options, events) {
    this.options = options;
    this.events = events;
    this.port = FIRST_PORT;
    this.sessionId = crypto.randomUUID();
    /** @type {WebSocket|undefined} */
    this.socket = undefined;
    /** @type {{version?: string, client_pubkey?: string}} */
    this.info = {};
    /** @type {Set<string>} */
    this.methods = new Set();
    this.ready = false;
    /** Whether it was there once: it is looked for by `lost` from then on. */
    this.found = false;
    this.number = 1;
    this.life = 0;
  }

  /** Try once to find it and to get to know it. Rejects when that is not possible. */
  async attempt() {
    const life = ++this.life;
    if (this.options.supportMultipleUsers) await this.findPort();
    const socket = await this.subscribe();
    try {
      const info = await this.call('get_info');
      const found = await this.call('rpc.discover');
      await this.call('init_drag_drop').catch(() => undefined);
      if (life !== this.life || socket.readyState !== WebSocket.OPEN) throw new TransferError(0, 'the client went away');
      this.info = info;
      this.methods = new Set(found.methods.map((/** @type {{name: string}} */ each) => each.name));
    } catch (problem) {
      socket.close();
      throw problem;
    }
    this.adopt(socket);
  }

  /** Let go of it, and do not come back. */
  close() {
    this.life += 1;
    this.ready = false;
    this.socket?.close();
    this.socket = undefined;
  }

  /**
   * @param {string} method
   * @param {object} [params]
   * @returns {Promise<any>} the result; rejects with a TransferError
   */
  async call(method, params = {}) {
    const body = JSON.stringify({ jsonrpc: '2.0', method, params, id: ++this.number });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`http://${ADDRESS}:${this.port}`, { method: 'POST', headers, body });
    if (!answer.ok) throw new TransferError(answer.status, `the transfer client answers ${answer.status}`);
    const told = await answer.json();
    if (told.error) throw new TransferError(told.error.code, told.error.message, told.error.data);
    return told.result;
  }

  /** Have the client of this user started, and find it among those of all users. */
  async findPort() {
    const query = new URLSearchParams({ app_id: this.options.appId, session_id: this.sessionId });
    openOutside(`aspera://initialize?${query}`);
    const params = { app_id: this.options.appId, session_id: this.sessionId };
    for (this.port = FIRST_PORT; this.port <= LAST_PORT; this.port += 1) {
      const known = await this.call('verify_session', params).catch(() => undefined);
      if (known?.result === true) return;
    }
    this.port = FIRST_PORT;
    throw new TransferError(0, 'no transfer client of this user was found');
  }

  /** @returns {Promise<WebSocket>} a socket that tells of our transfers */
  subscribe() {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${ADDRESS}:${this.port}`);
      const request = { jsonrpc: '2.0', method: 'subscribe_transfer_activity', params: [this.options.appId], id: 1 };
      socket.onopen = () => socket.send(JSON.stringify(request));
      socket.onclose = () => reject(new TransferError(0, 'no transfer client answers'));
      socket.onmessage = (event) => {
        const told = JSON.parse(event.data);
        if (told.id === 1) resolve(socket);
        else if (told.method === 'transfer_activity') this.hear(told.params?.result);
      };
    });
  }

  /** @param {WebSocket} socket */
  adopt(socket) {
    this.socket = socket;
    this.ready = this.found = true;
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
    this.events.onOpen();
  }

  /** The client went away: say so, and look for it until it is back. */
  async lost() {
    const life = this.life;
    this.ready = false;
    this.socket = undefined;
    this.events.onClose();
    while (life === this.life && !this.ready) {
      await pause(RECONNECT_MS);
      if (life !== this.life) return;
      const socket = await this.subscribe().catch(() => undefined);
      if (socket === undefined) continue;
      if (life !== this.life) socket.close();
      else this.adopt(socket);
    }
  }

  /** @param {{type: string, data: any}|undefined} news */
  hear(news) {
    if (news?.data) tell(({ type, data }) => this.events.onActivity(type, data.transfers ?? [data]), news);
  }

  /** @param {object} spec @param {object} [settings] */
  startTransfer(spec, settings = {}) {
    return this.call('start_transfer', { transfer_spec: spec, desktop_spec: settings, app_id: this.options.appId });
  }

  /** @param {string} id */
  stopTransfer(id) {
    return this.call('stop_transfer', { transfer_id: id });
  }

  /** @param {string} id */
  remove(id) {
    return this.call('remove_transfer', { transfer_id: id });
  }

  /** @param {string} id @param {object} [changes] */
  resume(id, changes = {}) {
    return this.call('resume_transfer', { transfer_id: id, transfer_spec: changes });
  }

  /** @param {string} id @param {object} changes */
  modify(id, changes) {
    return this.call('modify_transfer', { transfer_id: id, transfer_spec: changes });
  }

  /** @param {string} id */
  get(id) {
    return this.call('get_transfer', { transfer_id: id });
  }

  /** All transfers of this application. */
  all() {
    return this.call('get_all_transfers', { app_id: this.options.appId });
  }

  /** @param {'file'|'folder'|'save'} kind @param {object} [options] */
  dialog(kind, options = {}) {
    const method = { file: 'show_file_dialog', folder: 'show_folder_dialog', save: 'show_save_file_dialog' }[kind];
    return this.call(method, { options, app_id: this.options.appId });
  }

  /** @param {DataTransfer} data what was dropped */
  dropped(data) {
    return this.call('dropped_files', { files: describe(data), app_id: this.options.appId });
  }
}

/**
 * What the browser tells of dropped files.
 * @param {DataTransfer} data
 */
export function describe(data) {
  return [...data.files].map(({ name, size, type, lastModified }) => ({ name, size, type, lastModified }));
}

/**
 * Open an address that starts a program, without leaving the page.
 * @param {string} address
 */
export function openOutside(address) {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.src = address;
  document.body.append(frame);
  setTimeout(() => frame.remove(), 2000);
}
