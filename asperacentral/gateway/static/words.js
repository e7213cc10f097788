// Numbers, times and statuses as people read them. Pure.

const SIZES = ["B", "kB", "MB", "GB", "TB", "PB"];

/** @param {number} bytes */
export function size(bytes) {
  let at = 0;
  while (bytes >= 1000 && at < SIZES.length - 1) {
    bytes /= 1000;
    at += 1;
  }
  return `${bytes.toFixed(at && bytes < 100 ? 1 : 0)} ${SIZES[at]}`;
}

/** @param {number} kbps */
export const rate = (kbps) => (kbps >= 1000 ? `${(kbps / 1000).toFixed(1)} Mbps` : `${Math.round(kbps)} Kbps`);

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

const OVER = new Set(["completed", "failed", "cancelled", "canceled", "removed"]);

/** Whether a transfer with this status has ended. */
export const isOver = (status) => OVER.has(status);

/** Which transfer client is used, and how to get a faster one. */
export function clientWords(status, info, gatewayOnly) {
  const local = "asperacentral desktop, or IBM Aspera for desktop,";
  if (info.connect.active) return `Aspera Connect ${info.connect.version ?? ""} on this machine carries the files.`;
  if (info.verified && status === "RUNNING") return `The transfer client of this machine (version ${info.version}) carries the files.`;
  if (info.httpGateway.verified && gatewayOnly) return "Your browser carries the files, through the HTTP gateway. Keep this page open while they move.";
  if (info.httpGateway.verified) {
    return `Your browser carries the files, through the HTTP gateway: keep this page open while they move. Faster, and with pause and resume: start ${local} on this machine; it is used as soon as it is there.`;
  }
  if (status === "INITIALIZING" || status === undefined) return "Looking for a transfer client…";
  return `No transfer client is there. Start ${local} on this machine.`;
}
