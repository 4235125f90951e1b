// The receptive field explorer: stack layers, point at an output pixel, and see what it sees.
//
// The model's traits are the whole state, but for the pixel that a mouse points at: that one is
// shown as long as it points, and a click puts it into the traits.

import { span } from "../common/arithmetic.js";
import {
  button, choice, div, element, freshId, segments, setAttribute, setText, slider, template,
  widgetRoot,
} from "../common/elements.js";
import { clamp, set } from "../common/model.js";
import { keyPlace } from "../common/keys.js";
import { decimal } from "../common/numbers.js";
import { decode, paint, paintGrey, rgb } from "../common/photo.js";
import {
  STACKS, averaging, fieldInterval, fieldTable, halfPadding, heightOf, middleOf, nearestUnit,
  pathsTo, reach, seenUnits, shrunk, sideView,
} from "./model.js";
import STRINGS from "./words.json" with { type: "json" };
import { isWhole } from "../common/share.js";
import { fill } from "../common/strings.js";
import { View } from "../common/view.js";

const STATE = ["layers", "input_size", "row", "column", "show"];
const SETTINGS = ["kernel_size", "stride", "padding", "dilation"];
const SIZES = ["8", "16", "32", "64", "128", "224", "256"];
const FARTHEST_PLACE = 999; // more than any output has; the explorer brings it back within its own
const SVG = "http://www.w3.org/2000/svg";

/** A new layer: the commonest one. */
const NEW_LAYER = { kernel_size: 3, stride: 1, padding: 1, dilation: 1 };

/** A whole number within limits, whatever a linked control has put there. */
const wholeIn = (value, [low, high]) => clamp(Math.round(Number(value)) || 0, low, high);

/** The layers of a model, each setting within its limits. */
function layersOf(model) {
  const limits = model.get("limits");
  const layer = (values) =>
    Object.fromEntries(SETTINGS.map((name) => [name, wholeIn(values[name], limits[name])]));
  return model.get("layers").slice(0, limits.layers[1]).map(layer);
}

/** The state to set from a link's values, which anybody may have written; null for none. */
export function acceptField(values, limits) {
  const isLayer = (layer) =>
    Object.keys(layer).length === SETTINGS.length &&
    SETTINGS.every((name) => isWhole(layer[name], limits[name]));
  const isPossible =
    Array.isArray(values.layers) && isWhole(values.layers.length, limits.layers) &&
    values.layers.every(isLayer) && isWhole(values.input_size, limits.input_size) &&
    ["row", "column"].every((name) => isWhole(values[name], [0, FARTHEST_PLACE])) &&
    ["photo", "paths"].includes(values.show);
  return isPossible ? values : null;
}

/** One view of the model. */
class FieldView extends View {
  constructor(model, el) {
    super(model, STRINGS, STATE);
    this.pointed = null; // the output pixel that a mouse points at
    this.image = null; // the photograph's grey levels, once they are there
    this.averaged = averaging();
    this.#makeHeader();
    this.#makeStage();
    this.#makeReading();
    this.#makeSide();
    this.#makeTable();
    this.#makeFormula();
    const { header, stage, reading, side, table, formula, foot } = this;
    this.makeRoot("cnn-rf", header, stage, reading, side, table, formula, foot);
    this.follow([...STATE, "photo"]);
    this.draw();
    el.append(widgetRoot(this.root));
  }

  // The parts, made once

