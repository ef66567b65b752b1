"""How many planted near-duplicates are found, how many pictures are found by mistake, how fast.

    python benchmarks/near.py --data-dir DIR [--images 2000] [--seed 0] [--no-test]

Copies of training images of CIFAR-100 are changed and looked for among all of them. Found is a
copy whose own original is among its near-duplicates. By mistake found is a training image upside
down, its own original left out: a picture of the same kind that nothing is a copy of. Last, all
test images are held against all training images, pixels only, as `evaluate` does.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path

import _common
import numpy as np
from _ours import Source, data, duplicates
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, np.random.Generator], Pixels]


def mirrored(image: Pixels, _: np.random.Generator) -> Pixels:
    return image[:, ::-1]


def encoded(image: Pixels, chance: np.random.Generator) -> Pixels:
    """Return the image as a JPEG of quality 50 to 90 gives it."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=int(chance.integers(50, 91)))
    return np.asarray(Image.open(stream))


def shifted(image: Pixels, chance: np.random.Generator) -> Pixels:
    """Return the image two pixels aside in one direction or both; its edge is repeated."""
    down, across = 0, 0
    while max(abs(down), abs(across)) < 2:
        down, across = (int(step) for step in chance.integers(-2, 3, 2))
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), "edge")
    return padded[2 + down : 34 + down, 2 + across : 34 + across]


def cropped(side: int) -> Change:
    """Return a change that enlarges a square of `side` pixels from anywhere in the image."""

    def change(image: Pixels, chance: np.random.Generator) -> Pixels:
        down, across = chance.integers(0, 33 - side, 2)
        square = np.ascontiguousarray(image[down : down + side, across : across + side])
        return np.asarray(Image.fromarray(square).resize((32, 32), Image.Resampling.BICUBIC))

    return change


def all_at_once(image: Pixels, chance: np.random.Generator) -> Pixels:
    return encoded(np.ascontiguousarray(mirrored(cropped(30)(image, chance), chance)), chance)


CHANGES: dict[str, Change] = {
    "mirrored": mirrored,
    "encoded anew (JPEG 50 to 90)": encoded,
    "shifted by 2 pixels": shifted,
    "cropped to 30 of 32": cropped(30),
    "cropped to 28 of 32": cropped(28),
    "cropped to 26 of 32": cropped(26),
    "cropped to 30, mirrored and encoded": all_at_once,
}


def found_share(known: duplicates.Pictures, copies: Pixels, originals: NDArray[np.int64]) -> float:
    found = duplicates.across(duplicates.pictures(copies), known)
    right = found.reference == originals[found.rows]
    return len(np.unique(found.rows[right])) / len(copies)


def mistaken_share(known: duplicates.Pictures, rows: NDArray[np.int64]) -> float:
    turned = duplicates.upside_down(known, rows)
    return len(np.unique(duplicates.pairs(turned, known, rows).rows)) / len(rows)


def main() -> None:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-test", action="store_true", help="leave the test split closed")
    options = parser.parse_args()
    chance = np.random.default_rng(options.seed)
    dataset = data.load("cifar100", Source(folder=options.data_dir))
    train = np.asarray(dataset.parts["train"]().pixels)
    known = duplicates.pictures(train)
    rows = chance.choice(len(train), options.images, replace=False)
    found: dict[str, float] = {}
    for name, change in CHANGES.items():
        copies = np.stack([change(train[row], chance) for row in rows])
        found[name] = found_share(known, copies, rows)
    mistaken = mistaken_share(known, rows)
    facts: _common.Facts = {"n": options.images, "precision": "uint8", "threads": 0}
    facts |= {"found": found, "found_by_mistake": mistaken}
    if not options.no_test:
        test = np.asarray(dataset.parts["test"]().pixels)
        began, spent = time.perf_counter(), time.process_time()
        near = duplicates.across(duplicates.pictures(test), duplicates.pictures(train))
        facts |= {
            "seconds": time.perf_counter() - began,
            "processor_seconds": time.process_time() - spent,
            "test_images_with_a_near_duplicate": len(np.unique(near.rows)),
        }
    cells = [["a copy that is", "found"], *([name, f"{one:.2%}"] for name, one in found.items())]
    cells.append(["upside down, found by mistake", f"{mistaken:.2%}"])
    _common.report("near", cells, facts, options.record)


if __name__ == "__main__":
    main()
