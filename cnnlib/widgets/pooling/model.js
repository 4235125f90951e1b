// What the pooling explorer's traits mean, and how they move. No page here, only a model.

import { resized } from "../common/arithmetic.js";
import { clamp, set } from "../common/model.js";
import {
  difference, lookedAt, movedAlong, planeOf, planeStore, pool, poolAgain, pooledSize, reachOf,
  seenAlong, shifted, winnerAt,
} from "./pooling.js";
import { same } from "../common/presets.js";
import { isNumberGrid, isWhole } from "../common/share.js";

/** @typedef {import("../common/model.js").Model} Model */
/** @typedef {import("./pooling.js").Plane} Plane */

/** The traits that the reader sees and changes. */
export const POOLING_TRAITS = [
  "input", "mode", "kernel_size", "stride", "shift_rows", "shift_columns", "row", "column",
  "winners", "reference", "view", "repeats", "playing",
];

export const POOLING_MODES = ["max", "average", "blur", "stride"];
const CHOICES = {
  mode: POOLING_MODES,
  reference: ["before", "moved"],
  view: ["numbers", "photo"],
};
const WHOLE_NUMBERS = ["kernel_size", "stride", "shift_rows", "shift_columns", "repeats"];
const LAST_PLACE = 99; // no output is so large; the explorer brings a place back within its own
const GREY_LEVEL = 1; // a smaller change of a photograph's pixel is none that one could see

/** A whole number within the trait's limits, whatever a linked control has put there. */
function limited(model, name) {
  const [low, high] = model.get("limits")[name];
  const value = Number(model.get(name));
  return Number.isFinite(value) ? clamp(Math.round(value), low, high) : low;
}

/** One of the words that a trait may hold. */
function chosen(model, name) {
  const value = model.get(name);
  return CHOICES[name].includes(value) ? value : CHOICES[name][0];
}

/** @param {Model} model */
export function settingsOf(model) {
  return {
    mode: chosen(model, "mode"),
    kernelSize: limited(model, "kernel_size"),
    stride: limited(model, "stride"),
    down: limited(model, "shift_rows"),
    right: limited(model, "shift_columns"),
    repeats: limited(model, "repeats"),
    reference: chosen(model, "reference"),
    view: chosen(model, "view"),
  };
}

/**
 * What a shift did to a pooled plane: against the plane as it was, and, where the shift is a whole
 * number of places, against the plane as it was, moved along by so many.
 * @param {Plane} input @param {Plane} now @param {Plane} before
 * @param {ReturnType<typeof settingsOf>} settings @param {number} times how often it is pooled
 * @param {number} [least] what counts as a change @param {typeof emptyPlane} [make]
 */
export function shiftEffect(input, now, before, settings, times, least, make) {
  const { down, right, reference, stride, kernelSize } = settings;
  const step = stride ** times; // pixels from one place of the planes to the next
  const isWholePlaces = down % step === 0 && right % step === 0;
  const places = isWholePlaces ? [down / step, right / step] : null;
  let spread = 0; // pixels by which each pixel of a window adds to what is looked at
  for (let i = 0; i < times; i += 1) spread += stride ** i;
  const [sizes, reach] = [[input.height, input.width], reachOf(settings)];
  const isWithin = (place, axis) =>
    place * step - reach * spread >= 0 &&
    place * step + (kernelSize - 1 + reach) * spread < sizes[axis];
  const moved = places && movedAlong(before, ...places, isWithin, make);
  const against = (plane) => plane && difference(now, plane, least, make);
  const [still, along] = [before, moved].map(against);
  const shown = reference === "moved" ? moved : before;
  return { step, places, still, along, shown, change: reference === "moved" ? along : still };
}

/**
 * Everything that a model's traits show of the grid of numbers.
 * @param {Model} model
 */
export function numbersScene(model) {
  const settings = settingsOf(model);
  const source = planeOf(model.get("input"));
  const input = shifted(source, settings.down, settings.right);
  const [now, before] = [pool(input, settings), pool(source, settings)];
  const rows = pooledSize(input.height, settings);
  const columns = pooledSize(input.width, settings);
  const problem = rows === 0 || columns === 0;
  const place = (name, size) => {
    const value = Math.round(Number(model.get(name))) || 0;
    return clamp(value, 0, Math.max(size - 1, 0));
  };
  const [row, column] = [place("row", rows), place("column", columns)];
  const seen = [seenAlong(input.height, settings), seenAlong(input.width, settings)];
  const count = seen.map((axis) => axis.filter(Boolean).length);
  const [top, bottom] = lookedAt(row, input.height, settings);
  const [left, right] = lookedAt(column, input.width, settings);
  const winner = problem ? null : winnerAt(input, settings, row, column);
  return {
    settings, input, now, before, rows, columns, problem, row, column, winner,
    window: { top, bottom, left, right },
    isSeen: (r, c) => seen[0][r] && seen[1][c],
    unseen: input.values.length - count[0] * count[1],
    wins: model.get("winners") && !problem ? winnersOf(input, settings, rows, columns) : null,
    effect: problem ? null : shiftEffect(input, now, before, settings, 1),
  };
}