  #makeHeader() {
    const { t, model } = this;
    this.stackChoice = choice(t.stackChoice, Object.entries(t.stacks), (name) => {
      this.#change({ layers: STACKS[name] }, middleInput(model));
    });
    const size = (text) => [text, fill(t.squareSize, { size: text })];
    this.sizeChoice = choice(t.inputSize, [...SIZES.map(size), ["", ""]], (text) => {
      const now = Number(text);
      this.#change({ input_size: now }, [(now - 1) / 2, (now - 1) / 2]);
    });
    this.shading = segments(t.shading, Object.entries(t.shadings), (show) => set(model, { show }));
    const choices = [this.stackChoice, this.sizeChoice, this.shading].map(({ root }) => root);
    this.header = div("cnn-rf-header", ...choices);
  }

  #makeStage() {
    this.input = panel("input");
    this.output = panel("output");
    this.heat = element("canvas", { className: "cnn-rf-heat" });
    this.input.mark.append(this.heat);
    this.problem = element("p", { className: "cnn-rf-problem" });
    this.output.frame.append(this.problem);
    const { plane } = this.output;
    const names = { role: "application", "aria-label": this.t.outputKeys };
    for (const [name, value] of Object.entries(names)) plane.setAttribute(name, value);
    plane.tabIndex = 0;
    this.stage = div("cnn-rf-stage", this.input.root, this.output.root);
    this.#listen(plane, (...at) => at.map(Math.floor));
    this.#listen(this.input.plane, (...at) =>
      at.map((pixel) => nearestUnit(pixel - 0.5, this.scene.place)));
    plane.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #makeReading() {
    const { t, model } = this;
    this.sentences = element("p", { className: "cnn-rf-sentences" });
    const hint = element("p", { className: "cnn-rf-hint" }, t.fieldHint);
    const range = [1, 1];
    this.sliders = {
      row: slider(t.outputRow, range, (value) => set(model, { row: value - 1 })),
      column: slider(t.outputColumn, range, (value) => set(model, { column: value - 1 })),
    };
    const sliders = Object.values(this.sliders).map(({ root }) => root);
    this.reading = div("cnn-rf-reading", this.sentences, hint, div("cnn-rf-sliders", ...sliders));
  }

  #makeSide() {
    this.sideLabel = div("cnn-label");
    this.names = div("cnn-rf-names");
    this.drawing = document.createElementNS(SVG, "svg");
    this.drawing.setAttribute("role", "img");
    this.drawing.setAttribute("preserveAspectRatio", "none");
    this.shapes = {};
    for (const name of ["cone", "lost", "lines", "units", "beyond", "seen", "bump"]) {
      this.shapes[name] = document.createElementNS(SVG, "path");
      this.shapes[name].setAttribute("class", `cnn-rf-${name}`);
      this.drawing.append(this.shapes[name]);
    }
    const box = div("cnn-rf-box", this.names, this.drawing);
    this.side = div("cnn-rf-side cnn-highlight", this.sideLabel, box);
  }

  #makeTable() {
    const { t, model } = this;
    const most = model.get("limits").layers[1];
    const heading = (name) => element("th", { scope: "col" }, element("span", {}, name));
    const names = columnNames(t).map(heading);
    names.at(-1).firstChild.className = "cnn-hidden";
    const head = element("thead", {}, element("tr", {}, ...names));
    this.lines = Array.from({ length: most + 1 }, (_, l) => this.#makeLine(l));
    const body = element("tbody", {}, ...this.lines.map(({ row }) => row));
    const table = element("table", { className: "cnn-layers cnn-rf-table", "aria-label": t.tableName });
    table.append(head, body);
    this.addButton = button(t.addLayer, () => this.#addLayer());
    this.paddings = segments(t.paddingAll, Object.entries(t.paddings), (name) => {
      const layers = layersOf(model);
      this.#change({ layers: layers.map((layer) => withPadding(layer, name)) });
    });
    const actions = div("cnn-rf-actions", this.addButton, this.paddings.root);
    this.table = div("cnn-rf-layers", table, actions);
  }

  /** One row: the input at 0, then the layers. It is hidden where there is no such layer. */
  #makeLine(l) {
    const { t, model } = this;
    const row = element("tr", {}, element("th", { scope: "row" }, l ? String(l) : t.sideInput));
    const fields = {};
    const labels = [t.kernelColumn, t.strideColumn, t.paddingColumn, t.dilationColumn];
    SETTINGS.forEach((name, i) => {
      const cell = element("td");
      if (l) {
        const label = fill(t.settingOf, { setting: labels[i], layer: l });
        fields[name] = numbers(label, model.get("limits")[name], (value) => {
          this.#setLayer(l - 1, name, value);
        });
        cell.append(fields[name]);
      }
      row.append(cell);
    });
    const named = (name) => [name, element("td")];
    const results = Object.fromEntries(["output", "jump", "size", "start"].map(named));
    const remove = button(fill(t.removeLayer, { layer: l }), () => this.#removeLayer(l - 1), {
      icon: "remove", quiet: true,
    });
    row.append(...Object.values(results), element("td", {}, ...(l ? [remove] : [])));
    return { row, fields, results, remove };
  }

  #makeFormula() {
    const { t, model } = this;
    const heading = element("p", { className: "cnn-rf-heading" }, t.lastLayer);
    this.formula = div("cnn-rf-formula", heading);
    this.formulaLines = Object.entries(t.formulas).map(([name, text]) => {
      const line = template(t.numbers[name], "cnn-rf-numbers");
      const said = element("p", { className: "cnn-rf-words" }, text);
      this.formula.append(div("cnn-rf-equation", said, line.root));
      return line;
    });
    const accept = (values) => acceptField(values, model.get("limits"));
    this.foot = this.makeEnd("cnn-rf-foot", "field", accept);
  }

  // What the reader does

  /** Change traits, and keep the chosen pixel over the same input pixel as far as that goes. */
  #change(values, middle = this.#middle()) {
    const layers = values.layers ?? layersOf(this.model);
    const place = fieldTable(layers, values.input_size ?? this.scene.inputSize).at(-1);
    const [row, column] = middle.map((pixel) => nearestUnit(pixel, place));
    this.pointed = null;
    set(this.model, place.problem ? values : { ...values, row, column });
  }

  /** The input pixel under the middle of the chosen pixel's field. */
  #middle() {
    const { place, problem, kept } = this.scene;
    return problem ? middleInput(this.model) : kept.map((index) => middleOf(index, place));
  }

  /** A layer whose padding is half its kernel keeps that, unless the whole stack has none. */
  #setLayer(l, name, value) {
    const layers = layersOf(this.model);
    const isHalf = paddingOf(layers) === "half" && name !== "padding";
    const layer = { ...layers[l], [name]: value };
    layers[l] = isHalf ? withPadding(layer, "half") : layer;
    this.#change({ layers });
  }

  #addLayer() {
    const layers = layersOf(this.model);
    const padding = paddingOf(layers) === "none" ? 0 : NEW_LAYER.padding;
    this.#change({ layers: [...layers, { ...NEW_LAYER, padding }] });
  }

  #removeLayer(l) {
    const layers = layersOf(this.model).filter((_, i) => i !== l);
    this.#change({ layers });
    this.draw(); // now, so that the focus can follow
    const { remove } = this.lines[Math.min(l + 1, layers.length)];
    (remove.disabled ? this.addButton : remove).focus();
  }

  /** Choose by pointing: a mouse shows; a click, a touch or the end of a drag keeps. */
  #listen(plane, toUnit) {
    const isInput = plane === this.input.plane;
    const unit = (event) => {
      const { problem, place, span: length, before } = this.scene;
      if (problem) return null;
      const box = plane.getBoundingClientRect();
      const [sides, margin] = isInput ? [length, before] : [place.output, 0];
      const at = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
      const units = toUnit(...at.map((part) => part * sides - margin));
      return units.map((index) => clamp(index, 0, place.output - 1));
    };
    const show = (pointed) => {
      this.pointed = pointed;
      this.#scheduleFrame();
    };
    plane.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" || event.buttons) show(unit(event));
    });
    plane.addEventListener("pointerleave", () => show(null));
    plane.addEventListener("pointercancel", () => show(null));
    plane.addEventListener("pointerup", (event) => {
      const place = unit(event);
      if (place) set(this.model, { row: place[0], column: place[1] });
    });
  }

  #onKey(event) {
    const { problem, kept, place } = this.scene;
    if (problem || event.altKey || event.metaKey) return;
    const wanted = keyPlace(event, kept, [place.output, place.output]);
    if (!wanted) return;
    event.preventDefault();
    this.pointed = null;
    const [row, column] = wanted;
    set(this.model, { row, column });
    this.draw(); // now: the next key counts from here
  }

  // Drawing

  /** At most one drawing a frame, however many moves a mouse reports. */
  #scheduleFrame() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.#drawPlace();
    });
  }

  draw() {
    const { model } = this;
    const layers = layersOf(model);
    const inputSize = wholeIn(model.get("input_size"), model.get("limits").input_size);
    const table = fieldTable(layers, inputSize);
    const place = table.at(-1);
    const [before, after] = place.problem ? [0, 0] : reach(place, inputSize);
    const last = Math.max(place.output - 1, 0);
    const kept = ["row", "column"].map((name) => wholeIn(model.get(name), [0, last]));
    const length = before + inputSize + after;
    const { problem } = place;
    this.scene = { layers, inputSize, table, place, before, span: length, kept, problem };
    this.#drawPictures();
    this.#drawLayers();
    this.#drawControls();
    this.#drawFormula();
    this.#drawPlace();
    this.#announce();
  }

  /** The photograph at the input's size, and what equal weights make of it, where they changed. */
  #drawPictures() {
    const { layers, inputSize, table, place, before, span: length, problem } = this.scene;
    const url = this.model.get("photo");
    if (url !== this.photo) this.#load(url);
    setText(this.input.label, fill(this.t.fieldInput, { size: inputSize }));
    const label = problem ? this.t.fieldOutputNone : this.t.fieldOutput;
    setText(this.output.label, fill(label, { size: place.output }));
    lay(this.input.canvas, [before, before], inputSize, length);
    this.output.plane.hidden = problem !== "";
    setText(this.problem, this.#problemText());
    if (!this.image) return;
    const inputKey = JSON.stringify([inputSize, url]);
    if (inputKey !== this.shrunkBy) {
      const { width, height, values } = this.image;
      this.small = shrunk(values, width, height, inputSize);
      paintGrey(this.input.canvas, inputSize, inputSize, this.small);
    }
    this.shrunkBy = inputKey;
    const key = JSON.stringify([inputKey, layers]);
    if (key === this.painted || problem) return;
    this.painted = key;
    const { output } = place;
    paintGrey(this.output.canvas, output, output, this.averaged(this.small, layers, table));
  }

  async #load(url) {
    this.photo = url;
    this.image = null;
    const { width, height, channels } = await decode(url);
    if (url !== this.photo) return;
    this.image = { width, height, values: channels[0] };
    this.schedule();
  }

  #problemText() {
    const { table, layers } = this.scene;
    const l = table.findIndex(({ problem }) => problem === "large");
    if (l < 0) return "";
    return fill(this.t.noField, { layer: l, ...roomOf(layers[l - 1], table[l]) });
  }

  #drawLayers() {
    const { layers, table } = this.scene;
    this.lines.forEach(({ row, fields, results, remove }, l) => {
      row.hidden = l > layers.length;
      if (row.hidden) return;
      const place = table[l];
      for (const [name, field] of Object.entries(fields)) {
        const text = String(layers[l - 1][name]);
        if (field.value !== text) field.value = text;
      }
      remove.disabled = layers.length === 1;
      const { output, ...others } = results;
      const problem = place.problem === "large" ? this.t.rowLarge : this.t.rowNone;
      const said = fill(problem, l ? roomOf(layers[l - 1], place) : {});
      setText(output, place.problem ? said : String(place.output));
      output.colSpan = place.problem ? 4 : 1;
      output.className = place.problem ? "cnn-rf-refusal" : "";
      for (const [name, cell] of Object.entries(others)) {
        cell.hidden = place.problem !== "";
        setText(cell, decimal(place[name]));
      }
    });
  }

  #drawControls() {
    const { layers, inputSize, place, kept, problem } = this.scene;
    const name = Object.keys(STACKS).find((each) => isSameStack(STACKS[each], layers));
    this.stackChoice.show(name ?? "custom");
    const ownSize = this.sizeChoice.select.lastChild;
    if (!SIZES.includes(String(inputSize))) {
      ownSize.value = String(inputSize);
      setText(ownSize, fill(this.t.squareSize, { size: inputSize }));
    }
    this.sizeChoice.show(String(inputSize));
    this.shading.show(this.model.get("show"));
    this.paddings.show(paddingOf(layers));
    this.addButton.disabled = layers.length === this.model.get("limits").layers[1];
    [this.sliders.row, this.sliders.column].forEach((each, i) => {
      each.input.max = String(Math.max(place.output, 1));
      each.input.disabled = problem !== "";
      each.show(kept[i] + 1);
    });
  }

  #drawFormula() {
    const { layers, table, problem } = this.scene;
    const [before, after] = table.slice(-2);
    const { kernel_size: kernel, stride, padding, dilation } = layers.at(-1);
    const values = {
      kernel, stride, padding, dilation,
      input: before.output, output: after.output, jump: after.jump, jumpBefore: before.jump,
      field: after.size, fieldBefore: before.size,
      start: decimal(after.start), startBefore: decimal(before.start),
    };
    const hidden = Object.fromEntries(Object.keys(values).map((name) => [name, "–"]));
    for (const line of this.formulaLines) line.write(problem ? hidden : values);
  }

  /** What depends on the chosen pixel alone: this runs with every move of a mouse. */
  #drawPlace() {
    if (this.removed) return;
    const { place, before, span: length, problem, kept, layers, table } = this.scene;
    for (const { mark } of [this.input, this.output]) mark.hidden = problem !== "";
    this.drawing.style.visibility = problem ? "hidden" : "";
    this.names.style.visibility = problem ? "hidden" : "";
    if (problem) {
      setText(this.sentences, "");
      setText(this.sideLabel, this.t.sideLabel);
      return;
    }
    const at = (this.pointed ?? kept).map((index) => Math.min(index, place.output - 1));
    const [rows, columns] = at.map((index) => pathsTo(layers, table, index));
    const corner = at.map((index) => place.start + index * place.jump + before);
    lay(this.input.mark, corner, place.size, length);
    lay(this.output.mark, at, 1, place.output);
    this.#drawHeat(rows[0], columns[0], at);
    setText(this.sentences, readingOf(this.t, this.scene, at, rows[0], columns[0]));
    this.#drawSide(columns, at[1]);
  }

  /** The number of paths from each pixel of the field: black for none, and the padding left out. */
  #drawHeat(rows, columns, at) {
    const { place } = this.scene;
    this.heat.hidden = this.model.get("show") !== "paths";
    if (this.heat.hidden) return;
    const [red, green, blue] = this.#amber();
    const { size } = place;
    const tones = [rows, columns].map((paths, i) =>
      tonesOf(paths, fieldInterval(at[i], place)[0], size, this.scene.inputSize));
    paint(this.heat, size, size, (i) => {
      const [down, across] = [tones[0][Math.floor(i / size)], tones[1][i % size]];
      if (down < 0 || across < 0) return 0;
      const level = (of) => Math.round(of * down * across);
      return rgb(level(red), level(green), level(blue));
    });
  }

  /** The palette's colour for what is highlighted, as three levels. */
  #amber() {
    const text = getComputedStyle(this.root).getPropertyValue("--cnn-highlight").trim();
    return [1, 3, 5].map((i) => Number.parseInt(text.slice(i, i + 2), 16));
  }

  #drawSide(paths, column) {
    const { layers, table, inputSize, before, span: length } = this.scene;
    const { view, ...shapes } = sideView(layers, table, paths, column);
    const [low, high] = view;
    setAttribute(this.drawing, "viewBox", `${low} 0 ${high - low} 100`);
    this.drawing.style.setProperty("--units", high - low);
    for (const [name, shape] of Object.entries(this.shapes)) setAttribute(shape, "d", shapes[name]);
    const isWhole = high - low >= length;
    const columns = { first: Math.max(low + 0.5, 0) + 1, last: Math.min(high + 0.5, inputSize) };
    setText(this.sideLabel, isWhole ? this.t.sideLabel : fill(this.t.sidePart, columns));
    const counts = paths.map((each) => seenUnits(each).length);
    const texts = namesOf(this.t, counts);
    while (this.names.children.length > texts.length) this.names.lastChild.remove();
    while (this.names.children.length < texts.length) this.names.append(element("span"));
    texts.forEach((text, i) => {
      setText(this.names.children[i], text);
      const top = i === 0 ? 92 : heightOf(i - 1, layers.length);
      this.names.children[i].style.top = `${top}%`;
    });
    const units = texts.slice(1).join(", ");
    setAttribute(this.drawing, "aria-label", fill(this.t.sideName, { column: column + 1, units }));
  }

  /** Read the result out once the reader rests. */
  #announce() {
    this.readOut([this.scene.problem ? this.problem.textContent : this.sentences.textContent]);
  }
}

