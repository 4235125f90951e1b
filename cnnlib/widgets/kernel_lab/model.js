// A kernel over a photograph: pixels in, plain numbers out, fast enough for every frame.

import { NEGATIVE, POSITIVE } from "../common/shades.js";

/** @typedef {import("../common/arithmetic.js").Grid} Grid */

/**
 * @typedef {object} Framed a photograph with room around it for a kernel of one size
 * @property {number} width @property {number} height the photograph's
 * @property {number} top @property {number} left how much room there is before it
 * @property {number} line pixels in a line, room included
 * @property {Float64Array[]} channels
 */

/** @typedef {{ width: number, height: number, channels: Float64Array[] }} Filtered */

const AT_ONCE = 5; // numbers of a kernel's row that one pass over the photograph takes

/**
 * Put room around a photograph, so that the output is as large as it. An even kernel has the odd
 * pixel after the photograph, as torch has it.
 * @param {import("../common/photo.js").Photo} photo @param {number} rows @param {number} columns the kernel's
 * @param {"zero" | "repeat"} edges what stands there: zeros, or the nearest pixel again
 * @returns {Framed}
 */
export function framed({ width, height, channels }, rows, columns, edges) {
  const [top, left] = [Math.floor((rows - 1) / 2), Math.floor((columns - 1) / 2)];
  const line = width + columns - 1;
  const nearest = (place, size) => Math.min(Math.max(place, 0), size - 1);
  const wide = channels.map((channel) => {
    const size = line * (height + rows - 1);
    const values = new Float64Array(size + AT_ONCE); // a pass may look a little beyond the end
    for (let i = 0; i < size; i += 1) {
      const [y, x] = [Math.floor(i / line) - top, (i % line) - left];
      const [r, c] = [nearest(y, height), nearest(x, width)];
      if (edges === "repeat" || (r === y && c === x)) values[i] = channel[r * width + c];
    }
    return values;
  });
  return { width, height, top, left, line, channels: wide };
}

/** Room for the numbers that a framed photograph is filtered to. */
export function blankFor({ width, height, channels }) {
  return { width, height, channels: channels.map(() => new Float64Array(width * height)) };
}

/**
 * Correlate each channel with the kernel, as it stands.
 * @param {Framed} source framed for a kernel of this size @param {Grid} kernel
 * @param {Filtered} [into] what to write into, for a caller that filters often
 */
export function correlated(source, kernel, into = blankFor(source)) {
  for (const [i, channel] of source.channels.entries()) {
    const output = into.channels[i].fill(0);
    for (const [r, weights] of kernel.entries()) {
      for (let c = 0; c < weights.length; c += AT_ONCE) {
        const some = weights.slice(c, c + AT_ONCE);
        if (some.some((weight) => weight !== 0)) addProducts(output, source, channel, some, r, c);
      }
    }
  }
  return into;
}

/**
 * Add the products of up to five neighbours in a row of the kernel, from (r, c), to every output.
 * One pass for five is several times as fast as a pass for each.
 */
function addProducts(output, { width, height, line }, channel, weights, r, c) {
  const [w0, w1 = 0, w2 = 0, w3 = 0, w4 = 0] = weights;
  for (let y = 0; y < height; y += 1) {
    let [to, from] = [y * width, (y + r) * line + c];
    for (const end = to + width; to < end; to += 1, from += 1) {
      output[to] +=
        w0 * channel[from] + w1 * channel[from + 1] + w2 * channel[from + 2] +
        w3 * channel[from + 3] + w4 * channel[from + 4];
    }
  }
}

/**
 * The numbers of one channel that the kernel meets for the output pixel (row, column).
 * @param {Framed} source @param {number} rows @param {number} columns the kernel's
 * @param {number} row @param {number} column @param {number} channel
 * @returns {Grid}
 */
export function neighbourhood({ channels, line }, rows, columns, row, column, channel) {
  const start = row * line + column;
  const at = (r) => channels[channel].subarray(start + r * line, start + r * line + columns);
  return Array.from({ length: rows }, (_, r) => [...at(r)]);
}

