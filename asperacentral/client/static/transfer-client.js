/**
 * Transfers from a web page, by whichever client there is: IBM Aspera for desktop, Aspera Connect, the HTTP Gateway.
 *
 *     import * as aspera from './transfer-client.js';
 *     aspera.registerStatusCallback((status) => console.log(status));
 *     await aspera.initSession({ appId: 'my-app', httpGatewaySettings: { url: 'https://gw.example/aspera/http-gwy' } });
 *     const { dataTransfer: { files } } = await aspera.showSelectFileDialog();
 *     await aspera.startTransfer({ ...spec, direction: 'send', paths: files.map(({ name }) => ({ source: name })) });
 *
 * No build step, no dependency. docs/transfer-client.md tells of the statuses and options.
 * @module
 */

import { ConnectClient } from './connect.js';
import { DesktopClient } from './desktop.js';
import { GatewayClient } from './gateway.js';
import { StatusStore, TransferError, pause, tell } from './status.js';

export { TransferError };

/**
 * @typedef {object} Options
 * @property {string} [appId] the application, whose transfers are its own; random if it is not given
 * @property {boolean} [supportMultipleUsers] look for the desktop client of this user among several
 * @property {number} [retryInterval] milliseconds between attempts to find the desktop client; 2000
 * @property {number} [retryTimeout] milliseconds until FAILED or DEGRADED is told; 5000
 * @property {{url: string, forceGateway?: boolean, chunkSize?: number, concurrentUploads?: number}} [httpGatewaySettings]
 * @property {{useConnect?: boolean, fallback?: boolean, method?: 'http'|'extension', minVersion?: string,
 *             sdkLocation?: string}} [connectSettings]
 */

/** What a page has: at most one session. */
class Session {
  constructor() {
    this.status = new StatusStore(() => this.gateway?.verified ?? false);
    /** @type {Set<(news: {type: string, transfers: object[]}) => void>} */
    this.activity = new Set();
    /** @type {DesktopClient|undefined} */
    this.desktop = undefined;
    /** @type {ConnectClient|undefined} */
    this.connect = undefined;
    /** @type {GatewayClient|undefined} */
    this.gateway = undefined;
    this.polling = 0;
  }

  /** @param {Options} options */
  async begin(options) {
    this.options = { retryInterval: 2000, retryTimeout: 5000, ...options, appId: options.appId ?? crypto.randomUUID() };
    this.polling += 1;
    this.desktop?.close();
    this.connect?.stop();
    this.desktop = this.connect = undefined;
    const gateway = options.httpGatewaySettings;
    this.status.set('INITIALIZING');
    if (gateway?.url && !this.gateway?.verified) {
      this.gateway = new GatewayClient(gateway, { onActivity: this.tellActivity });
      const verified = await this.gateway.verify().then(() => true, () => false);
      if (gateway.forceGateway) {
        this.status.set(verified ? 'RUNNING' : 'FAILED');
        return;
      }
    }
    const { useConnect = false, fallback = false } = options.connectSettings ?? {};
    if (useConnect) await this.beginConnect();
    else await this.beginDesktop(fallback);
  }

  /** @param {boolean} fallback whether Connect is tried when the desktop client is not there */
  async beginDesktop(fallback) {
    const polling = this.polling;
    const client = this.newDesktop();
    this.desktop = client;
    await Promise.race([this.pollDesktop(client, polling), pause(this.options.retryTimeout)]);
    if (polling !== this.polling || client.found) return;
    if (fallback && (await this.fallBack(client, polling))) return;
    if (polling === this.polling && !this.desktop?.found) this.status.set('FAILED');
  }

  /** @param {DesktopClient} client @param {number} polling */
  async pollDesktop(client, polling) {
    while (polling === this.polling && this.desktop === client && !client.found) {
      if (await client.attempt().then(() => true, () => false)) return;
      await pause(this.options.retryInterval);
    }
  }

  /** @param {DesktopClient} client @param {number} polling @returns {Promise<boolean>} whether Connect runs instead */
  async fallBack(client, polling) {
    client.close();
    this.desktop = undefined;
    const probe = new ConnectClient(this.connectOptions(), { onStatus: () => undefined, onActivity: () => undefined });
    const runs = (await probe.probe()) && polling === this.polling && (await this.tryConnect());
    if (runs || polling !== this.polling) return runs;
    this.connect?.stop();
    this.connect = undefined;
    this.desktop = this.newDesktop();
    void this.pollDesktop(this.desktop, polling);
    return false;
  }

  /** @returns {Promise<boolean>} whether Connect's first status but INITIALIZING is RUNNING */
  tryConnect() {
    return new Promise((resolve) => {
      let first = true;
      this.connect = this.newConnect((status) => {
        if (status === 'INITIALIZING') return;
        if (first) resolve(status === 'RUNNING');
        if (status === 'RUNNING' || !first) this.status.set(status);
        first = false;
      });
      void this.connect.start();
    });
  }

