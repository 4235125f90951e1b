// The kernel lab: a photo, a kernel to pick or to edit, and the filtered photo at once.
//
// The model's traits are the whole state. What changes is drawn once a frame: the photo is filtered
// again only if kernel, direction or edges changed, and painted again only if what it shows did.

import { flipped, grid, products, resized, total } from "../common/arithmetic.js";
import {
  choice, div, element, segments, setAttribute, setText, slider, template, widgetRoot,
} from "../common/elements.js";
import { clamp, set } from "../common/model.js";
import {
  bestShow, blankFor, correlated, divergingColor, framed, fullColor, isOutside,
  neighbourhood, outside, summary,
} from "./model.js";
import { Grid } from "../common/grid.js";
import STRINGS from "./words.json" with { type: "json" };
import { aligned, decimal, short } from "../common/numbers.js";
import { decode, grey, paint, rgb } from "../common/photo.js";
import { PHOTO_KERNELS, kernelName } from "../common/presets.js";
import { shadesOf } from "../common/shades.js";
import { isNumberGrid, isWhole } from "../common/share.js";
import { fill } from "../common/strings.js";
import { GridView } from "../common/view.js";

/** The traits that the reader sees and changes. */
const STATE = ["kernel", "flip", "edges", "show", "row", "column", "channel"];

const EDGES = ["zero", "repeat"];
const SHOWS = ["auto", "photo", "signed", "magnitude"];
const ORDER = [
  "identity", "shift", "blur", "gaussian", "sharpen", "vertical", "horizontal",
  "sobelVertical", "sobelHorizontal", "laplacian", "outline", "emboss",
];
const STRIDE = 10; // pixels that an arrow key with Shift moves

/** How far a weight's slider reaches and how finely, by the kernel's largest number. */
const REACHES = [[0.5, 0.01], [2, 0.05], [10, 0.25], [100, 2.5], [1000, 25]];

const SHADES = 255; // of each sign
const DIVERGING = Array.from({ length: 2 * SHADES + 1 }, (_, i) =>
  rgb(...divergingColor((i - SHADES) / SHADES)));

/** One view of the model. */
class Lab extends GridView {
  constructor(model, el) {
    super(model, STRINGS, STATE);
    this.pointed = null; // the pixel under the mouse, shown while it is there
    this.chosen = null; // the weight that the slider moves
    this.#makeHeader();
    this.#makeStage();
    this.#makeStrip();
    this.#makeReading();
    this.#makeSettings();
    const { header, stage, strip, reading, settings } = this;
    this.makeRoot("cnn-lab", header, stage, strip, reading, settings);
    this.follow(STATE);
    this.follow(["photo"], () => this.load());
    this.outer = widgetRoot(this.root);
    this.el = el;
  }

  /** Read the photo and draw. */
  async load() {
    const url = this.model.get("photo");
    const photo = await decode(url).catch(() => null);
    if (this.removed || url !== this.model.get("photo")) return; // another one has come meanwhile
    this.photo = photo;
    this.source = null;
    this.root.classList.toggle("cnn-lab-broken", photo === null);
    setText(this.problem, photo ? "" : this.t.photoProblem);
    this.draw();
    if (!this.outer.isConnected) this.el.append(this.outer);
  }

  /** Once a frame, however often a slider or a mouse moves. */
  later(draw) {
    requestAnimationFrame(draw);
  }

  // The parts, made once

  #makeHeader() {
    const { t, model } = this;
    const names = { ...t.kernels, ...t.photoKernels };
    const options = [...ORDER, "custom"].map((name) => [name, names[name]]);
    this.kernelChoice = choice(t.kernel, options, (name) => {
      this.chosen = null;
      set(model, { kernel: PHOTO_KERNELS[name](largerSide(model.get("kernel")) > 3 ? 5 : 3) });
    });
    const sizes = [3, 5].map((size) => [String(size), fill(t.byName, { size })]);
    this.sizes = segments(t.kernelSize, sizes, (size) => this.#resize(Number(size)));
    const operations = [["correlation", t.correlation], ["convolution", t.convolution]];
    this.operation = segments(t.operation, operations, (name) => {
      set(model, { flip: name === "convolution" });
    });
    const ways = div("cnn-lab-ways", this.sizes.root, this.operation.root);
    this.header = div("cnn-lab-header", this.kernelChoice.root, ways);
  }

