"""The latency of one image: an exported ONNX file beside the same network in PyTorch.

The file also looks at the image's size, and computes probabilities and `unknown`. PyTorch computes
the logits, in inference mode and channels-last, on as many threads. Weights are random.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import _common
import numpy as np
import torch
from _ours import machine, models, onnx_file, session_of

FAMILIES = {
    "simple_cnn": 32, "resnet(depth=20)": 32, "resnet(depth=18)": 32, "preact_resnet": 32,
    "wrn(depth=16, width=4)": 32, "speednet": 32, "densenet(depth=40)": 32, "vgg": 32,
    "mobilenet_v2": 32, "efficientnet": 32, "efficientnet_lite": 32, "convnext": 32,
    "dinov2": 56,
}  # fmt: skip
CLASSES = 100


def file_work(path: str, size: int, threads: int) -> _common.Work:
    """Return the computing of one image with an exported file."""
    session = session_of(Path(path).read_bytes(), path, threads)
    image = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)

    def work() -> float:
        session.run(None, {"images": image})
        return 1.0

    return work


def torch_work(model: str, size: int) -> _common.Work:
    """Return the computing of one image with the network in PyTorch."""
    network = models.build(model, classes=CLASSES, size=size, seed=0).eval()
    image = torch.randint(0, 256, (1, 3, size, size), dtype=torch.uint8)
    image = image.contiguous(memory_format=torch.channels_last)

    def work() -> float:
        with torch.inference_mode():
            network(image)
        return 1.0

    return work


def measure(model: str, folder: Path, options: argparse.Namespace) -> _common.Facts:
    """Return the latencies of both sides and how much faster the file is."""
    size, path = FAMILIES.get(model, 32), folder / "network.onnx"
    path.write_bytes(onnx_file(model, CLASSES, size))
    sides = {
        "file": _common.Side(file_work, (str(path), size, options.threads), options.threads),
        "torch": _common.Side(torch_work, (model, size), options.threads, machine.WAITING),
    }
    rates = _common.interleaved_processes(sides, options.blocks, options.seconds)
    return {
        "model": model,
        "size": size,
        "milliseconds": {side: 1e3 / statistics.median(found) for side, found in rates.items()},
        "ratios": {"torch": _common.ratio(rates["file"], rates["torch"])},
        "blocks": rates,
    }


def main() -> None:
    parser = _common.parser(__doc__, blocks=5, seconds=0.4)
    parser.add_argument("--model", action="append", default=[], help="one of the networks")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(model, Path(folder), options) for model in options.model or FAMILIES]
    table = [["one image, ms", "pixels", "file", "torch", "times as fast"]]
    for row in rows:
        times, ratio = row["milliseconds"], row["ratios"]["torch"]
        spread = f"{ratio['value']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"
        numbers = [f"{times[side]:.2f}" for side in ("file", "torch")]
        table.append([row["model"], str(row["size"]), *numbers, spread])
    facts = {"batch": 1, "threads": options.threads, "n": options.blocks, "precision": "fp32"}
    _common.report("export", table, facts | {"rows": rows}, options.record)


if __name__ == "__main__":
    main()
