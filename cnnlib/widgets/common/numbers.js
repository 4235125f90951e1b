// Numbers as people write them, and back.

const MINUS = "\u2212";
const DENOMINATORS = [2, 3, 4, 5, 6, 8, 9, 12, 16, 24, 25, 32, 64];

/**
 * A number with at most `places` decimals and a real minus sign: -0.5 is "−0.5".
 * @param {number} value
 */
export function decimal(value, places = 2) {
  const rounded = Number(value.toFixed(places));
  return (rounded < 0 ? MINUS : "") + String(Math.abs(rounded));
}

/**
 * A number in four characters or so: 1/9 is "1/9", 3/128 is ".023".
 * @param {number} value
 */
export function short(value) {
  const near = (x) => Math.abs(x - Math.round(x)) < 1e-9;
  if (near(value * 10)) return decimal(value);
  const bottom = DENOMINATORS.find((d) => near(value * d) && Math.abs(value * d) < 10);
  if (bottom) return `${value < 0 ? MINUS : ""}${Math.round(Math.abs(value) * bottom)}/${bottom}`;
  return decimal(value, Math.abs(value) < 1 ? 3 : 2).replace(/^(\D?)0\./, "$1.");
}

/** Whether `decimal` shows the number without rounding. */
export function exact(value, places = 2) {
  const scaled = value * 10 ** places;
  return Math.abs(scaled - Math.round(scaled)) < 1e-9 * 10 ** places;
}

/**
 * A writer for the numbers of one grid, all with the same decimals: as few as show them exactly,
 * and `most` at most.
 * @param {number[][]} values @returns {(value: number) => string}
 */
export function aligned(values, most = 2) {
  const all = values.flat();
  let places = 0;
  while (places < most && !all.every((value) => exact(value, places))) places += 1;
  return (value) => {
    const text = Math.abs(value).toFixed(places);
    return value < 0 && Number(text) !== 0 ? MINUS + text : text;
  };
}

/**
 * The number that a text means, or null: "-0.5", "−0,5", "1/9", "3".
 * @param {string} text
 */
export function parse(text) {
  const plain = text.trim().replaceAll(MINUS, "-").replaceAll(",", ".").replaceAll(" ", "");
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:\/(\d+\.?\d*))?$/.exec(plain);
  if (!match) return null;
  const value = Number(match[1]) / Number(match[2] ?? 1);
  return Number.isFinite(value) ? value : null;
}
