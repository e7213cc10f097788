/**
 * Aspera Connect, or what answers as it: local HTTP, or its browser extension by events of the page.
 * @module
 */

import { TransferError, pause } from './status.js';
import { describe, openOutside } from './desktop.js';

const FIRST_PORT = 33003;
const LAST_PORT = 33022;
const GIVE_UP_MS = 5000;
const POLL_MS = 2000;
const PROBE_MS = 1500;
const EXTENSION_MS = 1000;
const OLDEST = '3.9.0';

/** One Connect. `onStatus` tells its status, `onActivity` what happens to transfers. */
export class ConnectClient {
  /**
   * @param {{appId: string, method?: string, minVersion?: string, sdkLocation?: string}} options
   * @param {{onStatus: (status: import('./status.js').Status) => void,
   *          onActivity: (type: string, transfers: object[]) => void}} events
   */
  constructor(options, events) {
    this.options = options;
    this.events = events;
    this.way = options.method === 'http' ? new LocalHttp() : new Extension();
    /** @type {import('./status.js').Status|undefined} */
    this.status = undefined;
    this.version = '';
    this.token = 0;
    this.stopped = false;
  }

  /** Whether Connect seems to be there, found out within a second and a half. */
  async probe() {
    return (await Promise.race([this.way.find(), pause(PROBE_MS).then(() => false)])) === true;
  }

  /** Find it, see that it is new enough, and follow its transfers. */
  async start() {
    this.stopped = false;
    this.set('INITIALIZING');
    await this.begin();
  }

  async begin() {
    this.token = 0; // another life of the client counts anew
    if (!(await this.find())) return;
    if (!(await this.isNewEnough())) return;
    this.set('RUNNING');
    void this.follow();
  }

  /** Let go of it. */
  stop() {
    this.stopped = true;
    this.status = undefined;
  }

  /** @param {import('./status.js').Status} status */
  set(status) {
    if (this.stopped || this.status === status) return;
    this.status = status;
    this.events.onStatus(status);
  }

  async find() {
    const began = Date.now();
    let wait = 250;
    let asked = false;
    while (!this.stopped) {
      if (await this.way.find()) return true;
      if (this.way instanceof Extension) {
        this.set('EXTENSION_INSTALL');
      } else if (Date.now() - began >= GIVE_UP_MS) {
        this.set('FAILED');
        wait = POLL_MS;
      } else {
        if (!asked) openOutside('fasp://initialize');
        asked = true;
        this.set('RETRYING');
      }
      await pause(wait);
      wait = Math.min(wait * 2, POLL_MS);
    }
    return false;
  }

  async isNewEnough() {
    const wanted = newest(this.options.minVersion ?? '3.10.1', OLDEST);
    let asked = false;
    while (!this.stopped) {
      const told = await this.way.send('GET', 'info/version').catch(() => undefined);
      this.version = told?.version ?? '';
      if (this.version && compare(this.version, wanted) >= 0) return true;
      this.set('OUTDATED');
      if (!asked) {
        asked = true;
        const body = { min_version: wanted, sdk_location: this.options.sdkLocation ?? '' };
        await this.call('POST', 'update/require', body).catch(() => undefined);
      }
      await pause(1000);
    }
    return false;
  }

  async follow() {
    while (!this.stopped && this.status === 'RUNNING') {
      const news = await this.call('POST', 'transfers/activity', { iteration_token: this.token }).catch(() => undefined);
      if (this.stopped) return;
      if (news === undefined) {
        this.set('RETRYING');
        void this.begin();
        return;
      }
      this.token = news.iteration_token;
      const gone = news.transfers.filter((/** @type {any} */ each) => each.status === 'removed');
      const here = news.transfers.filter((/** @type {any} */ each) => each.status !== 'removed');
      if (here.length) this.events.onActivity('transferUpdated', here);
      if (gone.length) this.events.onActivity('transferRemoved', gone);
      await pause(POLL_MS);
    }
  }

  /** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
  call(method, path, body = {}) {
    const settings = { app_id: this.options.appId };
    return this.way.send(method, path, method === 'GET' ? undefined : { ...body, aspera_connect_settings: settings });
  }

  /** @param {object} spec @param {object} [settings] */
  async startTransfer(spec, settings = {}) {
    const own = { ...settings, app_id: this.options.appId, request_id: crypto.randomUUID(), back_link: location.href };
    const body = { transfer_specs: [{ transfer_spec: spec, aspera_connect_settings: own }] };
    const { transfer_specs: [begun] } = await this.call('POST', 'transfers/start', body);
    return this.get(begun.uuid);
  }

