// The channel explorer: three channels, each met by its own slice of a kernel, add up to one
// number of one map; and each further kernel gives one more map.
//
// The model's traits are the whole state. A control sets a trait; a trait that changes, from here
// or from outside, draws the view again in place.

import {
  CHANNELS, CHANNEL_KERNELS, CHANNEL_TRAITS, acceptChannels, channelKernelName, channelScene,
  fitted, isKernelOf, moveWindow, parameterCount, playOrPause, sizedKernel,
} from "./model.js";
import STRINGS from "./words.json" with { type: "json" };
import {
  button, choice, div, element, freshId, segments, setText, template, widgetRoot,
} from "../common/elements.js";
import { clamp, set, startClock } from "../common/model.js";
import { Grid } from "../common/grid.js";
import { decimal, exact, short } from "../common/numbers.js";
import { shadesOf } from "../common/shades.js";
import { fill } from "../common/strings.js";
import { GridView } from "../common/view.js";

/** One view of the model. */
class ChannelView extends GridView {
  constructor(model, el) {
    super(model, STRINGS, CHANNEL_TRAITS);
    this.limits = model.get("limits");
    this.#makeHeader();
    this.#makePicture();
    this.#makeFlow();
    this.#makeReading();
    this.#makeKernels();
    this.#makeShapes();
    const accept = (values) => acceptChannels(values, this.limits);
    this.end = this.makeEnd("cnn-ch-end", "channels", accept);
    const { header, caption, flow, reading, kernels, shapes, end } = this;
    this.makeRoot("cnn-channels", header, caption, flow, reading, kernels, shapes, end);
    this.follow(CHANNEL_TRAITS);
    this.draw();
    el.append(widgetRoot(this.root));
  }

  // The parts, made once

