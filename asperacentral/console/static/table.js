// A table of any length: only the rows that can be seen are in the document.
//
// Rows are of one height; the table places those of the visible stretch, and uses their elements again for others.

import { make } from "./dom.js";

const SPARE = 6; // rows above and below what is seen

/**
 * @typedef {{name: string, width: string, class?: string, make: () => HTMLElement,
 *   fill: (cell: HTMLElement, item: any) => void}} Column
 */

export class Table {
  /**
   * @param {HTMLElement} place
   * @param {{label: string, columns: Column[], key: (item: any) => string, empty: string,
   *   chosen?: (item: any) => void}} options
   */
  constructor(place, options) {
    this.options = options;
    this.items = [];
    this.chosenKey = "";
    this.active = 0;
    this.rows = new Map();
    this.free = [];
    this.planned = false;
    this.head = make("div", { class: "head", role: "row" });
    for (const column of options.columns) {
      this.head.append(make("div", { role: "columnheader", class: column.class ?? "", text: column.name }));
    }
    this.space = make("div", { role: "presentation" });
    this.message = make("p", { class: "empty", text: options.empty });
    this.window = make("div", { class: "window", role: "rowgroup", tabindex: "0", "aria-label": options.label });
    this.window.append(this.space, this.message);
    this.grid = make("div", { class: "grid", role: "grid", "aria-label": options.label }, this.head, this.window);
    this.grid.style.setProperty("--columns", options.columns.map((column) => column.width).join(" "));
    place.replaceChildren(this.grid);
    this.window.addEventListener("scroll", () => this.plan(), { passive: true });
    this.window.addEventListener("keydown", (event) => this.key(event));
    this.watcher = new ResizeObserver(() => this.plan());
    this.watcher.observe(this.window);
  }

  close() {
    this.watcher.disconnect();
    this.grid.remove();
  }

  /** Show these, in this order. */
  show(items) {
    this.items = items;
    this.grid.setAttribute("aria-rowcount", String(items.length + 1));
    this.plan();
  }

  /** Mark the row with this key. */
  choose(key) {
    this.chosenKey = key;
    this.plan();
  }

  /** Draw in the next frame, once. */
  plan() {
    if (this.planned) return;
    this.planned = true;
    requestAnimationFrame(() => {
      this.planned = false;
      this.draw();
    });
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.grid).getPropertyValue("--row")) || 40;
  }

  draw() {
    const height = this.rowHeight;
    this.message.hidden = this.items.length > 0;
    this.space.style.height = `${this.items.length * height}px`;
    const first = Math.max(0, Math.floor(this.window.scrollTop / height) - SPARE);
    const last = Math.min(this.items.length, Math.ceil((this.window.scrollTop + this.window.clientHeight) / height) + SPARE);
    const wanted = new Map();
    for (let at = first; at < last; at += 1) wanted.set(this.options.key(this.items[at]), at);
    for (const [key, row] of this.rows) {
      if (!wanted.has(key)) {
        this.rows.delete(key);
        row.element.hidden = true;
        this.free.push(row);
      }
    }
    for (const [key, at] of wanted) {
      let row = this.rows.get(key);
      if (!row) {
        row = this.free.pop() ?? this.newRow();
        row.element.hidden = false;
        this.rows.set(key, row);
      }
      this.fill(row, this.items[at], at, height, key);
    }
    while (this.free.length > 2 * SPARE) this.free.pop().element.remove();
  }

  newRow() {
    const element = make("div", { class: "row", role: "row" });
    const cells = this.options.columns.map((column) => {
      const cell = column.make();
      cell.setAttribute("role", "gridcell");
      if (column.class) cell.classList.add(...column.class.split(" "));
      element.append(cell);
      return cell;
    });
    const row = { element, cells, at: 0 };
    element.addEventListener("click", () => {
      this.active = row.at;
      this.pick(row.at);
    });
    this.window.append(element);
    return row;
  }

  fill(row, item, at, height, key) {
    row.at = at;
    row.element.style.transform = `translateY(${at * height}px)`;
    row.element.style.top = "0";
    row.element.id = `${this.grid.getAttribute("aria-label")}-${at}`.replaceAll(" ", "-");
    row.element.setAttribute("aria-rowindex", String(at + 2));
    row.element.setAttribute("aria-selected", String(key === this.chosenKey));
    this.options.columns.forEach((column, index) => column.fill(row.cells[index], item));
  }

  pick(at) {
    const item = this.items[at];
    if (item && this.options.chosen) {
      this.choose(this.options.key(item));
      this.options.chosen(item);
    }
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.window.clientHeight / this.rowHeight) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" || event.key === " ") {
      this.pick(this.active);
    } else if (event.key in steps && this.items.length) {
      const current = this.items.findIndex((item) => this.options.key(item) === this.chosenKey);
      const from = current >= 0 ? current : this.active;
      this.active = Math.min(this.items.length - 1, Math.max(0, from + steps[event.key]));
      this.reveal(this.active);
      if (this.options.chosen) this.choose(this.options.key(this.items[this.active]));
      this.draw();
      const row = this.rows.get(this.options.key(this.items[this.active]));
      if (row) this.window.setAttribute("aria-activedescendant", row.element.id);
    } else {
      return;
    }
    event.preventDefault();
  }

  reveal(at) {
    const height = this.rowHeight;
    const top = at * height;
    if (top < this.window.scrollTop) this.window.scrollTop = top;
    else if (top + height > this.window.scrollTop + this.window.clientHeight) {
      this.window.scrollTop = top + height - this.window.clientHeight;
    }
  }
}
