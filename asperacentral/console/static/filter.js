// The filter of sessions: the criteria of the reliable query, each a field. Values go to the daemon as they are.

import { make } from "./dom.js";

const STATES = ["running", "paused", "completed", "error", "willretry", "cancelled", "orphaned"];

/** Criterion, label, kind; several values of a "list" are separated by commas. The first ones are always shown. */
const FIELDS = [
  ["session_status", "Status", "state"],
  ["cookie_filter", "Cookie (pattern)", "text"],
  ["user", "User", "list"],
  ["server_address", "Server address", "list"],
  ["min_session_start_date", "Began after", "date"],
  ["max_session_start_date", "Began before", "date"],
  ["min_session_end_date", "Ended after", "date"],
  ["max_session_end_date", "Ended before", "date"],
  ["direction", "Direction", "direction"],
  ["client_address", "Client address", "list"],
  ["cookie", "Cookie (exactly)", "list"],
  ["private_key", "Private key", "list"],
  ["job_id", "Job", "list"],
  ["session_uuid", "Session", "list"],
  ["last_session_only", "Only the last session of each job", "flag"],
];
const ALWAYS = 4;

const CHOICES = {
  state: [["", "any"], ["running,paused", "under way"], ["error,willretry,orphaned", "failed"], ...STATES.map((s) => [s, s])],
  direction: [["", "any"], ["outgoing", "outgoing"], ["incoming", "incoming"]],
};

function control(kind, id, name) {
  if (kind in CHOICES) {
    const options = CHOICES[kind].map(([value, text]) => make("option", { value, text }));
    return make("select", { id, name }, ...options);
  }
  const types = { date: "datetime-local", flag: "checkbox" };
  return make("input", { id, name, type: types[kind] ?? "text", spellcheck: "false", autocapitalize: "none" });
}

function field([name, label, kind]) {
  const id = `filter-${name}`;
  const input = control(kind, id, name);
  if (kind === "flag") return make("label", { class: "check", for: id }, input, label);
  return make("label", { for: id }, label, input);
}

/** Build the form; `apply` is called with the filter's document whenever it is to be used. */
export function filterForm(form, apply) {
  const more = make("div", {}, ...FIELDS.slice(ALWAYS).map(field));
  form.replaceChildren(
    ...FIELDS.slice(0, ALWAYS).map(field),
    make("button", { type: "submit", class: "main", text: "Apply" }),
    make("button", { type: "reset", text: "Clear" }),
    make("details", {}, make("summary", { text: "More criteria" }), more),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply(read(form));
  });
  form.addEventListener("reset", () => setTimeout(() => apply(read(form))));
}

/** The criteria that are set, as the reliable query takes them. */
export function read(form) {
  const filter = {};
  for (const [name, , kind] of FIELDS) {
    const input = form.elements.namedItem(name);
    const text = input.value.trim();
    if (kind === "flag") {
      if (input.checked) filter[name] = true;
    } else if (text) {
      if (kind === "date") filter[name] = new Date(text).toISOString();
      else if (kind === "list" || kind === "state") filter[name] = text.split(",").map((each) => each.trim()).filter(Boolean);
      else filter[name] = text;
    }
  }
  return filter;
}
