// The convolution explorer: an input, a kernel that slides over it, and the output that fills.
//
// The model's traits are the whole state. A control sets a trait; a trait that changes, from here
// or from outside, draws the view again in place.

import { products, resized, total } from "./arithmetic.js";
import STRINGS from "./convolution.json" with { type: "json" };
import {
  button, choice, div, element, segments, setText, slider, template, widgetRoot,
} from "./elements.js";
import {
  TRAITS, acceptState, advance, clamp, sceneOf, set, startClock, togglePlay,
} from "./explorer_model.js";
import { Grid } from "./grid.js";
import { aligned, decimal, exact, parse, short } from "./numbers.js";
import { INPUTS, KERNELS, inputName, kernelName } from "./presets.js";
import { shadesOf } from "./shades.js";
import { share } from "./share.js";
import { fill, words } from "./strings.js";

const LIMIT = 999; // of a typed number: what a cell can show
const ANNOUNCE_AFTER = 400; // ms of rest before a result is read out

/** One view of the model. */
class Explorer {
  constructor(model, el) {
    this.model = model;
    this.t = words(document.documentElement.lang || "en", STRINGS);
    this.linked = null; // the place in the strip that the reader points at
    this.refused = null; // the field whose text is no number
    this.initial = Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
    this.#makeStage();
    this.#makeStrip();
    this.#makeReading();
    this.#makeFormula();
    this.#makeHeader();
    this.#makeSettings();
    const { header, stage, strip, reading, formula, settings, live } = this;
    const parts = [header, stage, strip, reading, formula, settings, live];
    const attributes = { className: "cnn-explorer", role: "group", "aria-label": this.t.title };
    this.root = element("div", attributes, ...parts);
    this.onChange = () => this.#schedule();
    for (const name of TRAITS) model.on(`change:${name}`, this.onChange);
    this.draw();
    el.append(widgetRoot(this.root));
  }

  remove() {
    clearTimeout(this.announcement);
    for (const name of TRAITS) this.model.off(`change:${name}`, this.onChange);
    this.link.dispose();
    this.removed = true;
  }