/** Which pixels win in any window, or share in one: a test of a row and a column. */
function winnersOf(input, settings, rows, columns) {
  if (winnerAt(input, settings, 0, 0) === null) {
    const seen = [seenAlong(input.height, settings), seenAlong(input.width, settings)];
    return (r, c) => seen[0][r] && seen[1][c];
  }
  const places = new Set();
  for (let i = 0; i < rows * columns; i += 1) {
    places.add(winnerAt(input, settings, Math.floor(i / columns), i % columns).join());
  }
  return (r, c) => places.has(`${r},${c}`);
}

/**
 * A function that gives everything that a model's traits show of a photograph. It keeps what a
 * shift does not change. The planes of a scene hold until the next one.
 * @returns {(model: Model, photo: Plane) => object}
 */
export function photoScenes() {
  let [key, unshifted] = ["", []];
  const [kept, passing] = [planeStore(), planeStore()];
  return (model, photo) => {
    const settings = settingsOf(model);
    const { mode, kernelSize, stride, repeats } = settings;
    const wanted = [mode, kernelSize, stride, repeats, model.get("photo")].join();
    if (wanted !== key) {
      kept.clear();
      unshifted = poolAgain(photo, settings, repeats, kept.plane);
    }
    key = wanted;
    passing.clear();
    const { down, right } = settings;
    const input = down || right ? shifted(photo, down, right, passing.plane) : photo;
    const planes = input === photo ? unshifted : poolAgain(input, settings, repeats, passing.plane);
    const [before, now] = [unshifted, planes].map((all) => all.at(-1));
    const problem = now.values.length === 0;
    const effect = problem
      ? null
      : shiftEffect(input, now, before, settings, repeats, GREY_LEVEL, passing.plane);
    return { settings, input, planes, now, problem, effect };
  };
}

/** The window's place `steps` on, in reading order; past the last one it stays, and stops. */
export function stepWindow(model, steps) {
  const { problem, row, column, rows, columns } = numbersScene(model);
  const index = row * columns + column + steps;
  const isOutside = problem || index < 0 || index >= rows * columns;
  if (isOutside) set(model, { playing: false });
  else set(model, { row: Math.floor(index / columns), column: index % columns });
}

/** Start or stop playing; from the last place, start again at the first. */
export function toggleWindow(model) {
  const { row, column, rows, columns } = numbersScene(model);
  const isLast = row === rows - 1 && column === columns - 1;
  if (model.get("playing")) set(model, { playing: false });
  else set(model, { ...(isLast ? { row: 0, column: 0 } : {}), playing: true });
}

/**
 * The state to set from a link's values, which anybody may have written; null for what is not one.
 * @param {Record<string, any>} values @param {Record<string, [number, number]>} limits
 */
export function acceptPooling(values, limits) {
  const isPossible =
    isNumberGrid(values.input, limits.input) &&
    WHOLE_NUMBERS.every((name) => isWhole(values[name], limits[name])) &&
    ["row", "column"].every((name) => isWhole(values[name], [0, LAST_PLACE])) &&
    Object.entries(CHOICES).every(([name, words]) => words.includes(values[name])) &&
    typeof values.winners === "boolean";
  return isPossible ? { ...values, playing: false } : null;
}

// The inputs to choose from

const BRIGHTEST = 9;
const VERTICAL = [-1, 0, 1]; // of each row of the kernel that finds vertical edges

/** Bright to the right of dark: the vertical edges of a crop, as a network's first layer has them. */
function featureMap(crop) {
  const edge = (r, c) =>
    VERTICAL.reduce((sum, weight, k) => {
      const column = crop[r][c + k] + crop[r + 1][c + k] + crop[r + 2][c + k];
      return sum + weight * column;
    }, 0);
  const inner = crop.slice(2);
  return inner.map((row, r) => row.slice(2).map((_, c) => Math.max(0, edge(r, c))));
}

const drawn = (value) => (rows, columns) =>
  Array.from({ length: rows }, (_, r) => Array.from({ length: columns }, (_, c) => value(r, c, rows, columns)));

/** Inputs by name: functions of a size, and of the largest crop of the photograph. */
export const POOLING_INPUTS = {
  cat: (rows, columns, crop) => resized(crop, rows, columns),
  features: (rows, columns, crop) => resized(featureMap(crop), rows, columns),
  count: drawn((r, c, _, columns) => r * columns + c + 1),
  point: drawn((r, c, rows, columns) => {
    const isMiddle = r === Math.floor(rows / 2) && c === Math.floor(columns / 2);
    return isMiddle ? BRIGHTEST : 0;
  }),
  bar: drawn((r, c, rows, columns) => (c === Math.floor(columns / 2) ? BRIGHTEST : 0)),
  edge: drawn((r, c, rows, columns) => (2 * c >= columns ? BRIGHTEST : 0)),
};

/** The size at which an input is first shown: numbers that one can follow. */
export const presetSize = (name) => (name === "count" ? 4 : 8);

/** The name of the preset that an input is, or "custom". */
export function poolingInputName(input, crop) {
  const isIt = (name) => same(POOLING_INPUTS[name](input.length, input[0].length, crop), input);
  return Object.keys(POOLING_INPUTS).find(isIt) ?? "custom";
}
