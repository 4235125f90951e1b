// Photographs: from a data URL to numbers, and from numbers to a canvas.

/**
 * @typedef {object} Photo
 * @property {number} width @property {number} height
 * @property {Uint8ClampedArray[]} channels one for a grey photograph, three for one in colour
 */

/**
 * Decode a picture, a data URL as a widget's trait holds it.
 * @param {string} url @returns {Promise<Photo>}
 */
export async function decode(url) {
  const blob = await (await fetch(url)).blob();
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const channel = (c) => Uint8ClampedArray.from({ length: width * height }, (_, i) => data[4 * i + c]);
  const [red, green, blue] = [channel(0), channel(1), channel(2)];
  const isGrey = red.every((value, i) => value === green[i] && value === blue[i]);
  return { width, height, channels: isGrey ? [red] : [red, green, blue] };
}

/**
 * Paint pixels, `write(i)` giving the i-th as 0xAABBGGRR, as typed arrays keep them.
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height
 * @param {(i: number) => number} write
 */
export function paint(canvas, width, height, write) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = write(i);
  context.putImageData(image, 0, 0);
}

/** A grey level from 0 to 255 as a pixel of `paint`. */
export const grey = (level) => 0xff000000 | (level << 16) | (level << 8) | level;
