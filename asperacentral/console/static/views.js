// The two lists: what their columns show, and how their records are ordered.

import { make, put } from "./dom.js";
import { count, rate, size, time } from "./format.js";

const UNDER_WAY = new Set(["running", "paused"]);

export const isUnderWay = (session) => UNDER_WAY.has(session.status);

/** Share of the bytes that are there, 0 to 1; undefined when the whole is not known. */
export function share(session) {
  if (session.status === "completed") return 1;
  return session.expected_byte_count ? Math.min(1, session.bytes_transferred / session.expected_byte_count) : undefined;
}

function text(name, width, show, more = "") {
  return { name, width, class: more, make: () => make("div"), fill: (cell, item) => put(cell, show(item)) };
}

function state(name, width, value) {
  const fill = (cell, item) => {
    const word = value(item);
    put(cell, word);
    const wanted = `status ${word.split(",")[0]}`;
    if (cell.className !== wanted) cell.className = wanted;
  };
  return { name, width, make: () => make("div"), fill };
}

function bar(cell, session) {
  const part = share(session);
  const meter = cell.firstChild;
  if (part === undefined) meter.removeAttribute("value");
  else if (meter.value !== part || !meter.hasAttribute("value")) meter.value = part;
  meter.hidden = part === undefined && !isUnderWay(session);
  meter.setAttribute("aria-label", part === undefined ? "progress not known" : `${Math.floor(part * 100)} %`);
}

/** @param {(session: any) => number | undefined} rateOf bits per second now */
export function sessionColumns(rateOf) {
  return [
    state("Status", "6.5rem", (session) => session.status),
    {
      ...text("What", "minmax(6rem, 3fr)", (session) => session.cookie || session.source_path || session.session_uuid),
      class: "wide",
    },
    text("Server", "minmax(8rem, 2fr)", (session) => `${session.direction === "incoming" ? "←" : "→"} ${session.user || "?"}@${session.server_address || "?"}`, "narrow-off"),
    { name: "Progress", width: "minmax(3rem, 7rem)", class: "", make: () => make("div", {}, make("progress", { max: "1" })), fill: bar },
    text("Rate", "minmax(5rem, 6.5rem)", (session) => (isUnderWay(session) && rateOf(session) !== undefined ? rate(rateOf(session)) : "–"), "number"),
    text("Moved", "minmax(4.5rem, 6rem)", (session) => size(session.bytes_transferred), "number narrow-off"),
    text("Files", "minmax(2.5rem, 6rem)", (session) => `${count(session.files_complete)}${session.files_failed ? ` (${count(session.files_failed)} ✗)` : ""}`, "number narrow-off"),
    text("Began", "minmax(6rem, 10.5rem)", (session) => time(session.start_date), "number narrow-off"),
  ];
}

export function jobColumns() {
  return [
    state("State", "8rem", (job) => (job.paused ? `${job.state}, held` : job.state)),
    { ...text("What", "minmax(6rem, 3fr)", (job) => job.cookie || job.id), class: "wide" },
    text("Server", "minmax(3rem, 2fr)", (job) => `${job.operation === "Pull" ? "←" : "→"} ${job.user || "?"}@${job.address || "?"}`),
    text("Attempts", "6rem", (job) => `${job.attempts}${job.retries ? ` of ${job.retries + 1}` : ""}`, "number"),
    text("Next", "minmax(0, 10.5rem)", (job) => (job.state === "retrying" || job.state === "waiting" ? time(job.due) : "–"), "number narrow-off"),
    text("Accepted", "minmax(0, 10.5rem)", (job) => time(job.created), "number narrow-off"),
  ];
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** Sessions under way first, then the latest. */
export const sessionOrder = (a, b) =>
  Number(isUnderWay(b)) - Number(isUnderWay(a)) || compare(b.start_date, a.start_date) || compare(a.session_uuid, b.session_uuid);

export const jobOrder = (a, b) => b.created - a.created || compare(a.id, b.id);
