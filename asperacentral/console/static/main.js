// The console: logging in, the two views, the stream that keeps them live.

import { call, listen, logIn, me, Refused } from "./api.js";
import { JobDetail, SessionDetail } from "./detail.js";
import { byId, put } from "./dom.js";
import { filterForm, read } from "./filter.js";
import { count, rate } from "./format.js";
import { draw } from "./plot.js";
import { MOST, Records } from "./records.js";
import { Table } from "./table.js";
import { isUnderWay, jobColumns, jobOrder, sessionColumns, sessionOrder } from "./views.js";

const HOUR = 3600;
const QUIET = 5; // seconds after which a session's rate is no more believed

let visitor = null;
let codes = {};
let view = null;
let detail = null;
let total = { incoming: [], outgoing: [] };

// -- rates: from two versions of a session that the stream told ------------------------------------------------

const rates = new Map(); // session -> {at, bytes, bits}

function noteRate(session) {
  const now = performance.now() / 1000;
  const before = rates.get(session.session_uuid);
  if (!isUnderWay(session)) {
    rates.delete(session.session_uuid);
  } else if (!before) {
    rates.set(session.session_uuid, { at: now, bytes: session.bytes_transferred, bits: undefined });
  } else if (now - before.at >= 0.5) {
    const bits = (Math.max(0, session.bytes_transferred - before.bytes) * 8) / (now - before.at);
    rates.set(session.session_uuid, { at: now, bytes: session.bytes_transferred, bits });
  }
}

function rateOf(session) {
  const known = rates.get(session.session_uuid);
  if (!known || known.bits === undefined) return undefined;
  return performance.now() / 1000 - known.at > QUIET ? 0 : known.bits;
}

// -- the views -------------------------------------------------------------------------------------------------

const VIEWS = {
  sessions: {
    title: "Sessions",
    event: "sessions",
    path: () => `sessions?filter=${encodeURIComponent(JSON.stringify(read(byId("filter-form"))))}`,
    key: (session) => session.session_uuid,
    order: sessionOrder,
    columns: () => sessionColumns(rateOf),
    empty: "No session matches.",
    note: (records) => records.forEach(noteRate),
    detail: (session) => new SessionDetail(byId("detail"), session, { control: visitor.control, codes, close: closeDetail, rateOf }),
  },
  jobs: {
    title: "Open jobs",
    event: "jobs",
    path: () => "jobs",
    key: (job) => job.id,
    order: jobOrder,
    columns: jobColumns,
    empty: "No job is open.",
    note: () => {},
    detail: (job) => new JobDetail(byId("detail"), job, { control: visitor.control, close: closeDetail, sessions: showSessionsOf }),
  },
};

class View {
  constructor(name) {
    this.name = name;
    this.kind = VIEWS[name];
    this.loading = true;
    this.records = new Records(this.kind.key, this.kind.order, () => this.show());
    this.table = new Table(byId("table"), {
      label: this.kind.title,
      columns: this.kind.columns(),
      key: this.kind.key,
      empty: this.kind.empty,
      chosen: (item) => openDetail(item),
    });
    put(byId("list-title"), this.kind.title);
    byId("filters").hidden = name !== "sessions";
    for (const other of Object.keys(VIEWS)) byId(`view-${other}`).setAttribute("aria-pressed", String(other === name));
    this.listen();
  }

  listen() {
    put(byId("filter-error"), "");
    this.loading = true;
    this.stream = listen(this.kind.path(), {
      open: () => {
        state("");
        this.records.begin();
      },
      lost: (forGood) => (forGood ? this.refused() : state("The connection is lost; trying again…", true)),
      [this.kind.event]: (records) => {
        this.kind.note(records);
        this.records.put(records);
        const chosen = detail && records.find((record) => this.kind.key(record) === detail.id);
        if (chosen) detail.update(chosen);
      },
      left: (ids) => {
        this.records.drop(ids);
        if (this.name === "jobs" && detail && ids.includes(detail.id)) detail.gone();
      },
      whole: () => {
        this.loading = false;
        this.records.whole();
      },
      total: noteTotal,
      problem: (document) => {
        this.stream.close();
        this.records.clear();
        put(byId("filter-error"), document.error.message);
      },
      over: () => {
        this.stream.close();
        showLogin("You have been logged out.");
      },
    });
  }

