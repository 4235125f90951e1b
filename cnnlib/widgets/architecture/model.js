// What the architecture explorer shows, as numbers, texts and SVG paths. No page here.
//
// Three measures go together everywhere, in this order: parameters, MACs, bytes of memory.

import { decimal } from "../common/numbers.js";
import { fill } from "../common/strings.js";

/**
 * @typedef {object} LayerRow
 * @property {number} depth in how many rows it lies
 * @property {string} name @property {string} type
 * @property {number[] | null} kernel @property {number[] | null} stride
 * @property {number[] | null} shape of the output, without the batch; null if it did not run
 * @property {number[]} own what it has beside the rows in it, of each measure
 * @property {number[]} sums with the rows in it
 * @property {number} end the row after the last one in it
 * @property {number} parent the row that it lies in, -1 for none
 * @property {string} label its name without what it shares with its parent's
 * @property {number} stage from 1, where the row is one that the explorer made; else 0
 */

/**
 * @typedef {object} Network
 * @property {string} name @property {number} batch @property {number[]} input
 * @property {LayerRow[]} rows @property {number[]} totals of each measure
 */

export const MEASURES = ["parameters", "macs", "memory"];
const STAGE = "stage";

/** @param {any} packed a network as the trait holds it @returns {Network} */
export function unpack({ name, batch, input, own, rows: packed }) {
  const path = [];
  let stages = 0;
  const rows = packed.map(([depth, rowName, type, kernel, stride, shape, ...counts], i) => {
    path.length = depth;
    const parent = depth ? path[depth - 1] : -1;
    path.push(i);
    const stage = type === STAGE ? (stages += 1) : 0;
    const label = labelOf(rowName, parent < 0 ? "" : packed[parent][1], type);
    const sums = [...counts];
    return {
      depth, name: rowName, type, kernel, stride, shape, own: counts, sums, end: i + 1, parent,
      label, stage,
    };
  });
  const totals = [...own];
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    const { parent, sums, end } = rows[i];
    const outer = parent < 0 ? totals : rows[parent].sums;
    for (let k = 0; k < outer.length; k += 1) outer[k] += sums[k];
    if (parent >= 0) rows[parent].end = Math.max(rows[parent].end, end);
  }
  return { name, batch, input, rows, totals };
}

/** A name without the parts, between points, that its parent's name begins with too. */
function labelOf(name, outer, type) {
  const [parts, others] = [name.split("."), outer.split(".")];
  let same = 0;
  while (same < parts.length && parts[same] === others[same]) same += 1;
  return parts.slice(same).join(".") || type;
}

export const isGroup = (rows, i) => rows[i].end > i + 1;

/** How many layers there are from one row to before another, and how many multiply by weights. */
export function layerCounts(rows, first = 0, end = rows.length) {
  const indices = rows.slice(first, end).map((_, i) => first + i);
  const layers = indices.filter((i) => !isGroup(rows, i));
  const weighted = layers.filter((i) => rows[i].own[1] > 0);
  return { count: exactly(layers.length), weighted: exactly(weighted.length) };
}

/** The rows that a row lies in, from the innermost. */
export function ancestors(rows, i) {
  const found = [];
  for (let each = rows[i]?.parent ?? -1; each >= 0; each = rows[each].parent) found.push(each);
  return found;
}

/**
 * Which groups are open: those with these names, and those around a row that must be seen.
 * @param {LayerRow[]} rows @param {string[]} names @param {number} row -1 for none
 */
export function openGroups(rows, names, row) {
  const wanted = new Set(names);
  const named = rows.flatMap((each, i) => (isGroup(rows, i) && wanted.has(each.name) ? [i] : []));
  return new Set([...named, ...ancestors(rows, row)]);
}

/** The rows that are seen: those outside of folded groups. */
export function visibleRows(rows, open) {
  const seen = [];
  for (let i = 0; i < rows.length; i = isGroup(rows, i) && !open.has(i) ? rows[i].end : i + 1) {
    seen.push(i);
  }
  return seen;
}

