// Photographs: from a data URL to numbers, and from numbers to a canvas.

/**
 * @typedef {object} Photo
 * @property {number} width @property {number} height
 * @property {Uint8ClampedArray[]} channels one for a grey photograph, three for one in colour
 */

/**
 * Decode a picture, a PNG in a data URL as a widget's trait holds it.
 *
 * The pixels come back from a canvas. A browser that blurs what scripts read there (Tor does, and
 * others by strict settings against fingerprinting) gives other numbers than the file holds.
 * @param {string} url @returns {Promise<Photo>}
 */
export async function decode(url) {
  const bytes = Uint8Array.from(atob(url.split(",")[1]), (letter) => letter.charCodeAt(0));
  const blob = new Blob([bytes], { type: "image/png" }); // fetch(url) fails where a host forbids it
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const channel = (c) => Uint8ClampedArray.from({ length: width * height }, (_, i) => data[4 * i + c]);
  const [red, green, blue] = [channel(0), channel(1), channel(2)];
  const isGrey = red.every((value, i) => value === green[i] && value === blue[i]);
  return { width, height, channels: isGrey ? [red] : [red, green, blue] };
}

/** @type {WeakMap<HTMLCanvasElement, ImageData>} what each canvas was painted from, to write again */
const paintings = new WeakMap();

/**
 * Paint pixels, `write(i)` giving the i-th as 0xAABBGGRR, as typed arrays keep them. (That order is
 * a little-endian machine's, as every one that browsers run on today.)
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height
 * @param {(i: number) => number} write
 */
export function paint(canvas, width, height, write) {
  const { image, pixels } = paintingOf(canvas, width, height);
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = write(i);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * Paint grey levels from 0 to 255, nothing where one is NaN. (A loop of its own, without the call of a
 * function for each pixel.)
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height
 * @param {Float64Array} levels
 */
export function paintGrey(canvas, width, height, levels) {
  const { image, pixels } = paintingOf(canvas, width, height);
  for (let i = 0; i < pixels.length; i += 1) {
    pixels[i] = Number.isNaN(levels[i]) ? 0 : grey(Math.round(levels[i]));
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** What a canvas of this size is painted from: a picture, and its pixels as numbers. */
function paintingOf(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  let image = paintings.get(canvas);
  if (image?.width !== width || image.height !== height) {
    image = canvas.getContext("2d").createImageData(width, height);
    paintings.set(canvas, image);
  }
  return { image, pixels: new Uint32Array(image.data.buffer) };
}

/** A grey level from 0 to 255 as a pixel of `paint`. */
export const grey = (level) => 0xff000000 | (level << 16) | (level << 8) | level;

/** Three levels from 0 to 255 as a pixel of `paint`. */
export const rgb = (red, green, blue) => 0xff000000 | (blue << 16) | (green << 8) | red;
