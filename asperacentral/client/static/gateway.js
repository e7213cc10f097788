/**
 * The HTTP Gateway: files go by the browser itself. Versions 3 (forms and presigned links), 2 and 1 (WebSocket slices).
 * Transfers live in the page: leaving it ends them.
 * @module
 */

import { TransferError } from './status.js';

const IN_PAGE_LIMIT = 1_000_000_000;
const SLICE = 2 * 1024 * 1024;
const TELL_MS = 500;
const HELD = 16 * 1024 * 1024;

/** One gateway. `onActivity` tells what happens to transfers. */
export class GatewayClient {
  /**
   * @param {{url: string, chunkSize?: number, concurrentUploads?: number}} options
   * @param {{onActivity: (type: string, transfers: object[]) => void}} events
   */
  constructor(options, events) {
    const url = options.url.trim();
    this.url = (url.startsWith('http') ? url : `https://${url}`).replace(/\/$/, '');
    this.options = options;
    this.events = events;
    this.verified = false;
    /** @type {{version: string}|undefined} */
    this.info = undefined;
    this.files = new Map();
    this.transfers = new Map();
    this.running = 0;
    /** @type {(() => void)[]} */
    this.waiting = [];
    // A page that is left may be kept, with all that it moves, in case its user comes back.
    addEventListener('pagehide', () => {
      for (const transfer of this.transfers.values()) transfer.abort();
    });
  }

  /** Ask what it is. Rejects when it is none. */
  async verify() {
    const info = await json(await fetch(`${this.url}/info`));
    if (typeof info.version !== 'string') throw new TransferError(0, 'this is no HTTP Gateway');
    this.info = info;
    if (this.major < 3) {
      this.url = this.url.replace(/\/v1$/, '');
      this.info = await json(await fetch(`${this.url}/v1/info`));
    }
    this.verified = true;
  }

  get major() {
    return Number.parseInt(this.info?.version ?? '', 10) || 0;
  }

  /** @param {any} spec @param {object} [settings] */
  startTransfer(spec, settings = {}) {
    if (!spec?.direction || !spec.remote_host || !Array.isArray(spec.paths)) {
      throw new TransferError(-32602, 'a transfer spec needs direction, remote_host and paths');
    }
    const transfer = new PageTransfer(spec, (type, told) => this.events.onActivity(type, [told]));
    const run = spec.direction === 'send' ? this.upload(transfer) : this.download(transfer, settings);
    this.transfers.set(transfer.uuid, transfer);
    run.then(
      () => transfer.end('completed'),
      (problem) => transfer.end(transfer.aborted ? 'cancelled' : 'failed', problem),
    );
    return transfer.seen();
  }

  /** @param {string} id */
  stopTransfer(id) {
    this.find(id).abort();
  }

  /** @param {string} id */
  remove(id) {
    const transfer = this.find(id);
    transfer.abort();
    this.transfers.delete(id);
    this.events.onActivity('transferRemoved', [{ ...transfer.seen(), status: 'removed' }]);
  }

  /** @param {string} id */
  get(id) {
    return this.find(id).seen();
  }

  /** All transfers of the page. */
  all() {
    return [...this.transfers.values()].map((each) => each.seen());
  }

  /** @param {string} id @returns {PageTransfer} */
  find(id) {
    const found = this.transfers.get(id);
    if (!found) throw new TransferError(-32003, `there is no transfer ${id}`);
    return found;
  }

  // Files of the page.

  /** @param {'file'|'folder'|'save'} kind @param {any} [options] */
  async dialog(kind, options = {}) {
    if (kind === 'save') throw new TransferError(-32601, 'a gateway has no save dialog');
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = options.allowMultipleSelection ?? true;
    input.webkitdirectory = kind === 'folder';
    const chosen = new Promise((resolve, reject) => {
      input.onchange = () => resolve([...(input.files ?? [])]);
      input.oncancel = () => reject(new TransferError(-32002, 'the user closed the dialog'));
    });
    input.click();
    return this.take((await chosen).map((/** @type {File} */ file) => [file.webkitRelativePath || file.name, file]));
  }

  /** @param {DataTransfer} data what was dropped: files and folders */
  async dropped(data) {
    const items = [...data.items].filter(({ kind }) => kind === 'file');
    return this.take((await Promise.all(items.map((item) => within(item)))).flat());
  }