/** A part of a whole, from 0 to 1; 0 of nothing. */
export const shareIn = (part, whole) => (whole ? part / whole : 0);

// The picture

const ROOM = 0.3; // between two boxes, in mean widths of one
const LEAST_UNITS = 50; // a picture's width, in square roots of channels
const LEAST_HEIGHT = 2; // of a box, in per cent
const FOOT = 150; // where the bars stand, in per cent of the boxes' height
const BAR = 40;

const channelsOf = (shape) => shape?.[0] ?? 1;
const rowsOf = (shape) => shape?.[1] ?? 1;
/** Whether one shape is the other, but for sizes of 1 at the end: 512 × 1 × 1 is 512. */
const isSameShape = (a, b) =>
  Array.from({ length: Math.max(a.length, b.length) }).every((_, i) => (a[i] ?? 1) === (b[i] ?? 1));

/**
 * The boxes of a network from left to right: its input, then all that is seen and not open.
 * @returns {{ boxes: { row: number, kind: string, x: number, width: number, shape: number[] | null,
 *   values: number[] }[], room: number, end: number }}
 */
export function boxesOf({ rows, input }, open) {
  const parts = input.length ? [{ row: -1, kind: "input", shape: input, values: [0, 0, 0] }] : [];
  for (const i of visibleRows(rows, open)) {
    if (isGroup(rows, i) && open.has(i)) continue;
    const { shape, sums } = rows[i];
    parts.push({ row: i, kind: kindOf(rows, i, parts.at(-1)?.shape), shape, values: sums });
  }
  const widths = parts.map(({ kind, shape }) =>
    kind === "thin" ? 0 : Math.sqrt(channelsOf(shape)));
  const count = Math.max(1, widths.filter((width) => width > 0).length);
  const room = (ROOM * widths.reduce((sum, width) => sum + width, 0)) / count || ROOM;
  let end = 0;
  const boxes = parts.map((part, i) => {
    const x = end + (part.kind === "thin" ? 0.4 * room : room);
    const width = part.kind === "thin" ? 0.2 * room : widths[i];
    end = x + width;
    return { ...part, x, width };
  });
  return { boxes, room, end: end + room };
}

/** How a row is drawn: "group", "full" (with weights), "empty" (without), or "thin". */
function kindOf(rows, i, before) {
  const { kernel, own, shape } = rows[i];
  if (!shape) return "thin";
  if (isGroup(rows, i)) return "group";
  if (own[1] > 0) return "full";
  return !kernel && before && isSameShape(shape, before) ? "thin" : "empty";
}

/**
 * What all the drawn networks share: how many units are in the picture's width, rows in its height,
 * and how much the tallest bar means.
 */
export function scaleOf(layouts, k) {
  const boxes = layouts.flatMap((layout) => layout.boxes);
  return {
    units: Math.max(LEAST_UNITS, ...layouts.map(({ end }) => end)),
    rows: Math.max(...boxes.map(({ shape }) => rowsOf(shape))),
    most: Math.max(...boxes.map(({ values }) => values[k])),
  };
}

/** A box's height, in per cent of the tallest. */
export const heightOfBox = (shape, rows) =>
  Math.max(LEAST_HEIGHT, 100 * Math.sqrt(rowsOf(shape) / rows));

const place = (value) => String(Math.round(value * 100) / 100);
const rectangle = (x, y, width, height) =>
  `M${place(x)} ${place(y)}h${place(width)}v${place(height)}h${place(-width)}Z`;

/**
 * The picture as SVG path data. Lit boxes come once more, in `lit`, with a `spot` behind them.
 * @param {ReturnType<typeof boxesOf>} layout @param {ReturnType<typeof scaleOf>} scale
 * @param {number} k the measure @param {(row: number) => boolean} isLit
 */
