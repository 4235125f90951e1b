// The architecture explorer: a network's layers to scale, and what each of them costs.
//
// The model's traits are the whole state, but for the row that a mouse points at: that one is shown
// as long as it points, and a click puts it into the traits.

import {
  MEASURES, boxesOf, comparisonOf, exactly, inPercent, isGroup, kindText, openGroups, pathsOf,
  rowAt, scaleOf, sentenceOf, shapeText, shareIn, tagsOf, unpack, valueText, visibleRows,
} from "./model.js";
import STRINGS from "./words.json" with { type: "json" };
import {
  button, choice, div, element, segments, setAttribute, setText, widgetRoot,
} from "../common/elements.js";
import { clamp, set } from "../common/model.js";
import { isWhole } from "../common/share.js";
import { fill } from "../common/strings.js";
import { View } from "../common/view.js";

/** @typedef {import("./model.js").Network} Network */

const STATE = ["network", "row", "compare", "measure", "opened"];
const SVG = "http://www.w3.org/2000/svg";
const NOBODY = -1; // no row, no second network

/** The state to set from a link's values, which anybody may have written; null for none. */
export function acceptArchitecture(values, networks) {
  const last = networks.length - 1;
  if (!isWhole(values.network, [0, last])) return null;
  const { rows } = networks[values.network];
  const isName = (name) => typeof name === "string"; // one that is not there opens nothing
  const isPossible =
    isWhole(values.row, [NOBODY, rows.length - 1]) && isWhole(values.compare, [NOBODY, last]) &&
    MEASURES.includes(values.measure) && Array.isArray(values.opened) &&
    values.opened.length <= rows.length && values.opened.every(isName);
  return isPossible ? values : null;
}

/** One view of the model. */
class ArchitectureView extends View {
  constructor(model, el) {
    super(model, STRINGS, STATE);
    this.pointed = NOBODY; // the row that a mouse points at
    /** @type {Network[]} */
    this.networks = model.get("networks").map(unpack);
    this.#makeHeader();
    this.#makeStage();
    this.#makeReading();
    this.#makeTable();
    const notes = [this.t.scale, this.t.order].map((text) => element("p", {}, text));
    const accept = (values) => acceptArchitecture(values, model.get("networks"));
    const parts = [this.header, this.stage, this.reading, this.actions, this.box];
    const foot = this.makeEnd("cnn-arch-foot", "arch", accept);
    this.makeRoot("cnn-arch", ...parts, div("cnn-arch-notes", ...notes), foot);
    this.follow(STATE);
    this.follow(["networks"], () => {
      this.networks = model.get("networks").map(unpack);
      this.shown = null;
      this.#fillChoices();
      this.schedule();
    });
    this.draw();
    el.append(widgetRoot(this.root));
    requestAnimationFrame(() => this.#follow()); // not before it is on the page
  }

  // The parts, made once

  #makeHeader() {
    const { t, model } = this;
    const choose = (text) =>
      set(model, { network: Number(text), row: NOBODY, opened: [] });
    this.networkChoice = choice(t.network, [["", ""]], choose);
    this.compareChoice = choice(t.compareWith, [["", ""]], (text) => {
      set(model, { compare: Number(text) });
    });
    this.#fillChoices();
    this.measures = segments(t.measured, Object.entries(t.measures), (measure) => {
      set(model, { measure });
    });
    const parts = [this.networkChoice, this.compareChoice, this.measures];
    this.header = div("cnn-arch-header", ...parts.map(({ root }) => root));
  }

