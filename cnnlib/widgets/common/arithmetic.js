// The arithmetic of a sliding window: plain numbers and arrays in, plain numbers and arrays out.

/** @typedef {number[][]} Grid rows of numbers, all of one length */
/** @typedef {number | "valid" | "same" | "full"} Padding */

/**
 * Pixels from a kernel's first to its last sample.
 * @param {number} kernelSize @param {number} dilation
 */
export function span(kernelSize, dilation) {
  return dilation * (kernelSize - 1) + 1;
}

/**
 * Pixels that a padding adds before and after one axis. "same" puts the odd one after, as torch.
 * @param {number} kernelSize @param {Padding} padding @param {number} dilation
 * @returns {[number, number]}
 */
export function paddingAmounts(kernelSize, padding, dilation) {
  const rest = span(kernelSize, dilation) - 1;
  if (padding === "valid") return [0, 0];
  if (padding === "same") return [Math.floor(rest / 2), Math.ceil(rest / 2)];
  if (padding === "full") return [rest, rest];
  return [padding, padding];
}

/**
 * How many positions a window of `length` pixels takes along `room` pixels: 0 where it is longer.
 * @param {number} room @param {number} length @param {number} stride
 */
export function positions(room, length, stride) {
  return room < length ? 0 : Math.floor((room - length) / stride) + 1;
}

/**
 * The output's size along one axis, 0 where the kernel is larger than the padded input.
 * @param {number} inputSize @param {number} kernelSize @param {number} stride
 * @param {Padding} padding @param {number} dilation
 */
export function outputSize(inputSize, kernelSize, stride = 1, padding = 0, dilation = 1) {
  const [before, after] = paddingAmounts(kernelSize, padding, dilation);
  return positions(before + inputSize + after, span(kernelSize, dilation), stride);
}

/**
 * A grid of `rows` by `columns` numbers, each made by `value(row, column)`.
 * @param {number} rows @param {number} columns
 * @param {(row: number, column: number) => number} value
 * @returns {Grid}
 */
export function grid(rows, columns, value) {
  const line = (r) => Array.from({ length: columns }, (_, c) => value(r, c));
  return Array.from({ length: rows }, (_, r) => line(r));
}

/**
 * A grid of another size, with the old one in its middle: cut at the edges, or zeros around it.
 * @param {Grid} old @param {number} rows @param {number} columns
 */
export function resized(old, rows, columns) {
  const top = Math.floor((old.length - rows) / 2);
  const left = Math.floor((old[0].length - columns) / 2);
  return grid(rows, columns, (r, c) => old[r + top]?.[c + left] ?? 0);
}

/**
 * The input with zeros around it.
 * @param {Grid} input @param {[number, number]} rows @param {[number, number]} columns
 */
export function padded(input, [top, bottom], [left, right]) {
  const [height, width] = [input.length, input[0].length];
  const value = (r, c) => input[r - top]?.[c - left] ?? 0;
  return grid(top + height + bottom, left + width + right, value);
}

/**
 * The kernel turned half round.
 * @param {Grid} kernel
 */
export function flipped(kernel) {
  return kernel.map((row) => [...row].reverse()).reverse();
}

/**
 * The numbers that the kernel meets when its first sample lies at (top, left).
 * @param {Grid} source the padded input
 * @param {number} rows @param {number} columns the kernel's
 * @param {number} top @param {number} left @param {number} dilation
 */
export function windowAt(source, rows, columns, top, left, dilation) {
  return grid(rows, columns, (r, c) => source[top + r * dilation][left + c * dilation]);
}

/**
 * Two grids multiplied number by number.
 * @param {Grid} a @param {Grid} b
 */
export function products(a, b) {
  return a.map((row, r) => row.map((value, c) => value * b[r][c]));
}

/**
 * The sum of all the numbers.
 * @param {Grid} values
 */
export function total(values) {
  return values.flat().reduce((sum, value) => sum + value, 0);
}

/**
 * The sum of the products at one position: what the two functions above give together, in place.
 * @param {Grid} source the padded input
 * @param {Grid} kernel @param {number} top @param {number} left @param {number} dilation
 */
export function sumAt(source, kernel, top, left, dilation) {
  let sum = 0;
  for (let r = 0; r < kernel.length; r += 1) {
    const row = source[top + r * dilation];
    for (let c = 0; c < kernel[r].length; c += 1) sum += row[left + c * dilation] * kernel[r][c];
  }
  return sum;
}

/**
 * @typedef {object} Settings
 * @property {number} stride
 * @property {Padding} padding
 * @property {number} dilation
 * @property {boolean} flip true for convolution, false for correlation
 */

/**
 * One axis of a setting: how the input, the padding, the kernel and the output lie along it.
 * @param {number} input @param {number} kernel @param {Settings} settings
 */
export function axis(input, kernel, { stride, padding, dilation }) {
  const [before, after] = paddingAmounts(kernel, padding, dilation);
  const room = before + input + after;
  const length = span(kernel, dilation);
  const output = positions(room, length, stride);
  return { input, kernel, before, after, room, span: length, output };
}

/**
 * Slide the kernel over the input: everything that one setting gives.
 *
 * `problem` is "" or the reason why there is no output: "large" where the kernel is larger than
 * the padded input, "same" where "same" is asked for with a stride (torch refuses that too).
 * @param {Grid} input @param {Grid} kernel @param {Settings} settings
 */
export function convolve(input, kernel, settings) {
  const rows = axis(input.length, kernel.length, settings);
  const columns = axis(input[0].length, kernel[0].length, settings);
  const source = padded(input, [rows.before, rows.after], [columns.before, columns.after]);
  const applied = settings.flip ? flipped(kernel) : kernel;
  const { stride, dilation } = settings;
  const at = (r, c) =>
    windowAt(source, rows.kernel, columns.kernel, r * stride, c * stride, dilation);
  let problem = "";
  if (settings.padding === "same" && stride > 1) problem = "same";
  else if (rows.output === 0 || columns.output === 0) problem = "large";
  const value = (r, c) => sumAt(source, applied, r * stride, c * stride, dilation);
  const output = problem ? [] : grid(rows.output, columns.output, value);
  return { rows, columns, source, applied, output, problem, at };
}

/**
 * A function that gives room for some numbers, again and again the same, with what is in it.
 * @returns {(size: number) => Float64Array}
 */
export function keptMemory() {
  let memory = new Float64Array(0);
  return (size) => {
    if (memory.length < size) memory = new Float64Array(size);
    return memory.subarray(0, size);
  };
}
