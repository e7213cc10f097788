// One session or job: its facts, its rate over time, its files, and the buttons that steer it.

import { call, Refused } from "./api.js";
import { make, put } from "./dom.js";
import { count, duration, rate, size, time } from "./format.js";
import { draw } from "./plot.js";
import { Records } from "./records.js";
import { Table } from "./table.js";
import { isUnderWay, share } from "./views.js";

const FILES_EVERY = 2000; // milliseconds between looks at the files of a session under way
const PAGE = 500;

const POLICIES = ["fixed", "high", "fair", "low"];

function facts(rows) {
  return rows.filter(([, value]) => value !== undefined && value !== "" && value !== null);
}

function fillFacts(list, rows) {
  const shown = facts(rows);
  while (list.childElementCount > 2 * shown.length) list.lastChild.remove();
  shown.forEach(([name, value], at) => {
    if (list.childElementCount <= 2 * at) list.append(make("dt"), make("dd"));
    put(list.children[2 * at], name);
    put(list.children[2 * at + 1], String(value));
  });
}

/** What both kinds share: title, close button, a line for what went wrong with a button. */
class Detail {
  constructor(place, options) {
    this.place = place;
    this.options = options;
    this.title = make("h2", { tabindex: "-1" });
    this.problem = make("p", { class: "problem", role: "alert" });
    this.buttons = make("div", { class: "buttons" });
    const close = make("button", { type: "button", text: "Close", onclick: options.close });
    place.replaceChildren(make("div", { class: "title" }, this.title, close), this.buttons, this.problem);
    place.hidden = false;
    this.escape = (event) => event.key === "Escape" && options.close();
    place.addEventListener("keydown", this.escape);
  }

  end() {
    this.place.removeEventListener("keydown", this.escape);
    this.place.hidden = true;
    this.place.replaceChildren();
  }

  button(label, act, more = {}) {
    const mayNot = this.options.control ? {} : { disabled: true, title: "You may look, not change anything." };
    const button = make("button", { type: "button", text: label, ...more, ...mayNot, onclick: () => this.act(act) });
    this.buttons.append(button);
    return button;
  }

  async act(act) {
    put(this.problem, "");
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      put(this.problem, error.message);
    }
  }
}

export class SessionDetail extends Detail {
  /** @param {HTMLElement} place @param {{control: boolean, codes: any, close: () => void, rateOf: (s: any) => number | undefined}} options */
  constructor(place, session, options) {
    super(place, options);
    this.id = session.session_uuid;
    this.points = [];
    const act = (action, more = {}) => call("act", { kind: "session", id: this.id, action, ...more });
    this.pause = this.button("Pause", () => act("pause"));
    this.resume = this.button("Resume", () => act("resume"));
    this.cancel = this.button("Cancel", () => window.confirm("Cancel this session? Its job ends with it.") && act("cancel"), { class: "danger" });
    this.failure = make("div", { class: "failure", hidden: true });
    this.facts = make("dl");
    this.canvas = make("canvas", { class: "plot", role: "img" });
    this.rateForm = this.makeRateForm(act);
    this.filesTitle = make("h3", { text: "Files" });
    const files = make("div", { class: "files" });
    place.append(this.failure, make("h3", { text: "Rate" }), this.canvas, this.rateForm, this.facts, this.filesTitle, files);
    this.files = new Records((file) => file.file_id, (a, b) => a.local_id - b.local_id, () => this.showFiles());
    this.fileTable = new Table(files, { label: "Files of the session", columns: fileColumns(options.codes), key: (file) => file.file_id, empty: "No files are recorded yet." });
    this.token = "";
    this.update(session);
    this.loadFiles();
    this.loadHistory();
  }

  end() {
    clearTimeout(this.timer);
    this.ended = true;
    this.fileTable.close();
    super.end();
  }

