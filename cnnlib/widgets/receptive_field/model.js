// The arithmetic of receptive fields: layers and whole numbers in, whole numbers out.
//
// A square picture and square kernels are the same along both axes, so everything here is said of
// one axis. The field of a pixel is the square of two intervals, and the paths to it are products.

import { keptMemory, outputSize, span } from "../common/arithmetic.js";

/**
 * @typedef {object} Layer a convolution or pooling layer
 * @property {number} kernel_size @property {number} stride
 * @property {number} padding on each side @property {number} dilation
 */

/**
 * @typedef {object} Place what a layer's units see of the input: unit i sees `size` pixels from
 * `start + i * jump` on
 * @property {number} input units of the layer before @property {number} output units of this one
 * @property {number} size @property {number} jump @property {number} start
 * @property {"" | "large" | "none"} problem "large": the kernel is larger than the padded input;
 *   "none": a layer before this one has no output
 */

/** @typedef {{ first: number, counts: Float64Array }} Paths how often each unit counts */

/** The padding that keeps the size at stride 1; for an even kernel one pixel less. */
export const halfPadding = ({ kernel_size, dilation }) =>
  Math.floor((span(kernel_size, dilation) - 1) / 2);

/**
 * The table of a stack: the input first, then a row a layer.
 * @param {Layer[]} layers @param {number} inputSize @returns {Place[]}
 */
export function fieldTable(layers, inputSize) {
  const rows = [{ input: inputSize, output: inputSize, size: 1, jump: 1, start: 0, problem: "" }];
  for (const { kernel_size, stride, padding, dilation } of layers) {
    const before = rows.at(-1);
    const input = before.output;
    const output = input && outputSize(input, kernel_size, stride, padding, dilation);
    rows.push({
      input,
      output,
      size: before.size + dilation * (kernel_size - 1) * before.jump,
      jump: before.jump * stride,
      start: before.start - padding * before.jump,
      problem: output ? "" : input ? "large" : "none",
    });
  }
  return rows;
}

/**
 * The first and the last input pixel that a unit sees; beyond the edge where they are not in it.
 * @param {number} index @param {Place} place @returns {[number, number]}
 */
export function fieldInterval(index, { size, jump, start }) {
  return [start + index * jump, start + index * jump + size - 1];
}

/**
 * How far the fields of all the units reach beyond the input, before and after it.
 * @param {Place} place @param {number} inputSize @returns {[number, number]}
 */
export function reach(place, inputSize) {
  const [, last] = fieldInterval(place.output - 1, place);
  return [Math.max(0, -place.start), Math.max(0, last + 1 - inputSize)];
}

/**
 * The unit whose field has its middle nearest to an input pixel.
 * @param {number} pixel @param {Place} place
 */
export function nearestUnit(pixel, { output, size, jump, start }) {
  const index = Math.round((pixel - start - (size - 1) / 2) / jump);
  return Math.min(Math.max(index, 0), output - 1);
}

/**
 * The paths from every unit of every layer to one output unit: what a stack of kernels full of
 * ones computes. Paths that begin in padding do not count. From the input to the output.
 * @param {Layer[]} layers @param {Place[]} table @param {number} index @returns {Paths[]}
 */
export function pathsTo(layers, table, index) {
  const all = [{ first: index, counts: Float64Array.of(1) }];
  for (let l = layers.length - 1; l >= 0; l -= 1) {
    all.unshift(pathsBefore(layers[l], all[0], table[l].output));
  }
  return all;
}

/** The paths one layer further down, among the `size` units that are there. */
function pathsBefore({ kernel_size, stride, padding, dilation }, { first, counts }, size) {
  if (counts.length === 0) return { first: 0, counts }; // all of them ended in padding
  const low = Math.max(0, first * stride - padding);
  const last = (first + counts.length - 1) * stride - padding + dilation * (kernel_size - 1);
  const below = new Float64Array(Math.max(0, Math.min(size - 1, last) - low + 1));
  for (let i = 0; i < counts.length; i += 1) {
    for (let k = 0; k < kernel_size; k += 1) {
      const place = (first + i) * stride - padding + k * dilation - low;
      if (place >= 0 && place < below.length) below[place] += counts[i];
    }
  }
  return { first: low, counts: below };
}