  #makeHeader() {
    const { t, model } = this;
    const start = { row: 0, column: 0, filled: false, playing: false };
    const press = (icon, label, act) => button(label, act, { icon, quiet: true });
    this.playButton = button(t.play, () => playOrPause(model), { icon: "play" });
    const player = div("cnn-ch-player", this.playButton,
      press("first", t.first, () => set(model, start)),
      press("back", t.back, () => this.#step(-1)),
      press("step", t.step, () => this.#step(1)),
      press("all", t.fillMaps, () => set(model, { filled: true, playing: false })));
    const sizes = Object.entries(t.kernelSizes).reverse(); // an object puts its numbers in order
    this.sizes = segments(t.kernelSize, sizes, (size) => this.#resize(Number(size)));
    this.header = div("cnn-ch-header", player, this.sizes.root);
  }

  #makePicture() {
    this.picture = new Mini("cnn-ch-picture");
    this.captionText = element("p");
    this.caption = div("cnn-ch-caption", this.picture.root, this.captionText);
  }

  #makeFlow() {
    this.slices = CHANNELS.map((name, i) => this.#makeSlice(name, i));
    this.bias = new Grid("kernel", { onEdit: () => this.#editBias() });
    setText(this.bias.label, this.t.biasLabel);
    this.number = numberBox("output", this.t.numberLabel);
    this.map = new Grid("output", { interactive: true });
    this.#listenToGrid(this.map, (r, c) => [r, c]);
    const adds = div("cnn-ch-adds", sign("+"), this.bias.root, sign("="), this.number.root);
    const result = div("cnn-ch-result", adds, sign("↓"), this.map.root);
    const channels = div("cnn-ch-rows", ...this.slices.map(({ root }) => root));
    this.flow = div("cnn-ch-flow", channels, div("cnn-ch-join"), result);
    for (const grid of [this.bias, ...this.slices.flatMap(({ weights, products }) => [weights, products])]) {
      grid.setLens(null);
    }
    this.linkWithin(this.flow, (event) => this.#productOf(event));
  }

  #makeSlice(name, i) {
    const { t } = this;
    const channel = t.channels[name];
    const input = new Grid("input", { interactive: true });
    const weights = new Grid("kernel", { onEdit: (r, c) => this.#editWeight(i, r, c) });
    const products = new Grid("products");
    const sum = numberBox("products", fill(t.sliceSum, { channel }));
    setText(input.label, fill(t.sliceLabel, { channel }));
    setText(weights.label, fill(t.weightsLabel, { channel }));
    setText(products.label, fill(t.sliceProducts, { channel }));
    this.#listenToGrid(input, (r, c) => this.#placeOver(r, c));
    const label = fill(t.channelGroup, { channel });
    const attributes = { className: `cnn-ch-slice cnn-ch-${name}`, role: "group", "aria-label": label };
    const signs = ["×", "=", "→"].map(sign);
    const root = element("div", attributes,
      input.root, signs[0], weights.root, signs[1], products.root, signs[2], sum.root);
    return { root, input, weights, products, sum };
  }

  #makeReading() {
    this.sumLine = element("span");
    this.terms = template(this.t.sumTerms, "cnn-ch-terms");
    this.equals = element("span");
    this.total = element("strong", { className: "cnn-ch-total" });
    const result = element("span", { className: "cnn-ch-equals" }, this.equals, " ", this.total);
    this.pair = template(this.t.productPair, "cnn-ch-pair");
    this.hint = element("p", { className: "cnn-ch-hint" });
    this.makeRefusal("cnn-ch-refusal");
    const sum = div("cnn-ch-sum-line", this.sumLine, this.terms.root, result);
    this.reading = div("cnn-ch-reading", sum, this.pair.root, this.hint, this.refusal);
  }

  #makeKernels() {
    const { t, model } = this;
    const name = freshId("kernels");
    this.cards = Array.from({ length: this.limits.kernels[1] }, (_, i) => new Card(name, () => {
      set(model, { kernel: i });
    }));
    this.add = button(t.addKernel, () => this.#addKernel());
    this.add.classList.add("cnn-ch-add");
    const cards = div("cnn-ch-cards", ...this.cards.map(({ root }) => root), this.add);
    const legend = element("legend", {}, t.kernelsLegend);
    const fieldset = element("fieldset", {}, legend, cards);
    this.preset = choice("", Object.entries(t.presets), (preset) => {
      this.#setKernel(CHANNEL_KERNELS[preset](this.scene.size));
    });
    this.removal = button("", () => this.#removeKernel());
    const own = div("cnn-ch-own", this.preset.root, this.removal);
    this.kernels = div("cnn-ch-kernels", fieldset, own);
  }

  #makeShapes() {
    const { t } = this;
    this.shapeLines = Object.entries(t.shapeTerms).map(([name, text]) => {
      const [letters, numbers] = [template(text, "cnn-ch-letters"), template(text, "cnn-ch-numbers")];
      letters.write(t.letters);
      for (const node of letters.root.children) lowered(node);
      const line = element("dd", {}, letters.root, element("span", {}, "="), numbers.root);
      return { name, line, numbers, root: div("", element("dt", {}, t.shapes[name]), line) };
    });
    this.count = element("strong", { className: "cnn-ch-count" });
    const last = element("span", { className: "cnn-ch-equals" }, "= ", this.count);
    this.shapeLines.at(-1).line.append(last);
    const lines = this.shapeLines.map(({ root }) => root);
    this.shapes = element("dl", { className: "cnn-ch-shapes" }, ...lines);
  }

  // What the reader does

  #step(steps) {
    set(this.model, { playing: false });
    moveWindow(this.model, steps);
  }

  /** What a smaller kernel cut off comes back with the larger size, if nothing was typed since. */
  #resize(size) {
    const weight = this.model.get("weight");
    if (weight[0][0].length === size) return;
    const { small, large } = this.cut ?? {};
    const isUntouched = size > 1 && JSON.stringify(weight) === JSON.stringify(small);
    const sized = isUntouched ? large : weight.map((kernel) => sizedKernel(kernel, size));
    this.cut = size > 1 ? null : { small: sized, large: weight };
    set(this.model, { weight: sized });
  }

  #setKernel(values) {
    const weight = [...this.scene.weight];
    weight[this.scene.kernel] = values;
    set(this.model, { weight });
  }

  /** One more kernel, of a kind that is not there yet. */
  #addKernel() {
    const { weight, bias, size } = this.scene;
    const names = weight.map(channelKernelName);
    const fresh = Object.keys(CHANNEL_KERNELS)
      .find((name) => isKernelOf(name, size) && !names.includes(name)) ?? "random";
    const added = [...weight, CHANNEL_KERNELS[fresh](size)];
    set(this.model, { weight: added, bias: [...bias, 0], kernel: weight.length });
    this.draw(); // now, so that the focus can follow
    this.cards[weight.length].radio.focus();
  }