  update(session) {
    const before = this.session;
    this.session = session;
    const going = isUnderWay(session);
    put(this.title, session.cookie || session.source_path || session.session_uuid);
    this.pause.hidden = !going || session.status === "paused";
    this.resume.hidden = session.status !== "paused";
    this.cancel.hidden = !going;
    this.rateForm.hidden = !going || !this.options.control;
    this.showFailure(session);
    const now = this.options.rateOf(session);
    if (going && now !== undefined && before) this.points.push([Date.now() / 1000, now]);
    const left = going && now ? ((session.expected_byte_count - session.bytes_transferred) * 8) / now : undefined;
    fillFacts(this.facts, [
      ["Status", session.status],
      ["Progress", share(session) === undefined ? "" : `${Math.floor(share(session) * 100)} %`],
      ["Moved", `${size(session.bytes_transferred)}${session.expected_byte_count ? ` of ${size(session.expected_byte_count)}` : ""}`],
      ["Time left", left > 0 ? duration(left) : ""],
      ["Files", `${count(session.files_complete)} complete, ${count(session.files_failed)} failed, ${count(session.files_transferring)} under way`],
      ["Rate", going && now !== undefined ? rate(now) : ""],
      ["Target rate", `${rate(session.target_rate * 1000)}, ${session.rate_policy}`],
      ["Minimum rate", session.minimum_rate ? rate(session.minimum_rate * 1000) : ""],
      ["Bandwidth cap", session.bandwidth_cap ? rate(session.bandwidth_cap * 1000) : ""],
      ["Lost on the way", session.bytes_lost ? size(session.bytes_lost) : ""],
      ["Delay", session.network_delay ? `${session.network_delay} ms` : ""],
      ["Direction", session.direction],
      ["Server", `${session.user}@${session.server_address ?? "?"}`],
      ["Client", session.client_address],
      ["From", session.source_path],
      ["To", session.destination_path],
      ["Encryption", session.encryption_cipher],
      ["Began", time(session.start_date)],
      ["Ended", session.end_date ? time(session.end_date) : ""],
      ["Lasted", session.elapsed ? duration(session.elapsed / 1e6) : ""],
      ["Attempt", session.job_max_retries ? `${session.job_retry_count + 1} of ${session.job_max_retries + 1}` : ""],
      ["Job", session.job_id],
      ["Session", session.session_uuid],
    ]);
    this.draw();
    if (before && isUnderWay(before) && !going) this.loadFiles();
  }

  showFailure(session) {
    this.failure.hidden = !session.error_code;
    if (session.error_code) put(this.failure, meaning(this.options.codes, session.error_code, session.error_description));
  }

  draw() {
    draw(this.canvas, [{ name: "rate", colour: "--accent", points: this.points }], "Rate of the session");
  }

  async loadHistory() {
    const { points } = await call("history", { session: this.id }).catch(() => ({ points: [] }));
    const first = this.points.length ? this.points[0][0] : Infinity;
    this.points = [...points.filter(([at]) => at < first), ...this.points];
    if (!this.ended) this.draw();
  }