/** A picture with a frame on it: the input with the field, the output with the pixel. */
function panel(role) {
  const label = div("cnn-label");
  label.id = freshId("label");
  const canvas = element("canvas", { role: "img", "aria-labelledby": label.id });
  const mark = div("cnn-rf-mark");
  const plane = div("cnn-rf-plane", canvas, mark);
  const frame = div("cnn-rf-frame", plane);
  return { root: div(`cnn-rf-panel cnn-${role}`, label, frame), label, canvas, mark, plane, frame };
}

/** Lay an element over a square of a plane: `size` of its `whole` pixels from (row, column) on. */
function lay({ style }, [row, column], size, whole) {
  const percent = (part) => `${(100 * part) / whole}%`;
  Object.assign(style, { top: percent(row), left: percent(column) });
  Object.assign(style, { width: percent(size), height: percent(size) });
}

/** A list of the whole numbers within limits. */
function numbers(label, [low, high], onChange) {
  const select = element("select", { "aria-label": label });
  for (let value = low; value <= high; value += 1) {
    select.append(element("option", { value: String(value) }, String(value)));
  }
  select.addEventListener("change", () => onChange(Number(select.value)));
  return select;
}

const columnNames = (t) => [
  t.layerColumn, t.kernelColumn, t.strideColumn, t.paddingColumn, t.dilationColumn,
  t.outputColumnHead, t.jumpColumn, t.fieldColumn, t.startColumn, t.removeColumn,
];