  /** @param {[string, File][]} named files by the names that specs call them by */
  take(named) {
    for (const [name, file] of named) this.files.set(name, file);
    const files = named.map(([name, { size, type, lastModified }]) => ({ name, size, type, lastModified }));
    return { dataTransfer: { files } };
  }

  /** @param {any[]} paths @returns {[string, File][]} the files of a spec; a folder stands for what is in it */
  chosen(paths) {
    return paths.flatMap(({ source }) => {
      const whole = this.files.get(source);
      if (whole) return [[source, whole]];
      const below = [...this.files].filter(([name]) => name.startsWith(`${source.replace(/\/$/, '')}/`));
      if (!below.length) throw new TransferError(-32001, `${source} was not chosen in this page`);
      return below;
    });
  }

  // Uploads.

  /** @param {PageTransfer} transfer */
  async upload(transfer) {
    const files = this.chosen(transfer.spec.paths);
    transfer.expected = files.reduce((sum, [, file]) => sum + file.size, 0);
    transfer.counts.attempted = files.length;
    const paths = files.map(([name, file]) => ({ source: name, file_size: file.size }));
    const spec = { ...transfer.spec, paths };
    await this.turn(transfer);
    try {
      if (transfer.aborted) throw new TransferError(0, 'stopped');
      transfer.begin();
      if (this.major >= 3) await uploadForm(`${this.url}/v3/upload`, spec, files, transfer);
      else await this.uploadSlices(spec, files, transfer);
      transfer.counts.completed = files.length;
    } finally {
      this.running -= 1;
      this.waiting.shift()?.();
    }
  }

  /**
   * Have a place among the uploads that run. Who is stopped while it waits never has one.
   * @param {PageTransfer} transfer
   * @returns {Promise<void>}
   */
  turn(transfer) {
    return new Promise((resolve, reject) => {
      const begin = () => {
        this.running += 1;
        resolve();
      };
      if (this.running < (this.options.concurrentUploads ?? 3)) {
        begin();
        return;
      }
      transfer.change('queued');
      this.waiting.push(begin);
      transfer.abortion.signal.addEventListener('abort', () => {
        this.waiting = this.waiting.filter((each) => each !== begin);
        reject(new TransferError(0, 'stopped'));
      });
    });
  }

  /** @param {object} spec @param {[string, File][]} files @param {PageTransfer} transfer */
  async uploadSlices(spec, files, transfer) {
    const binary = compareFrom(this.info?.version ?? '', [2, 3]);
    const socket = await Slices.open(`${this.url.replace(/^http/, 'ws')}/${binary ? 'v2' : 'v1'}/upload`, transfer);
    try {
      await socket.say(JSON.stringify({ transfer_spec: spec }));
      const size = this.options.chunkSize ?? SLICE;
      for (const [index, [name, file]] of files.entries()) {
        transfer.file = name;
        const total = Math.ceil(file.size / size);
        const record = { name, type: file.type, size: file.size, total_slices: total, fileIndex: index };
        for (let slice = 0; slice < total; slice += 1) {
          const data = await file.slice(slice * size, (slice + 1) * size).arrayBuffer();
          if (binary) await socket.sendBinary(record, slice, data);
          else await socket.say(JSON.stringify({ slice_upload: { ...record, slice, data: base64(new Uint8Array(data)) } }));
          transfer.progress(transfer.written + data.byteLength);
        }
      }
    } finally {
      socket.close();
    }
  }

  // Downloads.

  /** @param {PageTransfer} transfer @param {any} settings */
  async download(transfer, settings) {
    transfer.begin();
    const expected = transfer.spec.tags?.aspera?.['http-gateway']?.expected_size;
    if (this.major < 3) {
      const { transfer_spec_id: id } = await post(`${this.url}/v1/download`, { transfer_spec: transfer.spec }, transfer);
      fetchByFrame(`${this.url}/v1/download/${id}`);
    } else if (expected !== undefined && expected <= IN_PAGE_LIMIT) {
      await downloadInPage(`${this.url}/v3/download`, transfer);
    } else {
      const { protocol, host } = new URL(this.url);
      const asked = { transfer_spec: transfer.spec, method: 'GET', protocol: protocol.replace(':', ''), headers: { host } };
      const { signed_url: link } = await post(`${this.url}/v3/presign`, asked, transfer);
      transfer.link = link;
      if (!settings.disableAutoDownload) fetchByFrame(link);
    }
  }
}

