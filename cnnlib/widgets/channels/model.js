// What the channel explorer's traits mean, and how they move: a kernel with a slice for every
// channel, as many kernels as output channels. No page here, only numbers and a model.

import { grid, products, resized, sumAt, windowAt } from "../common/arithmetic.js";
import { clamp, set } from "../common/model.js";
import { aligned } from "../common/numbers.js";
import { same } from "../common/presets.js";
import { isNumberGrid, isWhole } from "../common/share.js";

/** @typedef {import("../common/arithmetic.js").Grid} Grid */
/** @typedef {import("../common/model.js").Model} Model */
/** @typedef {Grid[]} Volume one grid a channel, all of one size */

/** The channels of the input, in their order. */
export const CHANNELS = ["red", "green", "blue"];

/** The traits that the reader sees and changes. */
export const CHANNEL_TRAITS = [
  "input", "weight", "bias", "kernel", "row", "column", "filled", "playing",
];

// The arithmetic

/**
 * One kernel over all channels: the sum of its slices' sums at each place, and its bias.
 * @param {Volume} input @param {Volume} kernel @param {number} bias
 * @returns {Grid} one channel of the output
 */
export function channelMap(input, kernel, bias) {
  const rows = input[0].length - kernel[0].length + 1;
  const columns = input[0][0].length - kernel[0][0].length + 1;
  const sumOf = (r, c) => (sum, slice, i) => sum + sumAt(slice, kernel[i], r, c, 1);
  return grid(rows, columns, (r, c) => input.reduce(sumOf(r, c), bias));
}

/**
 * A convolution without padding: as many output channels as kernels.
 * @param {Volume} input @param {Volume[]} weight @param {number[]} bias
 * @returns {Volume}
 */
export function convolveChannels(input, weight, bias) {
  return weight.map((kernel, i) => channelMap(input, kernel, bias[i]));
}

/**
 * What one kernel computes at one place: products and their sum for each channel, and the number
 * that these sums and the bias add up to.
 * @param {Volume} input @param {Volume} kernel @param {number} bias
 * @param {number} row @param {number} column
 */
export function meet(input, kernel, bias, row, column) {
  const [rows, columns] = [kernel[0].length, kernel[0][0].length];
  const windows = input.map((slice) => windowAt(slice, rows, columns, row, column, 1));
  const values = windows.map((pixels, i) => products(pixels, kernel[i]));
  const sums = values.map((slice) => slice.flat().reduce((sum, value) => sum + value, 0));
  return { windows, products: values, sums, number: sums.reduce((a, b) => a + b, bias) };
}

/**
 * How many numbers such a layer learns: the weights of each kernel, and its bias.
 * @param {Volume[]} weight
 */
export function parameterCount(weight) {
  return weight.length * (weight[0].flat(2).length + 1);
}

/**
 * A writer for the numbers of one grid: as `aligned`, with as many decimals as leave each text
 * at most `room` characters long.
 * @param {Grid} values @param {number} most decimals @param {number} room
 */
export function fitted(values, most, room) {
  const write = aligned(values, most);
  const fits = values.flat().every((value) => write(value).length <= room);
  return fits || most === 0 ? write : fitted(values, most - 1, room);
}

// The kernels to choose from

/** A kernel that sees one pixel: a weight for each channel in the middle, 0 around it. */
const point = (weights) => (size) => weights.map((weight) => resized([[weight]], size, size));

/** Tenths from -0.9 to 0.9, the same ones at every call: a generator of Park and Miller. */
function random(size) {
  let state = 2024;
  const draw = () => {
    state = (state * 16807) % 2147483647;
    return ((state % 19) - 9) / 10;
  };
  return CHANNELS.map(() => grid(size, size, draw));
}

/**
 * Kernels by name, each a function of its size. What an edge compares are neighbours: of size 1
 * there is none.
 * @type {Record<string, (size: number) => Volume>}
 */
export const CHANNEL_KERNELS = {
  edge: (size) => CHANNELS.map(() => grid(size, size, (_, c) => Math.sign(2 * c + 1 - size))),
  redGreen: point([1, -1, 0]),
  grey: point([1 / 3, 1 / 3, 1 / 3]),
  blue: point([0, 0, 1]),
  random,
};