/** The middle of the input, in pixels of it. */
function middleInput(model) {
  const middle = (model.get("input_size") - 1) / 2;
  return [middle, middle];
}

/** "none" or "half" where all the layers have that padding, else "". */
function paddingOf(layers) {
  if (layers.every(({ padding }) => padding === 0)) return "none";
  return layers.every((layer) => layer.padding === halfPadding(layer)) ? "half" : "";
}

const withPadding = (layer, name) =>
  ({ ...layer, padding: name === "half" ? halfPadding(layer) : 0 });

const isSameLayer = (a, b) => SETTINGS.every((name) => a[name] === b[name]);
const isSameStack = (a, b) =>
  a.length === b.length && a.every((layer, l) => isSameLayer(layer, b[l]));

/** How long a kernel is, and how long the padded input that it does not fit into. */
const roomOf = ({ kernel_size, dilation, padding }, { input }) => ({
  span: span(kernel_size, dilation),
  room: input + 2 * padding,
});

/** The counts of a field's pixels from 0 to 1; -1 for those beyond the input's edge. */
function tonesOf({ first, counts }, start, size, inputSize) {
  const most = Math.max(...counts, 0) || 1;
  return Float64Array.from({ length: size }, (_, i) => {
    const pixel = start + i;
    return pixel < 0 || pixel >= inputSize ? -1 : (counts[pixel - first] ?? 0) / most;
  });
}

