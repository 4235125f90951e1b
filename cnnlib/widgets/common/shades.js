// A background for each number of a grid, on which its digits stay readable.

// The diverging map of the plots (RdBu): the hues of both signs, and how much of one the largest
// value takes. Both let the page's own text colour stand out, on a light page and on a dark one.
export const POSITIVE = [214, 96, 77];
export const NEGATIVE = [67, 147, 195];
const STRENGTH = 0.62;

// Greys run from nearly black to white. Black text stands out on the brighter ones, white on the
// others, each with a contrast of at least 4.5 to 1.
const DARKEST = 16;
const BLACK_TEXT_ABOVE = 117;

/** @typedef {{ fill: string, ink?: string }} Shade a background, and the colour of text on it */

/** @param {number} level @returns {Shade} */
function greyShade(level) {
  const ink = level > BLACK_TEXT_ABOVE ? "#000" : "#fff";
  return { fill: `rgb(${level}, ${level}, ${level})`, ink };
}

/** @param {number} tone from -1 to 1 @returns {Shade} */
function signedShade(tone) {
  const hue = (tone < 0 ? NEGATIVE : POSITIVE).join(", ");
  return { fill: `rgba(${hue}, ${(STRENGTH * Math.abs(tone)).toFixed(3)})` };
}

/**
 * The shades of a grid: grey from 0 to the largest number where none is negative, and otherwise
 * (or where asked) a hue for each sign, the paler the nearer to 0.
 * @param {number[][]} values @param {{ signed?: boolean }} [options]
 * @returns {(value: number) => Shade}
 */
export function shadesOf(values, { signed = false } = {}) {
  const all = values.flat();
  const largest = Math.max(...all.map(Math.abs)) || 1;
  if (signed || all.some((value) => value < 0)) return (value) => signedShade(value / largest);
  return (value) => greyShade(Math.round(DARKEST + (255 - DARKEST) * (value / largest)));
}
