import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hundredfold.data._download import download
from hundredfold.errors import DataError
from hundredfold.events import shown_progress

CONTENT = bytes(range(256)) * 4000
SUM = hashlib.sha256(CONTENT).hexdigest()


class Site(ThreadingHTTPServer):
    """A server of this machine that remembers what it was asked for."""

    content = CONTENT
    ranges = True
    stops_after: int | None = None
    waits: threading.Event | None = None  # after 600,000 bytes

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.tar.gz"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if not self.server.ranges:
            start = 0
        if self.path != "/file.tar.gz" or start >= len(self.server.content):
            self.send_error(416 if start else 404)
            return
        self.send_response(206 if start else 200)
        body = self.server.content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.waits:
            self.wfile.write(body[:600_000])
            self.server.waits.wait(30)
            return
        self.wfile.write(body[: self.server.stops_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "file.tar.gz"


def test_a_file_is_fetched_and_nothing_else_is_left(site: Site, target: Path) -> None:
    download(site.url, target, SUM)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_progress_stays_off_stdout(
    site: Site, target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    download(site.url, target, SUM)
    target.unlink()
    assert capfd.readouterr() == ("", "")  # a library is silent unless somebody asks
    with shown_progress():
        download(site.url, target, SUM)
    out, err = capfd.readouterr()
    assert out == ""
    assert "downloading file.tar.gz" in err and "\x1b" not in err and "\r" not in err


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_goes_on_where_it_stopped(site: Site, target: Path, ranges: bool) -> None:
    site.ranges, site.stops_after = ranges, 600_000
    with pytest.raises(DataError, match="stopped early") as caught:
        download(site.url, target, SUM)
    assert "resumes" in str(caught.value.remedy)
    assert not target.exists()
    site.stops_after = None
    download(site.url, target, SUM)
    assert target.read_bytes() == CONTENT
    assert site.asked == [None, "bytes=600000-"]


def test_a_killed_download_is_continued_by_the_next(site: Site, target: Path) -> None:
    site.waits = threading.Event()
    code = (
        "import sys; from pathlib import Path; from hundredfold.data._download import download;"
        "download(sys.argv[1], Path(sys.argv[2]), sys.argv[3])"
    )
    first = subprocess.Popen([sys.executable, "-c", code, site.url, str(target), SUM])
    part, began = target.with_name(target.name + ".part"), time.monotonic()
    while not (part.exists() and part.stat().st_size) and time.monotonic() - began < 30:
        time.sleep(0.02)
    first.kill()
    first.wait()
    had = part.stat().st_size
    site.waits.set()
    site.waits = None
    download(site.url, target, SUM)
    assert target.read_bytes() == CONTENT
    assert 0 < had <= 600_000
    assert site.asked == [None, f"bytes={had}-"]


def test_a_part_that_is_whole_is_not_fetched_again(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.with_name(target.name + ".part").write_bytes(CONTENT)
    download(site.url, target, SUM)
    assert target.read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.with_name(target.name + ".part").write_bytes(b"other")
    with pytest.raises(DataError, match="checksum"):
        download(site.url, target, SUM)
    download(site.url, target, SUM)
    assert target.read_bytes() == CONTENT


def test_a_wrong_checksum_keeps_nothing(site: Site, target: Path) -> None:
    with pytest.raises(DataError, match="checksum") as caught:
        download(site.url, target, "0" * 64)
    assert caught.value.exit_code == 3
    assert "--data-dir" in str(caught.value.remedy)
    assert [file.stat().st_size for file in target.parent.iterdir()] == [0]


def test_a_web_page_is_recognised_and_not_kept(site: Site, target: Path) -> None:
    site.content = b"\n  <!DOCTYPE HTML><html><body>log in</body></html>"
    with pytest.raises(DataError, match="web page"):
        download(site.url, target, SUM)
    site.content = CONTENT
    download(site.url, target, SUM)
    assert target.read_bytes() == CONTENT


def test_no_network_is_one_sentence(target: Path) -> None:
    with pytest.raises(DataError, match="cannot download http://127") as caught:
        download("http://127.0.0.1:1/file", target, SUM)
    assert "--data-dir" in str(caught.value.remedy)


def test_a_refusal_is_one_sentence(site: Site, target: Path) -> None:
    with pytest.raises(DataError, match="the server answers 404"):
        download(site.url + "/other", target, SUM)


def test_two_downloads_at_once_fetch_one_file(site: Site, target: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(download, site.url, target, SUM) for _ in range(4)]:
            done.result()
    assert target.read_bytes() == CONTENT
    assert site.asked == [None]


def test_one_who_waits_does_not_inherit_a_wrong_file(site: Site, target: Path) -> None:
    site.content = b"wrong"
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(download, site.url, target, SUM) for _ in range(3)]:
            with pytest.raises(DataError, match="checksum"):
                done.result()
    assert site.asked == [None] * 3


def test_a_full_disk_is_one_sentence(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left") as caught:
        download(site.url, target, SUM)
    assert "HUNDREDFOLD_CACHE" in str(caught.value.remedy)