  #removeKernel() {
    const { weight, bias, kernel } = this.scene;
    const others = (values) => values.filter((_, i) => i !== kernel);
    const last = weight.length - 2;
    set(this.model, { weight: others(weight), bias: others(bias), kernel: Math.min(kernel, last) });
    this.draw();
    this.cards[this.scene.kernel].radio.focus();
  }

  /** The output place whose window has its middle nearest to a pixel. */
  #placeOver(r, c) {
    const { size, rows, columns } = this.scene;
    const middle = (size - 1) / 2;
    return [clamp(r - middle, 0, rows - 1), clamp(c - middle, 0, columns - 1)];
  }

  #listenToGrid(grid, toPlace) {
    grid.onPlace((r, c) => {
      const [row, column] = toPlace(r, c);
      set(this.model, { row, column, playing: false });
    });
    grid.table.addEventListener("keydown", (event) => this.#onKey(event, grid));
  }

  #onKey(event, grid) {
    if (event.altKey || event.metaKey) return;
    const { row, column, rows, columns } = this.scene;
    this.goByKey(event, grid, [row, column], [rows, columns]);
  }

  #editWeight(i, r, c) {
    const value = this.readNumber({ grid: this.slices[i].weights, r, c }, this.limits.weight[1]);
    if (value === null) return;
    const kernel = structuredClone(this.scene.weight[this.scene.kernel]);
    kernel[i][r][c] = value;
    this.#setKernel(kernel);
  }

  #editBias() {
    const value = this.readNumber({ grid: this.bias, r: 0, c: 0 }, this.limits.bias[1]);
    if (value === null) return;
    const bias = [...this.scene.bias];
    bias[this.scene.kernel] = value;
    set(this.model, { bias });
  }

  /** Channel, row and column of the product that an event is about, or null. */
  #productOf(event) {
    for (const [channel, { weights, products }] of this.slices.entries()) {
      const at = weights.place(event) ?? products.place(event);
      if (at) return { channel, r: at[0], c: at[1] };
    }
    return null;
  }

  // Drawing

  draw() {
    this.forgive();
    const scene = (this.scene = channelScene(this.model));
    this.#drawPicture(scene);
    this.#drawSlices(scene);
    this.#drawWeights(scene);
    this.#drawProducts(scene);
    this.#drawMap(scene);
    this.#drawReading(scene);
    this.#drawKernels(scene);
    this.#drawShapes(scene);
    this.#drawControls(scene);
    this.drawLink();
    this.#announce(scene);
  }

  #drawPicture({ input }) {
    const [rows, columns] = [input[0].length, input[0][0].length];
    const level = (r, c) => (slice) => Math.round((255 * slice[r][c]) / this.limits.pixel[1]);
    this.picture.show(rows, columns, (r, c) => `rgb(${input.map(level(r, c)).join(", ")})`);
    setText(this.captionText, fill(this.t.pictureCaption, { rows, columns }));
  }

  #drawSlices({ input, row, column, size }) {
    const middle = Math.floor(size / 2);
    for (const [i, slice] of input.entries()) {
      const grid = this.slices[i].input;
      grid.show(slice.length, slice[0].length, (r, c) => ({
        text: String(slice[r][c]),
        className: `cnn-tone-${slice[r][c]}`,
      }));
      grid.setLens({ x: column, y: row, w: size, h: size });
      grid.setFocus(row + middle, column + middle);
    }
  }

  #drawWeights({ weight, bias, kernel, size }) {
    const values = weight[kernel];
    const shade = shadesOf(values.flat(), { signed: true });
    for (const [i, { weights }] of this.slices.entries()) {
      const channel = this.t.channels[CHANNELS[i]];
      weights.show(size, size, (r, c) => {
        const place = { kernel: kernel + 1, channel, row: r + 1, column: c + 1 };
        const label = fill(this.t.weightCell, place);
        return { text: short(values[i][r][c]), label, editable: true, ...shade(values[i][r][c]) };
      });
    }
    const label = fill(this.t.biasCell, { kernel: kernel + 1 });
    this.bias.show(1, 1, () => ({ text: short(bias[kernel]), label, editable: true }));
  }

  #drawProducts({ products, sums, number, size }) {
    const shade = shadesOf(products.flat(), { signed: true });
    const write = fitted(products.flat(), 2, 4);
    for (const [i, slice] of this.slices.entries()) {
      slice.products.show(size, size, (r, c) => {
        const value = products[i][r][c];
        return { text: write(value), ...shade(value) };
      });
      setText(slice.sum.value, decimal(sums[i]));
    }
    setText(this.number.value, decimal(number));
  }

  #drawMap({ maps, kernel, rows, columns, row, column, reached, size }) {
    const map = maps[kernel];
    setText(this.map.label, fill(this.t.mapLabel, { kernel: kernel + 1, rows, columns }));
    const [shade, write] = [shadesOf(map), fitted(map, 1, size > 1 ? 5 : 4)];
    const empty = { text: "", label: this.t.emptyCell, className: "cnn-empty" };
    this.map.show(rows, columns, (r, c) => {
      const isReached = r * columns + c < reached;
      return isReached ? { text: write(map[r][c]), ...shade(map[r][c]) } : empty;
    });
    this.map.setLens({ x: column, y: row, w: 1, h: 1 });
    this.map.setFocus(row, column);
  }

  #drawReading({ sums, bias, number, kernel, row, column }) {
    setText(this.sumLine, fill(this.t.sumLine, { row: row + 1, column: column + 1 }));
    const [red, green, blue] = sums.map((sum) => bracketed(sum));
    this.terms.write({ red, green, blue, bias: bracketed(bias[kernel]) });
    const isExact = [...sums, bias[kernel], number].every((value) => exact(value));
    setText(this.equals, isExact ? "=" : "≈");
    setText(this.total, decimal(number));
  }

  #drawKernels({ weight, maps, kernel, columns, reached }) {
    for (const [i, card] of this.cards.entries()) {
      card.root.hidden = i >= weight.length;
      if (card.root.hidden) continue;
      const name = this.t.presets[channelKernelName(weight[i])];
      const isReached = (r, c) => r * columns + c < reached;
      card.show(fill(this.t.card, { kernel: i + 1, name }), weight[i], maps[i], isReached);
      card.radio.checked = i === kernel;
    }
    this.add.hidden = weight.length === this.cards.length;
  }

  #drawShapes({ input, weight, rows, columns, size }) {
    const [height, width] = [input[0].length, input[0][0].length];
    const own = { outputs: weight.length, kernelRows: size, kernelColumns: size };
    const values = { channels: input.length, height, width, rows, columns, ...own };
    for (const { numbers } of this.shapeLines) numbers.write(values);
    setText(this.count, String(parameterCount(weight)));
  }

  #drawControls({ weight, kernel, size }) {
    const { model, t } = this;
    const playing = model.get("playing");
    setText(this.playButton.lastChild, playing ? t.pause : t.play);
    this.playButton.classList.toggle("cnn-playing", playing);
    this.sizes.show(String(size));
    setText(this.preset.root.firstChild, fill(t.kernelPreset, { kernel: kernel + 1 }));
    for (const option of this.preset.select.options) option.disabled = !isKernelOf(option.value, size);
    this.preset.show(channelKernelName(weight[kernel]));
    setText(this.removal.lastChild, fill(t.removeKernel, { kernel: kernel + 1 }));
    this.removal.disabled = weight.length === 1;
    setText(this.hint, size > 1 ? t.productHint : t.productHintPoint);
  }

  drawLink() {
    const { scene, linked } = this;
    const isShown = linked !== null && linked.r < scene.size && linked.c < scene.size;
    this.pair.root.hidden = !isShown || this.refused !== null;
    this.hint.hidden = isShown || this.refused !== null;
    if (!isShown) return this.markLinked([]);
    const { channel, r, c } = linked;
    const { input, weights, products } = this.slices[channel];
    const pixel = input.cells[scene.row + r][scene.column + c];
    this.markLinked([pixel, weights.cells[r][c], products.cells[r][c]].map(({ cell }) => cell));
    this.pair.write({
      channel: this.t.channels[CHANNELS[channel]],
      pixel: scene.windows[channel][r][c],
      weight: bracketed(scene.weight[scene.kernel][channel][r][c], short),
      product: decimal(scene.products[channel][r][c]),
    });
  }

  /** Read the result out once the reader rests, and never while it plays. */
  #announce({ weight, kernel, row, column, number }) {
    if (this.model.get("playing")) return this.keepQuiet();
    this.counted ??= weight.length;
    const place = { kernel: kernel + 1, row: row + 1, column: column + 1, value: decimal(number) };
    const count = fill(this.t.kernelsSpoken, { kernels: weight.length });
    const isNew = this.counted !== weight.length;
    const text = [fill(this.t.sumSpoken, place), isNew ? count : ""].join(" ").trim();
    this.readOut([text], () => {
      this.counted = weight.length;
    });
  }
}

