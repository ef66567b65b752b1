"""How the steps before training grow with the number of images and of classes.

    python benchmarks/growth.py --data-dir DIR [--images 4000] [--times 10]

Folders of CIFAR-100's training images as JPEG files: some, ten times as many, and as many again in
ten times as many classes, each class cut into ten. Every step is done once on each folder, in this
process. Growth is the ratio of the seconds; of a step that grows linearly it is at most ten for ten
times the images, and one for ten times the classes. Steps of under 0.2 s are told without it.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _common
import numpy as np
from _common import Facts
from _ours import Source, data, duplicates, machine, recipes, suspects
from PIL import Image

SHORT = 0.2  # seconds below which a ratio says nothing
QUALITY = 90  # of the JPEG files


def folder(root: Path, pixels: np.ndarray, labels: np.ndarray, parts: int) -> Path:
    """Write images as files in a folder for each class, each class cut into so many."""
    for row, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        place = root / f"{label:03}-{row % parts:02}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{row}.jpg", quality=QUALITY)
    return root


def steps(images: Path, cache: Path, weights: bool) -> dict[str, float]:
    """Do each step once; return its seconds."""
    taken: dict[str, float] = {}
    source = Source(folder=images, cache=cache, offline=True)
    recipe = recipes.load("simple-cnn").override({"data": "image_folder(size=32)"})

    def timed(name: str, step: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = step()
        taken[name] = time.perf_counter() - began
        return result

    timed("look at the files", lambda: data.survey({}, source))
    dataset = timed("check, decode and store", lambda: data.load(recipe.data, source))
    timed("open what is stored", lambda: data.load(recipe.data, source))
    train, _ = timed("split", lambda: data.split(dataset, recipe))
    pixels = np.asarray(train.pixels[train.indices])
    pictures = timed("describe for near-duplicates", lambda: duplicates.pictures(pixels))
    timed("compare all for near-duplicates", lambda: duplicates.within(pictures))
    if weights:
        timed("label suspects", lambda: suspects(dataset, source, 96))
    return taken


def ratio(before: float, after: float) -> float | None:
    return after / before if min(before, after) >= SHORT else None


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--suspects", action="store_true", help="needs the pretrained weights")
    options: argparse.Namespace = parser.parse_args()
    opened = data.load("cifar100", Source(folder=options.data_dir)).parts["train"]()
    order = np.random.default_rng(0).permutation(len(opened))
    found = []
    for count, parts in ((options.images, 1), (options.images * options.times, 1),
                         (options.images * options.times, options.times)):  # fmt: skip
        rows = order[:count]
        with tempfile.TemporaryDirectory() as place:
            images = folder(Path(place, "images"), opened.pixels[rows], opened.labels[rows], parts)
            found.append(steps(images, Path(place, "cache"), options.suspects))
    few, many, classes = found
    rows_found: list[Facts] = [
        {
            "step": name, "few": few[name], "many": many[name], "many_classes": classes[name],
            "growth": ratio(few[name], many[name]),
            "growth_of_classes": ratio(many[name], classes[name]),
        }
        for name in few
    ]  # fmt: skip
    cells = [["step", "seconds", f"{options.times}x images", "growth", "growth by classes"]]
    cells += [
        [row["step"], f"{row['few']:.2f}", f"{row['many']:.2f}",
         *("-" if row[key] is None else f"{row[key]:.1f}x" for key in
           ("growth", "growth_of_classes"))]
        for row in rows_found
    ]  # fmt: skip
    facts: Facts = {
        "images": options.images,
        "times": options.times,
        "n": 1,
        "threads": machine.cores(),
    }
    _common.report(
        "growth", cells, facts | {"precision": "uint8", "rows": rows_found}, options.record
    )


if __name__ == "__main__":
    main()
