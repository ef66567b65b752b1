"""The page in Firefox, over WebDriver BiDi: a web socket, and JSON messages through it."""

import base64
import io
import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hundredfold.exporters.html import page

ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
SECONDS = 120


def _big(number: int, size: int) -> bytes:
    return number.to_bytes(size, "big")


class Socket:
    """A web socket of RFC 6455: masked text frames out, unmasked ones in."""

    def __init__(self, port: int, path: str) -> None:
        self.stream = socket.create_connection(("127.0.0.1", port), SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "\r\n".encode()
        )
        self.file = self.stream.makefile("rb")
        assert b" 101 " in self.file.readline()
        while self.file.readline() != b"\r\n":
            pass

    def send(self, text: str) -> None:
        data = text.encode()
        mask = os.urandom(4)
        length = bytes([128 + len(data)]) if len(data) < 126 else b"\xfe" + _big(len(data), 2)
        if len(data) >= 2**16:
            length = b"\xff" + _big(len(data), 8)
        masked = bytes(byte ^ mask[k % 4] for k, byte in enumerate(data))
        self.stream.sendall(b"\x81" + length + mask + masked)

    def receive(self) -> str:
        parts, final = [], False
        while not final:
            first, length = self.file.read(2)
            final = bool(first & 128)
            if length > 125:
                length = int.from_bytes(self.file.read(2 if length == 126 else 8), "big")
            parts.append(self.file.read(length))
        return b"".join(parts).decode()


class Firefox:
    """One page in headless Firefox."""

    def __init__(self, folder: Path) -> None:
        flags = ["--headless", "--remote-debugging-port=0", "--profile", str(folder)]
        self.process = subprocess.Popen(
            [str(FIREFOX), *flags],
            stderr=subprocess.PIPE,
            env={**os.environ, "HOME": str(folder)},
        )
        assert self.process.stderr
        port = None
        while port is None:
            line = self.process.stderr.readline().decode()
            assert line, "Firefox ended"
            port = re.search(r"BiDi listening on ws://[^:]+:(\d+)", line)
        self.socket = Socket(int(port[1]), "/session")
        self.number, self.asked = 0, list[str]()
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["network.beforeRequestSent"])
        self.context = self.send("browsingContext.getTree")["contexts"][0]["context"]

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message))
        while (answer := json.loads(self.socket.receive())).get("id") != self.number:
            if answer.get("method") == "network.beforeRequestSent":
                self.asked.append(answer["params"]["request"]["url"])
        assert answer["type"] == "success", answer
        result: dict[str, Any] = answer["result"]
        return result

    def js(self, expression: str) -> Any:
        """Return the value, as JSON, of an expression or of the promise that it gives."""
        done = self.send(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self.context},
            awaitPromise=True,
        )
        assert done["type"] == "success", done
        return json.loads(done["result"]["value"])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(SECONDS)
        self.socket.file.close()
        self.socket.stream.close()
        assert self.process.stderr
        self.process.stderr.close()


@pytest.mark.skipif(FIREFOX is None, reason="Firefox is not installed")
def test_firefox_answers_as_python_does_and_fetches_nothing(
    tmp_path: Path, network: bytes, metadata: dict[str, str]
) -> None:
    file = tmp_path / "model.html"
    file.write_text(page(network, metadata), encoding="utf-8")
    (tmp_path / "profile").mkdir()
    firefox = Firefox(tmp_path / "profile")
    try:
        firefox.send(
            "browsingContext.navigate", context=firefox.context, url=file.as_uri(), wait="complete"
        )
        pixels = np.random.default_rng(0).integers(0, 256, (20, 33, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        text = base64.b64encode(buffer.getvalue()).decode()
        letters = f"Uint8Array.from(atob('{text}'), (letter) => letter.charCodeAt(0))"
        answer = firefox.js(f"window.hundredfold.classify(new Blob([{letters}]))")
        labels = firefox.js("window.hundredfold.labels")
    finally:
        firefox.close()
    session = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    [expected] = session.run(["probabilities"], {"images": pixels[None]})[0]
    found = {entry["label"]: entry["probability"] for entry in answer}
    np.testing.assert_allclose([found[x] for x in labels], expected, rtol=0, atol=1e-5)
    outside = [url for url in firefox.asked if not url.startswith(("file:", "blob:", "data:"))]
    assert outside == []
