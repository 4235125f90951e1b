// The arithmetic of pooling: a window slides over a plane of numbers and leaves one for each place.
//
// A plane is flat, so that a photograph of 256 by 256 pixels takes a millisecond or two.

import { positions } from "./arithmetic.js";

/**
 * @typedef {object} Plane rows of numbers, one after the other
 * @property {number} height @property {number} width
 * @property {Float64Array} values
 */
/**
 * @typedef {object} Pooling
 * @property {"max" | "average" | "blur" | "stride"} mode
 * @property {number} kernelSize @property {number} stride
 */

/** What the blur counts along one axis: the middle twice. Pixels that it reaches on either side. */
const BLUR = [1, 2, 1];
const BLUR_REACH = 1;

/** How far beyond its window, on either side, a way of pooling looks. */
export const reachOf = ({ mode }) => (mode === "blur" ? BLUR_REACH : 0);

/**
 * How much each number counts in a mean, along one axis. A maximum has no such weights.
 * @param {Pooling} pooling @returns {number[] | null}
 */
export function axisWeights({ mode, kernelSize }) {
  if (mode === "max") return null;
  if (mode === "blur") return BLUR;
  return Array.from({ length: kernelSize }, (_, i) => (mode === "stride" && i > 0 ? 0 : 1));
}

/** @param {number} height @param {number} width @returns {Plane} */
export function emptyPlane(height, width) {
  return { height, width, values: new Float64Array(height * width) };
}

/** @param {number[][]} rows @returns {Plane} */
export function planeOf(rows) {
  return { height: rows.length, width: rows[0].length, values: Float64Array.from(rows.flat()) };
}

/** @param {Plane} plane @returns {number[][]} */
export function rowsOf({ height, width, values }) {
  const row = (_, r) => [...values.subarray(r * width, (r + 1) * width)];
  return Array.from({ length: height }, row);
}

/**
 * A plane moved down and to the right (up and to the left where negative). What comes in from
 * outside repeats the edge.
 * @param {Plane} plane @param {number} down @param {number} right @returns {Plane}
 */
export function shifted({ height, width, values }, down, right) {
  const moved = emptyPlane(height, width);
  const inside = (place, size) => Math.min(Math.max(place, 0), size - 1);
  for (let r = 0; r < height; r += 1) {
    const from = inside(r - down, height) * width;
    for (let c = 0; c < width; c += 1) {
      moved.values[r * width + c] = values[from + inside(c - right, width)];
    }
  }
  return moved;
}

/** A plane with its edge repeated once around it. @param {Plane} plane @returns {Plane} */
function edged({ height, width, values }) {
  const wide = emptyPlane(height + 2, width + 2);
  for (let r = 0; r < height + 2; r += 1) {
    const from = Math.min(Math.max(r - 1, 0), height - 1) * width;
    for (let c = 0; c < width + 2; c += 1) {
      const at = Math.min(Math.max(c - 1, 0), width - 1);
      wide.values[r * (width + 2) + c] = values[from + at];
    }
  }
  return wide;
}

/**
 * The maxima that "blur" blurs: of the window at every place, and at one more beyond each edge,
 * which the edge, repeated, fills.
 * @param {Plane} plane @param {Pooling} pooling
 */
export function maximaOf(plane, { kernelSize }) {
  return pool(edged(plane), { mode: "max", kernelSize, stride: 1 });
}

/**
 * Pool a plane. No window reaches over the edge (but for the blur): an empty plane where it is
 * larger.
 *
 * Each way of pooling can be done along the rows first, then along the columns: for a window of 4
 * that is 8 steps a number instead of 16.
 * @param {Plane} plane @param {Pooling} pooling @returns {Plane}
 */
export function pool(plane, pooling) {
  const isBlur = pooling.mode === "blur";
  const source = isBlur ? maximaOf(plane, pooling) : plane;
  const length = isBlur ? BLUR.length : pooling.kernelSize;
  const { stride } = pooling;
  const weights = axisWeights(pooling);
  const result = alongColumns(alongRows(source, length, stride, weights), length, stride, weights);
  if (!weights) return result;
  const whole = weights.reduce((sum, weight) => sum + weight) ** 2;
  for (let i = 0; i < result.values.length; i += 1) result.values[i] /= whole;
  return result;
}

/** The size of a pooled axis, 0 where the window is larger. */
export const pooledSize = (size, { kernelSize, stride }) => positions(size, kernelSize, stride);

/** Make one row of each of `height`: of numbers that lie side by side. */
function alongRows({ height, width, values }, length, stride, weights) {
  const result = emptyPlane(height, positions(width, length, stride));
  for (let r = 0; r < height; r += 1) {
    const row = { from: r * width, to: r * result.width, count: result.width };
    foldLine(values, result.values, row, { length, stride, step: 1, weights });
  }
  return result;
}

/** Make each row of `length` rows: of numbers that lie one above the other. */
function alongColumns({ height, width, values }, length, stride, weights) {
  const result = emptyPlane(positions(height, length, stride), width);
  for (let r = 0; r < result.height; r += 1) {
    const row = { from: r * stride * width, to: r * width, count: width };
    foldLine(values, result.values, row, { length, stride: 1, step: width, weights });
  }
  return result;
}

