"""Servers of small networks, as processes; skipped where the extra `serve` is not installed."""

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # served, onnx_by_hand

from served import Server

_NEEDED = ("onnx", "onnxruntime", "uvicorn", "httptools", "uvloop")


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file whose classes are red, green and blue."""
    for name in _NEEDED:
        pytest.importorskip(name, reason=f"the extra serve is not installed: no {name}")
    from onnx_by_hand import mean_colour

    return mean_colour(tmp_path_factory.mktemp("network") / "colour.onnx")


@pytest.fixture(scope="session")
def server(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that tests share; it has to be there at their end, and to end well."""
    server = Server(network, tmp_path_factory.mktemp("server"), "--timeout=1.5")
    yield server
    assert server.process.poll() is None, "the server ended during the tests"
    assert server.end() == 0
    assert "Traceback" not in server.text_of_log


@pytest.fixture
def start(network: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server of one's own, of the network unless told."""
    started: list[Server] = []

    def begin(*options: str, file: Path = network) -> Server:
        started.append(Server(file, tmp_path, *options))
        return started[-1]

    yield begin
    for server in started:
        server.resume()
        server.end()


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """Return a function that makes the file of an image of one colour."""

    def make(
        colour: tuple[int, int, int], size: tuple[int, int] = (8, 8), kind: str = "PNG"
    ) -> bytes:
        stream = io.BytesIO()
        Image.new("RGB", size, colour).save(stream, kind)
        return stream.getvalue()

    return make
