// Where the keys take the reader in a grid of places.

import { clamp } from "./model.js";

/**
 * The place that a key leads to, within a grid: an arrow's neighbour, the row's first or last, with
 * Ctrl the grid's. Null for another key.
 * @param {KeyboardEvent} event
 * @param {[number, number]} place row and column now
 * @param {[number, number]} size rows and columns
 * @returns {[number, number] | null}
 */
export function keyPlace({ key, ctrlKey }, [row, column], [rows, columns]) {
  const [lastRow, lastColumn] = [rows - 1, columns - 1];
  const places = {
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    Home: [ctrlKey ? 0 : row, 0],
    End: [ctrlKey ? lastRow : row, lastColumn],
  };
  if (!(key in places)) return null;
  const [r, c] = places[key];
  return [clamp(r, 0, lastRow), clamp(c, 0, lastColumn)];
}