  /** Several traits may change at once: draw them together. */
  #schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => this.draw());
  }

  // The parts, made once

  #makeStage() {
    this.input = new Grid("input", { interactive: true });
    this.output = new Grid("output", { interactive: true });
    this.problem = element("p", { className: "cnn-problem" });
    this.output.frame.append(this.problem);
    this.stage = div("cnn-stage", this.input.root, this.output.root);
    this.#listenToGrid(this.input, (r, c) => this.#placeOver(r, c));
    this.#listenToGrid(this.output, (r, c) => [r, c]);
  }

  #makeStrip() {
    this.window = new Grid("window", { onEdit: (r, c) => this.#editPixel(r, c) });
    this.kernel = new Grid("kernel", { onEdit: (r, c) => this.#editWeight(r, c) });
    this.products = new Grid("products");
    for (const grid of [this.window, this.kernel, this.products]) grid.setLens(null);
    setText(this.window.label, this.t.windowLabel);
    setText(this.products.label, this.t.productsLabel);
    this.sum = div("cnn-sum-value");
    const label = div("cnn-label", this.t.sumLabel);
    const sum = div("cnn-panel cnn-output cnn-sum-panel", label, this.sum);
    const [times, equals, adds] = ["×", "=", "→"].map((text) => div("cnn-sign", text));
    adds.classList.add("cnn-sum-sign");
    for (const each of [times, equals, adds, sum]) each.setAttribute("aria-hidden", "true");
    const grids = [this.window.root, times, this.kernel.root, equals, this.products.root];
    this.strip = div("cnn-strip", ...grids, adds, sum);
    this.#listenToStrip();
  }

  #makeReading() {
    this.sumText = element("span");
    this.terms = element("span", { className: "cnn-terms" });
    this.total = element("strong", { className: "cnn-total" });
    this.pair = template(this.t.pair, "cnn-pair");
    this.hint = element("p", { className: "cnn-hint" }, this.t.pairHint);
    this.refusal = element("p", { className: "cnn-refusal", role: "alert" });
    const sum = element("p", { className: "cnn-sum" });
    sum.append(this.sumText, " ", this.terms, " ", this.total);
    this.reading = div("cnn-reading", sum, this.pair.root, this.hint, this.refusal);
    this.live = element("div", { className: "cnn-hidden", "aria-live": "polite" });
  }

  #makeFormula() {
    const line = (name) => template(this.t.formula, `cnn-formula-${name}`);
    this.formulaLines = { words: line("words"), rows: line("numbers"), columns: line("numbers") };
    const lines = Object.values(this.formulaLines).map(({ root }) => root);
    this.formula = div("cnn-formula", ...lines);
  }

  #makeHeader() {
    const { t, model } = this;
    this.pictureChoice = choice(t.picture, Object.entries(t.pictures), (name) => {
      const input = model.get("input");
      set(model, { input: INPUTS[name](input.length, input[0].length, model.get("photo")) });
    });
    this.kernelChoice = choice(t.kernel, Object.entries(t.kernels), (name) => {
      set(model, { kernel: KERNELS[name](Math.max(model.get("kernel").length, 3)) });
    });
    const start = { row: 0, column: 0, filled: false, playing: false };
    const press = (icon, label, act) => button(label, act, { icon, quiet: true });
    this.playButton = button(t.play, () => togglePlay(model), { icon: "play" });
    this.stepButtons = [
      press("first", t.first, () => set(model, start)),
      press("back", t.back, () => this.#step(-1)),
      press("step", t.step, () => this.#step(1)),
      press("all", t.all, () => set(model, { filled: true, playing: false })),
    ];
    const choices = div("cnn-choices", this.pictureChoice.root, this.kernelChoice.root);
    const player = div("cnn-player", this.playButton, ...this.stepButtons);
    this.header = div("cnn-header", choices, player);
  }

  #makeSettings() {
    const { t, model } = this;
    const { input, kernel, stride, padding, dilation } = model.get("limits");
    this.sliders = {
      input: slider(t.inputSize, input, (size) => this.#resizeInput(size)),
      kernel: slider(t.kernelSize, kernel, (size) => this.#resizeKernel(size)),
      stride: slider(t.stride, stride, (value) => set(model, { stride: value })),
      padding: slider(t.padding, padding, (value) => {
        set(model, { padding: value, mode: "number" });
      }),
      dilation: slider(t.dilation, dilation, (value) => set(model, { dilation: value })),
    };
    const names = ["number", "valid", "same", "full"].map((name) => [name, t[name]]);
    this.modes = segments(t.paddingWords, names, (mode) => set(model, { mode }));
    const operations = [["correlation", t.correlation], ["convolution", t.convolution]];
    this.operation = segments(t.operation, operations, (name) => {
      set(model, { flip: name === "convolution" });
    });
    const reset = button(t.reset, () => set(model, this.initial), { icon: "reset" });
    const sliders = div("cnn-sliders", ...Object.values(this.sliders).map(({ root }) => root));
    const ways = div("cnn-ways", this.modes.root, this.operation.root);
    const traits = TRAITS.filter((name) => name !== "playing");
    const accept = (values) => acceptState(values, model.get("limits"));
    this.link = share(model, "conv", { traits, accept }, t);
    this.settings = div("cnn-settings", sliders, ways, div("cnn-end", reset, this.link.root));
  }

  // What the reader does

  #step(steps) {
    set(this.model, { playing: false });
    advance(this.model, steps);
  }

  /** A preset stays itself at another size; the reader's own numbers are cut, or framed in 0. */
  #resizeInput(size) {
    const [old, photo] = [this.model.get("input"), this.model.get("photo")];
    const preset = INPUTS[inputName(old, photo)];
    set(this.model, { input: preset ? preset(size, size, photo) : resized(old, size, size) });
  }

  #resizeKernel(size) {
    const old = this.model.get("kernel");
    const preset = KERNELS[kernelName(old)];
    set(this.model, { kernel: preset ? preset(size) : resized(old, size, size) });
  }

  /** The output place whose window has its middle nearest to a pixel of the padded input. */
  #placeOver(r, c) {
    const { rows, columns, settings } = this.scene;
    const nearest = (pixel, { span, output }) =>
      clamp(Math.round((pixel - (span - 1) / 2) / settings.stride), 0, output - 1);
    return [nearest(r, rows), nearest(c, columns)];
  }

  /** The pixel of the padded input under the middle of the window. */
  #middle() {
    const { rows, columns, settings, row, column } = this.scene;
    const middle = (place, { span }) => place * settings.stride + Math.floor((span - 1) / 2);
    return [middle(row, rows), middle(column, columns)];
  }

  #listenToGrid(grid, toPlace) {
    const go = (event) => {
      const place = grid.place(event);
      if (!place || this.scene.problem) return;
      const [row, column] = toPlace(...place);
      set(this.model, { row, column, playing: false });
    };
    grid.table.addEventListener("click", go);
    grid.table.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" && event.buttons === 1) go(event);
    });
    grid.table.addEventListener("dblclick", (event) => grid === this.input && this.#editAt(event));
    grid.table.addEventListener("keydown", (event) => this.#onKey(event, grid));
  }

  #onKey(event, grid) {
    if (this.scene.problem || event.altKey || event.metaKey) return;
    if (event.key === "Enter" && grid === this.input) return this.#editAt(event);
    const { row, column, rows, columns } = this.scene;
    const last = { row: rows.output - 1, column: columns.output - 1 };
    const places = {
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      Home: [event.ctrlKey ? 0 : row, 0],
      End: [event.ctrlKey ? last.row : row, last.column],
    };
    const place = places[event.key];
    if (!place) return;
    event.preventDefault();
    const [r, c] = [clamp(place[0], 0, last.row), clamp(place[1], 0, last.column)];
    set(this.model, { row: r, column: c, playing: false });
    this.draw(); // now, so that the focus can follow
    grid.focus?.focus();
  }

  /** Take the reader from a pixel to the field of the window that holds its number. */
  #editAt(event) {
    const place = this.input.place(event);
    if (!place || this.scene.problem) return;
    event.preventDefault();
    this.draw();
    const { rows, columns, settings, row, column } = this.scene;
    const index = (pixel, start, { kernel }) =>
      clamp(Math.round((pixel - start * settings.stride) / settings.dilation), 0, kernel - 1);
    const [r, c] = [index(place[0], row, rows), index(place[1], column, columns)];
    this.window.cells[r][c].field.focus();
  }

  #editPixel(r, c) {
    const { rows, columns, pixel } = this.scene;
    const [y, x] = pixel(r, c);
    this.#edit("input", [y - rows.before, x - columns.before], { grid: this.window, r, c });
  }

  #editWeight(r, c) {
    const { rows, columns, settings } = this.scene;
    const place = settings.flip ? [rows.kernel - 1 - r, columns.kernel - 1 - c] : [r, c];
    this.#edit("kernel", place, { grid: this.kernel, r, c });
  }

  /** Put what was typed `at` a place of the strip into a trait, or say why that cannot be. */
  #edit(trait, [y, x], at) {
    const text = at.grid.cells[at.r][at.c].field.value;
    const value = parse(text);
    if (value === null) return this.#refuse(at, fill(this.t.notANumber, { text }));
    if (Math.abs(value) > LIMIT) {
      return this.#refuse(at, fill(this.t.outOfRange, { text, limit: LIMIT }));
    }
    this.#forgive();
    at.grid.restore(at.r, at.c);
    const values = this.model.get(trait).map((row) => [...row]);
    values[y][x] = value;
    return set(this.model, { [trait]: values });
  }

  #refuse(at, reason) {
    const old = this.refused;
    const isSame = old?.grid === at.grid && old.r === at.r && old.c === at.c;
    if (!isSame) this.#forgive();
    at.grid.cells[at.r][at.c].field.setAttribute("aria-invalid", "true");
    this.refused = at;
    setText(this.refusal, reason);
    this.#drawLink();
  }

  /** Put the number back where something else was typed. */
  #forgive() {
    if (!this.refused) return;
    const { grid, r, c } = this.refused;
    this.refused = null;
    setText(this.refusal, "");
    if (grid.cells[r]?.[c]) grid.restore(r, c);
  }

  /** A number of the strip, touched: show the same place in window, kernel, products and input. */
  #listenToStrip() {
    const grids = [this.window, this.kernel, this.products];
    const link = (event) => {
      const place = grids.map((grid) => grid.place(event)).find(Boolean);
      if (place) this.#link(place);
    };
    this.strip.addEventListener("pointerover", link);
    this.strip.addEventListener("focusin", link);
    this.strip.addEventListener("pointerleave", () => this.#link(null));
    this.strip.addEventListener("focusout", () => this.#link(null));
    this.strip.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#forgive();
      this.#drawLink();
    });
  }

  #link(place) {
    this.linked = place;
    this.#drawLink();
  }

  // Drawing

  draw() {
    this.scheduled = false;
    if (this.removed) return;
    this.#forgive();
    const scene = (this.scene = sceneOf(this.model));
    this.#drawInput(scene);
    this.#drawKernel(scene);
    this.#drawWindow(scene);
    this.#drawProducts(scene);
    this.#drawOutput(scene);
    this.#drawSum(scene);
    this.#drawFormula(scene);
    this.#drawControls(scene);
    this.#drawLink();
    this.#announce(scene);
  }

  #drawInput(scene) {
    const { rows, columns, settings, problem, pixel } = scene;
    const isPadded = rows.room > rows.input || columns.room > columns.input;
    const label = isPadded ? this.t.inputLabelPadded : this.t.inputLabel;
    setText(this.input.label, fill(label, { rows: rows.input, columns: columns.input }));
    this.pixelLook = pixelLook(scene, shadesOf(this.model.get("input")), this.t);
    const [y, x] = pixel(0, 0);
    const isMet = (r, c) =>
      isSample(r - y, rows, settings.dilation) && isSample(c - x, columns, settings.dilation);
    const marks = settings.dilation > 1 && !problem;
    const look = (r, c) => {
      const plain = this.pixelLook(r, c);
      const className = `${plain.className ?? ""} cnn-met`;
      return marks && isMet(r, c) ? { ...plain, className } : plain;
    };
    this.input.show(rows.room, columns.room, look, [rows.before, columns.before]);
    this.input.setLens(problem ? null : { x, y, w: columns.span, h: rows.span });
    if (!problem) this.input.setFocus(...this.#middle());
  }

  #drawKernel({ rows, columns, applied, settings }) {
    setText(this.kernel.label, settings.flip ? this.t.kernelLabelFlipped : this.t.kernelLabel);
    const size = Math.max(rows.kernel, columns.kernel);
    this.reading.style.setProperty("--kernel-size", size);
    this.root.classList.toggle("cnn-large-kernel", size > 3);
    const shade = shadesOf(applied, { signed: true });
    this.kernel.show(rows.kernel, columns.kernel, (r, c) => ({
      text: short(applied[r][c]),
      label: fill(this.t.kernelCell, { row: r + 1, column: c + 1 }),
      editable: true,
      ...shade(applied[r][c]),
    }));
  }

  #drawWindow({ rows, columns, problem, pixel }) {
    const blank = { text: "", className: "cnn-empty", editable: false };
    this.window.show(rows.kernel, columns.kernel, (r, c) => {
      const label = fill(this.t.windowCell, { row: r + 1, column: c + 1 });
      const look = problem ? blank : this.pixelLook(...pixel(r, c));
      return { ...look, label: look.label ? `${label}: ${look.label}` : label };
    });
  }

  #drawProducts({ rows, columns, applied, row, column, problem, at }) {
    this.values = problem ? products(applied, applied) : products(at(row, column), applied);
    const shade = shadesOf(this.values, { signed: true });
    const write = aligned(this.values);
    this.products.show(rows.kernel, columns.kernel, (r, c) => {
      const value = this.values[r][c];
      return problem ? { text: "" } : { text: write(value), ...shade(value) };
    });
  }

  #drawOutput({ rows, columns, output, row, column, filled, problem }) {
    const size = { rows: rows.output, columns: columns.output };
    setText(this.output.label, problem ? this.t.outputLabelNone : fill(this.t.outputLabel, size));
    setText(this.problem, this.#problemText(problem, rows, columns));
    this.output.table.hidden = problem !== "";
    const [shade, write] = [shadesOf(output), aligned(output, 1)];
    const reached = filled ? Infinity : row * columns.output + column;
    const empty = { text: "", label: this.t.emptyCell, className: "cnn-empty" };
    this.output.show(output.length, output[0]?.length ?? 0, (r, c) => {
      const value = output[r][c];
      const isReached = r * columns.output + c <= reached;
      return isReached ? { text: write(value), ...shade(value) } : empty;
    });
    this.output.setLens(problem ? null : { x: column, y: row, w: 1, h: 1 });
    this.output.setFocus(row, column);
  }

  #problemText(problem, rows, columns) {
    if (problem === "same") return this.t.problemSame;
    if (problem === "") return "";
    const { span, room } = rows.output === 0 ? rows : columns;
    return fill(this.t.problemLarge, { span, room });
  }

  #drawSum({ row, column, problem }) {
    this.reading.classList.toggle("cnn-invisible", problem !== "");
    if (problem) return setText(this.sum, "");
    const values = this.values.flat();
    const sum = total(this.values);
    setText(this.sum, decimal(sum));
    const sign = values.every((value) => exact(value)) && exact(sum) ? "=" : "≈";
    const text = values.map((value, i) => term(value, i)).join(" ");
    setText(this.sumText, fill(this.t.sum, { row: row + 1, column: column + 1 }));
    setText(this.terms, `${text} ${sign}`);
    setText(this.total, decimal(sum));
  }

  #drawFormula({ rows, columns, settings }) {
    const lines = this.formulaLines;
    const names = this.t.words;
    const isEven = ({ before, after }) => before === after;
    const numbers = (axis) => ({
      ...settings,
      ...axis,
      padding: isEven(axis) ? `2 × ${axis.before}` : `${axis.before} + ${axis.after}`,
      output: axis.output || "–",
    });
    const areEven = isEven(rows) && isEven(columns);
    lines.words.write({ ...names, padding: areEven ? names.padding : names.paddingSides });
    lines.rows.write(numbers(rows));
    lines.columns.write(numbers(columns));
    lines.columns.root.hidden = rows.input === columns.input && rows.kernel === columns.kernel;
  }

  #drawControls({ rows, columns, settings, problem }) {
    const { model, t, sliders } = this;
    sliders.input.show(Math.max(rows.input, columns.input), sizeText(rows.input, columns.input));
    const kernelText = sizeText(rows.kernel, columns.kernel);
    sliders.kernel.show(Math.max(rows.kernel, columns.kernel), kernelText);
    sliders.stride.show(settings.stride);
    sliders.dilation.show(settings.dilation);
    const { before, after } = rows;
    const amounts = before === after ? String(before) : fill(t.paddingBetween, { before, after });
    sliders.padding.show(before, amounts);
    this.pictureChoice.show(inputName(model.get("input"), model.get("photo")));
    this.kernelChoice.show(kernelName(model.get("kernel")));
    this.modes.show(model.get("mode"));
    this.operation.show(settings.flip ? "convolution" : "correlation");
    const playing = model.get("playing");
    setText(this.playButton.lastChild, playing ? t.pause : t.play);
    this.playButton.classList.toggle("cnn-playing", playing);
    for (const each of [this.playButton, ...this.stepButtons]) each.disabled = problem !== "";
  }

  #drawLink() {
    const { scene, linked } = this;
    for (const cell of this.linkedCells ?? []) cell.classList.remove("cnn-linked");
    this.linkedCells = [];
    const [r, c] = linked ?? [Infinity, Infinity];
    const isShown = !scene.problem && r < scene.rows.kernel && c < scene.columns.kernel;
    this.pair.root.hidden = !isShown;
    this.hint.hidden = isShown || this.refused !== null;
    if (!isShown) return;
    const [y, x] = scene.pixel(r, c);
    const records = [this.window, this.kernel, this.products].map((grid) => grid.cells[r][c]);
    this.linkedCells = [...records, this.input.cells[y][x]].map(({ cell }) => cell);
    for (const cell of this.linkedCells) cell.classList.add("cnn-linked");
    const [pixel, weight] = [decimal(scene.source[y][x]), bracketed(scene.applied[r][c])];
    this.pair.write({ pixel, weight, product: decimal(this.values[r][c]) });
  }

  /** Read the result out once the reader rests, and never while it plays. */
  #announce({ row, column, rows, columns, filled, problem }) {
    clearTimeout(this.announcement);
    if (this.model.get("playing")) return;
    const size = { rows: rows.output, columns: columns.output };
    const place = { row: row + 1, column: column + 1, value: decimal(total(this.values)) };
    const results = [fill(this.t.announce, place), filled ? fill(this.t.announceDone, size) : ""];
    const text = problem ? this.problem.textContent : results.join(" ").trim();
    if (this.announced === undefined) this.announced = text; // nothing is read out on arrival
    if (this.announced === text) return;
    this.announcement = setTimeout(() => {
      this.announced = text;
      setText(this.live, text);
    }, ANNOUNCE_AFTER);
  }
}

