// Numbers and times as people read them. Pure.

const SIZES = ["B", "kB", "MB", "GB", "TB", "PB"];
const RATES = ["bit/s", "Kbps", "Mbps", "Gbps", "Tbps"];

function scaled(value, units) {
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  const digits = at === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[at]}`;
}

/** @param {number} bytes */
export const size = (bytes) => scaled(bytes, SIZES);

/** @param {number} bits per second */
export const rate = (bits) => scaled(bits, RATES);

/** @param {number} seconds */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** @param {string | number | undefined} moment an ISO date, or seconds since the epoch */
export function time(moment) {
  if (moment === undefined || moment === null) return "–";
  const date = new Date(typeof moment === "number" ? moment * 1000 : moment);
  const today = new Date().toDateString() === date.toDateString();
  return today ? date.toLocaleTimeString() : date.toLocaleString();
}

/** @param {number} count */
export const count = (count) => count.toLocaleString();
