"""What the benchmarks in a browser share: the built book, and a widget alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from playwright.sync_api import Browser, Page, sync_playwright

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


class Quiet(SimpleHTTPRequestHandler):
    """Serve files without a word."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".js": "text/javascript"}

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on localhost; give its address, without a last slash."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def find_chromium() -> str | None:
    """Return the browser named in $CHROMIUM, or the system's; None for playwright's own."""
    candidates = (os.environ.get("CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser")
    return next((path for path in candidates if path and Path(path).exists()), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def mount(page: Page, widget, before: str = "null") -> None:
    """Show a widget alone on a page, as its Python side has it; run a script before it draws."""
    state = {key: value for key, value in widget.get_state().items() if key != "_css"}
    state.pop("layout", None)
    page.set_content(ALONE)
    page.evaluate(before)
    page.evaluate(MOUNT, {"state": state, "css": widget._css})