  /** @param {string} id */
  stopTransfer(id) {
    return this.call('POST', `transfers/stop/${id}`);
  }

  /** @param {string} id */
  remove(id) {
    return this.call('POST', `transfers/remove/${id}`);
  }

  /** @param {string} id @param {object} [changes] */
  async resume(id, changes = {}) {
    await this.call('POST', `transfers/resume/${id}`, changes);
    return this.get(id);
  }

  /** @param {string} id @param {object} changes */
  async modify(id, changes) {
    await this.call('POST', `transfers/modify/${id}`, changes);
    return this.get(id);
  }

  /** @param {string} id */
  async get(id) {
    return (await this.call('POST', `transfers/info/${id}`)).transfer_info;
  }

  /** All transfers of this application. */
  async all() {
    const { transfers } = await this.call('POST', 'transfers/activity', { iteration_token: 0 });
    return transfers.filter((/** @type {any} */ each) => each.status !== 'removed');
  }

  /** @param {'file'|'folder'|'save'} kind @param {object} [options] */
  dialog(kind, options = {}) {
    const window = { file: 'open-file', folder: 'open-folder', save: 'save-file' }[kind];
    return this.call('POST', `windows/select-${window}-dialog/`, options);
  }

  /** @param {DataTransfer} data what was dropped */
  dropped(data) {
    return this.call('POST', 'file/dropped-files', { files: describe(data) });
  }
}

/** The way by local HTTP. */
class LocalHttp {
  constructor() {
    this.base = '';
  }

  async find() {
    const ports = Array.from({ length: LAST_PORT - FIRST_PORT + 1 }, (_, index) => FIRST_PORT + index);
    const answers = await Promise.all(ports.map((port) => this.ping(`http://127.0.0.1:${port}/v5/connect/`)));
    this.base = answers.find((each) => each) ?? '';
    return this.base !== '';
  }

  /** @param {string} base */
  async ping(base) {
    const answer = await fetch(`${base}info/ping`).catch(() => undefined);
    return answer?.ok ? base : '';
  }

  /** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
  async send(method, path, body) {
    const answer = await fetch(this.base + path, { method, body: body && JSON.stringify(body) });
    return understood(answer.status, await answer.json());
  }
}

/** The way by the extension, which talks to the page by events and messages. */
class Extension {
  constructor() {
    /** @type {Map<number, {resolve: (value: any) => void, reject: (problem: Error) => void}>} */
    this.waiting = new Map();
    this.number = 0;
    this.answered = false;
    window.addEventListener('message', (event) => this.hear(event));
  }

  async find() {
    const until = Date.now() + EXTENSION_MS;
    while (!this.answered && Date.now() < until) {
      document.dispatchEvent(new CustomEvent('AsperaConnectCheck', { detail: {} }));
      await pause(200);
    }
    return this.answered;
  }

  /** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
  send(method, path, body) {
    const id = ++this.number;
    const detail = { request_id: id, min_version: OLDEST, method, uri_reference: `/connect/${path}`, body: body && JSON.stringify(body) };
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      document.dispatchEvent(new CustomEvent('AsperaConnectRequest', { detail }));
    });
  }

  /** @param {MessageEvent} event */
  hear(event) {
    if (event.source !== window || !event.data) return;
    const { type, detail } = event.data;
    if (type === 'AsperaConnectCheckResponse') this.answered = true;
    const waits = type === 'AsperaConnectResponse' ? this.waiting.get(detail?.request_id) : undefined;
    if (!waits) return;
    this.waiting.delete(detail.request_id);
    try {
      waits.resolve(understood(detail.status, typeof detail.body === 'string' ? JSON.parse(detail.body) : detail.body));
    } catch (problem) {
      waits.reject(/** @type {Error} */ (problem));
    }
  }
}

/** @param {number} status @param {any} body */
function understood(status, body) {
  if (status >= 200 && status < 300) return body;
  const { code = status, user_message: text = `Connect answers ${status}` } = body?.error ?? {};
  throw new TransferError(code, text);
}

/** @param {string} one @param {string} other @returns {number} below, at or above 0 */
export function compare(one, other) {
  const [a, b] = [one, other].map((version) => version.split('.').map(Number));
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    if (a[index] !== b[index]) return a[index] - b[index];
  }
  return 0;
}

/** @param {string} one @param {string} other */
function newest(one, other) {
  return compare(one, other) >= 0 ? one : other;
}
