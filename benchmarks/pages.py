"""What the benchmarks in a browser share: the built book, and a widget alone."""

from __future__ import annotations

from pathlib import Path

import yaml
from browsing import (  # noqa: F401 - for all benchmarks
    QuietHandler,
    chromium,
    find_chromium,
    served,
    start_server,
)
from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"

ALONE = '<!DOCTYPE html><html lang="en"><body><div id="here" style="width: 46rem"></div></body>'

# Mount a module on the smallest model that will do.
MOUNT = """async ({ state, css }) => {
  const url = URL.createObjectURL(new Blob([state._esm], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const listeners = {};
  window.model = {
    get: (name) => state[name],
    set(name, value) {
      if (state[name] === value) return;
      state[name] = value;
      [...(listeners["change:" + name] ?? [])].forEach((callback) => callback());
    },
    on: (name, callback) => (listeners[name] ??= new Set()).add(callback),
    off() {},
    save_changes() {},
  };
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  await widget.initialize?.({ model });
  await widget.render({ model, el: document.getElementById("here") });
}"""


def documents(node) -> list[str]:
    """Return every page that a table of contents names, in order."""
    if isinstance(node, list):
        return [name for child in node for name in documents(child)]
    own = [node[key] for key in ("root", "file") if key in node]
    return own + [
        name for key in ("parts", "chapters", "sections") for name in documents(node.get(key, []))
    ]


def of_the_book() -> list[str]:
    """Return every page of the book's table of contents."""
    return documents(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))


def mount(page: Page, widget, before: str = "null") -> None:
    """Show a widget alone on a page, as its Python side has it; run a script before it draws."""
    state = {key: value for key, value in widget.get_state().items() if key != "_css"}
    state.pop("layout", None)
    page.set_content(ALONE)
    page.evaluate(before)
    page.evaluate(MOUNT, {"state": state, "css": widget._css})