  #makeStage() {
    const { t } = this;
    this.problem = element("p", { className: "cnn-lab-problem", role: "alert" });
    this.original = new Picture("input", t.photoArea, (event) => this.#onKey(event));
    this.result = new Picture("output", t.filteredArea, (event) => this.#onKey(event));
    this.result.canvas.setAttribute("role", "img");
    this.legend = makeLegend();
    this.original.root.append(element("p", { className: "cnn-lab-hint cnn-lab-key" }, t.pixelHint));
    this.result.root.append(this.legend.root);
    for (const picture of [this.original, this.result]) this.#listenToPicture(picture);
    this.stage = div("cnn-lab-stage", this.original.root, this.result.root, this.problem);
  }

  #makeStrip() {
    const { t } = this;
    this.window = new Grid("window");
    this.kernel = new Grid("kernel", { onEdit: (r, c) => this.#edit(r, c) });
    this.products = new Grid("products");
    const grids = [this.window, this.kernel, this.products];
    for (const each of grids) each.setLens(null);
    setText(this.window.label, t.windowLabel);
    setText(this.products.label, t.productsLabel);
    this.sum = div("cnn-lab-sum-value");
    const label = div("cnn-label", t.sumLabel);
    const sum = div("cnn-panel cnn-output cnn-lab-sum", label, this.sum);
    const signs = ["×", "=", "→"].map((text) => div("cnn-lab-sign", text));
    signs[2].classList.add("cnn-lab-sum-sign");
    for (const each of [...signs, sum]) each.setAttribute("aria-hidden", "true");
    const [times, equals, adds] = signs;
    const roots = [this.window.root, times, this.kernel.root, equals, this.products.root];
    this.strip = div("cnn-lab-strip", ...roots, adds, sum);
    this.strip.addEventListener("focusin", (event) => this.#choose(event));
    this.strip.addEventListener("keydown", (event) => this.#nudge(event), { capture: true });
    const place = (event) => grids.map((each) => each.place(event)).find(Boolean);
    this.linkWithin(this.strip, (event) => place(event) ?? this.linked);
  }

  #makeReading() {
    const { t } = this;
    this.place = element("span");
    this.total = element("strong", { className: "cnn-lab-total" });
    this.shown = element("span");
    this.pair = template(t.pair, "cnn-lab-pair");
    this.hint = element("p", { className: "cnn-lab-hint" }, t.pairHint);
    this.makeRefusal("cnn-lab-refusal");
    const sum = element("p", { className: "cnn-lab-line" });
    sum.append(this.place, " ", this.total, " ", this.shown);
    this.kernelSum = element("p");
    this.numbers = element("p");
    this.weight = slider("", [-1, 1], (value) => this.#slide(value));
    this.weight.input.addEventListener("change", () => this.schedule());
    const links = div("cnn-lab-links", this.pair.root, this.hint, this.refusal);
    const facts = div("cnn-lab-facts", this.kernelSum, this.numbers);
    const weight = div("cnn-lab-weight", this.weight.root);
    this.reading = div("cnn-lab-reading", weight, sum, links, facts);
  }

  #makeSettings() {
    const { t, model } = this;
    const pairs = (names, texts) => names.map((name) => [name, texts[name]]);
    this.edges = segments(t.edges, pairs(EDGES, t.edgeWays), (edges) => set(model, { edges }));
    this.shows = segments(t.show, pairs(SHOWS, t.showWays), (show) => set(model, { show }));
    this.channelNames = Object.values(t.channelNames);
    const channels = this.channelNames.map((name, i) => [String(i), name]);
    this.channels = segments(t.channel, channels, (channel) => {
      set(model, { channel: Number(channel) });
    });
    this.row = slider(t.row, [1, 1], (row) => set(model, { row: row - 1 }));
    this.column = slider(t.column, [1, 1], (column) => set(model, { column: column - 1 }));
    const ends = this.makeEnd("cnn-lab-ends", "kernel", (values) => this.#possible(values));
    const places = div("cnn-lab-places", this.row.root, this.column.root);
    const ways = div("cnn-lab-ways", this.shows.root, this.edges.root, this.channels.root);
    this.settings = div("cnn-lab-settings", ways, places, ends);
  }

  // What the reader does

  reset() {
    this.chosen = null;
    super.reset();
  }

  /** What of a link's values is possible here; null if one is not. */
  #possible({ kernel, flip, edges, show, row, column, channel }) {
    const { width, height, channels } = this.photo;
    const isPossible =
      isNumberGrid(kernel, this.model.get("limits").kernel) && typeof flip === "boolean" &&
      EDGES.includes(edges) && SHOWS.includes(show) && isWhole(row, [0, height - 1]) &&
      isWhole(column, [0, width - 1]) && isWhole(channel, [0, channels.length - 1]);
    return isPossible ? { kernel, flip, edges, show, row, column, channel } : null;
  }

  /** A preset stays itself at another size; the reader's own numbers are cut, or framed in 0. */
  #resize(size) {
    const old = this.model.get("kernel");
    const preset = PHOTO_KERNELS[kernelName(old, PHOTO_KERNELS)];
    this.chosen = null;
    set(this.model, { kernel: preset ? preset(size) : resized(old, size, size) });
  }

  #listenToPicture(picture) {
    const { area } = picture;
    const show = (event) => {
      this.pointed = picture.place(event);
      this.schedule();
    };
    const keep = (event) => {
      // A click's place is rounded by some browsers: keep the pixel that the mouse has shown.
      const [row, column] = this.pointed ?? picture.place(event);
      set(this.model, { row, column });
    };
    area.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse") return;
      show(event);
      if (event.buttons === 1) keep(event);
    });
    area.addEventListener("pointerleave", () => {
      this.pointed = null;
      this.schedule();
    });
    area.addEventListener("click", keep);
  }

  #onKey(event) {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const step = steps[event.key];
    if (!step || event.altKey || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    this.pointed = null;
    const { width, height } = this.photo;
    const { row, column } = this.#kept();
    const [down, right] = step.map((each) => each * (event.shiftKey ? STRIDE : 1));
    set(this.model, {
      row: clamp(row + down, 0, height - 1),
      column: clamp(column + right, 0, width - 1),
    });
  }

  /** The place in the trait of the number shown at (r, c): a flipped kernel is shown turned. */
  #weightAt(r, c) {
    const kernel = this.model.get("kernel");
    return this.model.get("flip") ? [kernel.length - 1 - r, kernel[0].length - 1 - c] : [r, c];
  }

  #setWeight(r, c, value) {
    const [y, x] = this.#weightAt(r, c);
    const kernel = this.model.get("kernel").map((row) => [...row]);
    kernel[y][x] = value;
    set(this.model, { kernel });
  }

  #edit(r, c) {
    const value = this.readNumber({ grid: this.kernel, r, c }, this.model.get("limits").weight);
    if (value !== null) this.#setWeight(r, c, value);
  }

  #slide(value) {
    const limit = this.model.get("limits").weight;
    const [, step] = this.reach;
    const [r, c] = this.chosen;
    this.sliding = true; // its reach stays while it moves
    this.#setWeight(r, c, clamp(Number((Math.round(value / step) * step).toFixed(2)), -limit, limit));
  }

  /** Arrow up and down in a weight's field: by 1 where all are whole, else by the slider's step. */
  #nudge(event) {
    const up = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const place = this.kernel.place(event);
    if (!up || !place || event.altKey || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    this.forgive();
    const [y, x] = this.#weightAt(...place);
    const kernel = this.model.get("kernel");
    const step = kernel.flat().every(Number.isInteger) ? 1 : this.reach[1];
    const limit = this.model.get("limits").weight;
    this.#setWeight(...place, clamp(Number((kernel[y][x] + up * step).toFixed(9)), -limit, limit));
  }

  /** The weight whose field has the focus is the slider's. */
  #choose(event) {
    const place = this.kernel.place(event);
    if (!place) return;
    this.chosen = place;
    this.schedule();
  }

  // Drawing

  /** The place that the traits keep, within the photo. */
  #kept() {
    const { width, height } = this.photo;
    const whole = (name) => Math.round(Number(this.model.get(name))) || 0;
    return {
      row: clamp(whole("row"), 0, height - 1),
      column: clamp(whole("column"), 0, width - 1),
    };
  }

  #read() {
    const { model, photo } = this;
    const kernel = model.get("kernel");
    const flip = Boolean(model.get("flip"));
    const edges = EDGES.includes(model.get("edges")) ? model.get("edges") : EDGES[0];
    const wanted = SHOWS.includes(model.get("show")) ? model.get("show") : SHOWS[0];
    const channel = clamp(Math.round(model.get("channel")) || 0, 0, photo.channels.length - 1);
    const { row, column } = this.#kept();
    const place = this.pointed ?? [row, column];
    const show = wanted === "auto" ? bestShow(kernel) : wanted;
    const applied = flip ? flipped(kernel) : kernel;
    const [rows, columns] = [kernel.length, kernel[0].length];
    return { kernel, applied, rows, columns, flip, edges, wanted, show, channel, row, column, place };
  }

  draw() {
    if (!this.photo) return;
    const now = this.#read();
    this.#filter(now);
    this.#paint(now);
    this.#drawKernel(now);
    this.#drawProbe(now);
    this.#drawFacts(now);
    this.#drawControls(now);
    this.drawLink();
    this.#announce(now);
  }

  #filter({ applied, rows, columns, edges }) {
    const frame = [rows, columns, edges].join();
    const all = JSON.stringify([frame, applied]);
    if (this.source && all === this.filteredBy) return;
    this.forgive(); // what was refused is a text for the kernel as it was
    if (!this.source || frame !== this.frameOf) {
      this.source = framed(this.photo, rows, columns, edges);
      this.original.paint(this.photo, photoPixel(this.photo.channels));
    }
    if (this.output?.channels[0].length !== this.photo.width * this.photo.height ||
        this.output.channels.length !== this.photo.channels.length) {
      this.output = blankFor(this.source);
    }
    correlated(this.source, applied, this.output);
    [this.frameOf, this.filteredBy, this.paintedAs] = [frame, all, null];
  }

  #paint({ applied, show, channel }) {
    const signedChannel = this.output.channels[channel];
    const painted = show === "signed" ? `signed ${channel}` : show;
    if (painted === this.paintedAs) return;
    this.paintedAs = painted;
    const seen = show === "signed" ? [signedChannel] : this.output.channels;
    this.stats = summary(seen);
    const largest = Math.max(-this.stats.low, this.stats.high);
    this.full = show === "photo" ? 255 : fullColor(seen, largest);
    this.cut = show === "photo" ? outside(seen) : 0;
    const write = { photo: photoPixel, signed: signedPixel, magnitude: magnitudePixel }[show];
    this.result.paint(this.photo, write(seen, this.full));
    setAttribute(this.result.canvas, "aria-label", this.t.seen[whatOneSees(applied, show)]);
    const isColored = this.photo.channels.length > 1;
    const { t } = this;
    const texts = {
      photo: clippedSentence(this.cut, this.photo, t),
      signed: isColored
        ? fill(t.legendSignedChannel, { channel: this.channelNames[channel] }) : t.legendSigned,
      magnitude: t.legendMagnitude,
    };
    this.legend.show(show, this.full, show !== "photo" && largest > this.full, texts[show]);
  }

  #drawKernel({ applied, rows, columns, flip, kernel }) {
    const { t } = this;
    const isInside = this.chosen && this.chosen[0] < rows && this.chosen[1] < columns;
    if (!isInside) this.chosen = [Math.floor((rows - 1) / 2), Math.floor((columns - 1) / 2)];
    setText(this.kernel.label, flip ? t.kernelLabelFlipped : t.kernelLabel);
    this.root.classList.toggle("cnn-lab-large", Math.max(rows, columns) > 3);
    this.root.classList.toggle("cnn-lab-color", this.photo.channels.length > 1);
    const shade = shadesOf(applied, { signed: true });
    const [chosenRow, chosenColumn] = this.chosen;
    this.kernel.show(rows, columns, (r, c) => ({
      text: short(applied[r][c]),
      label: fill(t.kernelCell, { row: r + 1, column: c + 1 }),
      className: r === chosenRow && c === chosenColumn ? "cnn-lab-chosen" : "",
      editable: true,
      ...shade(applied[r][c]),
    }));
    this.kernel.setFocus(...this.chosen);
    this.#drawWeight(applied, kernel);
  }

  #drawWeight(applied, kernel) {
    const [r, c] = this.chosen;
    const { input, show, root } = this.weight;
    if (!this.sliding) this.reach = reachFor(kernel);
    this.sliding = false;
    const [far, step] = this.reach;
    setAttribute(input, "min", -far);
    setAttribute(input, "max", far);
    setAttribute(input, "step", step);
    setText(root.querySelector("label"), fill(this.t.weight, { row: r + 1, column: c + 1 }));
    show(applied[r][c], short(applied[r][c]));
  }

  #drawProbe(now) {
    const { applied, rows, columns, place, channel } = now;
    const [row, column] = place;
    const { width, height } = this.photo;
    const { top, left } = this.source;
    const pixels = neighbourhood(this.source, rows, columns, row, column, channel);
    this.values = products(pixels, applied);
    this.pixels = pixels;
    const shade = shadesOf([[255]]);
    this.window.show(rows, columns, (r, c) => {
      const [y, x] = [row + r - top, column + c - left];
      const text = String(pixels[r][c]);
      const isOutside = y < 0 || x < 0 || y >= height || x >= width;
      if (!isOutside) return { text, ...shade(pixels[r][c]) };
      const label = fill(this.t.edgeCell, { value: text });
      return { text, label, className: "cnn-padding" };
    });
    const [write, tint] = [productWriter(this.values), shadesOf(this.values, { signed: true })];
    this.products.show(rows, columns, (r, c) => {
      const value = this.values[r][c];
      return { text: write(value), ...tint(value) };
    });
    this.original.mark(row, column, rows, columns);
    this.result.mark(row, column, 1, 1);
    this.#drawSum(now);
  }

  #drawSum({ place: [row, column], rows, columns, channel, show }) {
    const { t } = this;
    const sum = total(this.values);
    this.sumText = decimal(sum, 1);
    const values = { row: row + 1, column: column + 1, channel: this.channelNames[channel] };
    const isColored = this.photo.channels.length > 1;
    const where = fill(isColored ? t.placeChannel : t.place, values);
    setText(this.place, `${where} ${fill(t.addUp, { count: rows * columns })}`);
    setText(this.total, this.sumText);
    setText(this.sum, this.sumText);
    const isCut = show === "photo" && isOutside(sum);
    setText(this.shown, isCut ? fill(t.shownAs, { level: sum < 0 ? 0 : 255 }) : "");
  }

  #drawFacts({ kernel }) {
    const { t, stats } = this;
    setText(this.kernelSum, sumSentence(total(kernel), t));
    const range = { low: stats.low, high: stats.high, mean: stats.mean };
    const texts = Object.entries(range).map(([name, value]) => [name, decimal(value, 1)]);
    setText(this.numbers, fill(t.numbers, Object.fromEntries(texts)));
  }

  #drawControls({ kernel, flip, edges, wanted, row, column, channel }) {
    const { width, height, channels } = this.photo;
    this.kernelChoice.show(kernelName(kernel, PHOTO_KERNELS));
    this.sizes.show(kernel.length === kernel[0].length ? String(kernel.length) : "");
    this.operation.show(flip ? "convolution" : "correlation");
    this.edges.show(edges);
    this.shows.show(wanted);
    this.channels.root.hidden = channels.length === 1;
    this.channels.show(String(channel));
    for (const [each, value, size] of [[this.row, row, height], [this.column, column, width]]) {
      setAttribute(each.input, "max", size);
      each.show(value + 1);
    }
    const size = { rows: height, columns: width };
    setText(this.original.label, fill(this.t.photoLabel, size));
    setText(this.result.label, fill(this.t.filteredLabel, size));
  }

  drawLink() {
    const { linked } = this;
    const [r, c] = linked ?? [Infinity, Infinity];
    const isShown = this.refused === null && this.values?.[r]?.[c] !== undefined;
    this.pair.root.hidden = !isShown;
    this.hint.hidden = isShown || this.refused !== null;
    if (!isShown) return this.markLinked([]);
    const grids = [this.window, this.kernel, this.products];
    this.markLinked(grids.map((each) => each.cells[r][c].cell));
    const { applied } = this.#read();
    const weight = applied[r][c] < 0 ? `(${short(applied[r][c])})` : short(applied[r][c]);
    const product = decimal(this.values[r][c], 1);
    this.pair.write({ pixel: String(this.pixels[r][c]), weight, product });
  }

  /** Read out what is new, once the reader rests: the sum at the kept pixel, the output's range. */
  #announce({ row, column }) {
    if (this.pointed) return this.keepQuiet();
    const values = { row: row + 1, column: column + 1, value: this.sumText };
    this.readOut([fill(this.t.announce, values), this.numbers.textContent]);
  }
}

