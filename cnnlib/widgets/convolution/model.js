// What the convolution explorer's traits mean, and how they move. No page here, only a model.

import { convolve } from "../common/arithmetic.js";
import { clamp, set } from "../common/model.js";
import { isNumberGrid, isWhole } from "../common/share.js";

/** The traits that the reader sees and changes. */
export const TRAITS = [
  "input", "kernel", "stride", "padding", "mode", "dilation", "flip",
  "row", "column", "filled", "playing",
];

const MODES = ["number", "valid", "same", "full"];
const FARTHEST = 99; // a place that no output reaches; the explorer brings it back within its own

/** A whole number within the trait's limits, whatever a linked control has put there. */
function whole(model, name) {
  const [low, high] = model.get("limits")[name];
  return clamp(Math.round(Number(model.get(name))) || low, low, high);
}

/**
 * Everything that a model's traits show: the settings, the arithmetic, the place in the output.
 * @param {Model} model
 */
export function sceneOf(model) {
  const mode = model.get("mode");
  const settings = {
    stride: whole(model, "stride"),
    padding: mode === "number" ? whole(model, "padding") : mode,
    dilation: whole(model, "dilation"),
    flip: model.get("flip"),
  };
  const scene = convolve(model.get("input"), model.get("kernel"), settings);
  const within = (name, size) => {
    const place = Math.round(Number(model.get(name))) || 0;
    return clamp(place, 0, Math.max(size - 1, 0));
  };
  const row = within("row", scene.rows.output);
  const column = within("column", scene.columns.output);
  // The pixel of the padded input that the kernel's number at (r, c) meets.
  const pixel = (r, c) => [
    row * settings.stride + r * settings.dilation,
    column * settings.stride + c * settings.dilation,
  ];
  return { ...scene, settings, row, column, pixel, filled: model.get("filled") };
}

/**
 * The state to set from a link's values, which anybody may have written; null for what is not one.
 * @param {Record<string, any>} values @param {Record<string, [number, number]>} limits
 */
export function acceptState(values, limits) {
  const isPlace = (name) => isWhole(values[name], [0, FARTHEST]);
  const isPossible =
    ["input", "kernel"].every((name) => isNumberGrid(values[name], limits[name])) &&
    ["stride", "padding", "dilation"].every((name) => isWhole(values[name], limits[name])) &&
    ["row", "column"].every(isPlace) &&
    ["flip", "filled"].every((name) => typeof values[name] === "boolean") &&
    MODES.includes(values.mode);
  return isPossible ? { ...values, playing: false } : null;
}

/** Go `steps` places on in reading order. Past the last one, the output is complete. */
export function advance(model, steps) {
  const { problem, row, column, rows, columns } = sceneOf(model);
  const width = columns.output;
  const index = row * width + column + steps;
  if (problem) set(model, { playing: false });
  else if (index >= rows.output * width) set(model, { filled: true, playing: false });
  else if (index >= 0) set(model, { row: Math.floor(index / width), column: index % width });
}

/** Start or stop playing. From a complete output, start again at the first place. */
export function togglePlay(model) {
  const { rows, columns, row, column, filled } = sceneOf(model);
  const isDone = filled || (row === rows.output - 1 && column === columns.output - 1);
  if (model.get("playing")) set(model, { playing: false });
  else if (isDone) set(model, { filled: false, row: 0, column: 0, playing: true });
  else set(model, { playing: true });
}