export function pathsOf({ boxes, room }, scale, k, isLit = () => false) {
  const paths = { spot: "", input: "", group: "", stripes: "", full: "", empty: "", thin: "" };
  Object.assign(paths, { bars: "", lit: "" });
  const widths = boxes.filter(({ kind, row }) => kind !== "thin" && row >= 0);
  const bar = Math.min(...widths.map(({ width }) => width), scale.units);
  for (const { row, kind, x, width, shape, values } of boxes) {
    const height = heightOfBox(shape, scale.rows);
    const box = rectangle(x, 50 - height / 2, width, height);
    paths[kind] += box;
    if (kind === "group") paths.stripes += stripes(x, 50 - height / 2, width, height);
    const high = BAR * shareIn(values[k], scale.most);
    const broad = kind === "thin" ? 0.4 * room : bar;
    if (high > 0) paths.bars += rectangle(x + width / 2 - broad / 2, FOOT - high, broad, high);
    if (row < 0 || !isLit(row)) continue;
    paths.lit += box;
    paths.spot += rectangle(x - 0.3 * room, 0, width + 0.6 * room, FOOT);
  }
  return paths;
}

const stripes = (x, y, width, height) =>
  [0.25, 0.5, 0.75]
    .map((part) => `M${place(x + part * width)} ${place(y)}v${place(height)}`).join("");

/** The nearest box at a place of the picture's width, in units: its row, -1 for none. */
export function rowAt({ boxes, room, end }, x) {
  if (x < boxes[0].x - room / 2 || x > end - room / 2) return -1;
  const isBefore = (box, i) => i > 0 && x < (box.x + boxes[i - 1].x + boxes[i - 1].width) / 2;
  const next = boxes.findIndex(isBefore);
  return boxes.at(next < 0 ? -1 : next - 1).row;
}

/**
 * What stands above and below the boxes: a text, and from where to where there is room for it, in
 * per cent of the width.
 */
export function tagsOf({ boxes, room }, units, nameOf) {
  const sizes = [];
  const names = [];
  for (const { row, kind, x, width, shape } of boxes) {
    if (kind === "thin") continue;
    const [from, to] = [x - room / 2, x + width + room / 2];
    const text = sizeText(shape);
    if (sizes.at(-1)?.text === text) sizes.at(-1).to = to;
    else sizes.push({ text, from, to });
    names.push({ text: nameOf(row), from, to });
  }
  const inPercent = ({ text, from, to }) => ({
    text, left: place((100 * from) / units), width: place((100 * (to - from)) / units),
  });
  return { sizes: sizes.map(inPercent), names: names.map(inPercent) };
}

const sizeText = (shape) => {
  const [, rows = 1, columns = rows] = shape;
  return rows === columns ? String(rows) : `${rows}×${columns}`;
};

// Texts

/** @param {number} value a whole number */
export const exactly = (value) => value.toLocaleString("en");

/** A number rounded to so many digits. */
export const significant = (value, digits) => Number(value.toPrecision(digits));

/** A count as one says it: exactly up to a million, then "925 million", "15.5 billion". */
export function inWords(t, value) {
  if (value < 1e6) return exactly(value);
  const rounded = significant(value, 3);
  const unit = rounded < 1e9 ? "million" : rounded < 1e12 ? "billion" : "trillion";
  const size = { million: 1e6, billion: 1e9, trillion: 1e12 }[unit];
  return fill(t[unit], { number: exactly(significant(rounded / size, 3)) });
}

/** Bytes in the unit that leaves one to four digits before the point: "6.1 MiB". */
export function inBytes(value) {
  if (value < 1024) return `${value} B`;
  let [size, unit] = [value / 1024, "KiB"];
  for (const next of ["MiB", "GiB"]) if (size >= 1024) [size, unit] = [size / 1024, next];
  const tenths = Math.round(10 * size);
  const isUneven = Math.abs(10 * size - tenths) === 0.5 && tenths % 2;
  return `${((tenths - (isUneven ? 1 : 0)) / 10).toFixed(1)} ${unit}`; // halves to even, as Python
}