/** Write `count` numbers, each the largest of `length` that lie `step` apart, or their sum. */
function foldLine(values, result, { from, to, count }, { length, stride, step, weights }) {
  for (let k = 0; k < length; k += 1) {
    const start = from + k * step;
    if (weights) addLine(values, start, stride, weights[k], result, to, count);
    else raiseLine(values, start, stride, k === 0, result, to, count);
  }
}

function addLine(values, start, stride, weight, result, to, count) {
  for (let i = 0; i < count; i += 1) result[to + i] += weight * values[start + i * stride];
}

function raiseLine(values, start, stride, isFirst, result, to, count) {
  for (let i = 0; i < count; i += 1) {
    const value = values[start + i * stride];
    if (isFirst || value > result[to + i]) result[to + i] = value;
  }
}

/**
 * Pool again and again: every plane on the way, the first one included. It ends early where the
 * window no longer fits.
 * @param {Plane} plane @param {Pooling} pooling @param {number} times @returns {Plane[]}
 */
export function poolAgain(plane, pooling, times) {
  const planes = [plane];
  while (planes.length <= times && planes.at(-1).values.length > 0) {
    planes.push(pool(planes.at(-1), pooling));
  }
  return planes;
}

/**
 * The pixel from which a window's number comes: the largest, of equal ones the first, as in torch;
 * with the stride alone, the window's first pixel. Null where all of them share.
 * @param {Plane} plane @param {Pooling} pooling @param {number} row @param {number} column
 * @returns {[number, number] | null}
 */
export function winnerAt({ width, values }, { mode, kernelSize, stride }, row, column) {
  const [top, left] = [row * stride, column * stride];
  if (mode === "stride") return [top, left];
  if (mode !== "max") return null;
  let winner = [top, left];
  for (let r = top; r < top + kernelSize; r += 1) {
    for (let c = left; c < left + kernelSize; c += 1) {
      if (values[r * width + c] > values[winner[0] * width + winner[1]]) winner = [r, c];
    }
  }
  return winner;
}

/**
 * The pixels that a window, or the blur around it, looks at: from the first to the last along an
 * axis, within the plane.
 * @param {number} place the output's @param {number} size @param {Pooling} pooling
 * @returns {[number, number]}
 */
export function lookedAt(place, size, pooling) {
  const [start, reach] = [place * pooling.stride, reachOf(pooling)];
  return [Math.max(start - reach, 0), Math.min(start + pooling.kernelSize - 1 + reach, size - 1)];
}

/**
 * Whether each pixel along an axis has a say in any output: not the rest that the last window does
 * not reach, not the gaps of a stride longer than the window, and of the stride alone only the
 * first pixel of each window.
 * @param {number} size @param {Pooling} pooling @returns {boolean[]}
 */
export function seenAlong(size, pooling) {
  const seen = Array.from({ length: size }, () => false);
  for (let place = 0; place < pooledSize(size, pooling); place += 1) {
    const [first, last] = lookedAt(place, size, pooling);
    seen.fill(true, first, pooling.mode === "stride" ? first + 1 : last + 1);
  }
  return seen;
}

/**
 * A pooled plane moved by whole places; NaN where nothing is known of what came in, or where
 * `isWithin` denies that a row (of axis 0) or column (of axis 1), then or now, looks at pixels of
 * the input alone, at none beyond its edge.
 * @param {Plane} plane @param {number} down @param {number} right
 * @param {(place: number, axis: number) => boolean} isWithin @returns {Plane}
 */
export function movedAlong({ height, width, values }, down, right, isWithin) {
  const moved = emptyPlane(height, width);
  const sources = (count, by, axis) => {
    const isKnown = (place) => place >= 0 && place < count && isWithin(place, axis);
    const from = (_, place) => (isKnown(place) && isKnown(place - by) ? place - by : -1);
    return Array.from({ length: count }, from);
  };
  const [fromRows, fromColumns] = [sources(height, down, 0), sources(width, right, 1)];
  for (let r = 0; r < height; r += 1) {
    const y = fromRows[r];
    for (let c = 0; c < width; c += 1) {
      const x = fromColumns[c];
      moved.values[r * width + c] = y < 0 || x < 0 ? NaN : values[y * width + x];
    }
  }
  return moved;
}

/**
 * How two planes of one size differ, over the places that both know.
 * @param {Plane} now @param {Plane} before @param {number} [least] what counts as a change
 */
export function difference(now, before, least = 1e-9) {
  let [known, changed, largest, sum] = [0, 0, 0, 0];
  const plane = emptyPlane(now.height, now.width);
  for (let i = 0; i < now.values.length; i += 1) {
    const change = now.values[i] - before.values[i];
    plane.values[i] = change;
    if (Number.isNaN(change)) continue;
    const size = Math.abs(change);
    known += 1;
    sum += size;
    if (size >= least) changed += 1;
    if (size > largest) largest = size;
  }
  return { plane, known, changed, largest, mean: known ? sum / known : 0 };
}
