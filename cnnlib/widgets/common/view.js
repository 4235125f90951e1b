// What the views of all widgets share: they follow a model, draw what changed together, read the
// result out, and take what the reader types or say why not.

import { button, div, element, setAttribute, setText } from "./elements.js";
import { set } from "./model.js";
import { keyPlace } from "./keys.js";
import { parse } from "./numbers.js";
import { share } from "./share.js";
import { fill, words } from "./strings.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./grid.js").Grid} NumberGrid */

const REST = 400; // ms without a change before a result is read out

/**
 * One view of a model. A subclass makes its parts, in `root`, and draws them by `draw`.
 * @abstract
 */
export class View {
  /**
   * @param {Model} model
   * @param {Record<string, object>} strings the widget's words, by language
   * @param {string[]} traits those that the reader sees and changes
   */
  constructor(model, strings, traits) {
    this.model = model;
    this.t = words(document.documentElement.lang || "en", strings);
    /** @type {Record<string, any>} */
    this.initial = Object.fromEntries(traits.map((name) => [name, model.get(name)]));
    this.live = element("div", { className: "cnn-hidden", "aria-live": "polite" });
    /** @type {(() => void)[]} what to do when the view goes */
    this.endings = [() => this.keepQuiet()];
  }

  /** Make the element that holds all parts, and the text that is read out. */
  makeRoot(className, ...parts) {
    const attributes = { className, role: "group", "aria-label": this.t.title };
    this.root = element("div", attributes, ...parts, this.live);
  }

  /**
   * The last line: a way back to the beginning, and a link to the present state.
   * @param {string} className
   * @param {string} key which kind of widget the link is for
   * @param {(values: Record<string, any>) => Record<string, any> | null} accept what of a link's
   *   values to set, or null
   */
  makeEnd(className, key, accept) {
    const traits = Object.keys(this.initial).filter((name) => name !== "playing");
    const reset = button(this.t.reset, () => this.reset(), { icon: "reset" });
    const link = share(this.model, key, { traits, accept }, this.t);
    this.endings.push(link.dispose);
    return div(className, reset, link.root);
  }

  /** Go back to the state in which the view found its model. */
  reset() {
    set(this.model, this.initial);
  }

  // Following the model

  /** Act on every change of these traits, for as long as the view is there. */
  follow(names, act = () => this.schedule()) {
    const events = names.map((name) => `change:${name}`);
    for (const event of events) this.model.on(event, act);
    this.endings.push(() => events.forEach((event) => this.model.off(event, act)));
  }

  /** Several traits may change at once: draw them together. */
  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    this.later(() => {
      this.scheduled = false;
      if (!this.removed) this.draw();
    });
  }

  /** When to draw what changed: as soon as all of it has. */
  later(draw) {
    queueMicrotask(draw);
  }

  /** Draw the model's state. */
  draw() {
    throw new Error("a view says how it is drawn");
  }

  remove() {
    for (const end of this.endings) end();
    this.removed = true;
  }

  // Reading out

  /**
   * Read out those texts that are new, once the reader rests. Nothing is read out on arrival.
   * @param {string[]} texts as many each time
   * @param {() => void} [onRead]
   */
  readOut(texts, onRead = () => {}) {
    this.keepQuiet();
    this.announced ??= texts;
    const fresh = texts.filter((text, i) => text !== this.announced[i]);
    if (fresh.length === 0) return;
    this.announcement = setTimeout(() => {
      this.announced = texts;
      onRead();
      setText(this.live, fresh.join(" "));
    }, REST);
  }

  /** Do not read out what waits. */
  keepQuiet() {
    clearTimeout(this.announcement);
  }
}

/**
 * A field to type a number into: a cell of a grid.
 * @typedef {{ grid: NumberGrid, r: number, c: number }} Place
 */

/**
 * A view of grids: with numbers to type, and with cells that belong to each other. A text that is
 * no number stays in its field, with the reason in `refusal`, until it is mended or anything else
 * is drawn.
 * @abstract
 */
export class GridView extends View {
  constructor(model, strings, traits) {
    super(model, strings, traits);
    /** @type {Place | null} the field whose text is no number */
    this.refused = null;
    this.linked = null; // the place that the reader points at: what a subclass takes for one
    /** @type {HTMLElement[]} */
    this.linkedCells = [];
  }

  /**
   * Go where a key leads from a place of the output.
   * @param {KeyboardEvent} event @param {NumberGrid} grid the one that the reader is in
   * @param {[number, number]} place row and column now
   * @param {[number, number]} size the output's rows and columns
   */
  goByKey(event, grid, place, size) {
    const next = keyPlace(event, place, size);
    if (!next) return;
    event.preventDefault();
    const [row, column] = next;
    set(this.model, { row, column, playing: false });
    this.draw(); // now, so that the focus can follow
    grid.focus?.focus();
  }

  // Typing

  /** Make the line that says why a text cannot be. */
  makeRefusal(className) {
    this.refusal = element("p", { className, role: "alert" });
  }

  /**
   * The number that was typed, or null after saying why it cannot be.
   * @param {Place} place @param {number} limit of its size
   * @returns {number | null}
   */
  readNumber(place, limit) {
    const text = fieldAt(place).value;
    const value = parse(text);
    if (value === null) this.refuse(place, fill(this.t.notANumber, { text }));
    else if (Math.abs(value) > limit) this.refuse(place, fill(this.t.outOfRange, { text, limit }));
    else this.#accept(place);
    return this.refused ? null : value;
  }

  #accept({ grid, r, c }) {
    this.forgive();
    grid.restore(r, c);
  }

  /** @param {Place} place @param {string} reason */
  refuse(place, reason) {
    if (this.refused && fieldAt(this.refused) !== fieldAt(place)) this.forgive();
    setAttribute(fieldAt(place), "aria-invalid", "true");
    this.refused = place;
    setText(this.refusal, reason);
    this.drawLink();
  }

  /** Put the number back where something else was typed. */
  forgive() {
    if (!this.refused) return;
    const { grid, r, c } = this.refused;
    this.refused = null;
    setText(this.refusal, "");
    if (grid.cells[r]?.[c]) grid.restore(r, c);
  }

  // What belongs together

  /**
   * Link what the reader touches in an element, by pointer or by focus; Escape forgives.
   * @param {HTMLElement} area
   * @param {(event: Event) => any} placeOf what an event links, null for nothing
   */
  linkWithin(area, placeOf) {
    const link = (event) => this.#link(placeOf(event));
    const unlink = () => this.#link(null);
    area.addEventListener("pointerover", link);
    area.addEventListener("focusin", link);
    area.addEventListener("pointerleave", unlink);
    area.addEventListener("focusout", unlink);
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.forgive();
      this.drawLink();
    });
  }

  #link(place) {
    this.linked = place;
    this.drawLink();
  }

  /** Draw what `linked` and `refused` say: the marked cells, and the line below. */
  drawLink() {}

  /** Mark these cells as belonging together, and no others. @param {HTMLElement[]} cells */
  markLinked(cells) {
    for (const cell of this.linkedCells) cell.classList.remove("cnn-linked");
    for (const cell of cells) cell.classList.add("cnn-linked");
    this.linkedCells = cells;
  }
}

/** @param {Place} place @returns {HTMLInputElement} */
const fieldAt = ({ grid, r, c }) => grid.cells[r]?.[c]?.field;
