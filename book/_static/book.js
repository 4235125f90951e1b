// What a page needs beyond the theme: whatever scrolls sideways can be scrolled by keyboard.

(() => {
"use strict";

const SCROLLERS = ".cell_output .output, pre, .pst-scrollable-table-container, .katex-display";

/** Whether an element is wider inside than outside. */
const scrolls = (element) => element.scrollWidth > element.clientWidth + 1
  && /auto|scroll/.test(getComputedStyle(element).overflowX);

/** Put an element in the tab order while it scrolls, and only then. */
function reach(element, isScroller) {
  if (isScroller) element.tabIndex = 0;
  else if (element.tabIndex === 0) element.removeAttribute("tabindex");
}

// All are measured before one is marked: between a mark and a measure the page is laid out anew.
const watcher = new ResizeObserver((entries) => entries
  .map(({ target }) => [target, scrolls(target)])
  .forEach(([target, isScroller]) => reach(target, isScroller)));
document.querySelectorAll(SCROLLERS).forEach((element) => watcher.observe(element));

// Paper is white, whatever the screen.
const { dataset } = document.documentElement;
let theme;
window.addEventListener("beforeprint", () => { [theme, dataset.theme] = [dataset.theme, "light"]; });
window.addEventListener("afterprint", () => { dataset.theme = theme; });

// Of a page that is read from disk, browsers refuse requests: what the search finds stands there
// without a sentence from each page.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
})();
