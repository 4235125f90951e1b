// A link that restores a widget's state: the page's address and, after it, #KEY=TEXT.
//
// TEXT is the JSON of those traits that differ from the page's own, in base64url: letters, digits,
// "-" and "_", which no chat program cuts, escapes or makes a smile of. A number and a dot before it
// say which widget of its kind on the page is meant, from the top, if not the first: #conv=2.eyJz
// A link may come from anybody: the widget says what of it is possible, and nothing else is set.

import { button, div, element, setText } from "./elements.js";

/** @typedef {import("./model.js").Model} Model */

const LONGEST_LINK = 20_000; // letters: several times what the largest grids need
const LINK = /^(?:(\d{1,3})\.)?([\w-]+)[^\w-]*$/; // a full stop after a link is a sentence's

/**
 * A button that copies a link to the present state, with a text that says how it went; and the end
 * that opens such links, now and whenever the address changes.
 *
 * It shows on a page of the book alone: elsewhere (Jupyter, Colab) a notebook's address is its
 * reader's own. The page host says that it is there by `model.page`.
 * @param {Model} model
 * @param {string} key which kind of widget: "conv"
 * @param {object} state
 * @param {string[]} state.traits those that a link holds
 * @param {(values: Record<string, any>) => Record<string, any> | null} state.accept what to set of a
 *   link's values (the page's own where it holds none), or null for what is not possible
 * @param {Record<string, string>} t the words
 * @returns {{ root: HTMLElement, dispose: () => void }}
 */
export function share(model, key, { traits, accept }, t) {
  const status = element("span", { className: "cnn-share-status", role: "status" });
  const field = element("input", { readOnly: true, hidden: true, "aria-label": t.linkField });
  const copy = button(t.copyLink, () => offer());
  const root = div("cnn-share", copy, status, field);
  root.dataset.share = key;
  root.hidden = !model.page;
  if (!model.page) return { root, dispose() {} };

  const own = Object.fromEntries(traits.map((name) => [name, model.get(name)]));
  const peers = () => [...document.querySelectorAll(`[data-share="${key}"]`)];

  const say = (text) => {
    field.hidden = true;
    setText(status, text);
  };

  /** Put a link to the present state where the reader can take it: clipboard and address bar. */
  async function offer() {
    const values = {};
    for (const name of traits) {
      if (!isSameJson(model.get(name), own[name])) values[name] = model.get(name);
    }
    const place = peers().indexOf(root) + 1;
    const link = new URL(location.href);
    link.hash = `${key}=${place > 1 ? `${place}.` : ""}${toLinkText(values)}`;
    history.replaceState(history.state, "", link);
    try {
      await navigator.clipboard.writeText(link.href);
      say(t.linkCopied);
    } catch {
      say(""); // no clipboard without https, or without leave: the reader copies by hand
      Object.assign(field, { value: link.href, hidden: false }).select();
    }
  }

  /** Set the state that the address holds, if it is meant for this widget. */
  function open() {
    const hash = location.hash.slice(1);
    if (!hash.startsWith(`${key}=`)) return;
    const [all, parts] = [peers(), LINK.exec(hash.slice(key.length + 1))];
    const target = all[Number(parts?.[1] ?? 1) - 1];
    if ((target ?? all[0]) !== root) return;
    root.closest(".cnn-widget")?.scrollIntoView();
    const values = target && parts ? fromLinkText(parts[2]) : null;
    const possible = values && attempt(() => accept({ ...own, ...ownValues(values, traits) }));
    if (possible) {
      for (const [name, value] of Object.entries(possible)) model.set(name, value);
      model.save_changes();
    }
    say(possible ? t.linkOpened : t.linkUnreadable);
  }

  root.addEventListener("focusout", ({ relatedTarget }) => {
    if (!root.contains(relatedTarget)) say("");
  });
  window.addEventListener("hashchange", open);
  let isThere = true;
  model.page.drawn.then(() => isThere && open()); // when the widgets of its kind can be counted
  const dispose = () => {
    isThere = false;
    window.removeEventListener("hashchange", open);
  };
  return { root, dispose };
}

const isSameJson = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Those of the named values that are an object's own. */
function ownValues(values, names) {
  const own = names.filter((name) => Object.hasOwn(values, name));
  return Object.fromEntries(own.map((name) => [name, values[name]]));
}

/** What a function returns, or null where it throws. */
function attempt(read) {
  try {
    return read();
  } catch {
    return null;
  }
}

/** @param {Record<string, any>} values */
function toLinkText(values) {
  const bytes = new TextEncoder().encode(JSON.stringify(values));
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {string} text @returns {Record<string, any> | null} null where it is no such text */
function fromLinkText(text) {
  if (text.length > LONGEST_LINK) return null;
  return attempt(() => {
    const letters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const values = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return typeof values === "object" && !Array.isArray(values) ? values : null;
  });
}

// What `accept` may ask of a value

/** Whether it is a whole number within limits. */
export const isWhole = (value, [low, high]) =>
  Number.isInteger(value) && value >= low && value <= high;

/**
 * Whether it is a grid of numbers, with so few and so many rows and columns.
 * @param {any} value @param {[number, number]} sizes @param {number} [largest] of a number
 */
export function isNumberGrid(value, sizes, largest = 999) {
  if (!Array.isArray(value) || !isWhole(value.length, sizes)) return false;
  const isNumber = (each) => Number.isFinite(each) && Math.abs(each) <= largest;
  return value.every((row) =>
    Array.isArray(row) && isWhole(row.length, sizes) && row.length === value[0].length &&
    row.every(isNumber));
}
