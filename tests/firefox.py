"""A headless Firefox, driven by WebDriver BiDi, the W3C's protocol, which it speaks itself.

Playwright drives a Firefox of its own making, or a stock one newer than Debian's; selenium needs
geckodriver, which is neither in Debian nor on PyPI. The little that the tests ask stands here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import websocket

HOW_TO_INSTALL = """No Firefox was found.
On Debian, `make firefox` installs it, as does
    sudo apt-get install firefox-esr
Or name one that you have in the environment variable FIREFOX."""
PATIENCE = 120  # seconds: two cores may be busy with other work


class NoFirefox(RuntimeError):  # noqa: N818 - it names what is missing
    """There is no Firefox to drive; the message says what would help."""


def find_firefox() -> str:
    """Return the path of the Firefox to drive: the one that FIREFOX names, or the system's."""
    named = os.environ.get("FIREFOX")
    names = [named] if named else ["firefox-esr", "firefox"]
    found = [path for path in map(shutil.which, names) if path]
    if not found:
        raise NoFirefox(HOW_TO_INSTALL)
    return found[0]


class Firefox:
    """One tab of a running Firefox.

    Parameters
    ----------
    address : str
        Where it listens, such as ``"ws://127.0.0.1:9222"``.

    Attributes
    ----------
    troubles : list of str
        Errors that pages have thrown or written to the console.
    """

    def __init__(self, address: str) -> None:
        self.troubles: list[str] = []
        self._socket = websocket.create_connection(
            f"{address}/session", timeout=PATIENCE, suppress_origin=True
        )
        self._asked = 0
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=["log.entryAdded"])
        self.tab = self.ask("browsingContext.create", type="tab")["context"]

    def ask(self, method: str, **params) -> dict:
        """Send a command and return its result; events that come meanwhile are kept."""
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv())
            if said["type"] == "event":
                self._keep(said["params"])
            elif said["id"] == self._asked:
                if said["type"] == "error":
                    raise RuntimeError(f"{method}: {said['message']}")
                return said["result"]

    def _keep(self, entry: dict) -> None:
        if entry.get("level") == "error":
            self.troubles.append(entry["text"])

    def resize(self, width: int, height: int) -> None:
        """Give the page's part of the window another size, in CSS pixels."""
        size = {"width": width, "height": height}
        self.ask("browsingContext.setViewport", context=self.tab, viewport=size)

    def goto(self, address: str) -> None:
        """Open a page and wait until it is complete."""
        self.ask("browsingContext.navigate", context=self.tab, url=address, wait="complete")

    def evaluate(self, function: str, *values):
        """Call a function of JavaScript with JSON values; return what it, or its promise, gives."""
        call = f"async (text) => JSON.stringify(await ({function})(...JSON.parse(text)) ?? null)"
        text = {"type": "string", "value": json.dumps(values)}
        said = self.ask(
            "script.callFunction",
            functionDeclaration=call,
            arguments=[text],
            awaitPromise=True,
            target={"context": self.tab},
        )
        if said["type"] == "exception":
            raise RuntimeError(said["exceptionDetails"]["text"])
        return json.loads(said["result"]["value"])

    def wait_for(self, function: str) -> None:
        """Wait until a function of JavaScript returns true."""
        deadline = time.monotonic() + PATIENCE
        while not self.evaluate(function):
            assert time.monotonic() < deadline, f"it never came true: {function}"
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other: letters, or the W3C's values such as ``"\\ue007"``."""
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": strokes}
        self.ask("input.performActions", context=self.tab, actions=[keyboard])


@contextmanager
def firefox() -> Iterator[Firefox]:
    """Run a headless Firefox with a profile of its own.

    Raises
    ------
    NoFirefox
        If there is none, or it does not start.
    """
    path = find_firefox()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [path, "--headless", "--remote-debugging-port=0", "--profile", profile]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, **quiet)
        try:
            driven = Firefox(_address(path, process, Path(profile)))
            yield driven
        finally:
            process.terminate()
            process.wait()


def _address(path: str, process: subprocess.Popen, profile: Path) -> str:
    """Return where a Firefox listens, which it writes into its profile once it does."""
    file = profile / "WebDriverBiDiServer.json"
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()):
            where = json.loads(text)
            return f"ws://{where['ws_host']}:{where['ws_port']}"
        time.sleep(0.1)
    raise NoFirefox(f"{path} does not start: it listens on no port.")