/**
 * A function that gives what a stack makes of a square grey picture if all the weights of a kernel
 * are equal. It keeps its memory, for new memory would take longer than the arithmetic. The values
 * hold until the next call.
 * @returns {(image: Float64Array, layers: Layer[], table: Place[]) => Float64Array}
 */
export function averaging() {
  const [sums, one, other] = [keptMemory(), keptMemory(), keptMemory()];
  const layerOf = (values, layer, size, output) => {
    const down = averagedDown(values, size, size, output, layer, one, sums);
    return averagedDown(down, size, output, output, layer, other, sums);
  };
  return (image, layers, table) =>
    layers.reduce((values, layer, l) =>
      layerOf(values, layer, table[l].output, table[l + 1].output), image);
}

/** Average down the columns of a picture of `height` by `width`, and turn it on its diagonal. */
function averagedDown(image, height, width, output, layer, memory, memoryOfSums) {
  const { kernel_size, stride, padding, dilation } = layer;
  const result = memory(width * output);
  const sums = runningSums(image, width, dilation, memoryOfSums);
  const steps = (distance) => dilation * Math.ceil(Math.max(distance, 0) / dilation);
  for (let r = 0; r < output; r += 1) {
    const top = r * stride - padding;
    const bottom = top + dilation * (kernel_size - 1);
    const first = top + steps(-top); // of the rows that are in the picture
    const last = bottom - steps(bottom - height + 1);
    const [before, all] = first > last ? [0, 0] : [first * width, (last + dilation) * width];
    for (let c = 0; c < width; c += 1) {
      result[c * output + r] = (sums[all + c] - sums[before + c]) / kernel_size;
    }
  }
  return result;
}

/**
 * Each row, plus the row `dilation` above it, and so on up to the top; above them as many rows of 0
 * as `dilation`. The sum over a kernel of any size is then the difference of two rows.
 */
function runningSums(image, width, dilation, memory) {
  const above = dilation * width;
  const sums = memory(above + image.length).fill(0, 0, above);
  for (let i = 0; i < image.length; i += 1) sums[above + i] = sums[i] + image[i];
  return sums;
}

/**
 * A square grey picture of another size: each pixel is the mean of what it covers.
 * @param {ArrayLike<number>} image
 * @param {number} width @param {number} height @param {number} size
 */
export function shrunk(image, width, height, size) {
  const across = resampled(image, height, width, size);
  return resampled(across, size, height, size);
}

/** Resample along the rows, and turn the picture on its diagonal. */
function resampled(image, height, width, size) {
  const result = new Float64Array(size * height);
  const step = width / size;
  for (let c = 0; c < size; c += 1) {
    const [from, to] = [c * step, Math.min((c + 1) * step, width)];
    for (let x = Math.floor(from); x < to; x += 1) {
      const share = (Math.min(x + 1, to) - Math.max(x, from)) / (to - from);
      for (let r = 0; r < height; r += 1) result[c * height + r] += share * image[r * width + x];
    }
  }
  return result;
}

// The side view: a row of dots a layer, in a box from (view[0], 0) to (view[1], 100)

const TOP = 5; // of the output's row
const BOTTOM = 76; // of the input's
const BUMP = 20; // the highest bar of the paths, from 100 up
const MOST_UNITS = 96; // that one can tell apart
const MOST_LINES = 1500;

/** Where the middle of a unit lies, in input pixels; places in the padding too. */
export const middleOf = (index, { size, jump, start }) => start + index * jump + (size - 1) / 2;

/** The row of a layer in the side view. */
export const heightOf = (l, depth) => BOTTOM - ((BOTTOM - TOP) * l) / depth;

/** The part of the input's axis that is drawn: all, or of a wide one a stretch around the field. */
export function viewOf(place, inputSize, index) {
  const [before, after] = reach(place, inputSize);
  const [low, high] = [-before, inputSize + after];
  const width = Math.max(64, Math.ceil(1.25 * place.size));
  if (high - low <= Math.max(MOST_UNITS, width)) return [low - 0.5, high - 0.5];
  const wanted = Math.round(middleOf(index, place) - width / 2);
  const from = Math.min(Math.max(wanted, low), high - width);
  return [from - 0.5, from + width - 0.5];
}