/** Whether a preset has a kernel of this size. */
export const isKernelOf = (name, size) => name !== "edge" || size > 1;

/**
 * The name of the preset that a kernel is, or "custom".
 * @param {Volume} kernel
 */
export function channelKernelName(kernel) {
  const size = kernel[0].length;
  const isIt = (name) =>
    isKernelOf(name, size) &&
    CHANNEL_KERNELS[name](size).every((slice, i) => same(slice, kernel[i]));
  return Object.keys(CHANNEL_KERNELS).find(isIt) ?? "custom";
}

/**
 * A kernel of another size: a preset stays itself, other weights are cut, or framed in 0.
 * @param {Volume} kernel @param {number} size
 */
export function sizedKernel(kernel, size) {
  const name = channelKernelName(kernel);
  if (name !== "custom" && isKernelOf(name, size)) return CHANNEL_KERNELS[name](size);
  return kernel.map((slice) => resized(slice, size, size));
}

// The model

/** The whole number that a trait holds, within limits, whatever a linked control has put there. */
const place = (model, name, last) => clamp(Math.round(Number(model.get(name))) || 0, 0, last);

/**
 * Everything that a model's traits show: the maps, the kernel looked at, the place of the window.
 * @param {Model} model
 */
export function channelScene(model) {
  const [input, weight, filled] = ["input", "weight", "filled"].map((name) => model.get(name));
  const bias = weight.map((_, i) => Number(model.get("bias")[i]) || 0);
  const maps = convolveChannels(input, weight, bias);
  const [rows, columns, size] = [maps[0].length, maps[0][0].length, weight[0][0].length];
  const kernel = place(model, "kernel", weight.length - 1);
  const row = place(model, "row", rows - 1);
  const column = place(model, "column", columns - 1);
  const met = meet(input, weight[kernel], bias[kernel], row, column);
  const reached = filled ? rows * columns : row * columns + column + 1; // places of a map
  return { input, weight, bias, maps, rows, columns, size, kernel, row, column, reached, ...met };
}

/** Go `steps` places on in reading order. Past the last one, the maps are complete. */
export function moveWindow(model, steps) {
  const { row, column, rows, columns } = channelScene(model);
  const index = row * columns + column + steps;
  if (index >= rows * columns) set(model, { filled: true, playing: false });
  else if (index >= 0) set(model, { row: Math.floor(index / columns), column: index % columns });
}

/** Start or stop playing. From complete maps, start again at the first place. */
export function playOrPause(model) {
  const { rows, columns, reached } = channelScene(model);
  if (model.get("playing")) set(model, { playing: false });
  else if (reached < rows * columns) set(model, { playing: true });
  else set(model, { row: 0, column: 0, filled: false, playing: true });
}

/**
 * The state to set from a link's values, which anybody may have written; null for what is not one.
 * @param {Record<string, any>} values @param {Record<string, [number, number]>} limits
 */
export function acceptChannels(values, limits) {
  const { input, weight, bias } = values;
  const isVolume = (volume, sizes, largest) =>
    Array.isArray(volume) && volume.length === CHANNELS.length &&
    volume.every((slice) =>
      isNumberGrid(slice, sizes, largest) &&
      slice.length === volume[0].length && slice[0].length === volume[0][0].length);
  const isKernel = (kernel) =>
    isVolume(kernel, limits.size, limits.weight[1]) && kernel[0].length === kernel[0][0].length &&
    kernel[0].length !== 2 && kernel[0].length === weight[0][0].length;
  const isPossible =
    isVolume(input, limits.input, limits.pixel[1]) &&
    input.flat(2).every((pixel) => isWhole(pixel, limits.pixel)) &&
    Array.isArray(weight) && isWhole(weight.length, limits.kernels) && weight.every(isKernel) &&
    Array.isArray(bias) && bias.length === weight.length &&
    isNumberGrid([bias], [1, limits.kernels[1]], limits.bias[1]) &&
    isWhole(values.kernel, [0, weight.length - 1]) &&
    ["row", "column"].every((name) => isWhole(values[name], [0, limits.input[1] - 1])) &&
    typeof values.filled === "boolean";
  return isPossible ? { ...values, playing: false } : null;
}
