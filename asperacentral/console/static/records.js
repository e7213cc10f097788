// Records by their id, in the order they are shown; changed as the stream tells, drawn at most once a frame.

/** More than these are not kept: the longest unchanged go, and the page says so. */
export const MOST = 20000;

export class Records {
  /**
   * @param {(record: any) => string} key
   * @param {(a: any, b: any) => number} order
   * @param {() => void} changed called once after any number of changes
   */
  constructor(key, order, changed) {
    this.key = key;
    this.order = order;
    this.changed = changed;
    this.all = new Map();
    this.sorted = [];
    this.stale = new Set();
    this.dropped = false;
    this.moved = false;
    this.planned = false;
  }

  get(key) {
    return this.all.get(key);
  }

  /** Take new records, or newer versions. */
  put(records) {
    for (const record of records) {
      const key = this.key(record);
      this.stale.delete(key);
      this.all.delete(key); // to the end: the first ones are the longest unchanged
      this.all.set(key, record);
    }
    if (this.all.size > MOST) {
      this.dropped = true;
      const surplus = [...this.all.keys()].slice(0, this.all.size - MOST);
      for (const key of surplus) this.all.delete(key);
    }
    this.plan();
  }

  /** Forget these. */
  drop(keys) {
    let some = false;
    for (const key of keys) some = this.all.delete(key) || some;
    if (some) this.plan();
  }

  /** The stream begins anew: what it does not tell again until it is whole is gone. */
  begin() {
    this.stale = new Set(this.all.keys());
  }

  whole() {
    this.drop(this.stale);
    this.stale = new Set();
    this.plan();
  }

  clear() {
    this.all.clear();
    this.stale.clear();
    this.dropped = false;
    this.plan();
  }

  plan() {
    if (this.planned) return;
    this.planned = true;
    requestAnimationFrame(() => {
      this.planned = false;
      this.sorted = [...this.all.values()].sort(this.order);
      this.changed();
    });
  }
}
