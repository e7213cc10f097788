// The list of transfers: what each does, its buttons, and all of them together. Transfers go by transfer-client.js alone.

import * as aspera from "./client/transfer-client.js";
import { duration, isOver, rate, size } from "./words.js";

const byId = (id) => document.getElementById(id);

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The transfers of this page. `ended` is called with each that has ended, once; `problem` with what went wrong. */
export class TransferList {
  constructor({ ended, problem }) {
    this.ended = ended;
    this.problem = problem;
    this.rows = new Map();
    aspera.registerActivityCallback(({ type, transfers }) => {
      for (const transfer of transfers) this.tell(type === "transferRemoved" ? { ...transfer, status: "removed" } : transfer);
      this.sum();
    });
  }

  /** Whether something moves that ends when this page is left. */
  get needsPage() {
    return [...this.rows.values()].some(({ last }) => !isOver(last.status) && last.transfer_client === "http-gateway");
  }

  tell(transfer) {
    let row = this.rows.get(transfer.uuid);
    if (transfer.status === "removed") {
      row?.element.remove();
      this.rows.delete(transfer.uuid);
      return;
    }
    if (!row) {
      row = this.newRow(transfer.uuid);
      this.rows.set(transfer.uuid, row);
    }
    const before = row.last;
    row.last = transfer;
    this.show(row, transfer);
    if (isOver(transfer.status) && !(before && isOver(before.status))) this.ended(transfer);
  }

  newRow(id) {
    const element = document.createElement("li");
    const make = (tag, name) => {
      const made = document.createElement(tag);
      made.className = name;
      return made;
    };
    const row = { element, name: make("span", "name"), facts: make("span", "facts"), bar: document.createElement("progress"), buttons: make("span", "buttons"), last: undefined };
    row.bar.max = 1;
    const button = (text, act) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      made.addEventListener("click", () => act().catch(this.problem));
      row.buttons.append(made);
      return made;
    };
    row.pause = button("Pause", async () => aspera.stopTransfer(id));
    row.resume = button("Resume", async () => aspera.resumeTransfer(id));
    row.cancel = button("Cancel", async () => (row.last.transfer_client === "http-gateway" ? aspera.stopTransfer(id) : aspera.removeTransfer(id)));
    row.remove = button("Remove", async () => aspera.removeTransfer(id));
    element.append(row.name, row.buttons, row.facts, row.bar);
    byId("transfer-list").prepend(element);
    return row;
  }

  show(row, transfer) {
    const { transfer_spec: spec, status } = transfer;
    const over = isOver(status);
    const local = transfer.transfer_client !== "http-gateway";
    const count = spec.paths.length;
    const first = String(spec.paths[0]?.source ?? transfer.title).split("/").filter(Boolean).pop() ?? "";
    const name = `${spec.direction === "send" ? "Sending" : "Receiving"} ${first}${count > 1 ? ` and ${count - 1} more` : ""}`;
    put(row.name, name);
    row.bar.setAttribute("aria-label", name);
    const moving = transfer.bytes_expected || over;
    if (moving) row.bar.value = status === "completed" ? 1 : transfer.percentage;
    else row.bar.removeAttribute("value");
    put(row.facts, this.words(transfer));
    row.facts.className = `facts ${status}`;
    const stopped = status === "stopped" || status === "paused";
    row.pause.hidden = !local || over || stopped;
    row.resume.hidden = !local || !(stopped || status === "failed");
    row.cancel.hidden = over;
    row.remove.hidden = !over;
    for (const [button, what] of [[row.pause, "Pause"], [row.resume, "Resume"], [row.cancel, "Cancel"], [row.remove, "Remove"]]) {
      button.setAttribute("aria-label", `${what}: ${name}`);
    }
  }

  words(transfer) {
    const { status, transfer_spec: spec } = transfer;
    if (status === "failed") return `failed: ${transfer.error_desc || "the reason is not known"}`;
    if (status === "completed" && spec.direction === "receive" && !transfer.bytes_expected) return "your browser saves it";
    if (isOver(status)) return `${status}${transfer.bytes_written ? `, ${size(transfer.bytes_written)}` : ""}`;
    if (!transfer.bytes_expected) return status;
    const left = transfer.remaining_usec ? `, ${duration(transfer.remaining_usec / 1e6)} left` : "";
    return `${status}: ${size(transfer.bytes_written)} of ${size(transfer.bytes_expected)}, ${rate(transfer.calculated_rate_kbps)}${left}`;
  }

  sum() {
    const all = [...this.rows.values()].map((row) => row.last);
    byId("transfers").hidden = all.length === 0;
    const known = all.filter((each) => each.bytes_expected);
    const written = known.reduce((sum, each) => sum + each.bytes_written, 0);
    const expected = known.reduce((sum, each) => sum + each.bytes_expected, 0);
    const moving = all.filter((each) => !isOver(each.status));
    const kbps = moving.reduce((sum, each) => sum + (each.calculated_rate_kbps || 0), 0);
    const left = kbps && expected > written ? `, ${duration(((expected - written) * 8) / 1000 / kbps)} left` : "";
    byId("overall-bar").value = expected ? written / expected : Number(moving.length === 0);
    const words = moving.length ? `${moving.length} under way, ${size(written)} of ${size(expected)}, ${rate(kbps)}${left}` : `${all.length} ended`;
    put(byId("overall"), words);
  }
}
