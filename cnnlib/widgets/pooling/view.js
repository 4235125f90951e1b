// The pooling explorer: a window takes one number from each of its places, and the input shifts
// under it. The same four boards hold numbers or photographs: the input, the output, the output
// before the shift, and what changed.
//
// The model's traits are the whole state. A control sets a trait; a trait that changes, from here
// or from outside, draws the view again in place.

import { button, choice, div, element, segments, setText, slider, widgetRoot } from "../common/elements.js";
import { clamp, set, startClock } from "../common/model.js";
import { Grid } from "../common/grid.js";
import { aligned, decimal, exact } from "../common/numbers.js";
import { decode, paint, paintGrey } from "../common/photo.js";
import { axisWeights, maximaOf } from "./pooling.js";
import STRINGS from "./words.json" with { type: "json" };
import {
  POOLING_INPUTS, POOLING_MODES, POOLING_TRAITS, acceptPooling, numbersScene, photoScenes,
  poolingInputName, presetSize, settingsOf, stepWindow, toggleWindow,
} from "./model.js";
import { NEGATIVE, POSITIVE, shadesOf } from "../common/shades.js";
import { fill } from "../common/strings.js";
import { GridView } from "../common/view.js";

const LIMIT = 999; // of a typed number: what a cell can show
const FULL_CHANGE = 64; // grey levels that take the whole of a colour

/** One view of the model. */
class PoolingView extends GridView {
  constructor(model, el) {
    super(model, STRINGS, POOLING_TRAITS);
    this.photoScene = photoScenes();
    this.#makeBoards();
    this.#makeShift();
    this.#makeWindow();
    this.#makeEffect();
    this.#makeHeader();
    this.#makeSettings();
    const touch = div("cnn-touch", this.input.root, this.shift);
    const stage = div("cnn-pool-stage", touch, this.output.root);
    const effect = div("cnn-pool-effect", this.before.root, this.change.root, this.effect);
    const board = div("cnn-pool-board", stage, effect, this.strip);
    this.makeRoot("cnn-pooling", this.header, this.ways, board, this.settings);
    this.follow([...POOLING_TRAITS, "photo"]);
    this.draw();
    el.append(widgetRoot(this.root));
  }

  /** Numbers are drawn as soon as all has changed, photographs once a frame. */
  later(draw) {
    const isPhoto = settingsOf(this.model).view === "photo";
    (isPhoto ? requestAnimationFrame : queueMicrotask)(draw);
  }

  // The parts, made once