/** A small picture of a grid: colours without numbers, which stand elsewhere. */
class Mini {
  constructor(className = "") {
    this.root = element("span", { className: `cnn-ch-mini ${className}`, "aria-hidden": "true" });
    this.shown = [];
  }

  /** @param {number} rows @param {number} columns @param {(r: number, c: number) => string} color */
  show(rows, columns, color) {
    while (this.root.childElementCount > rows * columns) this.root.lastChild.remove();
    while (this.root.childElementCount < rows * columns) this.root.append(element("span"));
    if (this.columns !== columns) this.root.style.setProperty("--columns", columns);
    this.columns = columns;
    for (const [i, cell] of [...this.root.children].entries()) {
      const wanted = color(Math.floor(i / columns), i % columns);
      if (this.shown[i] !== wanted) cell.style.background = wanted;
      this.shown[i] = wanted;
    }
    this.shown.length = rows * columns;
  }
}

/** One kernel to choose: its three slices, and the map that it gives. */
class Card {
  constructor(group, onChoose) {
    this.radio = element("input", { type: "radio", name: group });
    this.radio.addEventListener("change", onChoose);
    this.name = element("span", { className: "cnn-ch-name" });
    this.slices = CHANNELS.map((name) => new Mini(`cnn-ch-${name}`));
    this.map = new Mini("cnn-ch-mini-map");
    const arrow = element("span", { "aria-hidden": "true" }, "→");
    const slices = this.slices.map(({ root }) => root);
    const pictures = element("span", { className: "cnn-ch-minis" }, ...slices, arrow, this.map.root);
    this.root = element("label", { className: "cnn-ch-card" }, this.radio, this.name, pictures);
  }

