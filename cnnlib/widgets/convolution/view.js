// The convolution explorer: an input, a kernel that slides over it, and the output that fills.
//
// The model's traits are the whole state. A control sets a trait; a trait that changes, from here
// or from outside, draws the view again in place.

import { products, resized, total } from "../common/arithmetic.js";
import STRINGS from "./words.json" with { type: "json" };
import {
  button, choice, div, element, segments, setText, slider, template, widgetRoot,
} from "../common/elements.js";
import { TRAITS, acceptState, advance, sceneOf, togglePlay } from "./model.js";
import { Grid } from "../common/grid.js";
import { clamp, set, startClock } from "../common/model.js";
import { aligned, decimal, exact, short } from "../common/numbers.js";
import { INPUTS, KERNELS, inputName, kernelName } from "../common/presets.js";
import { shadesOf } from "../common/shades.js";
import { fill } from "../common/strings.js";
import { GridView } from "../common/view.js";

const LIMIT = 999; // of a typed number: what a cell can show

/** One view of the model. */
class Explorer extends GridView {
  constructor(model, el) {
    super(model, STRINGS, TRAITS);
    this.#makeStage();
    this.#makeStrip();
    this.#makeReading();
    this.#makeFormula();
    this.#makeHeader();
    this.#makeSettings();
    const { header, stage, strip, reading, formula, settings } = this;
    this.makeRoot("cnn-explorer", header, stage, strip, reading, formula, settings);
    this.follow(TRAITS);
    this.draw();
    el.append(widgetRoot(this.root));
  }

  // The parts, made once

  #makeStage() {
    this.input = new Grid("input", { interactive: true });
    this.output = new Grid("output", { interactive: true });
    this.stage = div("cnn-stage", this.input.root, this.output.root);
    this.#listenToGrid(this.input, (r, c) => this.#placeOver(r, c));
    this.#listenToGrid(this.output, (r, c) => [r, c]);
  }

  #makeStrip() {
    this.window = new Grid("window", { onEdit: (r, c) => this.#editPixel(r, c) });
    this.kernel = new Grid("kernel", { onEdit: (r, c) => this.#editWeight(r, c) });
    this.products = new Grid("products");
    const grids = [this.window, this.kernel, this.products];
    for (const grid of grids) grid.setLens(null);
    setText(this.window.label, this.t.windowLabel);
    setText(this.products.label, this.t.productsLabel);
    this.sum = div("cnn-sum-value");
    const label = div("cnn-label", this.t.sumLabel);
    const sum = div("cnn-panel cnn-output cnn-sum-panel", label, this.sum);
    const [times, equals, adds] = ["×", "=", "→"].map((text) => div("cnn-sign", text));
    adds.classList.add("cnn-sum-sign");
    for (const each of [times, equals, adds, sum]) each.setAttribute("aria-hidden", "true");
    const roots = [this.window.root, times, this.kernel.root, equals, this.products.root];
    this.strip = div("cnn-strip", ...roots, adds, sum);
    const place = (event) => grids.map((grid) => grid.place(event)).find(Boolean);
    this.linkWithin(this.strip, (event) => place(event) ?? this.linked);
  }

  #makeReading() {
    this.sumText = element("span");
    this.terms = element("span", { className: "cnn-terms" });
    this.total = element("strong", { className: "cnn-total" });
    this.pair = template(this.t.pair, "cnn-pair");
    this.hint = element("p", { className: "cnn-hint" }, this.t.pairHint);
    this.makeRefusal("cnn-refusal");
    this.line = element("p", { className: "cnn-sum" });
    this.line.append(this.sumText, " ", this.terms, " ", this.total);
    this.problem = element("p", { className: "cnn-problem" });
    const links = [this.pair.root, this.hint, this.refusal];
    this.reading = div("cnn-reading", this.line, this.problem, ...links);
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
    const sliders = div("cnn-sliders", ...Object.values(this.sliders).map(({ root }) => root));
    const ways = div("cnn-ways", this.modes.root, this.operation.root);
    const accept = (values) => acceptState(values, model.get("limits"));
    const end = this.makeEnd("cnn-end", "conv", accept);
    this.settings = div("cnn-settings", sliders, ways, end);
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
    grid.onPlace((r, c) => {
      if (this.scene.problem) return;
      const [row, column] = toPlace(r, c);
      set(this.model, { row, column, playing: false });
    });
    grid.table.addEventListener("dblclick", (event) => grid === this.input && this.#editAt(event));
    grid.table.addEventListener("keydown", (event) => this.#onKey(event, grid));
  }

  #onKey(event, grid) {
    if (this.scene.problem || event.altKey || event.metaKey) return;
    if (event.key === "Enter" && grid === this.input) return this.#editAt(event);
    const { row, column, rows, columns } = this.scene;
    this.goByKey(event, grid, [row, column], [rows.output, columns.output]);
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
    const value = this.readNumber(at, LIMIT);
    if (value === null) return;
    const values = this.model.get(trait).map((row) => [...row]);
    values[y][x] = value;
    set(this.model, { [trait]: values });
  }

  // Drawing

  draw() {
    this.forgive();
    const scene = (this.scene = sceneOf(this.model));
    this.#drawInput(scene);
    this.#drawKernel(scene);
    this.#drawWindow(scene);
    this.#drawProducts(scene);
    this.#drawOutput(scene);
    this.#drawSum(scene);
    this.#drawFormula(scene);
    this.#drawControls(scene);
    this.drawLink();
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

  #drawKernel({ rows, columns, applied, settings, problem }) {
    setText(this.kernel.label, settings.flip ? this.t.kernelLabelFlipped : this.t.kernelLabel);
    const size = Math.max(rows.kernel, columns.kernel);
    if (!problem) this.reading.style.setProperty("--kernel-size", size); // what its sum needs
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

  /** The sum, or in its place the reason why there is none. */
  #drawSum({ row, column, rows, columns, problem }) {
    setText(this.problem, this.#problemText(problem, rows, columns));
    this.line.hidden = problem !== "";
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

  drawLink() {
    const { scene, linked } = this;
    const [r, c] = linked ?? [Infinity, Infinity];
    const isShown = !scene.problem && r < scene.rows.kernel && c < scene.columns.kernel;
    this.pair.root.hidden = !isShown;
    this.hint.hidden = isShown || this.refused !== null || scene.problem !== "";
    if (!isShown) return this.markLinked([]);
    const [y, x] = scene.pixel(r, c);
    const records = [this.window, this.kernel, this.products].map((grid) => grid.cells[r][c]);
    this.markLinked([...records, this.input.cells[y][x]].map(({ cell }) => cell));
    const [pixel, weight] = [decimal(scene.source[y][x]), bracketed(scene.applied[r][c])];
    this.pair.write({ pixel, weight, product: decimal(this.values[r][c]) });
  }

  /** Read the result out once the reader rests, and never while it plays. */
  #announce({ row, column, rows, columns, filled, problem }) {
    if (this.model.get("playing")) return this.keepQuiet();
    const size = { rows: rows.output, columns: columns.output };
    const place = { row: row + 1, column: column + 1, value: decimal(total(this.values)) };
    const results = [fill(this.t.announce, place), filled ? fill(this.t.announceDone, size) : ""];
    this.readOut([problem ? this.problem.textContent : results.join(" ").trim()]);
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
  initialize: ({ model }) => startClock(model, advance),
  render({ model, el }) {
    const explorer = new Explorer(model, el);
    return () => explorer.remove();
  },
};