/**
 * Filter a photograph, channel by channel.
 * @param {import("../common/photo.js").Photo} photo @param {Grid} kernel
 * @param {{ flip?: boolean, edges?: "zero" | "repeat" }} [settings] `flip` for true convolution
 * @returns {Filtered}
 */
export function filtered(photo, kernel, { flip = false, edges = "zero" } = {}) {
  const applied = flip ? kernel.map((row) => [...row].reverse()).reverse() : kernel;
  return correlated(framed(photo, kernel.length, kernel[0].length, edges), applied);
}

/**
 * The least, the greatest and the mean of all numbers.
 * @param {Float64Array[]} channels
 */
export function summary(channels) {
  let [low, high, sum, count] = [Infinity, -Infinity, 0, 0];
  for (const values of channels) {
    for (let i = 0; i < values.length; i += 1) {
      const value = values[i];
      if (value < low) low = value;
      if (value > high) high = value;
      sum += value;
    }
    count += values.length;
  }
  return { low, high, mean: sum / count };
}

/** Whether a number, rounded, is none of a photograph's, which are from 0 to 255. */
export const isOutside = (value) => value < -0.5 || value >= 255.5;

/**
 * How many pixels a photograph cannot show, for a number outside 0 to 255 in any channel.
 * @param {Float64Array[]} channels
 */
export function outside(channels) {
  let count = 0;
  for (let i = 0; i < channels[0].length; i += 1) {
    let c = 0;
    while (c < channels.length && !isOutside(channels[c][i])) c += 1;
    if (c < channels.length) count += 1;
  }
  return count;
}

const BINS = 1024;
const counts = new Uint32Array(BINS);

/**
 * The number that gets the full colour: 99 of 100 are no larger, by magnitude, rounded up to two
 * digits. (The largest would leave little colour for the others: at an edge with zeros beyond it,
 * an edge kernel gives far more than in the photograph.)
 * @param {Float64Array[]} channels @param {number} largest the largest magnitude of all
 */
export function fullColor(channels, largest) {
  if (!(largest > 1e-9)) return 1;
  counts.fill(0);
  const perBin = BINS / largest;
  let total = 0;
  for (const values of channels) {
    for (let i = 0; i < values.length; i += 1) {
      counts[Math.min(BINS - 1, Math.floor(Math.abs(values[i]) * perBin))] += 1;
    }
    total += values.length;
  }
  let [bin, reached] = [0, counts[0]];
  while (reached < 0.99 * total) reached += counts[(bin += 1)];
  return twoDigits(((bin + 1) / BINS) * largest);
}

/** A positive number rounded up to two digits: 312 to 320. */
function twoDigits(value) {
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1);
  return Number((Math.ceil(value / unit - 1e-9) * unit).toPrecision(2));
}

/**
 * How a kernel's output is best shown: by sign where it can be negative and a flat region gives
 * little, and otherwise as a photograph.
 * @param {Grid} kernel @returns {"signed" | "photo"}
 */
export function bestShow(kernel) {
  const weights = kernel.flat();
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return sum < 0.5 && weights.some((weight) => weight < 0) ? "signed" : "photo";
}

// The diverging map of the plots (RdBu), from 0 to the full colour of each sign.
const WHITE = [247, 247, 247];
const SIDES = [
  [NEGATIVE, [5, 48, 97]], // blue
  [POSITIVE, [103, 0, 31]], // red
];
const MIDWAY = 0.6; // where the map has the lighter of each two

/** A colour of the diverging map. @param {number} tone from -1 to 1 */
export function divergingColor(tone) {
  const [near, far] = SIDES[tone < 0 ? 0 : 1];
  const size = Math.min(Math.abs(tone), 1);
  const [from, to, part] =
    size < MIDWAY ? [WHITE, near, size / MIDWAY] : [near, far, (size - MIDWAY) / (1 - MIDWAY)];
  return from.map((level, i) => Math.round(level + part * (to[i] - level)));
}