/** A transfer that the page itself carries out. */
export class PageTransfer {
  /** @param {any} spec @param {(type: string, told: object) => void} tell */
  constructor(spec, tell) {
    this.uuid = crypto.randomUUID();
    this.spec = spec;
    this.tell = tell;
    this.status = 'initiating';
    this.previous = '';
    this.began = 0;
    this.added = new Date();
    this.ended = '';
    this.written = 0;
    this.expected = 0;
    this.file = spec.paths[0]?.source ?? '';
    this.counts = { attempted: spec.paths.length, completed: 0, failed: 0, skipped: 0 };
    this.error = {};
    this.link = '';
    this.told = 0;
    this.abortion = new AbortController();
  }

  get aborted() {
    return this.abortion.signal.aborted;
  }

  abort() {
    if (!this.ended) this.abortion.abort();
  }

  begin() {
    this.began = Date.now();
    this.change('running');
  }

  /** @param {string} status */
  change(status) {
    this.previous = this.status;
    this.status = status;
    this.tell('transferUpdated', this.seen());
  }

  /** @param {number} written bytes that have left or come */
  progress(written) {
    this.written = Math.min(written, this.expected || written);
    if (Date.now() - this.told < TELL_MS) return;
    this.told = Date.now();
    this.tell('transferUpdated', this.seen());
  }

  /** @param {string} status @param {any} [problem] */
  end(status, problem) {
    this.ended = new Date().toISOString();
    if (status === 'completed') this.written = this.expected || this.written;
    if (status === 'failed') this.error = { error_code: problem?.code ?? 500, error_desc: String(problem?.message ?? problem) };
    this.change(status);
  }

  /** As the page sees it, in the form of all clients. */
  seen() {
    const elapsed = this.began ? (this.ended ? Date.parse(this.ended) : Date.now()) - this.began : 0;
    const rate = elapsed ? Math.round((this.written * 8) / elapsed) : 0;
    return {
      uuid: this.uuid,
      transfer_spec: this.spec,
      status: this.status,
      previous_status: this.previous,
      add_time: this.added.toISOString(),
      end_time: this.ended,
      bytes_written: this.written,
      bytes_expected: this.expected,
      percentage: this.expected ? this.written / this.expected : Number(this.status === 'completed'),
      calculated_rate_kbps: rate,
      elapsed_usec: elapsed * 1000,
      remaining_usec: rate ? Math.round(((this.expected - this.written) * 8000) / rate) : 0,
      current_file: this.file,
      file_counts: { ...this.counts },
      title: this.spec.title ?? this.file,
      explorer_path: '',
      transfer_client: 'http-gateway',
      httpDownloadUrl: this.link,
      ...this.error,
    };
  }
}

/** The WebSocket of an upload: what is said waits for its acknowledgement. */
class Slices {
  /** @param {string} url @param {PageTransfer} transfer @returns {Promise<Slices>} */
  static open(url, transfer) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      transfer.abortion.signal.addEventListener('abort', () => socket.close());
      socket.onopen = () => resolve(new Slices(socket));
      socket.onerror = () => reject(new TransferError(500, 'the gateway does not take uploads'));
    });
  }

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    /** @type {{resolve: (value: unknown) => void, reject: (problem: Error) => void}|undefined} */
    this.acknowledged = undefined;
    /** @type {TransferError|undefined} */
    this.problem = undefined;
    let said = '';
    socket.onmessage = ({ data }) => {
      if (data === 'end upload') this.acknowledged?.resolve(undefined);
      else if (data.startsWith('{')) said = refusal(0, data).message;
    };
    socket.onclose = ({ code, reason }) => {
      this.problem = new TransferError(code, said || reason || 'the connection was lost');
      this.acknowledged?.reject(this.problem);
    };
  }

  /** @param {string|ArrayBuffer} what */
  say(what) {
    return new Promise((resolve, reject) => {
      this.acknowledged = { resolve, reject };
      if (this.problem) reject(this.problem);
      else if (this.socket.readyState === WebSocket.OPEN) this.socket.send(what);
      // Else it is closing: why will be told.
    });
  }

  /** @param {any} record @param {number} slice @param {ArrayBuffer} data */
  async sendBinary(record, slice, data) {
    if (slice === 0) this.socket.send(JSON.stringify({ slice_upload: { ...record, slice: 0 } }));
    const last = slice === record.total_slices - 1;
    const done = this.say(data);
    if (last) this.socket.send(JSON.stringify({ slice_upload: { ...record, slice } }));
    await done;
  }

  close() {
    this.socket.close(1000);
  }
}

