// The words of the widgets, in the page's language.

import STRINGS from "./strings.json" with { type: "json" };

/**
 * The table of words for a language tag such as "zh-CN"; English where there is none.
 * @param {string} language
 */
export function words(language) {
  return STRINGS[language] ?? STRINGS[language.split("-")[0]] ?? STRINGS.en;
}

/**
 * Put values into a text: fill("row {row}", { row: 3 }) is "row 3".
 * @param {string} text @param {Record<string, string | number>} values
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}