  #fillChoices() {
    const options = () => this.networks.map(({ name }, i) => new Option(name, String(i)));
    this.networkChoice.select.replaceChildren(...options());
    const none = new Option(this.t.compareNone, String(NOBODY));
    this.compareChoice.select.replaceChildren(none, ...options());
    this.compareChoice.root.hidden = this.networks.length === 1;
  }

  #makeStage() {
    const { t } = this;
    this.outputLabel = div("cnn-label cnn-output");
    this.barLabel = div("cnn-label cnn-measure");
    this.pictures = [makePicture(), makePicture()];
    this.canvas = div("cnn-arch-canvas", ...this.pictures.map(({ root }) => root));
    const region = { className: "cnn-arch-scroll", role: "group", "aria-label": t.pictureRegion };
    this.scroll = element("div", { ...region, tabIndex: 0 }, this.canvas);
    const labels = div("cnn-arch-labels", this.outputLabel, this.barLabel);
    this.stage = div("cnn-arch-stage", labels, this.scroll);
    const { svg } = this.pictures[0];
    const rowOf = ({ clientX }) => {
      const box = svg.getBoundingClientRect();
      const x = ((clientX - box.left) / box.width) * this.scene.scale.units;
      return rowAt(this.scene.layouts[0], x);
    };
    this.#listen(svg, rowOf);
    svg.addEventListener("click", (event) => {
      const row = rowOf(event);
      if (row >= 0) this.#choose(row);
    });
  }

  #makeReading() {
    const { t } = this;
    this.sentence = element("p", { className: "cnn-arch-sentence" });
    const hint = element("p", { className: "cnn-arch-hint" }, t.layersHint);
    this.comparison = element("p", { className: "cnn-arch-comparison" });
    this.reading = div("cnn-arch-reading", this.sentence, this.comparison, hint);
    this.back = button(t.back, () => this.#step(-1), { icon: "back", quiet: true });
    this.on = button(t.step, () => this.#step(1), { icon: "step", quiet: true });
    this.openAll = button(t.openAll, () => {
      set(this.model, { opened: namesOf(this.scene.network.rows, this.#groups()) });
    });
    this.foldAll = button(t.foldAll, () => this.#foldAll());
    this.actions = div("cnn-arch-actions", this.back, this.on, this.openAll, this.foldAll);
  }

  #makeTable() {
    const { t } = this;
    const texts = [t.layerColumn, t.kindColumn, t.outputColumn, ...Object.values(t.measures)];
    const heads = [...texts, t.shareColumn].map((text, i) =>
      cell("th", "columnheader", i, text, { scope: "col" }));
    this.body = element("tbody", { role: "rowgroup" });
    this.total = element("tr", { role: "row" });
    this.table = element("table", { className: "cnn-layers cnn-arch-table", role: "treegrid" });
    const head = element("tr", { role: "row" }, ...heads);
    this.table.append(element("thead", { role: "rowgroup" }, head), this.body);
    this.table.append(element("tfoot", { role: "rowgroup" }, this.total));
    this.box = div("cnn-arch-box", this.table);
    this.body.addEventListener("keydown", (event) => this.#onKey(event));
    this.body.addEventListener("focusin", ({ target }) => {
      const row = this.#rowOf(target);
      if (row >= 0 && row !== this.scene.row) this.#choose(row);
    });
    this.body.addEventListener("click", ({ target }) => {
      const row = this.#rowOf(target);
      if (target.closest(".cnn-arch-sign")) this.#toggle(row);
      else if (row >= 0) this.#choose(row); // a finger does not focus everywhere
    });
    this.#listen(this.body, ({ target }) => this.#rowOf(target));
  }

  /** The lines of a network's table: all of them, of which those in folded groups are hidden. */
  #makeLines(network) {
    this.lines = network.rows.map((row, i) => this.#makeLine(network, row, i));
    this.body.replaceChildren(...this.lines.map(({ line }) => line));
    const values = network.totals.map(valueText);
    const cells = ["", "", ...values, inPercent(1)].map((text, i) =>
      cell("td", "gridcell", i + 1, text));
    const head = cell("th", "rowheader", 0, this.t.total, { scope: "row" });
    this.total.replaceChildren(head, ...cells);
  }

  #makeLine({ rows, totals }, row, i) {
    const { t } = this;
    const head = element("th", { role: "rowheader", scope: "row" });
    const isFoldable = isGroup(rows, i);
    if (isFoldable) head.append(element("span", { className: "cnn-arch-sign" }));
    head.append(element("span", {}, row.label));
    const output = row.shape ? shapeText(row.shape, "×") : t.notRun;
    const texts = [kindText(t, row), output, ...row.sums.map(valueText)];
    const cells = texts.map((text, column) => cell("td", "gridcell", column + 1, text));
    row.sums.forEach((sum, k) => {
      const node = cells[k + 2];
      if (!sum) node.className = "cnn-arch-none";
      node.style.setProperty("--share", `${Math.round(1e4 * shareIn(sum, totals[k])) / 100}%`);
    });
    const share = cell("td", "gridcell", 6, "");
    const line = element("tr", { role: "row", tabIndex: -1 }, head, ...cells, share);
    line.setAttribute("aria-level", String(row.depth + 1));
    line.style.setProperty("--depth", String(row.depth));
    line.dataset.row = String(i);
    line.classList.toggle("cnn-arch-group", isFoldable);
    return { line, share, sign: isFoldable ? head.firstChild : null };
  }

  // What the reader does

  /** The row of the table that an element is in, or -1. */
  #rowOf(target) {
    return Number(target.closest("[data-row]")?.dataset.row ?? NOBODY);
  }

  /** Choose a row. The groups that are open around the last one stay open. */
  #choose(row) {
    const { network: { rows }, open } = this.scene;
    this.pointed = NOBODY;
    set(this.model, { row, opened: namesOf(rows, open) });
  }

  /** A mouse shows what it points at. */
  #listen(area, rowOf) {
    const show = (row) => {
      if (row === this.pointed) return;
      this.pointed = row;
      this.#scheduleFrame();
    };
    area.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse") show(rowOf(event));
    });
    area.addEventListener("pointerleave", () => show(NOBODY));
  }

  /** Go to the next or the previous row of those that are seen. */
  #step(by) {
    const { row, seen } = this.scene;
    const last = seen.length - 1;
    this.#choose(seen[clamp(row < 0 ? 0 : seen.indexOf(row) + by, 0, last)]);
  }

  #groups() {
    const { rows } = this.scene.network;
    return [...rows.keys()].filter((i) => isGroup(rows, i));
  }

  #foldAll() {
    const { network: { rows }, row } = this.scene;
    let top = row;
    while (top >= 0 && rows[top].parent >= 0) top = rows[top].parent;
    set(this.model, { opened: [], row: top });
  }

  /** Open or fold a group. What is chosen in a group that folds gives way to the group. */
  #toggle(i) {
    const { network: { rows }, open, row } = this.scene;
    if (!isGroup(rows, i)) return;
    const wanted = new Set(open);
    if (!wanted.delete(i)) wanted.add(i);
    const isInside = row > i && row < rows[i].end;
    set(this.model, { opened: namesOf(rows, wanted), row: isInside ? i : row });
  }

  /** The keys of a tree: up and down walk, right opens and enters, left folds and leaves. */
  #onKey(event) {
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    const { network: { rows }, seen, open } = this.scene;
    const i = this.#rowOf(event.target);
    const at = seen.indexOf(i);
    const isOpen = open.has(i);
    const isFolded = isGroup(rows, i) && !isOpen;
    const acts = {
      ArrowDown: () => this.#choose(seen[Math.min(at + 1, seen.length - 1)]),
      ArrowUp: () => this.#choose(seen[Math.max(at - 1, 0)]),
      Home: () => this.#choose(seen[0]),
      End: () => this.#choose(seen.at(-1)),
      ArrowRight: () => (isFolded ? this.#toggle(i) : isOpen && this.#choose(i + 1)),
      ArrowLeft: () => (isOpen ? this.#toggle(i) : this.#choose(Math.max(rows[i].parent, 0))),
      Enter: () => this.#toggle(i),
      " ": () => this.#toggle(i),
      Escape: () => this.#choose(NOBODY),
    };
    if (event.key === "ArrowLeft" && !isOpen && rows[i].parent < 0) return;
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
    this.draw(); // now, so that the focus can follow
    if (this.scene.row >= 0) this.lines[this.scene.row].line.focus({ preventScroll: true });
  }

  // Drawing

  /** At most one drawing a frame, however many moves a mouse reports. */
  #scheduleFrame() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.removed) this.#drawLight();
    });
  }

  draw() {
    const { model, networks } = this;
    const whole = (name, [low, high]) => clamp(Math.round(Number(model.get(name))) || 0, low, high);
    const network = networks[whole("network", [0, networks.length - 1])];
    const compare = whole("compare", [NOBODY, networks.length - 1]);
    const other = compare < 0 ? null : networks[compare];
    const row = whole("row", [NOBODY, network.rows.length - 1]);
    const k = Math.max(MEASURES.indexOf(model.get("measure")), 0);
    const open = openGroups(network.rows, model.get("opened"), row);
    const seen = visibleRows(network.rows, open);
    const layouts = [boxesOf(network, open)];
    if (other) layouts.push(boxesOf(other, new Set()));
    const scale = scaleOf(layouts, k);
    this.scene = { network, other, row, k, open, seen, layouts, scale };
    if (network !== this.shown) {
      this.shown = network;
      this.pointed = NOBODY;
      this.#makeLines(network);
    }
    this.#drawControls(compare);
    this.#drawPictures();
    this.#drawTable();
    this.#drawLight();
    this.#follow();
    setText(this.comparison, other ? comparisonOf(this.t, network, other) : "");
    this.comparison.hidden = !other;
    this.readOut([sentenceOf(this.t, network, row, k), this.comparison.textContent]);
  }

  #drawControls(compare) {
    const { network, k, open, row, seen } = this.scene;
    this.networkChoice.show(String(this.networks.indexOf(network)));
    this.compareChoice.show(String(compare));
    this.measures.show(MEASURES[k]);
    this.root.dataset.measure = MEASURES[k];
    const groups = this.#groups().length;
    this.openAll.hidden = this.foldAll.hidden = groups === 0;
    this.openAll.disabled = open.size === groups;
    this.foldAll.disabled = open.size === 0;
    this.back.disabled = row < 0 || row === seen[0];
    this.on.disabled = row === seen.at(-1);
  }

  #drawPictures() {
    const { t, scene: { network, other, k, layouts, scale } } = this;
    const shown = other ? [network, other] : [network];
    const measure = MEASURES[k];
    const whole = Math.max(...shown.map(({ totals }) => totals[k]));
    setText(this.outputLabel, fill(t.outputs, { name: network.name }));
    setText(this.barLabel, fill(t.bars, {
      measure: t.measures[measure], most: valueText(scale.most, k),
      share: inPercent(shareIn(scale.most, whole)),
    }));
    const counts = layouts.map(({ boxes }) => boxes.filter(({ kind }) => kind !== "thin").length);
    this.canvas.style.setProperty("--boxes", String(Math.max(...counts)));
    this.pictures.forEach((picture, i) => {
      picture.root.hidden = !shown[i];
      if (shown[i]) this.#drawFrame(picture, shown[i], layouts[i], i);
    });
  }

  /** What of a picture does not depend on what is lit. */
  #drawFrame({ svg, title, sizes, names }, network, layout, i) {
    const { t, scene: { scale } } = this;
    const count = exactly(layout.boxes.length);
    setAttribute(svg, "role", "img"); // not before it has a name
    setAttribute(svg, "aria-label", fill(t.pictureName, { name: network.name, count }));
    setAttribute(svg, "viewBox", `0 -1 ${Math.round(scale.units * 100) / 100} 151`);
    title.hidden = i === 0;
    setText(title, i ? network.name : "");
    const nameOf = (row) => {
      if (row < 0) return t.inputBox;
      return network.rows[row].stage ? kindText(t, network.rows[row]) : network.rows[row].label;
    };
    const tags = tagsOf(layout, scale.units, nameOf);
    sizes.replaceChildren(...tags.sizes.map(tagNode));
    names.replaceChildren(...tags.names.map(tagNode));
  }

  #drawTable() {
    const { t, scene: { network, open, seen, k, row } } = this;
    setAttribute(this.table, "aria-label", fill(t.tableName, { name: network.name }));
    const visible = new Set(seen);
    const stop = row < 0 ? seen[0] : row; // where the Tab key comes to
    this.lines.forEach(({ line, share, sign }, i) => {
      line.hidden = !visible.has(i);
      line.tabIndex = i === stop ? 0 : -1;
      if (sign) {
        setAttribute(line, "aria-expanded", String(open.has(i)));
        sign.classList.toggle("cnn-arch-open", open.has(i));
      }
      setAttribute(line, "aria-selected", String(i === row));
      line.classList.toggle("cnn-arch-chosen", i === row);
      setText(share, inPercent(shareIn(network.rows[i].sums[k], network.totals[k])));
    });
  }

  /** What depends on the row that is chosen or pointed at: this runs with every move of a mouse. */
  #drawLight() {
    const { t, scene: { network, row, k, layouts, scale } } = this;
    const lit = this.pointed >= 0 ? this.pointed : row;
    const isLit = (each) => lit >= 0 && each >= lit && each < network.rows[lit].end;
    this.pictures.forEach(({ paths }, i) => {
      if (!layouts[i]) return;
      const drawn = pathsOf(layouts[i], scale, k, i === 0 ? isLit : () => false);
      for (const [name, path] of Object.entries(paths)) setAttribute(path, "d", drawn[name]);
    });
    this.lines.forEach(({ line }, i) => line.classList.toggle("cnn-arch-lit", i === this.pointed));
    setText(this.sentence, sentenceOf(t, network, lit, k));
  }

  /** Bring a newly chosen row into sight, in the table's and the picture's own frames. */
  #follow() {
    const { row, layouts, scale } = this.scene;
    if (!this.root.isConnected) return;
    const isNew = row >= 0 && row !== this.followed;
    this.followed = row;
    if (!isNew) return;
    const { box, scroll } = this;
    const line = this.lines[row].line.getBoundingClientRect();
    const frame = box.getBoundingClientRect();
    const head = this.table.tHead.getBoundingClientRect().height;
    const foot = this.table.tFoot.getBoundingClientRect().height;
    box.scrollTop += Math.min(0, line.top - frame.top - head);
    box.scrollTop += Math.max(0, line.bottom - frame.bottom + foot);
    const place = layouts[0].boxes.find((each) => each.row >= row);
    if (!place) return;
    const [from, to] = [place.x, place.x + place.width].map((x) =>
      (x / scale.units) * this.canvas.getBoundingClientRect().width);
    if (from < scroll.scrollLeft || to > scroll.scrollLeft + scroll.clientWidth) {
      scroll.scrollLeft = (from + to - scroll.clientWidth) / 2;
    }
  }
}

