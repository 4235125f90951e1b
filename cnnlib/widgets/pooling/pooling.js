// The arithmetic of pooling: a window slides over a plane of numbers and leaves one for each place.
//
// A plane is flat, so that a photograph of 256 by 256 pixels takes a millisecond or two.

import { keptMemory, positions } from "../common/arithmetic.js";

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

/**
 * A maker of planes, as `emptyPlane` is one, that hands out the same memory again once it is
 * cleared: for photographs that are drawn in every frame. What was in the memory is still there, so
 * all that gets a maker here writes every number of a plane.
 * @returns {{ plane: (height: number, width: number) => Plane, clear: () => void }}
 */
export function planeStore() {
  const buffers = [];
  let used = 0;
  const plane = (height, width) => {
    const memory = (buffers[used] ??= keptMemory());
    used += 1;
    return { height, width, values: memory(height * width) };
  };
  const clear = () => {
    used = 0;
  };
  return { plane, clear };
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
 * @param {Plane} plane @param {number} down @param {number} right
 * @param {typeof emptyPlane} [make] @returns {Plane}
 */
export function shifted({ height, width, values }, down, right, make = emptyPlane) {
  const moved = make(height, width);
  const inside = (place, size) => Math.min(Math.max(place, 0), size - 1);
  for (let r = 0; r < height; r += 1) {
    const from = inside(r - down, height) * width;
    for (let c = 0; c < width; c += 1) {
      moved.values[r * width + c] = values[from + inside(c - right, width)];
    }
  }
  return moved;
}

/** A plane with its edge repeated once around it. */
function edged({ height, width, values }, make) {
  const wide = make(height + 2, width + 2);
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
 * @param {Plane} plane @param {Pooling} pooling @param {typeof emptyPlane} [make]
 */
export function maximaOf(plane, { kernelSize }, make = emptyPlane) {
  return pool(edged(plane, make), { mode: "max", kernelSize, stride: 1 }, make);
}

/**
 * Pool a plane. No window reaches over the edge (but for the blur): an empty plane where it is
 * larger.
 *
 * Each way of pooling can be done along the rows first, then along the columns: for a window of 4
 * that is 8 steps a number instead of 16.
 * @param {Plane} plane @param {Pooling} pooling @param {typeof emptyPlane} [make]
 * @returns {Plane}
 */
export function pool(plane, pooling, make = emptyPlane) {
  const isBlur = pooling.mode === "blur";
  const source = isBlur ? maximaOf(plane, pooling, make) : plane;
  const length = isBlur ? BLUR.length : pooling.kernelSize;
  const whole = axisWeights(pooling)?.reduce((sum, weight) => sum + weight) ?? 1;
  const axis = { length, stride: pooling.stride, take: TAKE[pooling.mode] };
  return alongColumns(alongRows(source, axis, make), axis, whole ** 2, make);
}

/** The size of a pooled axis, 0 where the window is larger. */
export const pooledSize = (size, { kernelSize, stride }) => positions(size, kernelSize, stride);

/** Make one row of each of `height`: of numbers that lie side by side. */
function alongRows({ height, width, values }, { length, stride, take }, make) {
  const result = make(height, positions(width, length, stride));
  for (let r = 0; r < height; r += 1) {
    const to = r * result.width;
    take(values, r * width, stride, 1, length, result.values, to, to + result.width, 1);
  }
  return result;
}

/** Make each row of `length` rows: of numbers that lie one above the other. Divide by `whole`. */
function alongColumns({ height, width, values }, { length, stride, take }, whole, make) {
  const result = make(positions(height, length, stride), width);
  for (let r = 0; r < result.height; r += 1) {
    const [from, to] = [r * stride * width, r * width];
    take(values, from, 1, width, length, result.values, to, to + width, whole);
  }
  return result;
}

// What becomes of `length` numbers that lie `step` apart: one number, divided by `whole`. The next
// one's begin `stride` further on. The results go from `to` to `end`. (A loop for each, without
// objects in it: a photograph takes half a million steps.)

function takeLargest(values, from, stride, step, length, result, to, end) {
  const reach = step * length;
  for (; to < end; to += 1, from += stride) {
    let most = values[from];
    for (let at = from + step; at < from + reach; at += step) {
      if (values[at] > most) most = values[at];
    }
    result[to] = most;
  }
}

function takeSum(values, from, stride, step, length, result, to, end, whole) {
  const reach = step * length;
  for (; to < end; to += 1, from += stride) {
    let sum = 0;
    for (let at = from; at < from + reach; at += step) sum += values[at];
    result[to] = sum / whole;
  }
}

function takeBlur(values, from, stride, step, length, result, to, end, whole) {
  const [first, middle, last] = BLUR;
  for (; to < end; to += 1, from += stride) {
    const sides = first * values[from] + last * values[from + 2 * step];
    result[to] = (sides + middle * values[from + step]) / whole;
  }
}

function takeFirst(values, from, stride, step, length, result, to, end) {
  for (; to < end; to += 1, from += stride) result[to] = values[from];
}

const TAKE = { max: takeLargest, average: takeSum, blur: takeBlur, stride: takeFirst };

/**
 * Pool again and again: every plane on the way, the first one included. It ends early where the
 * window no longer fits.
 * @param {Plane} plane @param {Pooling} pooling @param {number} times
 * @param {typeof emptyPlane} [make] @returns {Plane[]}
 */
export function poolAgain(plane, pooling, times, make = emptyPlane) {
  const planes = [plane];
  while (planes.length <= times && planes.at(-1).values.length > 0) {
    planes.push(pool(planes.at(-1), pooling, make));
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
 * @param {(place: number, axis: number) => boolean} isWithin @param {typeof emptyPlane} [make]
 * @returns {Plane}
 */
export function movedAlong({ height, width, values }, down, right, isWithin, make = emptyPlane) {
  const moved = make(height, width);
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
 * @param {typeof emptyPlane} [make]
 */
export function difference(now, before, least = 1e-9, make = emptyPlane) {
  let [known, changed, largest, sum] = [0, 0, 0, 0];
  const plane = make(now.height, now.width);
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