  show(name, kernel, map, isReached) {
    setText(this.name, name);
    const [size, shade, mapShade] = [
      kernel[0].length, shadesOf(kernel.flat(), { signed: true }), shadesOf(map),
    ];
    for (const [i, slice] of this.slices.entries()) {
      slice.show(size, size, (r, c) => shade(kernel[i][r][c]).fill);
    }
    const fillOf = (r, c) => (isReached(r, c) ? mapShade(map[r][c]).fill : "");
    this.map.show(map.length, map[0].length, fillOf);
  }
}

/** A sign between two grids: the eye's, as the order of the grids says it too. */
const sign = (text) => element("div", { className: "cnn-ch-sign", "aria-hidden": "true" }, text);

/** One number in a frame, under its label. */
function numberBox(role, label) {
  const value = div("cnn-ch-value");
  return { value, root: div(`cnn-panel cnn-${role} cnn-ch-box`, div("cnn-label", label), value) };
}

/** A negative number in brackets, as after another sign. */
const bracketed = (value, write = decimal) => (value < 0 ? `(${write(value)})` : write(value));

/** What follows an underscore becomes a subscript. */
function lowered(node) {
  const [letter, below] = node.textContent.split("_");
  if (below) node.replaceChildren(letter, element("sub", {}, below));
}

export default {
  initialize: ({ model }) => startClock(model, moveWindow),
  render({ model, el }) {
    const view = new ChannelView(model, el);
    return () => view.remove();
  },
};
