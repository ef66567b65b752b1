"""`hundredfold models fetch`, against a server of this machine."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hundredfold import backbones
from hundredfold.backbones import Backbone
from hundredfold.cli import main

CONTENT = bytes(range(256)) * 4000
SUM = hashlib.sha256(CONTENT).hexdigest()
Captured = pytest.CaptureFixture[str]


class Site(ThreadingHTTPServer):
    """A server that can stop early, and remembers the paths and ranges it was asked for."""

    stops_after: int | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/weights"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:][: self.server.stops_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Serve the file of a backbone "tiny", whose name has the first digits of its checksum."""
    network = backbones.BACKBONES["resnet18"].network
    tiny = Backbone(network, 4, f"tiny-{SUM[:8]}.pth")
    monkeypatch.setitem(backbones.BACKBONES, "tiny", tiny)
    monkeypatch.delenv("HUNDREDFOLD_OFFLINE", raising=False)
    monkeypatch.delenv("HUNDREDFOLD_WEIGHTS", raising=False)
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def file(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(elsewhere / "cache"))
    return elsewhere / "cache" / "weights" / f"tiny-{SUM[:8]}.pth"


def test_weights_are_fetched_once_with_progress(site: Site, file: Path, capsys: Captured) -> None:
    for _ in range(2):
        assert main(["models", "fetch", "tiny", "--url", site.url, "--json"]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out) == {"name": "tiny", "file": str(file), "bytes": len(CONTENT)}
    assert file.read_bytes() == CONTENT
    assert [path for path, _ in site.asked] == [f"/weights/{file.name}"]
    site.asked.clear()
    file.unlink()
    assert main(["models", "fetch", "tiny", "--url", f"{site.url}/"]) == 0
    out, err = capsys.readouterr()
    assert str(file) in out
    assert f"downloading {file.name}" in err


def test_without_a_mirror_the_published_address_is_asked(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbones, "SITE", f"{site.url}/")
    assert main(["models", "fetch", "tiny"]) == 0
    assert file.read_bytes() == CONTENT


def test_an_interrupted_fetch_goes_on(site: Site, file: Path, capsys: Captured) -> None:
    site.stops_after = 600_000
    assert main(["models", "fetch", "tiny", "--url", site.url]) == 4
    assert "stopped early" in capsys.readouterr().err
    assert not file.exists()
    site.stops_after = None
    assert main(["models", "fetch", "tiny", "--url", site.url]) == 0
    assert file.read_bytes() == CONTENT
    assert [wanted for _, wanted in site.asked] == [None, "bytes=600000-"]


def test_a_damaged_file_in_the_cache_is_fetched_anew(site: Site, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    assert main(["models", "fetch", "tiny", "--url", site.url]) == 0
    assert file.read_bytes() == CONTENT


def test_a_file_with_another_checksum_is_not_kept(
    site: Site, file: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Backbone(backbones.BACKBONES["tiny"].network, 4, "tiny-00000000.pth")
    monkeypatch.setitem(backbones.BACKBONES, "tiny", other)
    assert main(["models", "fetch", "tiny", "--url", site.url]) == 4
    assert "checksum" in capsys.readouterr().err
    assert not list(file.parent.glob("*.pth"))


def test_offline_is_one_sentence(
    site: Site, file: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUNDREDFOLD_OFFLINE", "1")
    assert main(["models", "fetch", "tiny", "--url", site.url]) == 4
    assert "HUNDREDFOLD_OFFLINE" in capsys.readouterr().err
    assert not site.asked


def test_a_damaged_file_stays_where_the_network_is_forbidden(
    site: Site, file: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    monkeypatch.setenv("HUNDREDFOLD_OFFLINE", "1")
    assert main(["models", "fetch", "tiny", "--url", site.url]) == 4
    assert "damaged" in capsys.readouterr().err
    assert file.read_bytes() == b"damaged"


@pytest.mark.parametrize("name", ["resnt18", "wrn", "timm/resnet50d.a1_in1k", "timm/x"])
def test_what_cannot_be_fetched_says_so(name: str, capsys: Captured) -> None:
    assert main(["models", "fetch", name]) == 2
    assert "no backbone whose weights can be fetched" in capsys.readouterr().err


def test_installed_weights_need_no_network(capsys: Captured) -> None:
    assert main(["models", "fetch", "efficientnet_lite0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == 18_826_032
