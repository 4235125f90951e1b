// The inputs and kernels to choose from. Each is a function of its size.

import { grid, resized } from "./arithmetic.js";

/** @typedef {import("./arithmetic.js").Grid} Grid */

/** The brightest pixel of the drawn inputs: numbers that one can multiply in one's head. */
const BRIGHT = 9;

/**
 * Inputs by name. `photo` is the largest crop of the photograph; a smaller one is its middle.
 * @type {Record<string, (rows: number, columns: number, photo: Grid) => Grid>}
 */
export const INPUTS = {
  cat: (rows, columns, photo) => resized(photo, rows, columns),
  bar: (rows, columns) =>
    grid(rows, columns, (_, c) => (Math.abs(2 * c + 1 - columns) <= 2 ? BRIGHT : 0)),
  step: (rows, columns) => grid(rows, columns, (_, c) => (2 * c >= columns ? BRIGHT : 0)),
  checkerboard: (rows, columns) => grid(rows, columns, (r, c) => ((r + c) % 2 ? BRIGHT : 0)),
  ramp: (rows, columns) =>
    grid(rows, columns, (_, c) => Math.round((BRIGHT * c) / Math.max(columns - 1, 1))),
};

/** A row of Pascal's triangle, the small Gaussian: 1 2 1 for size 3. */
function binomial(size) {
  return Array.from({ length: size - 1 }).reduce(
    (row) => [...row, 0].map((value, i) => value + (row[i - 1] ?? 0)),
    [1],
  );
}

/** A kernel of fixed numbers: larger sizes put zeros around it. */
const fixed = (values) => (size) => resized(values, size, size);

/**
 * Kernels by name, square.
 * @type {Record<string, (size: number) => Grid>}
 */
export const KERNELS = {
  vertical: (size) => grid(size, size, (_, c) => Math.sign(2 * c + 1 - size)),
  horizontal: (size) => grid(size, size, (r) => Math.sign(2 * r + 1 - size)),
  identity: fixed([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
  blur: (size) => grid(size, size, () => 1 / size ** 2),
  gaussian: (size) => {
    const row = binomial(size);
    return grid(size, size, (r, c) => (row[r] * row[c]) / 4 ** (size - 1));
  },
  sharpen: fixed([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
  laplacian: fixed([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
  outline: fixed([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
  emboss: fixed([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
};

/** Smooth along an edge and subtract across it: -1 0 1 for size 3, -1 -2 0 2 1 for size 5. */
function sobel(size) {
  const along = binomial(size);
  const smooth = binomial(size - 2);
  const across = along.map((_, i) => (smooth[i - 2] ?? 0) - (smooth[i] ?? 0));
  return grid(size, size, (r, c) => along[r] * across[c]);
}

const transposed = (values) => grid(values[0].length, values.length, (r, c) => values[c][r]);

/** Kernels for photographs: those that show on small grids, and more. */
export const PHOTO_KERNELS = {
  ...KERNELS,
  sobelVertical: sobel,
  sobelHorizontal: (size) => transposed(sobel(size)),
  shift: fixed([[0, 0, 0], [0, 0, 1], [0, 0, 0]]),
};

/** Whether two grids hold the same numbers. */
export function same(a, b) {
  if (a.length !== b.length || a[0].length !== b[0].length) return false;
  return a.every((row, r) => row.every((value, c) => Math.abs(value - b[r][c]) < 1e-9));
}

/**
 * The name of the preset that an input is, or "custom".
 * @param {Grid} input @param {Grid} photo
 */
export function inputName(input, photo) {
  const isIt = (name) => same(INPUTS[name](input.length, input[0].length, photo), input);
  return Object.keys(INPUTS).find(isIt) ?? "custom";
}

/**
 * The name of the preset that a kernel is, or "custom".
 * @param {Grid} kernel @param {Record<string, (size: number) => Grid>} [presets]
 */
export function kernelName(kernel, presets = KERNELS) {
  const isIt = (name) => same(presets[name](kernel.length), kernel);
  return Object.keys(presets).find(isIt) ?? "custom";
}
