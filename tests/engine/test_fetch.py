"""Downloads: verified, resumed, atomic, shared, and quick to give up."""

import functools
import hashlib
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from benchmarks import servers
from benchmarks.servers import drip, reply
from zoo.data import fetch
from zoo.errors import UsageError, ZooError

CONTENT = bytes(range(256)) * 2000  # 512,000 bytes
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with servers.running(CONTENT) as server:
        yield server


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in (
        "ZOO_OFFLINE",
        "ZOO_MIRROR",
        "ZOO_MIN_SPEED",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def quiet(line):
    pass


get = functools.partial(fetch.fetch, sha256=SHA, size=len(CONTENT), log=quiet)


def leftovers(home):
    """Returns the files in the cache that are neither data nor locks."""
    return [path for path in home.rglob("*") if path.is_file() and ".part" in path.name]


def test_downloads_once_and_says_so(server, home):
    lines = []
    path = fetch.fetch(server.url, sha256=SHA, size=len(CONTENT), log=lines.append)
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
    # One that has all bytes, or more, is judged without asking for the rest.
    asked = [f"bytes={length}-", None] if length < len(CONTENT) else [None]
    assert [range_ for _, range_ in server.requests] == asked


@pytest.mark.parametrize("size", [0, len(CONTENT)])
def test_a_complete_part_is_taken(server, size):
    part = fetch.cache_path(server.url + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert get(server.url, size=size).read_bytes() == CONTENT
    asked = [] if size else [f"bytes={len(CONTENT)}-"]  # the answer is 416
    assert [range_ for _, range_ in server.requests] == asked


def test_another_file_than_expected(server, home):
    server.content = b"please log in"
    with pytest.raises(ZooError, match="not the expected file: it has 13 bytes, not 512,000") as no:
        get(server.url)
    assert not isinstance(no.value, fetch.Unavailable)  # no other source hides this
    assert hashlib.sha256(b"please log in").hexdigest() in str(no.value)
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
        fetch.fetch_wheel("some-data==1.0", sha256=SHA, log=quiet)
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


PAGE = b"\n<!DOCTYPE HTML><html><body>Please log in</body></html>"


@pytest.mark.parametrize("wrong", [CONTENT[:-1], CONTENT + b"x", b"x" * len(CONTENT), PAGE])
def test_a_mirror_folder_with_a_wrong_file_is_noted_and_the_origin_asked(
    server, tmp_path, monkeypatch, wrong
):
    mirrored = tmp_path / "mirror" / "127.0.0.1" / "some" / "file one.bin"
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(wrong)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    lines = []
    assert get(server.url, log=lines.append).read_bytes() == CONTENT
    assert lines[0].startswith(f"note: the mirror does not have file one.bin: {mirrored} is not")
    assert ("HTML page" in lines[0]) is (wrong == PAGE)


@pytest.mark.parametrize("wrong", [CONTENT[:-1], b"x" * len(CONTENT), PAGE])
def test_a_mirror_url_with_a_wrong_file_is_noted_and_the_origin_asked(server, monkeypatch, wrong):
    monkeypatch.setenv("ZOO_MIRROR", f"http://127.0.0.1:{server.server_port}/base")

    def behave(handler):
        body = wrong if handler.path.startswith("/base/") else CONTENT
        reply(handler, body, {"Content-Length": len(body), "Content-Type": "text/html"})

    server.behave = behave
    lines = []
    assert get(server.url, log=lines.append).read_bytes() == CONTENT
    (note,) = [line for line in lines if line.startswith("note: ")]
    assert "the mirror does not have file one.bin: http://127.0.0.1" in note
    assert "is not the expected file" in note
    assert ("HTML page" in note) is (wrong == PAGE)


def test_a_mirror_that_drips_is_noted_and_the_origin_asked(server, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", f"http://127.0.0.1:{server.server_port}/base")
    monkeypatch.setattr(fetch, "SPEED_SECONDS", 0.3)

    def behave(handler):
        if handler.path.startswith("/base/"):
            drip(handler, CONTENT)
        else:
            reply(handler, CONTENT, {"Content-Length": len(CONTENT)})

    server.behave = behave
    lines = []
    assert get(server.url, log=lines.append).read_bytes() == CONTENT
    assert [line for line in lines if line.startswith("note: ") and "too slow" in line]


@pytest.mark.parametrize(
    "mirror",
    [
        "ftp://host/x",
        "http://",
        "http:/host/x",
        "http://[::1/x",
        "http://host:port/",
        "http://host:99999/",
        "http://host/?x=1",
        "https://a b/",
        "file:///srv/mirror",
        "s3://" + "x" * 5000,
    ],
)
def test_a_mirror_that_is_no_url_is_one_line(server, monkeypatch, mirror):
    monkeypatch.setenv("ZOO_MIRROR", mirror)
    assert not fetch.cached(server.url)
    for get_one in (lambda: get(server.url), lambda: fetch.fetch_wheel("a==1", sha256=SHA)):
        with pytest.raises(UsageError, match="is neither a folder nor an http") as caught:
            get_one()
        assert str(caught.value).startswith("ZOO_MIRROR: '")
        assert len(str(caught.value)) < 300
    assert server.requests == []


def test_a_mirror_folder_that_is_missing_is_noted(server, tmp_path, monkeypatch):
    for mirror in (str(tmp_path / "none"), "~no-such-user-here/mirror"):
        monkeypatch.setenv("ZOO_MIRROR", mirror)
        lines = []
        path = get(server.url, log=lines.append)
        assert path.read_bytes() == CONTENT
        assert lines[0].startswith("note: ")
        assert lines[0].endswith(f"ZOO_MIRROR names {mirror}, which is not a folder")
        path.unlink()


def test_mirror_url_is_asked_first(server, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", f"http://127.0.0.1:{server.server_port}/base/")
    path = get("https://data.example.org/a/b c.bin")
    assert path.read_bytes() == CONTENT
    assert server.requests == [("/base/data.example.org/a/b%20c.bin", None)]
    # A wheel lies below pypi.org.
    server.requests.clear()
    fetch.fetch_wheel("some-data==1.0", sha256=SHA, log=quiet)
    assert server.requests == [("/base/pypi.org/some_data-1.0-py3-none-any.whl", None)]


def test_mirror_url_that_does_not_answer_is_passed_over(server, monkeypatch):
    monkeypatch.setenv("ZOO_MIRROR", "http://127.0.0.1:1/")
    lines = []
    assert fetch.fetch(server.url, sha256=SHA, log=lines.append).read_bytes() == CONTENT
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


# Servers that do not behave.


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    return text


@pytest.mark.parametrize("declared", [None, 10**12])
@pytest.mark.parametrize("start", [CONTENT, b"x" * 100])
def test_a_body_that_never_ends_is_cut_off(server, home, declared, start):
    """At the size that is known, so that no disk is filled."""
    sent = []

    def behave(handler):
        handler.send_response(200)
        if declared:
            handler.send_header("Content-Length", str(declared))
        handler.end_headers()
        handler.wfile.write(start)
        for _ in range(20_000):  # 1.3 GB
            handler.wfile.write(b"x" * (1 << 16))
            sent.append(1 << 16)
            parts = leftovers(home)
            assert not parts or parts[0].stat().st_size <= len(CONTENT)

    server.behave = behave
    if start == CONTENT:
        assert get(server.url).read_bytes() == CONTENT
    else:
        with pytest.raises(fetch.WrongFile, match="not the expected file"):
            get(server.url)
    assert sum(sent) < 100e6  # what the buffers of two connections hold
    assert not leftovers(home)


def test_a_server_that_drips_is_given_up_and_progress_is_seen(server, monkeypatch):
    monkeypatch.setattr(fetch, "SPEED_SECONDS", 0.8)
    monkeypatch.setattr(fetch, "PROGRESS_SECONDS", 0.3)
    server.behave = lambda handler: drip(handler, CONTENT, 200_000)
    lines = []
    start = time.monotonic()
    with pytest.raises(fetch.Unavailable, match="which is too slow") as caught:
        get(server.url, log=lines.append)
    assert time.monotonic() - start < 4  # the second window is slow, and it has no third
    assert "ZOO_MIN_SPEED" in one_line(caught)
    assert lines[1].startswith("file one.bin: 0.2 MB of 0.5 MB, ")
    assert lines[1].endswith(" kB/s …")
    assert len(server.requests) == 1  # another connection would not be faster
    # The next call goes on from there.
    server.behave = None
    server.requests.clear()
    assert get(server.url).read_bytes() == CONTENT
    assert server.requests[0][1].startswith("bytes=2000")


@pytest.mark.parametrize("setting", ["0", "10"])
def test_the_least_speed_can_be_set(server, monkeypatch, setting):
    monkeypatch.setattr(fetch, "SPEED_SECONDS", 0.3)
    monkeypatch.setenv("ZOO_MIN_SPEED", setting)

    def behave(handler):
        reply(handler, CONTENT[:-30], {"Content-Length": len(CONTENT)})
        for byte in CONTENT[-30:]:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.03)

    server.behave = behave
    assert get(server.url).read_bytes() == CONTENT


@pytest.mark.parametrize("setting", ["fast", "-1", "nan", "inf", "x" * 5000])
def test_a_least_speed_that_is_no_number(server, monkeypatch, setting):
    monkeypatch.setenv("ZOO_MIN_SPEED", setting)
    with pytest.raises(UsageError, match="ZOO_MIN_SPEED must be a number") as caught:
        get(server.url)
    one_line(caught)


def test_a_pause_of_ours_is_not_the_fault_of_the_server(monkeypatch):
    seconds = [0.0]
    monkeypatch.setattr(fetch.time, "monotonic", lambda: seconds[0])
    progress = fetch._Progress("x", 10_000_000, quiet, slowest=1000, window=20)

    def check(now, have):
        seconds[0], progress.have = now, have
        progress.check()

    check(1.0, 5000)
    check(4000.0, 6000)  # Ctrl-Z at 1, and `fg` long after
    for second in range(0, 20, 2):
        check(4000.0 + second, 6000 + 100 * second)
    with pytest.raises(fetch.Unavailable, match="x arrives with 100 bytes a second"):
        check(4020.0, 8000)


def test_a_head_that_drips_is_given_up(server, monkeypatch):
    monkeypatch.setattr(fetch, "ANSWER_SECONDS", 0.5)

    def behave(handler):
        for byte in b"HTTP/1.0 200 OK\r\n" + b"X-Header: " + b"x" * 100:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    server.behave = behave
    start = time.monotonic()
    with pytest.raises(fetch.Unavailable, match="does not answer within"):
        get(server.url)
    assert time.monotonic() - start < 3


def test_chunks_whose_heads_drip_are_given_up(server, monkeypatch):
    monkeypatch.setattr(fetch, "SPEED_SECONDS", 0.5)

    def behave(handler):
        handler.protocol_version = "HTTP/1.1"
        reply(handler, b"5\r\nhello\r\n", {"Transfer-Encoding": "chunked"})
        for _ in range(100):
            handler.wfile.write(b"0")  # of a number that does not end
            time.sleep(0.05)

    server.behave = behave
    start = time.monotonic()
    with pytest.raises(fetch.Unavailable, match="too slow"):
        get(server.url)
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "",
        "bytes",
        "bytes 1000-",
        "bytes 10000-511999/512000",
        "bytes 0-511999/512000",
        "bytes 1000-999/512000",
        "bytes 1000-511999/513000",
        "items 1000-511999/512000",
        "bytes " + "9" * 5000,
    ],
)
def test_a_part_with_an_odd_206_is_begun_from_scratch(server, odd):
    part = fetch.cache_path(server.url + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:1000])

    def behave(handler):
        if handler.headers.get("Range"):
            reply(handler, b"odd", {} if odd is None else {"Content-Range": odd}, 206)
        else:
            reply(handler, CONTENT)

    server.behave = behave
    lines = []
    assert get(server.url, log=lines.append).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == ["bytes=1000-", None]
    assert "from scratch" in lines[-1]