  makeRateForm(act) {
    const number = (name, label) => [make("input", { id: `rate-${name}`, name, type: "number", min: "0", step: "1", inputmode: "numeric" }), `${label} (Kbps)`, `rate-${name}`];
    const field = ([input, label, id]) => make("label", { for: id }, label, input);
    const policy = make("select", { id: "rate-policy", name: "policy" }, make("option", { value: "", text: "as it is" }), ...POLICIES.map((value) => make("option", { value, text: value })));
    const form = make(
      "form",
      { class: "rate-form", "aria-label": "Change rate" },
      field(number("target_rate", "Target rate")),
      field(number("minimum_rate", "Minimum rate")),
      field(number("bandwidth_cap", "Bandwidth cap")),
      make("label", { for: "rate-policy" }, "Policy", policy),
      make("button", { text: "Set rate" }),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = [...new FormData(form)].filter(([, value]) => value !== "");
      const change = Object.fromEntries(given.map(([name, value]) => [name, name === "policy" ? value : Number(value)]));
      this.act(async () => {
        await act("rate", { rate: change });
        form.reset();
      });
    });
    return form;
  }

  async loadFiles() {
    clearTimeout(this.timer);
    if (this.loading) return;
    this.loading = true;
    try {
      let more = true;
      while (more && !this.ended) {
        const filter = { session_uuid: this.id, max_results: PAGE };
        if (this.token) filter.iteration_token = this.token;
        const { file_transfer_info_result: found } = await call("files", { file_transfer_filter: filter });
        this.token = found.iteration_token;
        if (found.file_transfer_info.length) this.files.put(found.file_transfer_info);
        more = found.remaining_result_count > 0;
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      put(this.problem, `the files cannot be shown: ${error.message}`);
    } finally {
      this.loading = false;
    }
    if (!this.ended && isUnderWay(this.session)) this.timer = setTimeout(() => this.loadFiles(), FILES_EVERY);
  }

  showFiles() {
    if (this.ended) return;
    const all = this.files.sorted.length;
    put(this.filesTitle, `Files (${count(all)}${this.files.dropped ? ", the latest" : ""})`);
    this.fileTable.show(this.files.sorted);
  }
}

/** What an error means, for people: its code, the table's meaning, what the process said. */
export function meaning(codes, code, description) {
  const row = codes[code] ?? { name: "UNKNOWN", meaning: "the reason is not known", retryable: false };
  const said = description && description !== row.meaning ? ` It said: ${description}.` : "";
  const retry = row.retryable ? " Another attempt may succeed." : "";
  return `Error ${code}, ${row.name}: ${row.meaning}.${said}${retry}`;
}

function fileColumns(codes) {
  const text = (name, width, show, more = "") => ({ name, width, class: more, make: () => make("div"), fill: (cell, file) => put(cell, show(file)) });
  const status = (file) => (file.status === "error" ? `error ${file.error_code}` : file.status);
  return [
    {
      name: "Status", width: "6rem", make: () => make("div"),
      fill: (cell, file) => {
        put(cell, status(file));
        cell.className = `status ${file.status}`;
        if (file.error_code) cell.title = meaning(codes, file.error_code, file.error_description);
        else cell.removeAttribute("title");
      },
    },
    { ...text("Path", "minmax(6rem, 1fr)", (file) => file.path), class: "wide", fill: (cell, file) => { put(cell, file.path); cell.title = file.path; } },
    text("Size", "5.5rem", (file) => size(file.size), "number"),
  ];
}

export class JobDetail extends Detail {
  constructor(place, job, options) {
    super(place, options);
    this.id = job.id;
    const act = (action) => call("act", { kind: "job", id: this.id, action });
    this.pause = this.button("Pause", () => act("pause"));
    this.resume = this.button("Resume", () => act("resume"));
    this.cancel = this.button("Cancel", () => window.confirm("Cancel this job?") && act("cancel"), { class: "danger" });
    this.facts = make("dl");
    const sessions = make("button", { type: "button", text: "Show its sessions", onclick: () => options.sessions(this.id) });
    place.append(this.facts, sessions);
    this.update(job);
  }

  update(job) {
    put(this.title, job.cookie || job.id);
    this.pause.hidden = job.paused;
    this.resume.hidden = !job.paused;
    fillFacts(this.facts, [
      ["State", job.paused ? `${job.state}, held` : job.state],
      ["Operation", job.operation],
      ["Server", `${job.user}@${job.address}`],
      ["Cookie", job.cookie],
      ["Attempts", job.attempts],
      ["Failed", job.failed_attempts],
      ["Retries", job.retries],
      ["Next attempt", job.state === "retrying" || job.state === "waiting" ? time(job.due) : ""],
      ["Accepted", time(job.created)],
      ["Job", job.id],
      ["Session", job.session_id],
    ]);
  }

  gone() {
    put(this.problem, "The job has ended.");
    for (const button of [this.pause, this.resume, this.cancel]) button.hidden = true;
  }
}