/**
 * The side view as SVG path data.
 * @param {Layer[]} layers @param {Place[]} table @param {Paths[]} paths @param {number} index
 */
export function sideView(layers, table, paths, index) {
  const depth = layers.length;
  const view = viewOf(table.at(-1), table[0].output, index);
  const parts = { units: "", seen: "", beyond: "", lines: "", lost: "", cone: "" };
  const count = layers.reduce(
    (sum, { kernel_size }, l) => sum + kernel_size * seenUnits(paths[l + 1]).length, 0);
  const hasLines = count <= MOST_LINES; // of more, the cone says enough
  table.forEach((place, l) => {
    const y = number(heightOf(l, depth));
    const inView = Array.from({ length: place.output }, (_, i) => middleOf(i, place))
      .filter((x) => x > view[0] && x < view[1]);
    parts.units += dots(inView, y);
    parts.seen += dots(seenUnits(paths[l]).map((i) => middleOf(i, place)), y);
    if (l === 0) return;
    const heights = [number(heightOf(l - 1, depth)), y];
    addLinks(parts, layers[l - 1], table[l - 1], place, paths[l], heights, hasLines);
  });
  return { ...parts, bump: bars(paths[0]), view };
}

const number = (value) => String(Math.round(value * 100) / 100);
const dots = (places, y) => places.map((x) => `M${number(x)} ${y}h0`).join("");

/** The units of a layer to which a path leads. */
export function seenUnits({ first, counts }) {
  return Array.from(counts, (count, i) => (count ? first + i : -1)).filter((i) => i >= 0);
}

/** Lines, if there are not too many, from the seen units of a layer to what they see of the layer
 * below, and its cone. */
function addLinks(parts, layer, below, place, paths, [y0, y1], hasLines) {
  const { kernel_size, stride, padding, dilation } = layer;
  const taps = new Set();
  const seen = seenUnits(paths);
  for (const i of seen) {
    for (let k = 0; k < kernel_size; k += 1) {
      const j = i * stride - padding + k * dilation;
      const isThere = j >= 0 && j < below.output;
      const [x1, x0] = [middleOf(i, place), middleOf(j, below)];
      if (hasLines) {
        parts[isThere ? "lines" : "lost"] += `M${number(x1)} ${y1}L${number(x0)} ${y0}`;
      }
      if (!isThere && !taps.has(j)) parts.beyond += dots([x0], y0);
      taps.add(j);
    }
  }
  if (!seen.length) return;
  const [a, b] = [seen[0], seen.at(-1)].map((i) => number(middleOf(i, place)));
  const [c, d] = [Math.min(...taps), Math.max(...taps)].map((j) => number(middleOf(j, below)));
  parts.cone += `M${a} ${y1}L${b} ${y1}L${d} ${y0}L${c} ${y0}Z`;
}

/** The paths as bars, one an input pixel. */
function bars({ first, counts }) {
  const most = Math.max(...counts, 1);
  return Array.from(counts, (count, i) => {
    const top = number(100 - (BUMP * count) / most);
    return count ? `M${first + i - 0.5} 100V${top}h1V100Z` : "";
  }).join("");
}

// Presets: [kernel_size, stride, padding, dilation] a layer

const CONV = [3, 1, 1, 1];
const HALVING = [3, 2, 1, 1];
const POOL = [2, 2, 0, 1];

const asLayers = (rows) => rows.map(([kernel_size, stride, padding, dilation]) => (
  { kernel_size, stride, padding, dilation }));

/** Stacks to choose from, by name. @type {Record<string, Layer[]>} */
export const STACKS = {
  two3: asLayers([[3, 1, 0, 1], [3, 1, 0, 1]]),
  one5: asLayers([[5, 1, 0, 1]]),
  three3: asLayers([[3, 1, 0, 1], [3, 1, 0, 1], [3, 1, 0, 1]]),
  pool: asLayers([[3, 1, 0, 1], POOL, [3, 1, 0, 1]]),
  vgg: asLayers([CONV, CONV, POOL, CONV, CONV, POOL]),
  resnet: asLayers([CONV, CONV, CONV, HALVING, CONV, HALVING, CONV]),
  dilated: asLayers([[3, 1, 1, 1], [3, 1, 2, 2], [3, 1, 4, 4]]),
};
