// What a page needs beyond the theme: whatever scrolls sideways can be scrolled by keyboard.

(() => {
"use strict";

const SCROLLERS = ".cell_output .output, .highlight pre, .table-wrapper, .katex-display";

/** Put an element in the tab order while it is wider inside than outside, and only then. */
function reach(element) {
  const scrolls = element.scrollWidth > element.clientWidth + 1
    && /auto|scroll/.test(getComputedStyle(element).overflowX);
  if (scrolls) element.tabIndex = 0;
  else if (element.tabIndex === 0) element.removeAttribute("tabindex");
}

const watcher = new ResizeObserver((entries) => entries.forEach(({ target }) => reach(target)));
document.querySelectorAll(SCROLLERS).forEach((element) => watcher.observe(element));

// Of a page that is read from disk, browsers refuse requests: what the search finds stands there
// without a sentence from each page.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
})();
