// The words of the widgets, in the page's language.

import COMMON from "./words.json" with { type: "json" };

/**
 * The words for a language tag such as "zh-CN": those that widgets share and a widget's own table.
 * English where there are none.
 * @param {string} language @param {Record<string, object>} table by language
 */
export function words(language, table) {
  const own = [language, language.split("-")[0], "en"].find((name) => name in table);
  return { ...COMMON[own], ...table[own] };
}

/**
 * Put values into a text: fill("row {row}", { row: 3 }) is "row 3".
 * @param {string} text @param {Record<string, string | number>} values
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}