  async beginConnect() {
    this.connect = this.newConnect((status) => this.status.set(status));
    await this.connect.start();
  }

  newDesktop() {
    return new DesktopClient(this.options, {
      onOpen: () => this.status.set('RUNNING'),
      onClose: () => this.status.set('DISCONNECTED'),
      onActivity: this.tellActivity,
    });
  }

  /** @param {(status: import('./status.js').Status) => void} onStatus */
  newConnect(onStatus) {
    return new ConnectClient(this.connectOptions(), { onStatus, onActivity: this.tellActivity });
  }

  connectOptions() {
    return { appId: this.options.appId, ...this.options.connectSettings };
  }

  /** Tell the page of transfers. @type {(type: string, transfers: object[]) => void} */
  tellActivity = (type, transfers) => {
    for (const callback of [...this.activity]) tell(callback, { type, transfers });
  };

  /** @returns {any} the client that carries transfers now */
  get client() {
    const connected = this.connect?.status === 'RUNNING';
    if (this.gateway?.verified && !connected && !this.desktop?.ready) return this.gateway;
    if (connected) return this.connect;
    if (this.desktop?.ready) return this.desktop;
    throw new TransferError(-32000, 'no transfer client is there yet');
  }

  /** @param {string} method @param {unknown[]} parameters */
  async ask(method, ...parameters) {
    const client = this.client;
    if (typeof client[method] !== 'function') throw new TransferError(-32601, 'the transfer client that is used cannot do this');
    return client[method](...parameters);
  }
}

const session = new Session();

/**
 * Look for a transfer client; resolves when a first verdict is there, which callbacks are told.
 * @param {Options} [options]
 */
export const initSession = (options = {}) => session.begin(options);

/** @param {import('./status.js').StatusCallback} callback told the status now and whenever it changes */
export const registerStatusCallback = (callback) => session.status.register(callback);

/** @param {import('./status.js').StatusCallback} callback told no more */
export const deregisterStatusCallback = (callback) => session.status.deregister(callback);

/** The status now, undefined before `initSession`. */
export const getStatus = () => session.status.current;

/** What is known of each client. */
export const getInfo = () => ({
  verified: session.desktop?.ready ?? false,
  ...session.desktop?.info,
  httpGateway: { verified: session.gateway?.verified ?? false, url: session.gateway?.url, info: session.gateway?.info },
  connect: {
    active: session.connect?.status === 'RUNNING',
    status: session.connect?.status,
    version: session.connect?.version,
  },
});

/** @param {(news: {type: string, transfers: object[]}) => void} callback told what happens to transfers */
export const registerActivityCallback = (callback) => void session.activity.add(callback);

/** @param {(news: {type: string, transfers: object[]}) => void} callback told no more */
export const deregisterActivityCallback = (callback) => void session.activity.delete(callback);

/** @param {object} spec @param {object} [settings] @returns {Promise<any>} the transfer as it begins */
export const startTransfer = (spec, settings) => session.ask('startTransfer', spec, settings);

/** @param {string} id */
export const stopTransfer = (id) => session.ask('stopTransfer', id);

/** @param {string} id @param {object} [changes] fields of the spec @returns {Promise<any>} */
export const resumeTransfer = (id, changes) => session.ask('resume', id, changes);

/** @param {string} id @param {object} changes rates and policy @returns {Promise<any>} */
export const modifyTransfer = (id, changes) => session.ask('modify', id, changes);

/** @param {string} id */
export const removeTransfer = (id) => session.ask('remove', id);

/** @param {string} id @returns {Promise<any>} */
export const getTransfer = (id) => session.ask('get', id);

/** @returns {Promise<any[]>} */
export const getAllTransfers = () => session.ask('all');

/** @param {object} [options] @returns {Promise<{dataTransfer: {files: any[]}}>} */
export const showSelectFileDialog = (options) => session.ask('dialog', 'file', options);

/** @param {object} [options] @returns {Promise<{dataTransfer: {files: any[]}}>} */
export const showSelectFolderDialog = (options) => session.ask('dialog', 'folder', options);

/** @param {object} [options] @returns {Promise<{dataTransfer: {files: any[]}}>} */
export const showSaveFileDialog = (options) => session.ask('dialog', 'save', options);

/**
 * Have files that are dropped on an element given to `callback`, by names for a transfer spec.
 * @param {Element} element
 * @param {(chosen: {dataTransfer: {files: any[]}}, event: DragEvent) => void} callback
 * @returns {() => void} ends it
 */
export function createDropzone(element, callback) {
  const over = (/** @type {Event} */ event) => event.preventDefault();
  const drop = async (/** @type {any} */ event) => {
    event.preventDefault();
    try {
      callback(await session.ask('dropped', event.dataTransfer), event);
    } catch (problem) {
      console.warn('what was dropped was not taken', problem);
    }
  };
  element.addEventListener('dragover', over);
  element.addEventListener('drop', drop);
  return () => {
    element.removeEventListener('dragover', over);
    element.removeEventListener('drop', drop);
  };
}