/** A share as "74.3 %", "5.98 %", "0.05 %", "< 0.01 %". */
export function inPercent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.005) return "< 0.01 %";
  return `${decimal(value, value < 9.995 ? 2 : 1)} %`;
}

/** How many times as much: two digits that count. */
export function inTimes(part, whole) {
  if (!whole) return "–";
  const times = part / whole;
  return times > 0 && times < 0.001 ? "< 0.001" : decimal(significant(times, 2), 4);
}

/** A measure's value in its own unit, to the last digit for counts. */
export const valueText = (value, k) => (k === 2 ? inBytes(value) : exactly(value));

/** Sizes as "128 × 112 × 112". */
export const shapeText = (shape, sign = " × ") => shape.map(exactly).join(sign);

/** "Conv2d 3×3 /2", "Stage 3". */
export function kindText(t, { type, kernel, stride, stage }) {
  if (stage) return fill(t.stage, { number: stage });
  if (!kernel) return type;
  const square = (sizes) => (new Set(sizes).size > 1 ? sizes : sizes.slice(0, 1)).join("×");
  const steps = (stride ?? []).some((step) => step !== 1) ? ` /${square(stride)}` : "";
  return `${type} ${kernel.join("×")}${steps}`;
}

/** A row's kind and what it is made of: "Conv2d 3×3: 128 filters of 3 × 3 × 64". */
function madeOf(t, network, i) {
  const row = network.rows[i];
  const kind = kindText(t, row);
  if (isGroup(network.rows, i)) {
    return fill(t.groupOf, { kind, ...layerCounts(network.rows, i, row.end) });
  }
  if (!row.shape || !row.own[1]) return kind;
  const numbers = network.batch * row.shape.reduce((product, size) => product * size, 1);
  const weights = row.own[1] / numbers; // for each number of the output
  if (!Number.isInteger(weights)) return kind;
  if (row.type === "Linear") {
    return fill(t.units, { kind, units: exactly(row.shape.at(-1)), weights: exactly(weights) });
  }
  const channels = weights / (row.kernel ?? []).reduce((product, size) => product * size, 1);
  if (!row.kernel || row.type.includes("Transpose") || !Number.isInteger(channels)) return kind;
  const size = shapeText([...row.kernel, channels]);
  return fill(t.filters, { kind, filters: exactly(row.shape[0]), size });
}

const countTexts = (t, [parameters, macs, memory]) => ({
  parameters: exactly(parameters), macs: inWords(t, macs), memory: inBytes(memory),
});

/** What there is to say about a row, and about the whole network at row -1. */
export function sentenceOf(t, network, i, k) {
  return i < 0 ? networkSentence(t, network, k) : rowSentence(t, network, i, k);
}

function rowSentence(t, network, i, k) {
  const { name, shape, sums } = network.rows[i];
  const output = shape ? fill(t.outputSays, { shape: shapeText(shape) }) : t.notRunSays;
  const share = inPercent(shareIn(sums[k], network.totals[k]));
  return fill(t.layerSays, {
    name, kind: madeOf(t, network, i), output, ...countTexts(t, sums), share,
    measure: t.shareOf[MEASURES[k]],
  });
}

function networkSentence(t, { name, batch, input, rows, totals }, k) {
  const most = rows.reduce((best, { own }, i) => (own[k] > rows[best].own[k] ? i : best), 0);
  const shape = shapeText(input);
  const known = batch === 1 ? fill(t.one, { shape }) : fill(t.batch, { batch, shape });
  return fill(t.networkSays, {
    name, ...countTexts(t, totals), input: input.length ? known : t.unknownInput,
    ...layerCounts(rows), layer: rows[most].name, type: rows[most].type,
    measure: t.shareOf[MEASURES[k]], share: inPercent(shareIn(rows[most].own[k], totals[k])),
  });
}

/** How a second network compares with the first. */
export function comparisonOf(t, one, other) {
  const [parameters, macs, memory] = other.totals.map((total, k) => inTimes(total, one.totals[k]));
  return fill(t.comparison, { name: one.name, other: other.name, parameters, macs, memory });
}
