"""A headless Chromium, and a server for what it opens: for build, tests, tools and benchmarks.

Playwright is imported only where a browser is wanted: the book is built without it, too.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
]
HOW_TO_INSTALL = """No Chromium was found.
Install one of:
    .venv/bin/python -m playwright install --with-deps chromium
    sudo apt-get install chromium
or name one that you have in the environment variable CHROMIUM."""


class NoChromium(RuntimeError):  # noqa: N818 - it names what is missing
    """There is no browser to drive; the message says what would help."""


def find_chromium(playwright: Playwright) -> str | None:
    """Return the path of the browser to drive, or None.

    The environment variable CHROMIUM names one, and then no other is looked for: ``CHROMIUM=none``
    does without. Else the headless shell comes first: it draws pages alone, and no window around
    them. Then playwright's own, and the system's.
    """
    named = os.environ.get("CHROMIUM")
    candidates = [
        shutil.which("chromium-headless-shell"),
        playwright.chromium.executable_path,
        shutil.which("chromium"),
        shutil.which("chromium-browser"),
        shutil.which("google-chrome"),
    ]
    found = [path for path in ([named] if named else candidates) if path and os.path.exists(path)]
    return found[0] if found else None


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium.

    Raises
    ------
    NoChromium
        If there is none, it does not start, or playwright is not installed.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise NoChromium("Playwright is not installed: pip install playwright.") from error
    with sync_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            raise NoChromium(HOW_TO_INSTALL)
        try:
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            raise NoChromium(f"{path} does not start: {error.message}") from error
        yield browser
        browser.close()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve files without a word on the terminal."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".js": "text/javascript"}

    def log_message(self, *_):
        """Say nothing."""

    def handle(self):
        """Answer, and pass over a page that was closed while it still loaded."""
        with suppress(ConnectionError):
            super().handle()


def start_server(
    folder: str | Path, handler: type = QuietHandler
) -> tuple[str, ThreadingHTTPServer]:
    """Serve a folder on localhost; return its address, without a last slash, and the server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", server


@contextmanager
def served(folder: str | Path) -> Iterator[str]:
    """Serve a folder on localhost for a while; give its address, without a last slash."""
    address, server = start_server(folder)
    yield address
    server.shutdown()
    server.server_close()