/** The names of some rows, each once, in the order of the table. */
function namesOf(rows, indices) {
  const names = [...indices].sort((a, b) => a - b).map((i) => rows[i].name);
  return [...new Set(names)];
}

/** A picture to draw into: a title, the drawing, and texts above and below. */
function makePicture() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("preserveAspectRatio", "none");
  const kinds = ["spot", "input", "group", "stripes", "full", "empty", "thin", "bars", "lit"];
  const paths = Object.fromEntries(kinds.map((kind) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", `cnn-arch-${kind}`);
    svg.append(path);
    return [kind, path];
  }));
  const [sizes, names] = ["sizes", "names"].map((kind) => {
    const line = div(`cnn-arch-${kind}`);
    line.setAttribute("aria-hidden", "true");
    return line;
  });
  const title = element("p", { className: "cnn-arch-title" });
  const root = div("cnn-arch-picture", title, svg, sizes, names);
  return { root, svg, paths, title, sizes, names };
}

/** A text in its room: it disappears where it does not fit. */
function tagNode({ text, left, width }) {
  const node = element("span", {}, element("i"), element("b", {}, text));
  Object.assign(node.style, { left: `${left}%`, width: `${width}%` });
  return node;
}

/** A cell of the table; the measures' columns say which they are. */
function cell(tag, role, column, text, attributes = {}) {
  const node = element(tag, { role, ...attributes }, text);
  if (column >= 3 && column < 6) node.dataset.column = MEASURES[column - 3];
  return node;
}

export default {
  render({ model, el }) {
    const view = new ArchitectureView(model, el);
    return () => view.remove();
  },
};
