"""Browsers that open an exported page from disk, and a small network to put into one."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hundredfold.exporters.html import page

LABELS = ["cat", "dog", "</script><script>document.title='broken'</script>", "“fox” & co", "bird"]
SIDE = 16
SECONDS = 60  # that a busy machine may take

onnx = pytest.importorskip("onnx", reason="onnx is not installed")


class Browser:
    """One page in headless Chromium, over the DevTools protocol on a pair of pipes."""

    def __init__(self, page: Path, folder: Path, width: int = 1100, scheme: str = "light") -> None:
        to_read, to_send = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in os.pipe())
        get_read, get_send = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in os.pipe())

        def pipes() -> None:
            os.dup2(to_read, 3)
            os.dup2(get_send, 4)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        flags += ["--no-first-run", f"--user-data-dir={folder}", "--disable-dev-shm-usage"]
        flags += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        self.process = subprocess.Popen(
            ["chromium", *flags, "about:blank"],
            preexec_fn=pipes, pass_fds=(3, 4), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(get_send)
        self.outgoing, self.incoming = os.fdopen(to_send, "wb"), os.fdopen(get_read, "rb")
        self.number, self.rest, self.session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "DOM"):
            self.send(f"{domain}.enable")
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", features=features)
        self.send("Page.navigate", url=page.as_uri())
        self.wait(lambda: any(e["method"] == "Page.loadEventFired" for e in self.events))

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result; events are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        self.outgoing.write(json.dumps(message).encode() + b"\0")
        self.outgoing.flush()
        while (answer := self._next()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def js(self, expression: str) -> Any:
        """Return the value of an expression, or of the promise that it gives."""
        options = {"awaitPromise": True, "returnByValue": True}
        result = self.send("Runtime.evaluate", expression=expression, **options)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def classify(self, content: bytes) -> list[dict[str, Any]]:
        """Return what the page's own function answers for the bytes of a file."""
        answer: list[dict[str, Any]] = self.js(f"window.hundredfold.classify({blob(content)})")
        return answer

    def refusal(self, content: bytes) -> str:
        """Return the sentence with which the page refuses the bytes of a file."""
        call = f"window.hundredfold.classify({blob(content)})"
        return str(self.js(f"{call}.then(() => 'accepted', (error) => error.message)"))

    def choose(self, *files: Path) -> None:
        """Choose files, as a reader does."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def text(self, selector: str) -> str:
        """Return the text of an element that is shown, "" of a hidden one."""
        return str(self.js(f"document.querySelector({json.dumps(selector)}).innerText"))

    def wait(self, done: Callable[[], bool]) -> None:
        """Wait until something is true."""
        end = time.monotonic() + SECONDS
        while not done():
            assert time.monotonic() < end, "it took too long"
            time.sleep(0.02)
            self.send("Target.getTargets") if not self.session else self.js("0")

    @property
    def fetched(self) -> list[str]:
        """What was asked of a network: all addresses but the page itself and its own blobs."""
        sent = [e for e in self.events if e["method"] == "Network.requestWillBeSent"]
        addresses = [str(e["params"]["request"]["url"]) for e in sent]
        return [a for a in addresses if not a.startswith(("file:", "blob:", "data:"))]

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the console, such as violations of the policy."""
        logged = [e["params"]["entry"] for e in self.events if e["method"] == "Log.entryAdded"]
        thrown = [e["params"] for e in self.events if e["method"] == "Runtime.exceptionThrown"]
        return [str(e.get("text")) for e in logged] + [str(e) for e in thrown]

    def picture(self, path: Path) -> None:
        """Write what the page looks like, from top to bottom, as PNG."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """End the browser."""
        self.process.terminate()
        self.process.wait(SECONDS)
        self.outgoing.close()
        self.incoming.close()

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            received = os.read(self.incoming.fileno(), 1 << 20)
            assert received, "Chromium ended"
            self.rest += received
        message, _, self.rest = self.rest.partition(b"\0")
        value: dict[str, Any] = json.loads(message)
        return value


def blob(content: bytes) -> str:
    """Return JavaScript for a Blob with bytes; the page's policy allows no data: address."""
    text = base64.b64encode(content).decode()
    return f"new Blob([Uint8Array.from(atob('{text}'), (letter) => letter.charCodeAt(0))])"


def small_network(seed: int = 0) -> bytes:
    """Return an ONNX file with random weights that takes images of any size.

    images -> 5x5 convolution of 8 filters -> ReLU -> mean over the image -> 5 classes
    """
    draw = np.random.default_rng(seed)
    tensors = {
        "scale": np.float32(1 / 255),
        "filters": draw.normal(0, 0.3, (8, 3, 5, 5)).astype(np.float32),
        "weights": draw.normal(0, 3, (8, len(LABELS))).astype(np.float32),
        "axes": np.array([1], np.int64),
        "one": np.float32(1),
    }
    node = onnx.helper.make_node
    nodes = [
        node("Cast", ["images"], ["floats"], to=onnx.TensorProto.FLOAT),
        node("Mul", ["floats", "scale"], ["scaled"]),
        node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        node("Conv", ["planes", "filters"], ["maps"], pads=[2, 2, 2, 2]),
        node("Relu", ["maps"], ["positive"]),
        node("GlobalAveragePool", ["positive"], ["means"]),
        node("Flatten", ["means"], ["features"]),
        node("MatMul", ["features", "weights"], ["logits"]),
        node("Softmax", ["logits"], ["probabilities"], axis=1),
        node("ReduceMax", ["probabilities", "axes"], ["most"], keepdims=0),
        node("Sub", ["one", "most"], ["unknown"]),
    ]
    value, kinds = onnx.helper.make_tensor_value_info, onnx.TensorProto
    graph = onnx.helper.make_graph(
        nodes,
        "small",
        [value("images", kinds.UINT8, ["n", "h", "w", 3])],
        [
            value("probabilities", kinds.FLOAT, ["n", len(LABELS)]),
            value("logits", kinds.FLOAT, ["n", len(LABELS)]),
            value("unknown", kinds.FLOAT, ["n"]),
        ],
        [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in tensors.items()],
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
    return bytes(model.SerializeToString())


def described(**more: str) -> dict[str, str]:
    """Return metadata as an exported file has them."""
    scores = {"test.top_1": {"value": 0.8046, "low": 0.7967, "high": 0.8123, "n": 10000}}
    facts = {
        "labels": json.dumps(LABELS),
        "image_size": str(SIDE),
        "resize": "crop",
        "model": "small_network()",
        "scores": json.dumps(scores),
        "license": json.dumps([{"what": "photos", "license": "CC BY <4.0>"}]),
    }
    return facts | more


Opener = Callable[..., Browser]


@pytest.fixture(scope="session")
def network() -> bytes:
    return small_network()


@pytest.fixture(scope="session")
def metadata() -> Mapping[str, str]:
    return described()


@pytest.fixture
def opened(tmp_path: Path, network: bytes) -> Iterator[Opener]:
    """Open a page in a browser of its own: `opened(width=390, reject=...)`."""
    if not shutil.which("chromium"):
        pytest.skip("Chromium is not installed")
    browsers: list[Browser] = []

    def start(
        model: bytes = network, width: int = 1100, scheme: str = "light", **more: str
    ) -> Browser:
        file = tmp_path / "model.html"
        file.write_text(page(model, described(**more)), encoding="utf-8")
        browsers.append(Browser(file, tmp_path / f"profile{len(browsers)}", width, scheme))
        return browsers[-1]

    yield start
    for browser in browsers:
        browser.close()