def test_a_206_that_nobody_asked_for(server, home):
    part = fetch.cache_path(server.url + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:1000])
    server.behave = lambda handler: reply(handler, b"odd", {"Content-Range": "bytes 5-7/9"}, 206)
    with pytest.raises(fetch.Unavailable, match="status 206") as caught:
        get(server.url)
    one_line(caught)
    assert not leftovers(home)
    server.behave = None
    assert get(server.url).read_bytes() == CONTENT


def test_a_416_that_nobody_asked_for(server):
    server.behave = lambda handler: handler.send_error(416)
    with pytest.raises(fetch.Unavailable, match="416"):
        get(server.url)


@pytest.mark.parametrize("length", ["many", "-5", "1e3", "5, 6", "", "1_000", "9" * 5000])
def test_a_content_length_that_is_none(server, length):
    server.behave = lambda handler: reply(handler, CONTENT, {"Content-Length": length})
    with pytest.raises(fetch.Unavailable, match="Content-Length of '") as caught:
        get(server.url)
    one_line(caught)


def test_a_content_length_that_is_wrong(server):
    server.behave = lambda handler: reply(handler, CONTENT, {"Content-Length": len(CONTENT) + 9})
    assert get(server.url).read_bytes() == CONTENT
    fetch.cache_path(server.url).unlink()
    server.behave = lambda handler: reply(handler, CONTENT, {"Content-Length": 10})
    with pytest.raises(fetch.WrongFile, match="it has 10 bytes, not 512,000"):
        get(server.url)


