"""Fetching one known file from whichever of several mirrors serves it well."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import time
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tqdm import tqdm

ANSWER_SECONDS = 6.0  # with no answer from any mirror by then, there is no network
TIMEOUT_SECONDS = 15.0  # after so much silence a connection counts as cut off
CONNECTIONS = 5  # at most so many to one mirror, each resuming where the last one ended
SLOW_SECONDS = 20.0  # a mirror that for so long serves less than ...
SLOW_BYTES_A_SECOND = 200_000  # ... this (170 MB in 14 minutes) is left for the next one
BLOCK = 1 << 16


class MirrorError(Exception):
    """One mirror cannot serve the file, and why."""


class SlowMirrorError(MirrorError):
    """One mirror serves the file, but so slowly that others come first."""


def download(urls: Sequence[str], target: Path, *, size: int, md5: str) -> None:
    """Fetch a file into `target`, from the first of the mirrors that serves it right.

    What has arrived waits in ``<target>.part``, and is resumed from at another mirror or in
    another run. Mirrors that were left as slow are taken after all when no quick one remains.
    `target` appears only when its MD5 is right. Only one process at a time may fetch into it.

    Parameters
    ----------
    urls : sequence of str
        The mirrors' addresses, the best first.
    target : Path
        Where the file is to be.
    size : int
        Its length in bytes.
    md5 : str
        Its MD5 in hexadecimal digits.

    Raises
    ------
    ValueError
        If an address does not begin with http:// or https://.
    ConnectionError
        If no mirror serves the file: it lists what each of them did.
    OSError
        If the file cannot be written.
    """
    for url in urls:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"{url!r} is no address of a mirror; it must begin with https://")
    if not _anyone_answers(urls):
        hosts = ", ".join(str(urlsplit(url).hostname) for url in urls)
        raise ConnectionError(f"no mirror can be reached ({hosts})")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    failures: dict[str, MirrorError] = {}
    for patient in (False, True):
        slow = [url for url, failure in failures.items() if isinstance(failure, SlowMirrorError)]
        for url in slow if patient else urls:
            try:
                _fetch_verified(url, part, size, md5, patient)
            except MirrorError as error:
                failures[url] = error
            else:
                os.replace(part, target)
                return
    tried = "; ".join(f"{url}: {error}" for url, error in failures.items())
    raise ConnectionError(f"{target.name} is served by none of the mirrors. {tried}")


def _anyone_answers(urls: Sequence[str]) -> bool:
    """Ask all mirrors at once, so that being offline costs seconds and not minutes."""
    answers: queue.Queue[bool] = queue.Queue()

    def ask(url: str) -> None:
        try:
            urlopen(_request(url, method="HEAD"), timeout=ANSWER_SECONDS).close()
            answers.put(True)
        except HTTPError as refusal:  # an answer too
            refusal.close()
            answers.put(True)
        except (OSError, HTTPException):
            answers.put(False)

    for url in urls:
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    deadline = time.monotonic() + ANSWER_SECONDS
    try:
        return any(answers.get(timeout=max(0, deadline - time.monotonic())) for _ in urls)
    except queue.Empty:
        return False


def _request(url: str, start: int = 0, method: str = "GET") -> Request:
    resume = {"Range": f"bytes={start}-"} if start else {}
    return Request(url, headers={"User-Agent": "cnnlib", **resume}, method=method)


def _fetch_verified(url: str, part: Path, size: int, md5: str, patient: bool) -> None:
    inherited = _length(part) > 0
    _fetch(url, part, size, patient)
    if md5_of(part) == md5:
        return
    part.unlink()
    if not inherited:
        raise MirrorError("it serves another file of the same length (the MD5 differs)")
    # The bytes from before may have been the wrong ones: once more, from the start.
    _fetch_verified(url, part, size, md5, patient)


def _fetch(url: str, part: Path, size: int, patient: bool) -> None:
    """Fill `part` up to `size` bytes, over a few connections if they are cut off."""
    if _length(part) > size:
        part.unlink()
    for _ in range(CONNECTIONS):
        if _length(part) == size:
            return
        try:
            response = urlopen(_request(url, _length(part)), timeout=TIMEOUT_SECONDS)
        except HTTPError as refusal:
            refusal.close()
            raise MirrorError(str(refusal)) from None
        except (OSError, HTTPException) as error:
            raise MirrorError(str(error)) from error
        with response:
            _receive(response, part, size, patient)
    if _length(part) < size:
        raise MirrorError(f"cut off {CONNECTIONS} times, at {_length(part):,} of {size:,} bytes")


def _receive(response, part: Path, size: int, patient: bool) -> None:
    """Append one response to `part`; return when it ends or is cut off."""
    # A server that ignores the range answers 200 with the whole file: begin again.
    have = _length(part) if response.status == 206 else 0
    if response.length is not None and have + response.length != size:
        raise MirrorError(f"its file has {have + response.length:,} bytes instead of {size:,}")
    host = urlsplit(response.url).hostname
    options = {"unit": "B", "unit_scale": True, "desc": host, "disable": None}
    with (
        open(part, "ab" if have else "wb") as file,
        tqdm(total=size, initial=have, **options) as bar,
    ):
        since, received = time.monotonic(), 0
        while have < size:
            try:
                block = response.read1(min(BLOCK, size - have))
            except (OSError, HTTPException):
                return
            if not block:
                return
            file.write(block)
            bar.update(len(block))
            have, received = have + len(block), received + len(block)
            seconds = time.monotonic() - since
            if seconds >= SLOW_SECONDS:
                if received < SLOW_BYTES_A_SECOND * seconds and not patient:
                    raise SlowMirrorError(f"slow, {received / seconds / 1000:,.0f} kB/s")
                since, received = time.monotonic(), 0


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def md5_of(path: Path) -> str:
    """Return a file's MD5 in hexadecimal digits, which tells damage and not malice."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