/** @param {string} url @param {object} spec @param {[string, File][]} files @param {PageTransfer} transfer */
function uploadForm(url, spec, files, transfer) {
  const form = new FormData();
  form.append('x-aspera-spec', JSON.stringify(spec));
  for (const [name, file] of files) {
    form.append('Content-Length', String(file.size));
    form.append('file', file, name);
  }
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.upload.onprogress = ({ loaded, total }) => transfer.progress(Math.floor((loaded / total) * transfer.expected));
    request.onload = () => (request.status < 400 ? resolve(undefined) : reject(refusal(request.status, request.responseText)));
    request.onerror = () => reject(new TransferError(500, 'the connection was lost'));
    request.onabort = () => reject(new TransferError(0, 'stopped'));
    transfer.abortion.signal.addEventListener('abort', () => request.abort());
    request.send(form);
  });
}

/** @param {string} url @param {PageTransfer} transfer */
async function downloadInPage(url, transfer) {
  const spec = base64(new TextEncoder().encode(JSON.stringify(transfer.spec)));
  const answer = await reached(fetch(url, { headers: { 'X-Aspera-Spec': spec }, signal: transfer.abortion.signal }));
  if (!answer.ok || !answer.body) throw refusal(answer.status, await answer.text());
  transfer.expected = Number(answer.headers.get('Content-Length')) || transfer.expected;
  // What came is handed to the browser in Blobs, which it may keep on disk: the page never has much of it.
  const whole = [];
  let parts = [];
  let held = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reached(reader.read());
    if (done) break;
    parts.push(value);
    held += value.byteLength;
    if (held >= HELD) {
      whole.push(new Blob(parts));
      parts = [];
      held = 0;
    }
    transfer.progress(transfer.written + value.byteLength);
  }
  const disposition = answer.headers.get('Content-Disposition') ?? '';
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([...whole, ...parts], { type: answer.headers.get('Content-Type') ?? '' }));
  link.download = disposition.replace(/^attachment; filename="/, '').replace(/"$/, '') || 'download';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {string} url @param {object} body @param {PageTransfer} transfer */
async function post(url, body, transfer) {
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json' };
  const options = { method: 'POST', headers, body: JSON.stringify(body), signal: transfer.abortion.signal };
  return json(await reached(fetch(url, options)));
}

/**
 * What a promise of the network resolves to; browsers do not tell why there is none.
 * @template T
 * @param {Promise<T>} answer
 * @returns {Promise<T>}
 */
async function reached(answer) {
  try {
    return await answer;
  } catch {
    throw new TransferError(500, 'the connection was lost');
  }
}

/** @param {string} url */
function fetchByFrame(url) {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.src = url;
  document.body.append(frame);
}

/** @param {Response} answer @returns {Promise<any>} */
async function json(answer) {
  if (!answer.ok) throw refusal(answer.status, await answer.text());
  return answer.json();
}

/** @param {number} status @param {string} text */
function refusal(status, text) {
  try {
    const { code = status, message, description } = JSON.parse(text);
    return new TransferError(code, message ?? description ?? `the gateway answers ${status}`);
  } catch {
    return new TransferError(status || 500, `the gateway answers ${status}`);
  }
}

/** @param {DataTransferItem} item @returns {Promise<[string, File][]>} the file, or the files of the folder */
function within(item) {
  const entry = item.webkitGetAsEntry();
  const file = item.getAsFile();
  if (entry) return inside(entry);
  return Promise.resolve(file ? [[file.name, file]] : []);
}

/** @param {any} entry a file or folder of the browser @returns {Promise<[string, File][]>} */
async function inside(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [[entry.fullPath.replace(/^\//, ''), file]];
  }
  const found = [];
  for (const reader = entry.createReader(); ; ) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(inside))).flat();
}

/** @param {string} version @param {number[]} least */
function compareFrom(version, least) {
  const parts = version.split('.').map(Number);
  return parts[0] > least[0] || (parts[0] === least[0] && (parts[1] || 0) >= least[1]);
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let text = '';
  for (let start = 0; start < bytes.length; start += 32_768) text += String.fromCharCode(...bytes.subarray(start, start + 32_768));
  return btoa(text);
}
