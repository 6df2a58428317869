"""Downloads: verified, resumed, atomic, shared, and quick to give up."""

import functools
import hashlib
import http.server
import os
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

from zoo.data import fetch
from zoo.errors import ZooError

CONTENT = bytes(range(256)) * 2000  # 512,000 bytes
SHA = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.content` as `server.mode` says, and writes down each request's Range."""

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.requests.append((self.path, asked))
        if server.mode == "missing":
            self.send_error(404)
            return
        start = 0
        if asked and server.mode != "no range":
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.content):
                self.send_error(416)
                return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            end = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{end + 1}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.slow:
            time.sleep(server.slow)
        self.wfile.write(body[: server.breaks_after])
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.mode, server.slow = CONTENT, "", 0.0
        server.breaks_after = None
        server.requests = []
        server.url = f"http://127.0.0.1:{server.server_port}/some/file%20one.bin"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("ZOO_OFFLINE", "ZOO_MIRROR", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def quiet(line):
    pass


get = functools.partial(fetch.fetch, sha256=SHA, size=len(CONTENT), say=quiet)


def leftovers(home):
    """Returns the files in the cache that are neither data nor locks."""
    return [path for path in home.rglob("*") if path.is_file() and ".part" in path.name]


def test_downloads_once_and_says_so(server, home):
    lines = []
    path = fetch.fetch(server.url, sha256=SHA, size=len(CONTENT), say=lines.append)
    assert path == home / "data" / "127.0.0.1" / "some" / "file one.bin"
    assert path.read_bytes() == CONTENT
    assert lines == [f"fetching {server.url} (0.5 MB) …"]
    assert get(server.url) == path
    assert server.requests == [("/some/file%20one.bin", None)]
    assert not leftovers(home)


def test_a_broken_download_is_continued_within_one_call(server):
    server.breaks_after = 200_000
    assert get(server.url).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=200000-", "bytes=400000-"]


def test_a_broken_download_is_continued_by_the_next_call(server, home):
    server.breaks_after = 150_000
    with pytest.raises(fetch.Unavailable, match="broke off"):
        get(server.url)
    assert not fetch.cache_path(server.url).exists()
    server.breaks_after = None
    server.requests.clear()
    assert get(server.url).read_bytes() == CONTENT
    assert server.requests == [("/some/file%20one.bin", "bytes=450000-")]
    assert not leftovers(home)


def test_a_server_without_range_starts_anew(server):
    server.mode = "no range"
    part = fetch.cache_path(server.url + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:1000])
    assert get(server.url).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == ["bytes=1000-"]


@pytest.mark.parametrize("length", [1000, len(CONTENT), len(CONTENT) + 5])
def test_a_damaged_part_is_thrown_away(server, length):
    part = fetch.cache_path(server.url + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * length)
    assert get(server.url).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [f"bytes={length}-", None]


def test_a_complete_part_is_taken(server):
    part = fetch.cache_path(server.url + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert get(server.url).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [f"bytes={len(CONTENT)}-"]


def test_another_file_than_expected(server, home):
    server.content = b"please log in"
    with pytest.raises(ZooError, match="not the expected file") as caught:
        get(server.url)
    assert not isinstance(caught.value, fetch.Unavailable)  # no other source hides this
    assert hashlib.sha256(b"please log in").hexdigest() in str(caught.value)
    assert len(server.requests) == 2  # fetched once more, then refused
    assert not fetch.cache_path(server.url).exists()
    assert not leftovers(home)


def test_a_damaged_file_in_the_cache_is_replaced(server):
    path = get(server.url)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(ZooError, match="is damaged"):
        fetch.verify(server.url, SHA)
    assert get(server.url).read_bytes() == CONTENT
    assert fetch.verify(server.url, SHA) == path


def test_not_found_there(server):
    server.mode = "missing"
    with pytest.raises(fetch.Unavailable, match="404"):
        get(server.url)


def test_two_processes_fetch_it_once(server):
    server.slow = 1.0
    code = (
        "import sys; from zoo.data import fetch; "
        "print(fetch.fetch(sys.argv[1], sha256=sys.argv[2]).stat().st_size)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, server.url, SHA], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["512000\n"] * 2
    assert len(server.requests) == 1


def test_offline(server, monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(fetch.Unavailable, match="ZOO_OFFLINE is set"):
        get(server.url)
    with pytest.raises(fetch.Unavailable, match="ZOO_OFFLINE is set"):
        fetch.fetch_wheel("some-data==1.0", sha256=SHA, say=quiet)
    assert server.requests == []


def test_mirror_folder_is_asked_first_and_offline_too(server, tmp_path, monkeypatch):
    mirrored = tmp_path / "mirror" / "data.example.org" / "a" / "b.bin"
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(CONTENT)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert fetch.cached("https://data.example.org/a/b.bin")
    path = get("https://data.example.org/a/b.bin")
    assert path.read_bytes() == CONTENT
    assert path == fetch.cache_path("https://data.example.org/a/b.bin")
    # What the mirror lacks still comes from the network.
    monkeypatch.delenv("ZOO_OFFLINE")
    assert get(server.url).read_bytes() == CONTENT


def test_mirror_folder_with_a_damaged_file(tmp_path, monkeypatch):
    mirrored = tmp_path / "mirror" / "data.example.org" / "b.bin"
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(CONTENT[:-1])
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(ZooError, match="not the expected file"):
        get("https://data.example.org/b.bin")
    assert not fetch.cache_path("https://data.example.org/b.bin").exists()


def test_mirror_url_is_asked_first(server, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", f"http://127.0.0.1:{server.server_port}/base/")
    path = get("https://data.example.org/a/b c.bin")
    assert path.read_bytes() == CONTENT
    assert server.requests == [("/base/data.example.org/a/b%20c.bin", None)]
    # A wheel lies below pypi.org.
    server.requests.clear()
    fetch.fetch_wheel("some-data==1.0", sha256=SHA, say=quiet)
    assert server.requests == [("/base/pypi.org/some_data-1.0-py3-none-any.whl", None)]


def test_mirror_url_that_does_not_answer_is_passed_over(server, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", "http://127.0.0.1:1/")
    lines = []
    assert fetch.fetch(server.url, sha256=SHA, say=lines.append).read_bytes() == CONTENT
    assert "127.0.0.1 cannot be reached" in lines[0]


def test_unreachable_hosts_are_known_within_seconds(monkeypatch):
    start = time.monotonic()
    for url in ("http://127.0.0.1:1/x", "http://no-such-host.invalid/x"):
        with pytest.raises(fetch.Unavailable, match="cannot be reached"):
            get(url)

    def hangs(*args):
        time.sleep(5)
        raise OSError("too late")

    monkeypatch.setattr(fetch, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(fetch.socket, "create_connection", hangs)
    with pytest.raises(fetch.Unavailable, match="no answer within"):
        get("http://data.example.org/x")
    assert time.monotonic() - start < 30  # TFDS alone would retry for minutes


def test_a_server_that_stalls_is_given_up(server, monkeypatch):
    monkeypatch.setattr(fetch, "STALL_SECONDS", 0.2)
    server.slow = 1.0
    with pytest.raises(fetch.Unavailable, match="timed out"):
        get(server.url)


def test_probe_asks_the_proxy_where_there_is_one(server, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies it began with
    fetch.check_network("http://no-such-host.invalid/x")
    assert get("http://no-such-host.invalid/x").read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(ZooError, match="Set ZOO_HOME"):
        get(server.url)


@pytest.mark.parametrize("url", ["https://example.org/", "file:///etc/passwd", "http://a/../b"])
def test_no_file_of_a_url(url):
    with pytest.raises(ValueError, match="names no file"):
        fetch.cache_path(url)


def test_files_of_one_path_are_told_apart_by_the_query():
    one, other = (fetch.cache_path(f"https://example.org/get?id={n}&from=a/b") for n in (1, 2))
    assert one.parent == other.parent == fetch.cache_path("https://example.org/x").parent
    assert (one.name, other.name) == ("get?id=1&from=a%2Fb", "get?id=2&from=a%2Fb")


# Wheels, with the real pip.


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder with one wheel, which is all that pip sees. Returns the wheel's SHA-256."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "some_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("some_data/rows.csv", "text,label\n")
        file.writestr("some_data/__init__.py", "raise RuntimeError('imported')\n")
        info = "some_data-1.0.dist-info/"
        file.writestr(f"{info}METADATA", "Metadata-Version: 2.1\nName: some-data\nVersion: 1.0\n")
        tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        file.writestr(f"{info}WHEEL", tag)
        file.writestr(f"{info}RECORD", "")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_wheel_is_fetched_and_never_installed(index, home):
    fetch.check_wheel("some-data==1.0")
    path = fetch.fetch_wheel("some-data==1.0", sha256=index, say=quiet)
    assert path == home / "data" / "pypi.org" / "some_data-1.0-py3-none-any.whl"
    assert zipfile.ZipFile(path).read("some_data/rows.csv") == b"text,label\n"
    found = subprocess.run(
        [sys.executable, "-m", "pip", "show", "some-data"], capture_output=True, check=False
    )
    assert found.returncode == 1
    assert list((home / "tmp").iterdir()) == []
    (Path(os.environ["PIP_FIND_LINKS"]) / path.name).unlink()
    assert fetch.fetch_wheel("some-data==1.0", sha256=index, say=quiet) == path


def test_wheel_of_another_content(index, home):
    with pytest.raises(ZooError, match="the wheel that pip found for some-data") as caught:
        fetch.fetch_wheel("some-data==1.0", sha256=SHA, say=quiet)
    assert not isinstance(caught.value, fetch.Unavailable)
    assert not list(home.rglob("*.whl"))


def test_wheel_that_is_not_there(index):
    with pytest.raises(fetch.Unavailable, match="No matching distribution found"):
        fetch.fetch_wheel("some-data==2.0", sha256=SHA, say=quiet)


def test_index_that_cannot_be_reached(index, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    start = time.monotonic()
    with pytest.raises(fetch.Unavailable, match="pip cannot download some-data"):
        fetch.fetch_wheel("some-data==1.0", sha256=index, say=quiet)
    assert time.monotonic() - start < 30  # TFDS alone would retry for minutes


def test_index_that_does_not_answer(index, server, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setattr(fetch, "PIP_ANSWER_SECONDS", 2.0)
    server.slow = 4.0
    start = time.monotonic()
    with pytest.raises(fetch.Unavailable, match="its index does not answer"):
        fetch.fetch_wheel("some-data==1.0", sha256=index, say=quiet)
    assert time.monotonic() - start < 30  # TFDS alone would retry for minutes


def test_pip_is_missing(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr(fetch.sys, "executable", str(python))
    with pytest.raises(fetch.Unavailable, match="pip is missing"):
        fetch.fetch_wheel("some-data==1.0", sha256=SHA, say=quiet)
