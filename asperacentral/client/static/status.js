/**
 * The status of a session and who is told of it. Knows no client.
 *
 * FAILED and DISCONNECTED are told as DEGRADED while a gateway is there: transfers go on, though not by the fast way.
 * @module
 */

/** @typedef {'INITIALIZING'|'RETRYING'|'RUNNING'|'DEGRADED'|'FAILED'|'OUTDATED'|'EXTENSION_INSTALL'|'DISCONNECTED'} Status */
/** @typedef {(status: Status) => void} StatusCallback */

/** Holds the status; each change is told once. */
export class StatusStore {
  /** @param {() => boolean} hasGateway whether a gateway was verified */
  constructor(hasGateway) {
    this.hasGateway = hasGateway;
    /** @type {Status|undefined} */
    this.current = undefined;
    /** @type {Set<StatusCallback>} */
    this.callbacks = new Set();
  }

  /** @param {Status} status what it is now */
  set(status) {
    const lost = status === 'FAILED' || status === 'DISCONNECTED';
    const told = lost && this.hasGateway() ? 'DEGRADED' : status;
    if (told === this.current) return;
    this.current = told;
    for (const callback of [...this.callbacks]) tell(callback, told);
  }

  /** @param {StatusCallback} callback told of each change from now on, and at once of what it is */
  register(callback) {
    this.callbacks.add(callback);
    if (this.current !== undefined) tell(callback, this.current);
  }

  /** @param {StatusCallback} callback told no more */
  deregister(callback) {
    this.callbacks.delete(callback);
  }
}

/**
 * Call a callback of the page; what it throws harms no other.
 * @template T
 * @param {(value: T) => void} callback
 * @param {T} value
 */
export function tell(callback, value) {
  try {
    callback(value);
  } catch (problem) {
    console.error('a callback of the page failed', problem);
  }
}

/** What a call of the page is refused with. */
export class TransferError extends Error {
  /**
   * @param {number} code
   * @param {string} message
   * @param {unknown} [data]
   */
  constructor(code, message, data) {
    super(message);
    this.name = 'TransferError';
    this.code = code;
    this.data = data;
  }
}

/** @param {number} milliseconds */
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
