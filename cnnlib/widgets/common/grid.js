// A grid of numbers as a real table. Cells stay; only what changed in them is written.

import { div, element, freshId, setAttribute, setText } from "./elements.js";
import { keyPlace } from "./keys.js";
import { clamp } from "./model.js";

const CARET = ["ArrowLeft", "ArrowRight", "Home", "End"]; // keys of a text that is being typed

/**
 * @typedef {object} Look what one cell shows
 * @property {string} text
 * @property {string} [label] for assistive tools, where the text alone would not do
 * @property {string} [className]
 * @property {string} [fill] its background
 * @property {string} [ink] the colour of its text
 * @property {boolean} [editable]
 */

/**
 * @typedef {object} Cell what the grid keeps of one cell
 * @property {HTMLElement} cell
 * @property {Text} text
 * @property {HTMLInputElement | null} field
 * @property {Partial<Look>} shown what it shows now
 */

/** A table of cells; with `onEdit`, each cell holds a field to type a number into. */
export class Grid {
  /**
   * @param {string} name "input", "kernel", "products", "output": gives the colour
   * @param {{ interactive?: boolean, onEdit?: (r: number, c: number) => void }} [options]
   */
  constructor(name, { interactive = false, onEdit } = {}) {
    this.onEdit = onEdit;
    this.label = div("cnn-label");
    this.label.id = freshId("label");
    this.interactive = interactive;
    this.body = element("tbody", { role: "rowgroup" });
    this.headers = element("tr", { role: "row" }, this.#box());
    const head = element("thead", { role: "rowgroup" }, this.headers);
    const role = interactive ? "grid" : "table";
    const attributes = { className: "cnn-grid", role, "aria-labelledby": this.label.id };
    this.table = element("table", attributes, head, this.body);
    this.lens = div("cnn-lens");
    this.plane = div("cnn-plane", this.table, this.lens);
    this.frame = div("cnn-frame", this.plane);
    this.root = div(`cnn-panel cnn-${name}`, this.label, this.frame);
    /** @type {Cell[][]} */
    this.cells = [];
    this.margin = [0, 0];
    this.measures = {};
    this.focus = null; // the one cell of an interactive grid, or field, that the Tab key reaches
    if (onEdit) this.#walkFields();
  }

  /**
   * Show one look a cell, and keep a readable width for the longest text. `margin` rows and
   * columns come before the grid's own first ones: where they grow, its cells stay what they are.
   * @param {number} rows @param {number} columns @param {(r: number, c: number) => Look} look
   * @param {[number, number]} [margin]
   */
  show(rows, columns, look, margin = [0, 0]) {
    this.#resize(rows, columns, margin);
    let longest = 1;
    for (let r = 0; r < rows; r += 1) {
      for (let c = 0; c < columns; c += 1) {
        const wanted = look(r, c);
        longest = Math.max(longest, widthOf(wanted.text));
        this.#write(this.cells[r][c], wanted);
      }
    }
    this.#measure({ rows, columns, longest });
    if (this.onEdit && !this.focus?.isConnected) this.setFocus(0, 0);
  }

  /** Tell the style sheet what it needs to know: sizes, and the length of the longest text. */
  #measure(measures) {
    for (const [name, value] of Object.entries(measures)) {
      if (this.measures[name] !== value) this.plane.style.setProperty(`--${name}`, value);
    }
    this.measures = measures;
  }

  /** Take or add rows and columns, before and after, until the grid has this size. */
  #resize(rows, columns, [top, left]) {
    const [before, atLeft] = this.margin;
    for (let extra = before - top; extra > 0; extra -= 1) this.#dropRow(0);
    for (let missing = top - before; missing > 0; missing -= 1) this.#addRow(0);
    while (this.cells.length > rows) this.#dropRow(this.cells.length - 1);
    while (this.cells.length < rows) this.#addRow(this.cells.length);
    for (const [r, row] of this.cells.entries()) {
      const shift = row.length > 0 ? left - atLeft : 0;
      for (let extra = -shift; extra > 0; extra -= 1) row.shift().cell.remove();
      for (let missing = shift; missing > 0; missing -= 1) {
        row.unshift(this.#addCell(r, 0, row[0].cell));
      }
      while (row.length > columns) row.pop().cell.remove();
      while (row.length < columns) row.push(this.#addCell(r, row.length, null));
    }
    while (this.headers.cells.length > columns + 1) this.headers.lastChild.remove();
    while (this.headers.cells.length < columns + 1) this.headers.append(header("col"));
    const shape = [rows, columns, top, left].join();
    if (shape !== this.numbered) this.#number(top, left);
    this.numbered = shape;
    this.margin = [top, left];
  }

  /** Count rows and columns from the grid's own first ones; those of the margin have no number. */
  #number(top, left) {
    const text = (place, before) => (place < before ? "–" : String(place - before + 1));
    const heads = [...this.headers.cells].slice(1);
    for (const [r, row] of [...this.body.rows].entries()) setText(row.cells[0], text(r, top));
    for (const [c, cell] of heads.entries()) setText(cell, text(c, left));
  }

