"""Time a training step against the same network in plain eager PyTorch, in one run.

    python benchmarks/step.py                       # simple_cnn and resnet(depth=18), bf16
    python benchmarks/step.py --model "wrn(depth=16, width=4)" --precision fp32

A step is forward, loss, backward and update on a batch that lies ready. Ours takes uint8
images and is what `hundredfold train` does; the peer is what a careful PyTorch user writes:
float images, channels-last, autocast, the optimizer's defaults. Each has a process of its
own, since ours also sets how the C library keeps memory; they run in turn, in blocks, and
the ratio is the median over the blocks. The last column is the
share of the machine's own GEMM peak (n = 4096, same precision, same threads), measured first.
Prints a table and one JSON line.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold import call, models
from hundredfold.optim import losses, optimizers, resolutions, schedules
from hundredfold.training.device import keep_freed_memory, name_of
from hundredfold.training.learner import Learner

Step = Callable[[], None]
MODELS = ("simple_cnn", 'resnet(depth=18, stem="cifar")')
CLASSES, SIZE = 100, 32


class PlainCNN(nn.Sequential):
    """The simple CNN as the tutorial writes it."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, CLASSES),
        )  # fmt: skip


class PlainBlock(nn.Module):
    """A basic block as the public CIFAR repositories write it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class PlainResNet18(nn.Sequential):
    """ResNet-18 for 32 px as the public CIFAR repositories write it."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)]
        layers.append(nn.ReLU())
        inputs = 64
        for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            layers += [PlainBlock(inputs, outputs, stride), PlainBlock(outputs, outputs, 1)]
            inputs = outputs
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES))


PLAIN = dict(zip(MODELS, (PlainCNN, PlainResNet18), strict=True))


def ours(name: str, precision: str, batch: int) -> Step:
    """Return the product's step on uint8 images."""
    model = models.build(call.parse(name), classes=CLASSES, size=SIZE, seed=0)
    adam = name == "simple_cnn"
    optimizer = optimizers.adam(model) if adam else optimizers.sgd(model)
    learner = Learner(
        model, optimizer, losses.cross_entropy, schedules.constant, resolutions.full,
        precision=precision, average=0.0,
    )  # fmt: skip
    images = torch.randint(0, 256, (batch, SIZE, SIZE, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    targets = functional.one_hot(torch.randint(0, CLASSES, (batch,)), CLASSES).float()

    def step() -> None:
        float(learner.step(images, targets, 0.5, 1)[0])

    return step


def plain(name: str, precision: str, batch: int) -> Step:
    """Return the peer's step on float images."""
    model = PLAIN[name]().to(memory_format=torch.channels_last)
    if name == "simple_cnn":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters())
    else:
        optimizer = torch.optim.SGD(
            model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
    images = torch.randn(batch, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    labels = torch.randint(0, CLASSES, (batch,))

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def gemm_peak(precision: str, size: int = 4096) -> float:
    """Return the machine's multiply-accumulates a second in a square GEMM, best of three."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size).to(kind) for _ in range(2))
    a @ b
    times = []
    for _ in range(3):
        began = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - began)
    return size**3 / min(times)


def work(pipe: Connection, side: str, name: str, options: argparse.Namespace) -> None:
    """Serve in a process of its own: each number of seconds received is a block to time."""
    torch.set_num_threads(options.threads)
    if side == "ours":
        if not options.default_memory:
            keep_freed_memory()
        step = ours(name, options.precision, options.batch)
    else:
        step = plain(name, options.precision, options.batch)
    for _ in range(3):
        step()
    pipe.send("ready")
    while seconds := pipe.recv():
        began, steps = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            step()
            steps += 1
        pipe.send(steps * options.batch / (time.perf_counter() - began))


def timed(name: str, sides: tuple[str, ...], options: argparse.Namespace) -> list[list[float]]:
    """Return images a second of each side, block by block in turn."""
    start = get_context("spawn")
    pipes = []
    for side in sides:
        here, there = start.Pipe()
        start.Process(target=work, args=(there, side, name, options), daemon=True).start()
        here.recv()
        pipes.append(here)
    rates: list[list[float]] = [[] for _ in sides]
    for _ in range(options.blocks):
        for pipe, found in zip(pipes, rates, strict=True):
            pipe.send(options.seconds)
            found.append(pipe.recv())
    for pipe in pipes:
        pipe.send(0)
    return rates


def compare(name: str, options: argparse.Namespace) -> dict[str, object]:
    """Return medians of both, and the median and range of their ratio."""
    peak = gemm_peak(options.precision)
    macs = models.summary(models.outline(call.parse(name), classes=CLASSES, size=SIZE), SIZE).macs
    sides = ("ours", "plain") if name in PLAIN else ("ours",)
    mine, *rest = timed(name, sides, options)
    ratios = sorted(a / b for a, b in zip(mine, rest[0], strict=True)) if rest else []
    speed = statistics.median(mine)
    return {
        "model": name,
        "precision": options.precision,
        "ours_images_per_second": round(speed),
        "plain_images_per_second": round(statistics.median(rest[0])) if rest else None,
        "ratio": round(statistics.median(ratios), 3) if ratios else None,
        "ratio_range": [round(ratios[0], 3), round(ratios[-1], 3)] if ratios else None,
        "share_of_gemm_peak": round(3 * macs * speed / peak, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", action="append", help="default: the two with a plain peer")
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one block")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument(
        "--default-memory", action="store_true", help="leave the C library's ways as they are"
    )
    options = parser.parse_args()
    options.threads = options.threads or torch.get_num_threads()
    torch.set_num_threads(options.threads)
    print(f"{'model':<32}{'ours':>9}{'plain':>9}{'ratio':>8}{'of peak':>9}")  # noqa: T201
    rows = []
    for name in options.model or MODELS:
        row = compare(name, options)
        rows.append(row)
        print(  # noqa: T201
            f"{name:<32}{row['ours_images_per_second']:>9,}"
            f"{row['plain_images_per_second'] or '-':>9}{row['ratio'] or '-':>8}"
            f"{row['share_of_gemm_peak']:>9.1%}"
        )
    machine = {
        "device": name_of(torch.device("cpu")),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load": os.getloadavg()[0],
        "batch": options.batch,
        "default_memory": options.default_memory,
    }
    print(json.dumps({"benchmark": "step", **machine, "rows": rows}))  # noqa: T201


if __name__ == "__main__":
    main()