  async refused() {
    try {
      if (!(await me())) return showLogin("Please log in again.");
      put(byId("filter-error"), "The daemon refuses to list: the filter may have a mistake, or too many pages are open.");
      this.records.clear();
    } catch {
      state("The connection is lost; trying again…", true);
      setTimeout(() => view === this && this.again(), 2000);
    }
  }

  /** Ask anew, with the filter as it is now; what is shown stays until it is known to be gone. */
  again() {
    this.stream.close();
    this.listen();
  }

  close() {
    this.stream.close();
    this.table.close();
  }

  show() {
    const shown = this.records.sorted;
    this.table.show(shown);
    const cut = this.records.dropped ? `, the latest ${count(MOST)}; narrow the filter to see others` : "";
    put(byId("list-count"), `${count(shown.length)}${cut}${this.loading ? " …" : ""}`);
    if (this.name === "sessions") put(byId("count-live"), count(shown.filter(isUnderWay).length));
  }
}

function switchTo(name) {
  closeDetail();
  view?.close();
  view = new View(name);
}

function showSessionsOf(job) {
  byId("filter-form").reset();
  byId("filter-job_id").value = job;
  byId("filter-form").querySelector("details").open = true;
  switchTo("sessions");
}

function openDetail(item) {
  detail?.end();
  byId("console").classList.add("open");
  detail = view.kind.detail(item);
  detail.title.focus({ preventScroll: true });
}

function closeDetail() {
  if (!detail) return;
  detail.end();
  detail = null;
  byId("console").classList.remove("open");
  view?.table.choose("");
  view?.table.window.focus({ preventScroll: true });
}

// -- the total -------------------------------------------------------------------------------------------------

function noteTotal(now) {
  put(byId("rate-out"), rate(now.outgoing));
  put(byId("rate-in"), rate(now.incoming));
  const at = Date.now() / 1000;
  for (const way of ["incoming", "outgoing"]) {
    total[way].push([at, now[way]]);
    while (total[way].length && total[way][0][0] < at - HOUR) total[way].shift();
  }
  drawTotal();
}

async function loadTotal() {
  const { total: points } = await call("history");
  total = { incoming: points.map(([at, came]) => [at, came]), outgoing: points.map(([at, , went]) => [at, went]) };
  drawTotal();
}

function drawTotal() {
  draw(
    byId("total-plot"),
    [
      { name: "out", colour: "--out", points: total.outgoing },
      { name: "in", colour: "--in", points: total.incoming },
    ],
    "Rate of all sessions",
  );
}

// -- logging in ------------------------------------------------------------------------------------------------

function state(text, bad = false) {
  put(byId("state"), text);
  byId("state").classList.toggle("bad", bad);
}

function showLogin(text = "") {
  closeDetail();
  view?.close();
  view = null;
  visitor = null;
  for (const id of ["console", "views", "account"]) byId(id).hidden = true;
  byId("login").hidden = false;
  state("");
  put(byId("login-error"), text);
  byId("user").focus();
}

async function enter(who) {
  visitor = who;
  codes = await call("codes");
  byId("login").hidden = true;
  for (const id of ["console", "views", "account"]) byId(id).hidden = false;
  put(byId("who"), who.control ? who.user : `${who.user} (may look)`);
  await loadTotal();
  switchTo("sessions");
}

async function begin() {
  filterForm(byId("filter-form"), () => view?.name === "sessions" && (closeDetail(), view.again()));
  byId("login-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    put(byId("login-error"), "");
    try {
      const who = await logIn(byId("user").value, byId("password").value);
      byId("login-form").reset();
      await enter(who);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      put(byId("login-error"), error.message);
    }
  });
  byId("logout").addEventListener("click", async () => {
    await call("logout").catch(() => undefined);
    showLogin();
  });
  for (const name of Object.keys(VIEWS)) byId(`view-${name}`).addEventListener("click", () => switchTo(name));
  const again = () => {
    drawTotal();
    detail?.draw?.();
  };
  addEventListener("resize", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  try {
    const who = await me();
    if (who) await enter(who);
    else showLogin();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    showLogin(error.message);
  }
}

begin();
