"""One HTML file that classifies pictures in a browser, from disk and without a connection.

It holds the network, ONNX Runtime Web as WebAssembly, and what the metadata of the ONNX file say.
The Content-Security-Policy of the page allows no connection and no script but its own.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from hundredfold import wording
from hundredfold.errors import UsageError
from hundredfold.exporters._about import about, few
from hundredfold.exporters._metadata import Facts, read
from hundredfold.exporters._trained import Exported, Trained
from hundredfold.exporters.onnx import onnx

FILE = "model.html"
MOST_BYTES = 350_000_000  # of the packed network; a browser's text holds 500 million characters

_SCRIPTS = ("decode.js", "resize.js", "network.js", "occlusion.js", "page.js")
_RUNTIME = "ort.wasm.bundle.min.mjs.gz"
_WASM = "ort-wasm-simd-threaded.wasm.gz"
_LICENSE = "LICENSE.onnxruntime-web"


def html(trained: Trained) -> Exported:
    """Return a run's network as a page; the graph in it is checked as that of `onnx` is."""
    network = onnx(trained)
    check = {**network.check, "runtime": f"{network.check['runtime']}, for the graph in the page"}
    text = page(network.content, trained.metadata("onnx"))
    return Exported(text.encode(), check)


def page(model: bytes, metadata: Mapping[str, str]) -> str:
    """Return a page that classifies pictures with a network.

    model: an ONNX file with the input `images`, uint8 (batch, height, width, 3), and the outputs
    `probabilities`, `logits` and `unknown`. metadata: its metadata_props.

    Raises DataError for metadata that are missing or damaged, and UsageError for a network that
    is too large for one page.
    """
    facts = read(metadata)
    packed = gzip.compress(model, 9, mtime=0)
    if len(packed) > MOST_BYTES:
        raise UsageError(
            f"the network has {wording.memory(len(packed))}, too large for one page",
            found=f"at most {wording.memory(MOST_BYTES)}",
            remedy="--to onnx",
        )
    style, script = _text("page.css"), _script()
    values = {
        "policy": _policy(style, script),
        "title": escape(f"{few(facts.labels)}: a classifier"),
        "eyebrow": escape(f"Hundredfold · {facts.model}"),
        "lead": escape(_lead(facts)),
        "about": about(facts, _text(_LICENSE)),
        "facts": _json(facts),
        "runtime": _base64(_bytes(_RUNTIME)),
        "wasm": _base64(_bytes(_WASM)),
        "network": _base64(packed),
        "style": style,
        "script": script,
    }
    return Template(_text("page.html")).substitute(values)


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: the page's own text, and what it makes itself."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(script)}' blob: 'wasm-unsafe-eval'",
            f"style-src '{_digest(style)}'",
            "img-src blob: data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _digest(text: str) -> str:
    return f"sha256-{_base64(hashlib.sha256(text.encode()).digest())}"


def _lead(facts: Facts) -> str:
    classes = wording.plural(len(facts.labels), "class", "classes")
    return (
        f"A network in this page tells {classes} apart: {few(facts.labels)}. "
        "It needs no internet, and no picture leaves this device."
    )


def _json(facts: Facts) -> str:
    """Return what the script needs, as JSON that cannot end its element."""
    value = {
        "labels": facts.labels,
        "height": facts.size.height,
        "width": facts.size.width,
        "resize": facts.resize,
        "reject": facts.reject,
        "sets": facts.sets,
    }
    return json.dumps(value).replace("<", "\\u003c")


@cache
def _script() -> str:
    parts = "\n".join(_text(name) for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();'


def _text(name: str) -> str:
    return _bytes(name).decode()


def _bytes(name: str) -> bytes:
    return files("hundredfold.exporters").joinpath("_page", name).read_bytes()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
