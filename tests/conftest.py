"""Fixtures that the tests share: a real browser, a clean page, a server on localhost."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsing import NoChromium, chromium, start_server

pytest.register_assert_rewrite("widget_page")

# One thread a test: the machine is shared, and small arrays gain nothing from more.
os.environ.setdefault("OMP_NUM_THREADS", "1")

BUILD = Path(__file__).resolve().parent.parent / "_build"


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by mark
def pytest_collection_modifyitems(items):
    """Mark the tests by what they ask for, if only by way of others.

    What asks for `built` reads the built book; what asks for `load_module` alone is quick, as it
    draws nothing.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "built" in fixtures:
            item.add_marker("built")
        if "load_module" in fixtures:
            item.add_marker("quick")


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of the built book."""
    if not (BUILD / "html" / "index.html").exists():
        pytest.fail("The book is not built: run `make book`.", pytrace=False)
    return BUILD


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for the whole run."""
    try:
        with chromium() as driven:
            yield driven
    except NoChromium as reason:
        pytest.fail(f"These tests need Chromium. {reason}", pytrace=False)


@dataclass
class Trouble:
    """What went wrong on a page while a test looked at it."""

    console: list[str] = field(default_factory=list)  # console errors, uncaught exceptions
    failed: list[str] = field(default_factory=list)  # requests without an answer, or >= 400
    foreign: list[str] = field(default_factory=list)  # requests to another host than localhost

    def __bool__(self) -> bool:
        return bool(self.console or self.failed or self.foreign)


def watch(page) -> Trouble:
    """Record a page's errors, failed requests and requests to other hosts as they happen."""
    trouble = Trouble()

    def on_console(message):
        if message.type == "error":
            trouble.console.append(message.text)

    def on_request(request):
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != "127.0.0.1":
            trouble.foreign.append(request.url)

    def on_response(response):
        if response.status >= 400:
            trouble.failed.append(f"{response.status} {response.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: trouble.console.append(str(error)))
    page.on("request", on_request)
    page.on("requestfailed", lambda request: trouble.failed.append(request.url))
    page.on("response", on_response)
    return trouble


def fresh_page(browser, width: int = 1280, height: int = 900, **options):
    """Open a page in a context of its own; it carries ``page.trouble``."""
    page = browser.new_context(viewport={"width": width, "height": height}, **options).new_page()
    page.set_default_timeout(30_000)  # two cores may be busy with other work
    page.trouble = watch(page)
    return page


@pytest.fixture
def new_page(browser):
    """Open pages in contexts of their own: ``new_page(width=360, color_scheme="dark", ...)``.

    Each page carries ``page.trouble``, a `Trouble` that fills while the page lives.
    """
    pages = []

    def open_page(width: int = 1280, height: int = 900, **options):
        pages.append(fresh_page(browser, width, height, **options))
        return pages[-1]

    yield open_page
    for page in pages:
        page.context.close()


@pytest.fixture
def page(new_page):
    """One fresh page, 1280 by 900, that records its troubles in ``page.trouble``."""
    return new_page()


@pytest.fixture(scope="session")
def serve():
    """Serve a folder on localhost: ``serve(folder)`` returns its URL, without a last slash."""
    servers = {}

    def start(folder) -> str:
        folder = os.path.abspath(folder)
        if folder not in servers:
            servers[folder] = start_server(folder)
        return servers[folder][0]

    def stop(started):
        _, server = started
        server.shutdown()  # up to half a second each: all at once
        server.server_close()

    yield start
    with ThreadPoolExecutor(max_workers=32) as pool:
        list(pool.map(stop, servers.values()))


@pytest.fixture(scope="session")
def book(built, serve) -> str:
    """Serve the built book; return its URL, without a last slash."""
    return serve(built / "html")


@pytest.fixture
def load_module(page, serve):
    """Load a widget's joined module in the browser: ``load_module("kernel_lab")``.

    Returns a page whose ``module`` it is.
    """
    from cnnlib.widgets.common import base

    def load(name: str):
        page.goto(f"{serve(base.FOLDER)}/{name}/style.css")
        page.evaluate(
            """async (text) => {
              const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
              globalThis.module = await import(url);
            }""",
            base.module(name),
        )
        return page

    return load


@pytest.fixture
def show(new_page, serve, tmp_path):
    """Open pages with widgets: ``show(widget, theme="dark", width=360, ...)``.

    Returns a page whose widgets are drawn. ``body`` stands below the widgets, ``fragment`` is the
    address's. In the end no page may have had troubles.
    """
    import widget_page  # not for those who lack a browser: it needs axe

    pages, numbers = [], count()

    def open_page(*widgets, body="", fragment="", theme="light", language="en", **options):
        shown = widget_page.joined(*widgets) if widgets else ""
        folder = tmp_path / f"page{next(numbers)}"
        url = serve(widget_page.write(folder, shown + body, theme=theme, language=language))
        pages.append(new_page(**options))
        pages[-1].goto(f"{url}/{fragment}")
        widget_page.wait_until_alive(pages[-1])
        return pages[-1]

    yield open_page
    for page in pages:
        assert not page.trouble, page.trouble


@pytest.fixture
def show_still(browser, new_page, serve, tmp_path):
    """Open pages with the stills of widgets, drawn as for the book, and with no script at all."""
    import widget_page

    numbers = count()

    def open_page(*widgets, body="", theme="light", **options):
        folder = tmp_path / f"still{next(numbers)}"
        shown = widget_page.stills(browser, *widgets)
        page = new_page(**options)
        page.route("**/*.js", lambda route: route.abort())
        page.goto(serve(widget_page.write(folder, shown + body, theme=theme)))
        return page

    return open_page


@pytest.fixture
def both_forms(show, show_still):
    """Open a widget twice, as its still form and alive: ``both_forms(widget, width)``.

    What stands below it must be at the same place on both pages.
    """
    import widget_page

    def open_both(widget, width: int):
        options = {"body": widget_page.BELOW, "width": width}
        still, living = show_still(widget, **options), show(widget, **options)
        assert widget_page.below(still) == pytest.approx(widget_page.below(living), abs=1)
        return still, living

    return open_both
