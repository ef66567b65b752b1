"""A bf16 training step of networks with depthwise convolutions, beside the same in plain PyTorch.

The plain side has nn.Conv2d in place of each convolution of ours, and the same weights. Parts:
"all", every weight and BatchNorm's statistics; "fine-tuned", every weight, with BatchNorm in
inference mode; "upper third", of those the last third of the blocks.

On one thread, times are the processor's, so that competing processes hardly count; else those of
the clock.
"""

import argparse
import copy
import statistics
from functools import partial

import _common
import torch
from _ours import autocast, keep_freed_memory, machine, models
from torch import nn
from torch.nn import functional

MODELS = ("efficientnet_lite", "mobilenet_v2", "efficientnet")
PARTS = ("all", "fine-tuned", "upper third")
CLASSES = 100


def network(model: str, size: int, part: str) -> nn.Module:
    """Return a network with the stem for ImageNet, and what is not trained frozen."""
    found = models.build(f"{model}(stem='imagenet')", classes=CLASSES, size=size, seed=0)
    found.train(part == "all")
    if part == "upper third":
        blocks = [*found.features]  # type: ignore[misc]
        for block in blocks[: len(blocks) * 2 // 3]:
            block.requires_grad_(False)
    return found.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def plain(found: nn.Module, size: int) -> nn.Module:
    """Return a copy with nn.Conv2d, and nn.ZeroPad2d before it where padding is one-sided."""
    found = copy.deepcopy(found)
    sides: dict[str, int] = {}
    names = {name: m for name, m in found.named_modules() if isinstance(m, models.Conv2d)}
    for name, module in names.items():
        module.register_forward_pre_hook(
            lambda _, given, name=name: sides.update({name: given[0].shape[2]})
        )
    found.eval()(torch.zeros(1, 3, size, size))
    for name, module in names.items():
        found.set_submodule(name, _plain_layer(module, sides[name]))
    return found


def _plain_layer(module: models.Conv2d, side: int) -> nn.Module:
    left, right, top, bottom = module.pads(side, side)
    even = (left, top) == (right, bottom)
    layer = nn.Conv2d(
        module.in_channels, module.out_channels, module.kernel_size, module.stride,
        (top, left) if even else 0, groups=module.groups, bias=module.bias is not None,
    )  # fmt: skip
    layer.weight, layer.bias = module.weight, module.bias
    return layer if even else nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), layer)


def work(model: str, part: str, size: int, batch: int, *, ours: bool) -> _common.Work:
    """Return a step of SGD on random images, as `hundredfold train` or as plain PyTorch does it."""
    found = network(model, size, part)
    if ours:
        keep_freed_memory()
    else:
        found = plain(found, size).train(found.training)
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, CLASSES, (batch,))
    trained = [p for p in found.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, 0.01, momentum=0.9)

    def step() -> float:
        optimizer.zero_grad()
        with autocast(images.device, "bf16") if ours else torch.autocast("cpu", torch.bfloat16):
            logits = found(images)
        functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        return len(images)

    return step


def measure(model: str, part: str, options: argparse.Namespace) -> _common.Facts:
    """Return rates of both sides and their ratio."""
    given, threads = (model, part, options.size, options.batch), options.threads
    waiting, single = machine.WAITING, threads == 1
    sides = {
        "ours": _common.Side(partial(work, ours=True), given, threads, waiting, single),
        "plain": _common.Side(partial(work, ours=False), given, threads, {}, single),
    }
    rates = _common.interleaved_processes(sides, options.blocks, options.seconds)
    return {
        "model": model,
        "part": part,
        "images_per_second": {side: statistics.median(found) for side, found in rates.items()},
        "ratios": {"plain": _common.ratio(rates["ours"], rates["plain"])},
        "blocks": rates,
    }


def main() -> None:
    parser = _common.parser(__doc__, blocks=5)
    parser.add_argument("--model", action="append", default=[], help="one of the families")
    parser.add_argument("--part", action="append", choices=PARTS, default=[], help="trained")
    parser.add_argument("--size", type=int, default=96, help="of the images, in pixels")
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    rows = [
        measure(model, part, options)
        for model in options.model or MODELS
        for part in options.part or PARTS
    ]
    table = [["images a second", "trained", "ours", "plain", "ours / plain"]]
    for row in rows:
        speeds, ratio = row["images_per_second"], row["ratios"]["plain"]
        spread = f"{ratio['value']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"
        rates = [f"{speeds[side]:.0f}" for side in ("ours", "plain")]
        table.append([row["model"], row["part"], *rates, spread])
    facts = {"size": options.size, "batch": options.batch, "threads": options.threads}
    facts |= {"n": options.blocks, "precision": "bf16"}
    facts |= {"seconds": "the processor's" if options.threads == 1 else "the clock's"}
    _common.report("depthwise", table, facts | {"rows": rows}, options.record)


if __name__ == "__main__":
    main()