/** What one output pixel sees, in sentences. */
function readingOf(t, { place, inputSize }, at, rows, columns) {
  const intervals = at.map((index) => fieldInterval(index, place));
  const [down, across] = intervals.map(([first, last]) =>
    fill(t.interval, { first: decimal(first + 1), last: decimal(last + 1) }));
  const where = { row: at[0] + 1, column: at[1] + 1, rows: down, columns: across };
  const [height, width] = intervals.map(([first, last]) =>
    Math.max(0, Math.min(last, inputSize - 1) - Math.max(first, 0) + 1));
  const [used, usedAcross] = [rows, columns].map((paths) => seenUnits(paths).length);
  const sentences = [fill(t.sees, { ...where, size: place.size })];
  if (used * usedAcross === 0) return [...sentences, t.nothingSeen].join(" ");
  const isInside = height === place.size && width === place.size;
  sentences.push(isInside ? t.inside : fill(t.beyondEdge, { height, width }));
  const hasGaps = used < height || usedAcross < width;
  if (hasGaps) sentences.push(fill(t.gaps, { height: used, width: usedAcross }));
  const [least, most] = [leastOf, mostOf].map((of) => of(rows) * of(columns));
  const counts = { least: least.toLocaleString("en"), most: most.toLocaleString("en") };
  sentences.push(fill(least === most ? t.pathCount : t.pathCounts, counts));
  return sentences.join(" ");
}

const mostOf = ({ counts }) => Math.max(...counts);
const leastOf = ({ counts }) => Math.min(...counts.filter((count) => count > 0));

/** The names beside the side view's rows: paths, input, ...; with how many units are seen. */
function namesOf(t, counts) {
  const name = (l) => (l ? fill(t.sideLayer, { layer: l }) : t.sideInput);
  return [t.sidePaths, ...counts.map((count, l) => fill(t.sideCount, { name: name(l), count }))];
}

export default {
  render({ model, el }) {
    const view = new FieldView(model, el);
    return () => view.remove();
  },
};