  /** What Tab reaches: the present position of an interactive grid, or one of the fields. */
  setFocus(r, c) {
    const { cell, field } = this.cells[r]?.[c] ?? {};
    const stop = field ?? cell ?? null;
    if (stop === this.focus) return;
    if (this.focus) this.focus.tabIndex = -1;
    if (stop) stop.tabIndex = 0;
    this.focus = stop;
  }

  /** The arrow keys walk over the fields, as long as nothing is typed. */
  #walkFields() {
    let typed = null; // the field whose text is being typed
    this.table.addEventListener("input", ({ target }) => {
      typed = target;
    });
    this.table.addEventListener("change", () => {
      typed = null;
    });
    this.table.addEventListener("focusin", (event) => {
      typed = null;
      this.setFocus(...this.place(event));
    });
    this.table.addEventListener("keydown", (event) => {
      if (event.altKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
      if (typed === event.target && CARET.includes(event.key)) return;
      const next = this.#nextField(event);
      if (!next) return;
      event.preventDefault();
      next.focus();
    });
  }

  /** The field that a key leads to: left and right go in the order of reading, up and down by rows. */
  #nextField(event) {
    const [rows, columns] = [this.cells.length, this.cells[0].length];
    const [r, c] = this.place(event);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
    const index = clamp(r * columns + c + step, 0, rows * columns - 1);
    const read = [Math.floor(index / columns), index % columns];
    const next = step ? read : keyPlace(event, [r, c], [rows, columns]);
    return next && this.cells[next[0]][next[1]].field;
  }

  /**
   * Lay the frame over a part of the grid, `w` by `h` cells from (x, y); null hides it.
   * @param {{ x: number, y: number, w: number, h: number } | null} place
   */
  setLens(place) {
    this.lens.hidden = place === null;
    if (place === null) return;
    const percent = (part, whole) => `${(100 * part) / whole}%`;
    this.lens.style.width = percent(place.w, this.cells[0].length);
    this.lens.style.height = percent(place.h, this.cells.length);
    const [x, y] = [percent(place.x, place.w), percent(place.y, place.h)]; // of the frame itself
    this.lens.style.translate = `${x} ${y}`;
  }

  /**
   * Row and column of the cell around an event's target, or null.
   * @param {Event} event @returns {[number, number] | null}
   */
  place(event) {
    const cell = event.target instanceof Element ? event.target.closest("td") : null;
    if (!cell || !this.table.contains(cell)) return null;
    return [cell.parentElement.rowIndex - 1, cell.cellIndex - 1];
  }

  /**
   * Go where the reader clicks, or drags a mouse.
   * @param {(r: number, c: number) => void} go
   */
  onPlace(go) {
    const follow = (event) => {
      const place = this.place(event);
      if (place) go(...place);
    };
    this.table.addEventListener("click", follow);
    this.table.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" && event.buttons === 1) follow(event);
    });
  }

  #write(record, wanted) {
    const { cell, text, field, shown } = record;
    if (shown.text !== wanted.text) {
      if (field) field.value = wanted.text;
      else text.data = wanted.text;
    }
    if (shown.className !== wanted.className) cell.className = wanted.className ?? "";
    const { label = null } = wanted;
    if (shown.label !== wanted.label) setAttribute(field ?? cell, "aria-label", label);
    if (shown.fill !== wanted.fill) cell.style.background = wanted.fill ?? "";
    if (shown.ink !== wanted.ink) cell.style.color = wanted.ink ?? "";
    if (field && shown.editable !== wanted.editable) field.readOnly = !wanted.editable;
    record.shown = wanted;
  }

  /** Take back what was typed into a field and write its number again. */
  restore(r, c) {
    const { field, shown } = this.cells[r][c];
    field.value = shown.text;
    setAttribute(field, "aria-invalid", null);
  }

  #addRow(r) {
    const row = element("tr", { role: "row" }, header("row"));
    this.body.insertBefore(row, this.body.rows[r] ?? null);
    this.cells.splice(r, 0, []);
  }

  #dropRow(r) {
    this.body.deleteRow(r);
    this.cells.splice(r, 1);
  }

  #box() {
    return element("td", { role: this.interactive ? "gridcell" : "cell" });
  }

  #addCell(r, c, next) {
    const cell = this.#box();
    const text = document.createTextNode(""); // kept, and rewritten: cheaper than a new one
    const field = this.onEdit ? this.#field(r, c) : null;
    if (this.interactive) cell.tabIndex = -1;
    cell.append(field ?? text);
    this.body.rows[r].insertBefore(cell, next);
    return { cell, text, field, shown: {} };
  }

  #field(r, c) {
    const typing = { autocomplete: "off", spellcheck: false, enterKeyHint: "done" };
    const field = element("input", { type: "text", tabIndex: -1, ...typing });
    field.addEventListener("focus", () => field.select());
    field.addEventListener("change", () => this.onEdit(r, c));
    return field;
  }
}

/** How wide a text is, in digits: a sign is wider than they are, a point half as wide. */
function widthOf(text) {
  return text.length + (/^[+−]/.test(text) ? 0.35 : 0) - (text.includes(".") ? 0.5 : 0);
}

/** A header that takes no room: row and column numbers are for assistive tools. */
function header(scope) {
  const role = scope === "row" ? "rowheader" : "columnheader";
  return element("th", { scope, role });
}