/** A photograph on a canvas, with a mark on it. */
class Picture {
  constructor(role, label, onKey) {
    this.label = div("cnn-label");
    this.canvas = element("canvas", { className: "cnn-lab-canvas" });
    this.lens = div("cnn-lab-mark");
    const attributes = { className: "cnn-lab-area", tabIndex: 0, role: "application" };
    this.area = element("div", { ...attributes, "aria-label": label }, this.canvas, this.lens);
    this.root = div(`cnn-panel cnn-${role} cnn-lab-picture`, this.label, this.area);
    this.area.addEventListener("keydown", onKey);
  }

  paint({ width, height }, write) {
    this.size = { width, height };
    paint(this.canvas, width, height, write);
  }

  /** Row and column of the pixel under the pointer. */
  place({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const at = (part, whole, size) => clamp(Math.floor((part / whole) * size), 0, size - 1);
    return [
      at(clientY - top, height, this.size.height),
      at(clientX - left, width, this.size.width),
    ];
  }

  /** Frame the neighbourhood of a pixel, or what is large enough to see. */
  mark(row, column, rows, columns) {
    const { width, height } = this.size;
    const { style } = this.lens;
    style.left = `${(100 * (column + 0.5)) / width}%`;
    style.top = `${(100 * (row + 0.5)) / height}%`;
    style.width = `${(100 * columns) / width}%`;
    style.height = `${(100 * rows) / height}%`;
  }
}

/** The key to the colours: a bar, its numbers, and words. */
function makeLegend() {
  const [low, middle, high] = ["low", "middle", "high"].map((name) =>
    element("span", { className: `cnn-lab-${name}` }));
  const bar = div("cnn-lab-bar");
  const text = element("p", { className: "cnn-lab-key" });
  const ends = div("cnn-lab-ends-of-bar", low, middle, high);
  const show = (way, full, isCut, key) => {
    const [least, most] = isCut ? ["≤ ", "≥ "] : ["", ""];
    bar.className = `cnn-lab-bar cnn-lab-bar-${way === "signed" ? "signed" : "grey"}`;
    setText(low, way === "signed" ? least + decimal(-full) : "0");
    setText(middle, way === "signed" ? "0" : "");
    setText(high, most + decimal(full));
    setText(text, key);
  };
  return { root: div("cnn-lab-legend", bar, ends, text), show };
}

// How a number becomes a pixel: each takes the channels to show, and gives a writer for `paint`

const level = (value) => (value < 0 ? 0 : value > 255 ? 255 : Math.round(value));

function photoPixel([red, green, blue]) {
  if (!green) return (i) => grey(level(red[i]));
  return (i) => rgb(level(red[i]), level(green[i]), level(blue[i]));
}

function signedPixel([values], full) {
  const scale = SHADES / full;
  return (i) => DIVERGING[SHADES + Math.round(clamp(values[i] * scale, -SHADES, SHADES))];
}

function magnitudePixel([red, green, blue], full) {
  const size = (value) => level((Math.abs(value) * 255) / full);
  if (!green) return (i) => grey(size(red[i]));
  return (i) => rgb(size(red[i]), size(green[i]), size(blue[i]));
}

// Words for numbers

/** What one should see in the filtered photo, for those who cannot: a key of the words `seen`. */
export function whatOneSees(kernel, show) {
  const weights = kernel.flat().filter((weight) => weight !== 0);
  const sum = weights.reduce((all, weight) => all + weight, 0);
  if (show === "signed") return "even";
  if (Math.abs(sum) < 1e-9) return "dark";
  if (Math.abs(sum - 1) > 1e-9) return "other";
  if (weights.some((weight) => weight < 0)) return "sharp";
  return weights.length === 1 ? "same" : "soft";
}

function sumSentence(sum, t) {
  const isNear = (value) => Math.abs(sum - value) < 1e-9;
  if (isNear(0)) return t.sumZero;
  return isNear(1) ? t.sumOne : fill(t.sumOther, { sum: decimal(sum) });
}

function clippedSentence(count, { width, height }, t) {
  if (count === 0) return t.clippedNone;
  if (count === 1) return t.clippedOne;
  const part = decimal((100 * count) / (width * height), 1);
  return fill(t.clipped, { count: count.toLocaleString("en"), share: part });
}

/** A product has five letters at most, as long as it has four digits. */
function productWriter(values) {
  const isLarge = values.flat().some((value) => Math.abs(value) >= 99.95);
  return aligned(values, isLarge ? 0 : 1);
}

const largerSide = (kernel) => Math.max(kernel.length, kernel[0].length);

function reachFor(kernel) {
  const largest = Math.max(...kernel.flat().map(Math.abs));
  return REACHES.find(([far]) => 2 * largest <= far) ?? REACHES.at(-1);
}

export default {
  async render({ model, el }) {
    const lab = new Lab(model, el);
    await lab.load();
    return () => lab.remove();
  },
};