/** Whether a kernel has a number so many pixels after its first one. */
const isSample = (distance, { span }, dilation) =>
  distance >= 0 && distance < span && distance % dilation === 0;

/** The look of a pixel of the padded input, at a row and a column of it. */
function pixelLook({ rows, columns, source }, shade, t) {
  const padding = { text: "0", className: "cnn-padding", label: t.paddingCell, editable: false };
  return (r, c) => {
    const [y, x] = [r - rows.before, c - columns.before];
    if (y < 0 || x < 0 || y >= rows.input || x >= columns.input) return padding;
    return { text: decimal(source[r][c]), editable: true, ...shade(source[r][c]) };
  };
}

const sizeText = (rows, columns) => (rows === columns ? String(rows) : `${rows} × ${columns}`);

/** A negative number in brackets, as after a multiplication sign. */
const bracketed = (value) => (value < 0 ? `(${short(value)})` : short(value));

/** A product as a term of a sum: "3", "+ 3", "− 3". */
function term(value, i) {
  if (i === 0) return decimal(value);
  return `${value < 0 ? "−" : "+"} ${decimal(Math.abs(value))}`;
}

export default {
  initialize: ({ model }) => startClock(model),
  render({ model, el }) {
    const explorer = new Explorer(model, el);
    return () => explorer.remove();
  },
};