  #makeBoards() {
    this.input = new Grid("input", { interactive: true });
    this.output = new Grid("output", { interactive: true });
    this.before = new Grid("before");
    this.change = new Grid("change");
    this.boards = [this.input, this.output, this.before, this.change];
    for (const board of this.boards) {
      board.canvas = element("canvas", { role: "img", width: 1, height: 1 });
      board.frame.append(board.canvas);
    }
    for (const board of [this.before, this.change]) board.setLens(null);
    this.problem = element("p", { className: "cnn-problem" });
    this.output.frame.append(this.problem);
    this.#listenToGrid(this.input, (r, c) => this.#placeOver(r, c));
    this.#listenToGrid(this.output, (r, c) => [r, c]);
  }

  #makeShift() {
    const { t, model } = this;
    const limits = model.get("limits");
    const moves = { up: [-1, 0], left: [0, -1], none: null, right: [0, 1], down: [1, 0] };
    const pad = Object.entries(moves).map(([name, step]) => {
      const press = () => (step ? this.#shiftBy(...step) : this.#shiftTo(0, 0));
      const root = button(t.shiftButtons[name], press, { icon: name, quiet: true });
      root.classList.add(`cnn-pad-${name}`);
      return root;
    });
    this.shiftSliders = {
      rows: slider(t.shiftRows, limits.shift_rows, (n) => set(model, { shift_rows: n })),
      columns: slider(t.shiftColumns, limits.shift_columns, (n) => set(model, { shift_columns: n })),
    };
    const legend = element("legend", {}, t.shift);
    const sliders = Object.values(this.shiftSliders).map(({ root }) => root);
    const attributes = { className: "cnn-shift" };
    this.shift = element("fieldset", attributes, legend, div("cnn-pad", ...pad), ...sliders);
  }

  #makeWindow() {
    const { t, model } = this;
    this.window = new Grid("window", { onEdit: (r, c) => this.#edit(r, c) });
    this.window.setLens(null);
    this.window.table.addEventListener("keydown", ({ key }) => key === "Escape" && this.forgive());
    setText(this.window.label, t.windowLabel);
    this.placeText = element("span");
    this.terms = element("span", { className: "cnn-terms" });
    this.total = element("strong", { className: "cnn-total" });
    const sum = element("p", { className: "cnn-sum" });
    sum.append(this.placeText, " ", this.terms, " ", this.total);
    this.unseen = element("p", { className: "cnn-unseen-text" });
    this.hint = element("p", { className: "cnn-hint" }, t.typeHint);
    this.makeRefusal("cnn-refusal");
    this.sum = div("cnn-pool-reading", sum, this.unseen, this.hint, this.refusal);
    this.numbersStrip = div("cnn-pool-window", this.window.root, this.sum);
    this.repeats = slider(t.repeats, model.get("limits").repeats, (n) => set(model, { repeats: n }));
    this.chain = element("p", { className: "cnn-chain" });
    const hints = [fill(t.changeScale, { level: FULL_CHANGE }), t.numbersOnly]
      .map((text) => element("p", { className: "cnn-hint" }, text));
    const notes = div("cnn-pool-reading", this.chain, ...hints);
    this.photoStrip = div("cnn-pool-repeats", this.repeats.root, notes);
    this.strip = div("cnn-pool-strip", this.numbersStrip, this.photoStrip);
  }

  #makeEffect() {
    const { t, model } = this;
    const references = Object.entries(t.references);
    this.reference = segments(t.compareWith, references, (name) => set(model, { reference: name }));
    this.invariance = element("p");
    this.equivariance = element("p");
    const note = element("p", { className: "cnn-hint cnn-edge-note" }, t.edgeNote);
    const texts = div("cnn-effect-text", this.invariance, this.equivariance, note);
    this.effect = div("cnn-effect", this.reference.root, texts);
  }

  #makeHeader() {
    const { t, model } = this;
    const inputs = Object.entries(t.poolingInputs);
    this.inputChoice = choice(t.poolingInput, inputs, (name) => {
      const size = presetSize(name);
      set(model, { input: POOLING_INPUTS[name](size, size, model.get("crop")) });
    });
    const press = (icon, label, act) => button(label, act, { icon, quiet: true });
    this.playButton = button(t.play, () => toggleWindow(model), { icon: "play" });
    this.stepButtons = [
      press("first", t.first, () => set(model, { row: 0, column: 0, playing: false })),
      press("back", t.back, () => this.#step(-1)),
      press("step", t.step, () => this.#step(1)),
    ];
    const modes = POOLING_MODES.map((name) => [name, t.modes[name]]);
    this.modes = segments(t.mode, modes, (mode) => set(model, { mode }));
    this.views = segments(t.view, Object.entries(t.views), (view) => {
      set(model, { view, playing: false });
    });
    this.header = div("cnn-pool-header", this.inputChoice.root, this.views.root);
    const player = div("cnn-player", this.playButton, ...this.stepButtons);
    this.ways = div("cnn-pool-ways", this.modes.root, player);
  }

  #makeSettings() {
    const { t, model } = this;
    const limits = model.get("limits");
    this.sliders = {
      kernel: slider(t.windowSize, limits.kernel_size, (n) => set(model, { kernel_size: n })),
      stride: slider(t.stride, limits.stride, (n) => set(model, { stride: n })),
      input: slider(t.inputSize, limits.input, (size) => this.#resizeInput(size)),
    };
    this.winners = element("input", { type: "checkbox" });
    this.winners.addEventListener("change", () => set(model, { winners: this.winners.checked }));
    const check = element("label", { className: "cnn-check" }, this.winners, t.winners);
    const sliders = div("cnn-sliders", ...Object.values(this.sliders).map(({ root }) => root), check);
    const end = this.makeEnd("cnn-end", "pool", (values) => acceptPooling(values, limits));
    this.settings = div("cnn-pool-settings", sliders, end);
  }

  // What the reader does

  #step(steps) {
    set(this.model, { playing: false });
    stepWindow(this.model, steps);
  }

  #shiftBy(down, right) {
    const settings = settingsOf(this.model);
    this.#shiftTo(settings.down + down, settings.right + right);
  }

  #shiftTo(down, right) {
    const { shift_rows: rows, shift_columns: columns } = this.model.get("limits");
    set(this.model, { shift_rows: clamp(down, ...rows), shift_columns: clamp(right, ...columns) });
  }

  /** A preset stays itself at another size; the reader's own numbers are cut, or framed in 0. */
  #resizeInput(size) {
    const [old, crop] = [this.model.get("input"), this.model.get("crop")];
    const make = POOLING_INPUTS[poolingInputName(old, crop)] ?? POOLING_INPUTS.cat;
    const isOwn = poolingInputName(old, crop) === "custom";
    set(this.model, { input: make(size, size, isOwn ? old : crop) });
  }

  /** The output place whose window has its middle nearest to a pixel. */
  #placeOver(r, c) {
    const { rows, columns, settings } = this.scene;
    const middle = (settings.kernelSize - 1) / 2;
    const nearest = (pixel, count) =>
      clamp(Math.round((pixel - middle) / settings.stride), 0, count - 1);
    return [nearest(r, rows), nearest(c, columns)];
  }

  #listenToGrid(board, toPlace) {
    board.onPlace((r, c) => {
      if (this.scene.problem) return;
      const [row, column] = toPlace(r, c);
      set(this.model, { row, column, playing: false });
    });
    board.table.addEventListener("dblclick", (event) => board === this.input && this.#editAt(event));
    board.table.addEventListener("keydown", (event) => this.#onKey(event, board));
  }

  #onKey(event, board) {
    if (this.scene.problem || event.altKey || event.metaKey) return;
    if (event.key === "Enter" && board === this.input) return this.#editAt(event);
    const { row, column, rows, columns } = this.scene;
    this.goByKey(event, board, [row, column], [rows, columns]);
  }

  /** Take the reader from a pixel to the field of the window that holds its number. */
  #editAt(event) {
    const place = this.input.place(event);
    if (!place || this.scene.problem) return;
    event.preventDefault();
    this.draw();
    const { top, bottom, left, right } = this.scene.window;
    const [y, x] = [clamp(place[0], top, bottom), clamp(place[1], left, right)];
    this.window.cells[y - top][x - left].field.focus();
  }

  /** Put what was typed into the input, where the shifted pixel came from; or say what is wrong. */
  #edit(r, c) {
    const value = this.readNumber({ grid: this.window, r, c }, LIMIT);
    if (value === null) return;
    const { window, settings, input } = this.scene;
    const values = this.model.get("input").map((line) => [...line]);
    const y = clamp(window.top + r - settings.down, 0, input.height - 1);
    const x = clamp(window.left + c - settings.right, 0, input.width - 1);
    values[y][x] = value;
    set(this.model, { input: values });
  }

  forgive() {
    super.forgive();
    this.drawLink();
  }

  /** A reason stands in the hint's stead. */
  drawLink() {
    this.hint.hidden = this.refused !== null;
  }

  // Drawing

  draw() {
    this.forgive();
    const isPhoto = settingsOf(this.model).view === "photo";
    this.root.classList.toggle("cnn-photo-view", isPhoto);
    this.scene = numbersScene(this.model);
    if (isPhoto) this.#drawPhoto();
    else this.#drawNumbers(this.scene);
    this.#drawControls(this.scene, isPhoto);
    this.#announce();
  }

  #drawNumbers(scene) {
    this.#drawInput(scene);
    this.#drawWindow(scene);
    this.#drawOutput(scene);
    this.#drawComparison(scene);
    this.#drawSum(scene);
    const { effect, settings, problem } = scene;
    const [still, along] = problem ? ["", ""] : this.#effectTexts(effect, settings);
    setText(this.invariance, still);
    setText(this.equivariance, along);
    setText(this.problem, problem ? this.#problemText(scene) : "");
  }

  #problemText({ settings, input }) {
    const size = { size: settings.kernelSize, rows: input.height, columns: input.width };
    return fill(this.t.windowLarge, size);
  }

  #drawInput(scene) {
    const { t } = this;
    const { input, settings, problem, window } = scene;
    const { down, right } = settings;
    const { top, bottom, left, right: last } = window;
    const label = down || right ? t.inputGridShifted : t.inputGrid;
    setText(this.input.label, fill(label, { rows: input.height, columns: input.width }));
    this.pixelLook = pixelLook(scene, shadesOf(this.model.get("input")), t);
    this.input.show(input.height, input.width, this.pixelLook);
    const place = { x: left, y: top, w: last - left + 1, h: bottom - top + 1 };
    this.input.setLens(problem ? null : place);
    const middle = (first, end) => Math.floor((first + end) / 2);
    if (!problem) this.input.setFocus(middle(top, bottom), middle(left, last));
  }

  #drawWindow({ settings, problem, window }) {
    const { top, bottom, left, right } = window;
    this.root.dataset.window = settings.kernelSize;
    const size = problem ? [1, 1] : [bottom - top + 1, right - left + 1];
    const blank = { text: "", editable: false };
    this.window.show(...size, (r, c) => {
      const label = fill(this.t.poolingCell, { row: r + 1, column: c + 1 });
      const look = problem ? blank : this.pixelLook(top + r, left + c);
      return { ...look, label: look.label ? `${label}: ${look.label}` : label, editable: !problem };
    });
  }

  #drawOutput({ now, before, effect, rows, columns, row, column, problem }) {
    const { t } = this;
    setText(this.output.label, problem ? t.outputGridNone : fill(t.outputGrid, { rows, columns }));
    this.output.table.hidden = problem;
    const shade = shadesOf([[...now.values, ...before.values]]);
    const write = aligned([[...now.values]]);
    this.output.show(problem ? 0 : rows, problem ? 0 : columns, (r, c) => {
      const at = r * columns + c;
      const look = { text: write(now.values[at]), ...shade(now.values[at]) };
      return { ...look, ...changeMark(effect.change?.plane.values[at], look.text, t) };
    });
    this.output.setLens(problem ? null : { x: column, y: row, w: 1, h: 1 });
    if (!problem) this.output.setFocus(row, column);
  }

  #drawComparison({ effect, rows, columns, now, before, problem }) {
    const { t } = this;
    const shown = effect?.shown;
    const change = effect?.change?.plane;
    setText(this.before.label, t.referenceLabels[this.#reference()]);
    setText(this.change.label, t.changeLabel);
    const isBlank = problem || !shown;
    const size = isBlank ? [0, 0] : [rows, columns];
    const shade = shadesOf([[...now.values, ...before.values]]);
    const known = isBlank ? [0] : [...shown.values].filter((value) => !Number.isNaN(value));
    const write = aligned([known]);
    const unknown = { text: "", label: t.unknownCell, className: "cnn-padding" };
    this.before.show(...size, (r, c) => {
      const value = shown.values[r * columns + c];
      return Number.isNaN(value) ? unknown : { text: write(value), ...shade(value) };
    });
    const changes = isBlank ? [0] : [...change.values].filter((value) => !Number.isNaN(value));
    const [signed, writeChange] = [shadesOf([changes], { signed: true }), aligned([changes])];
    this.change.show(...size, (r, c) => {
      const value = change.values[r * columns + c];
      if (Number.isNaN(value)) return unknown;
      const text = writeChange(value);
      return { text: value > 0 ? `+${text}` : text, ...signed(value) };
    });
  }

  #reference() {
    return settingsOf(this.model).reference;
  }

  #drawSum({ settings, input, now, row, column, columns, problem, unseen }) {
    this.numbersStrip.classList.toggle("cnn-invisible", problem);
    if (problem) return;
    const terms = termsAt(input, settings, row, column);
    const value = now.values[row * columns + column];
    const sign = terms.every((each) => exact(each)) && exact(value) ? "=" : "≈";
    setText(this.placeText, fill(this.t.place, { row: row + 1, column: column + 1 }));
    setText(this.terms, `${termsText(terms, settings, this.t)} ${sign}`);
    setText(this.total, decimal(value));
    const all = input.values.length;
    setText(this.unseen, fill(unseen ? this.t.unseen : this.t.allSeen, { unseen, all }));
  }

  /** What the shift did, in two sentences: against the output before, and against it moved. */
  #effectTexts({ step, places, still, along }, { down, right }) {
    const { t } = this;
    if (!down && !right) return [t.unshifted, ""];
    const where = this.#where(down, right);
    const facts = { ...still, where, largest: decimal(still.largest) };
    const first = fill(still.changed ? t.changed : t.unchanged, facts);
    if (!places) return [first, fill(t.alongNone, { where, step })];
    const text = along.known === 0 ? t.alongGone : along.changed ? t.alongChanged : t.alongSame;
    return [first, fill(text, { ...along, where: this.#where(...places) })];
  }

  /** A shift in words: "1 up and 2 right". */
  #where(down, right) {
    const { directions, both } = this.t;
    const parts = [
      down && fill(down > 0 ? directions.down : directions.up, { n: Math.abs(down) }),
      right && fill(right > 0 ? directions.right : directions.left, { n: Math.abs(right) }),
    ].filter(Boolean);
    return parts.length > 1 ? fill(both, { one: parts[0], other: parts[1] }) : parts.join("");
  }

  // The photograph

  /** Decode the photograph once, then draw. */
  async #loadPhoto() {
    const url = this.model.get("photo");
    this.photoUrl = url;
    const { width, height, channels } = await decode(url);
    if (url !== this.photoUrl) return;
    this.photo = { height, width, values: Float64Array.from(channels[0]) };
    this.schedule();
  }

  #drawPhoto() {
    if (this.photoUrl !== this.model.get("photo")) {
      this.photo = null;
      this.#loadPhoto();
    }
    if (!this.photo) return;
    const scene = this.photoScene(this.model, this.photo);
    const { input, now, effect, problem, planes, settings } = scene;
    const { t } = this;
    const size = ({ height, width }) => ({ rows: height, columns: width });
    const { down, right } = settings;
    const isShifted = down !== 0 || right !== 0;
    setText(this.input.label, fill(isShifted ? t.inputGridShifted : t.inputGrid, size(input)));
    setText(this.output.label, problem ? t.outputGridNone : fill(t.outputGrid, size(now)));
    setText(this.before.label, t.referenceLabels[settings.reference]);
    setText(this.change.label, t.changeLabel);
    const name = isShifted ? t.photoName : t.photoNameStill;
    paintPlane(this.input.canvas, input, fill(name, { where: this.#where(down, right) }));
    paintPlane(this.output.canvas, problem ? null : now, fill(t.pooledName, size(now)));
    paintPlane(this.before.canvas, effect?.shown, t.referenceName);
    paintChange(this.change.canvas, effect?.change?.plane, t.changeName);
    const chain = planes.filter(({ values }) => values.length > 0);
    const text = chain.map(({ height, width }) => `${height} × ${width}`).join(" → ");
    setText(this.chain, fill(t.sizes, { chain: text }));
    const last = { ...size(chain.at(-1)), size: settings.kernelSize, times: chain.length - 1 };
    setText(this.problem, problem ? fill(t.photoLarge, last) : "");
    const [still, along] = problem ? ["", ""] : this.#photoTexts(effect, settings);
    setText(this.invariance, still);
    setText(this.equivariance, along);
  }

  #photoTexts({ step, places, still, along }, { down, right }) {
    const { t } = this;
    if (!down && !right) return [t.unshifted, ""];
    const where = this.#where(down, right);
    const share = ({ changed, known }) => Math.round((100 * changed) / known);
    const first = fill(t.photoChanged, { where, share: share(still), mean: still.mean.toFixed(1) });
    if (!places) return [first, fill(t.alongNone, { where, step })];
    if (along.known === 0) return [first, fill(t.alongGone, { where: this.#where(...places) })];
    return [first, fill(t.photoAlong, { where: this.#where(...places), share: share(along) })];
  }

  // Controls and words

  #drawControls({ settings, input, problem }, isPhoto) {
    const { model, t, sliders, shiftSliders } = this;
    const { height, width } = input;
    sliders.input.show(Math.max(height, width), height === width ? String(height) : `${height} × ${width}`);
    sliders.kernel.show(settings.kernelSize);
    sliders.stride.show(settings.stride);
    shiftSliders.rows.show(settings.down, decimal(settings.down));
    shiftSliders.columns.show(settings.right, decimal(settings.right));
    this.repeats.show(settings.repeats);
    this.inputChoice.show(poolingInputName(model.get("input"), model.get("crop")));
    this.modes.show(settings.mode);
    this.views.show(settings.view);
    this.reference.show(settings.reference);
    this.winners.checked = Boolean(model.get("winners"));
    const playing = model.get("playing");
    setText(this.playButton.lastChild, playing ? t.pause : t.play);
    this.playButton.classList.toggle("cnn-playing", playing);
    for (const each of [this.playButton, ...this.stepButtons]) each.disabled = problem || isPhoto;
    for (const each of [this.inputChoice.select, this.winners, sliders.input.input]) {
      each.disabled = isPhoto;
    }
  }

  /** Read the result out once the reader rests, and never while it plays. */
  #announce() {
    if (this.model.get("playing")) this.keepQuiet();
    else this.readOut([this.#announcementText()]);
  }

  #announcementText() {
    const { problem, row, column, now, columns, settings } = this.scene;
    if (this.problem.textContent) return this.problem.textContent;
    const effect = `${this.invariance.textContent} ${this.equivariance.textContent}`.trim();
    if (problem || settings.view === "photo") return effect;
    const value = decimal(now.values[row * columns + column]);
    return `${fill(this.t.pooledPlace, { row: row + 1, column: column + 1, value })} ${effect}`;
  }
}

/** The look of each pixel of the shifted input: its shade, whether it won, came in, has no say. */
function pixelLook({ input, settings, isSeen, winner, problem, window, wins }, shade, t) {
  const isWinner = (r, c) => winner && winner[0] === r && winner[1] === c;
  const { down, right } = settings;
  const isInside = (r, c) =>
    r >= window.top && r <= window.bottom && c >= window.left && c <= window.right;
  const hasPart = (r, c) => (winner ? isWinner(r, c) : isInside(r, c));
  const hasWon = (r, c) => !problem && (hasPart(r, c) || Boolean(wins?.(r, c)));
  const mark = winner ? "cnn-wins" : "cnn-shares";
  const isOutside = (place, by, size) => place - by < 0 || place - by >= size;
  const cameIn = (r, c) => isOutside(r, down, input.height) || isOutside(c, right, input.width);
  return (r, c) => {
    const value = input.values[r * input.width + c];
    const text = decimal(value);
    const unseen = !isSeen(r, c);
    const names = { "cnn-came": cameIn(r, c), "cnn-unseen": unseen, [mark]: hasWon(r, c) };
    const className = Object.keys(names).filter((name) => names[name]).join(" ");
    const word = unseen ? t.unseenCell : names["cnn-came"] ? t.cameIn : isWinner(r, c) ? t.wonCell : "";
    const label = word ? fill(word, { value: text }) : undefined;
    return { text, className, label, ...(unseen ? {} : shade(value)) };
  };
}

/** How a cell of the output says that it changed: by a sign, and in words. */
function changeMark(change, text, t) {
  if (!change || Math.abs(change) < 1e-9) return {};
  const values = { value: text, change: decimal(Math.abs(change)) };
  const label = fill(change > 0 ? t.outputRose : t.outputFell, values);
  return { className: change > 0 ? "cnn-rose" : "cnn-fell", label };
}

/** The numbers that make an output: its window's, or the nine maxima that are blurred. */
function termsAt(input, settings, row, column) {
  const isBlur = settings.mode === "blur";
  const { width, values } = isBlur ? maximaOf(input, settings) : input;
  const size = isBlur ? axisWeights(settings).length : settings.kernelSize;
  const terms = [];
  for (let r = 0; r < size; r += 1) {
    const start = (row * settings.stride + r) * width + column * settings.stride;
    terms.push(...values.subarray(start, start + size));
  }
  return terms;
}

/** Those numbers as a sum: "max(20, 5, 3, 15)", "(20 + 5 + 3 + 15) / 4". */
function termsText(terms, settings, t) {
  const { mode } = settings;
  const isMean = mode === "average" || mode === "blur";
  const text = isMean ? meanText(terms, axisWeights(settings)) : terms.map((each) => decimal(each)).join(", ");
  return mode in t.terms ? fill(t.terms[mode], { terms: text }) : text;
}

function meanText(terms, line) {
  if (terms.length === 1) return decimal(terms[0]);
  const weights = line.flatMap((a) => line.map((b) => a * b));
  const whole = weights.reduce((sum, weight) => sum + weight);
  const parts = terms.map((each, i) => {
    const size = decimal(Math.abs(each));
    const product = weights[i] === 1 ? size : `${weights[i]} × ${size}`;
    if (i === 0) return each < 0 ? `−${product}` : product;
    return `${each < 0 ? "−" : "+"} ${product}`;
  });
  return `(${parts.join(" ")}) / ${whole}`;
}

/** Paint a plane in greys; nothing where there is none. */
function paintPlane(canvas, plane, label) {
  canvas.hidden = !plane;
  if (!plane) return;
  canvas.setAttribute("aria-label", label);
  paintGrey(canvas, plane.width, plane.height, plane.values);
}

/** Paint changes in red and blue, the paler the smaller, on the page's own ground. */
function paintChange(canvas, plane, label) {
  canvas.hidden = !plane;
  if (!plane) return;
  canvas.setAttribute("aria-label", label);
  const pixel = ([red, green, blue], size) => {
    const opacity = Math.round(255 * Math.min(size / FULL_CHANGE, 1));
    return ((opacity << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  };
  const { values } = plane;
  paint(canvas, plane.width, plane.height, (i) => {
    const change = values[i];
    if (!change) return 0; // nor where it is not known
    return pixel(change < 0 ? NEGATIVE : POSITIVE, Math.abs(change));
  });
}

export default {
  initialize: ({ model }) => startClock(model, () => stepWindow(model, 1)),
  render({ model, el }) {
    const view = new PoolingView(model, el);
    return () => view.remove();
  },
};
