"""Damaged copies of small images in every allowed format, each the same for the same seed.

    python tests/data/mutants.py [--count 10000] [--seed 0]

decodes them in processes of their own, so that a crash or a hang is seen, and prints how many
gave pixels, how many one sentence, and every other end. The ordinary suite does a part of it.
"""

import argparse
import io
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from hundredfold.data import decode
from hundredfold.errors import DataError

FORMATS = {
    "jpeg": ("JPEG", {"quality": 90}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "cmyk jpeg": ("JPEG", {}),
    "png": ("PNG", {}),
    "palette png": ("PNG", {}),
    "16-bit png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "gif": ("GIF", {}),
    "tiff": ("TIFF", {}),
    "lzw tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "jpeg tiff": ("TIFF", {"compression": "jpeg"}),
    "deflate tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
}
_MODES = {"cmyk jpeg": "CMYK", "palette png": "P", "gif": "P"}
_BATCH = 250
_SECONDS = 120.0  # for a batch


def originals() -> dict[str, bytes]:
    """Return a picture of 24 x 20 pixels in every format."""
    chance = np.random.default_rng(7)
    picture = Image.fromarray(chance.integers(0, 256, (5, 6, 3), np.uint8)).resize((24, 20))
    found = {}
    for name, (form, options) in FORMATS.items():
        image = picture.convert(_MODES.get(name, "RGB"))
        if name == "16-bit png":
            image = Image.fromarray(chance.integers(0, 65536, (20, 24), np.uint16))
        stream = io.BytesIO()
        image.save(stream, form, **options)
        found[name] = stream.getvalue()
    return found


def mutants(count: int, seed: int, first: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes: some bits flipped, the end cut off, or a stretch of zeros."""
    whole = list(originals().items())
    for number in range(first, first + count):
        chance = np.random.default_rng((seed, number))
        name, data = whole[number % len(whole)]
        kind = ("flip", "cut", "zero", "header")[number // len(whole) % 4]
        yield f"{name}, {kind}, {number}", _damaged(bytearray(data), kind, chance)


def _damaged(data: bytearray, kind: str, chance: np.random.Generator) -> bytes:
    if kind == "cut":
        return bytes(data[: int(chance.integers(0, len(data)))])
    if kind == "zero":
        start = int(chance.integers(0, len(data)))
        length = min(int(chance.integers(1, 64)), len(data) - start)
        data[start : start + length] = bytes(length)
        return bytes(data)
    most = min(len(data), 64) if kind == "header" else len(data)
    for place in chance.integers(0, most, int(chance.integers(1, 9))):
        data[place] ^= 1 << int(chance.integers(0, 8))
    return bytes(data)


def outcome(data: bytes) -> str:
    """Return "pixels" or "sentence"; anything else is a promise broken."""
    try:
        pixels = decode(data, 16, "photo.jpg")
    except DataError as error:
        told = error.message.startswith("cannot read photo.jpg: ") and "\n" not in error.message
        return "sentence" if told and error.remedy else f"not a sentence: {error.message!r}"
    good = pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    return "pixels" if good else f"pixels of {pixels.dtype} {pixels.shape}"


def _batch(count: int, seed: int, first: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, data in mutants(count, seed, first):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                end = outcome(data)
        except BaseException as error:
            end = f"raised {type(error).__name__}"
        found.setdefault(end, []).append(name)
    return found


def survey(count: int, seed: int) -> dict[str, list[str]]:
    """Decode `count` mutants, a batch in a process; return their names by how they ended."""
    found: dict[str, list[str]] = {}
    for first in range(0, count, _BATCH):
        size = min(_BATCH, count - first)
        command = [sys.executable, str(Path(__file__)), "--batch", str(size), str(seed), str(first)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
            ends = json.loads(done.stdout) if done.returncode == 0 else {
                f"crash, exit {done.returncode}": [f"batch {first}"]}  # fmt: skip
        except subprocess.TimeoutExpired:
            ends = {"hang": [f"batch {first}"]}
        for end, names in ends.items():
            found.setdefault(end, []).extend(names)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.batch:
        sys.stdout.write(json.dumps(_batch(*options.batch)))
        return
    found = survey(options.count, options.seed)
    good = {"pixels", "sentence"}
    for end, names in sorted(found.items()):
        examples = "" if end in good else ": " + "; ".join(names[:5])
        sys.stdout.write(f"{len(names):6,} {end}{examples}\n")
    sys.exit(0 if set(found) <= good else 1)


if __name__ == "__main__":
    main()
