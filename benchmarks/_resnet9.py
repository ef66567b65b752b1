"""The peer of own_images.py: a ResNet-9 in plain PyTorch, trained for so many seconds.

    python benchmarks/_resnet9.py FOLDER SIZE SECONDS SEED

AdamW with one cycle, mirrored and cropped images, bf16 under autocast. The learning rate follows
the clock, so the training ends on time. It prints the accuracy on the validation images that a run
of Hundredfold with the same seed and fraction keeps back.
"""

import json
import math
import sys
import time
from pathlib import Path

import torch
from _ours import Source, data
from torch import Tensor, nn
from torch.nn import functional

BATCH, RATE, FRACTION = 128, 0.01, 0.2


def block(inputs: int, outputs: int, *, pool: bool = False) -> nn.Sequential:
    layers = [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU(), *([nn.MaxPool2d(2)] if pool else []))


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(block(channels, channels), block(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


def network(classes: int) -> nn.Module:
    return nn.Sequential(
        block(3, 64), block(64, 128, pool=True), Residual(128), block(128, 256, pool=True),
        block(256, 256, pool=True), Residual(256), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(256, classes),
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # fmt: skip


def augmented(images: Tensor) -> Tensor:
    size = images.shape[-1]
    padded = functional.pad(images, [4] * 4, mode="reflect")
    left, top = torch.randint(0, 9, (2,)).tolist()
    images = padded[..., top : top + size, left : left + size]
    mirrored = torch.rand(len(images), 1, 1, 1) < 0.5
    return torch.where(mirrored, images.flip(3), images)


def main() -> None:
    folder, size, seconds, seed = Path(sys.argv[1]), *map(int, sys.argv[2:])
    began = time.monotonic()
    torch.manual_seed(seed)
    dataset = data.load(f"image_folder(size={size})", Source(folder=folder))
    train, held = data.training(dataset, share=FRACTION, seed=seed)
    x, y = (
        torch.from_numpy(train.pixels[train.indices]),
        torch.from_numpy(train.labels[train.indices]),
    )
    x = ((x.float() - 120) / 60).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    model = network(len(dataset.classes))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05)
    batch = min(BATCH, max(8, len(x) // 8))
    while (passed := (time.monotonic() - began) / (0.97 * seconds)) < 1:
        for rows in torch.randperm(len(x)).split(batch):
            passed = min(1.0, (time.monotonic() - began) / (0.97 * seconds))
            warm = (
                passed / 0.25
                if passed < 0.25
                else (1 + math.cos(math.pi * (passed - 0.25) / 0.75)) / 2
            )
            optimizer.param_groups[0]["lr"] = RATE * max(warm, 1e-3)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(augmented(x[rows]))
            loss = functional.cross_entropy(logits.float(), y[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if passed >= 1:
                break
    model.eval()
    correct = 0
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for rows in torch.from_numpy(held.indices).split(250):
            images = (torch.from_numpy(held.pixels[rows.numpy()]).float() - 120) / 60
            guesses = model(images.permute(0, 3, 1, 2)).argmax(1)
            correct += int((guesses == torch.from_numpy(held.labels[rows.numpy()])).sum())
    taken = time.monotonic() - began
    sys.stdout.write(
        json.dumps({"validation": correct / len(held), "n": len(held), "seconds": taken}) + "\n"
    )


if __name__ == "__main__":
    main()