@pytest.mark.parametrize(
    "target",
    [
        "ftp://127.0.0.1:1/x",
        "file:///etc/passwd",
        "http://[x/",
        "http://",
        "http://127.0.0.1:port/",
        "http://127.0.0.1:99999/",
        "http://.x/",
        "http://a..b/",
        "javascript:alert(1)",
        "ftp://" + "x" * 5000,
        "",
    ],
)
def test_a_redirect_to_what_is_no_url(server, target):
    server.behave = lambda handler: reply(handler, b"", {"Location": target}, 302)
    with pytest.raises(fetch.Unavailable, match=f":{server.server_port}/some/file") as caught:
        get(server.url)
    one_line(caught)


def test_redirects_in_a_circle(server):
    server.behave = lambda handler: reply(handler, b"", {"Location": handler.path}, 302)
    with pytest.raises(fetch.Unavailable, match="redirects in a circle") as caught:
        get(server.url)
    one_line(caught)
    paths = iter(range(1000))
    server.behave = lambda handler: reply(handler, b"", {"Location": f"/{next(paths)}"}, 307)
    with pytest.raises(fetch.Unavailable, match="redirects in a circle"):
        get(server.url)


def test_the_body_of_a_redirect_is_not_read(server):
    """It may have no end."""
    sent = []

    def behave(handler):
        if handler.path == "/there":
            reply(handler, CONTENT)
            return
        reply(handler, b"", {"Location": "/there"}, 302)
        for _ in range(20_000):  # 1.3 GB
            handler.wfile.write(b"x" * (1 << 16))
            sent.append(1 << 16)

    server.behave = behave
    assert get(server.url).read_bytes() == CONTENT
    assert sum(sent) < 50e6


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_the_range(server, status):
    part = fetch.cache_path(server.url + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:1000])

    def behave(handler):
        if handler.path != "/there":
            reply(handler, b"", {"Location": "/there"}, status)
        else:
            where = {"Content-Range": f"bytes 1000-{len(CONTENT) - 1}/*"}
            reply(handler, CONTENT[1000:], where, 206)

    server.behave = behave
    assert get(server.url).read_bytes() == CONTENT
    assert server.requests[1] == ("/there", "bytes=1000-")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.0 999 \x1b[31mred\r\n\r\n",
        b"HTTP/1.0 500 " + b"x" * 5000 + b"\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.0 204 No\r\n\r\n",
        b"HTTP/1.0 304 No\r\n\r\n",
        b"HTTP/1.0 302 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_an_answer_that_is_none(server, answer):
    server.behave = lambda handler: handler.wfile.write(answer)
    with pytest.raises(fetch.Unavailable) as caught:
        get(server.url)
    assert "\x1b" not in one_line(caught)


@pytest.mark.parametrize(
    "url", ["http://[x/y", "http://host:port/x", "http://a..b/x", f"http://{'x' * 99}.org/x"]
)
def test_hosts_that_no_url_can_have(url):
    with pytest.raises(fetch.Unavailable):
        fetch.check_network(url)


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
        about = "Metadata-Version: 2.1\nName: some-data\nVersion: 1.0\nRequires-Python: >=4\n"
        file.writestr(f"{info}METADATA", about)
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
    """Its Python may be newer than ours: no code in it is run."""
    fetch.check_wheel("some-data==1.0")
    path = fetch.fetch_wheel("some-data==1.0", sha256=index, log=quiet)
    assert path == home / "data" / "pypi.org" / "some_data-1.0-py3-none-any.whl"
    assert zipfile.ZipFile(path).read("some_data/rows.csv") == b"text,label\n"
    found = subprocess.run(
        [sys.executable, "-m", "pip", "show", "some-data"], capture_output=True, check=False
    )
    assert found.returncode == 1
    assert list((home / "tmp").iterdir()) == []
    (Path(os.environ["PIP_FIND_LINKS"]) / path.name).unlink()
    assert fetch.fetch_wheel("some-data==1.0", sha256=index, log=quiet) == path


def test_wheel_of_another_content(index, home):
    with pytest.raises(ZooError, match="the wheel that pip found for some-data") as caught:
        fetch.fetch_wheel("some-data==1.0", sha256=SHA, log=quiet)
    assert not isinstance(caught.value, fetch.Unavailable)
    assert not list(home.rglob("*.whl"))


def test_wheel_that_is_not_there(index):
    with pytest.raises(fetch.Unavailable, match="No matching distribution found"):
        fetch.fetch_wheel("some-data==2.0", sha256=SHA, log=quiet)


def test_index_that_cannot_be_reached(index, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    start = time.monotonic()
    with pytest.raises(fetch.Unavailable, match="pip cannot download some-data"):
        fetch.fetch_wheel("some-data==1.0", sha256=index, log=quiet)
    assert time.monotonic() - start < 30  # TFDS alone would retry for minutes


def test_index_that_does_not_answer(index, server, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setattr(fetch, "PIP_ANSWER_SECONDS", 2.0)
    server.slow = 4.0
    start = time.monotonic()
    with pytest.raises(fetch.Unavailable, match="its index does not answer"):
        fetch.fetch_wheel("some-data==1.0", sha256=index, log=quiet)
    assert time.monotonic() - start < 30  # TFDS alone would retry for minutes


def test_pip_is_missing(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr(fetch.sys, "executable", str(python))
    with pytest.raises(fetch.Unavailable, match="pip is missing"):
        fetch.fetch_wheel("some-data==1.0", sha256=SHA, log=quiet)


@pytest.fixture
def web_index(server, index, monkeypatch):
    """An index of pip on our server; its wheel is what `server.wheel(handler)` sends."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")

    def behave(handler):
        if handler.path.endswith(".whl"):
            server.wheel(handler)
        else:
            link = b'<a href="/some_data-1.0-py3-none-any.whl">some_data-1.0-py3-none-any.whl</a>'
            reply(handler, b"<!DOCTYPE html>" + link, {"Content-Type": "text/html"})

    server.behave = behave
    return server


def test_a_wheel_that_never_ends_is_stopped(web_index, home):
    def wheel(handler):
        reply(handler, b"", {"Content-Type": "application/zip"})
        for _ in range(20_000):
            handler.wfile.write(b"x" * (1 << 16))
            time.sleep(0.002)

    web_index.wheel = wheel
    with pytest.raises(fetch.WrongFile, match="more than 1,000,000 bytes"):
        fetch.fetch_wheel("some-data==1.0", sha256=SHA, size=1_000_000, log=quiet)
    assert list((home / "tmp").iterdir()) == []


def test_a_wheel_that_drips_is_given_up_and_progress_is_seen(web_index, monkeypatch, home):
    monkeypatch.setattr(fetch, "PIP_STALL_SECONDS", 1.5)
    monkeypatch.setattr(fetch, "PROGRESS_SECONDS", 0.5)
    web_index.wheel = lambda handler: drip(handler, CONTENT)
    lines = []
    with pytest.raises(fetch.Unavailable, match=r"some-data==1\.0 arrives with 0 bytes a second"):
        fetch.fetch_wheel("some-data==1.0", sha256=SHA, size=512_000, log=lines.append)
    assert "some-data==1.0: 0.0 MB of 0.5 MB, 0.0 kB/s …" in lines
    assert list((home / "tmp").iterdir()) == []


def test_a_wheel_on_a_mirror_that_is_wrong_comes_from_pip(index, tmp_path, monkeypatch):
    mirrored = tmp_path / "mirror" / "pypi.org" / "some_data-1.0-py3-none-any.whl"
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(PAGE)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    lines = []
    path = fetch.fetch_wheel("some-data==1.0", sha256=index, log=lines.append)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == index
    assert "note: the mirror does not have" in lines[0]
    assert "HTML page" in lines[0]


def test_no_code_of_the_current_folder_is_run(index, tmp_path, monkeypatch):
    folder = tmp_path / "current"
    folder.mkdir()
    for name in ("pip.py", "runpy.py", "zipfile.py"):
        (folder / name).write_text(f"open({str(tmp_path / 'run')!r}, 'a').write({name!r})\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PIP_FIND_LINKS", "../index")  # relative paths stay what they are
    fetch.fetch_wheel("some-data==1.0", sha256=index, log=quiet)
    assert not (tmp_path / "run").exists()
