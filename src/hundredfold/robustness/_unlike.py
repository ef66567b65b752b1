"""How well the unknown-score tells other kinds of images from a run's own: unlike.json."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import calibration, data, files, spec
from hundredfold.classifier import Classifier, need_finite
from hundredfold.data import Source
from hundredfold.errors import DataError, HundredfoldError
from hundredfold.metrics import auroc
from hundredfold.run import Run

MOST = 1000  # images of each kind
_SETS = ("cifar10", "cifar100", "digits", "shapes")  # where they are at hand
_SEED = 20
_WAVES = 4  # of a texture


def unlike(
    run: Run, split: str, source: Source, open_classifier: Callable[[], Classifier]
) -> dict[str, Any]:
    """Score how well "unknown" tells unlike images from those of a split; write unlike.json.

    Unlike images are noise and textures that are made here, and up to 1,000 images of CIFAR-10,
    CIFAR-100, digits and shapes, each where it is at hand and is not the run's own data. The score
    of each is the AUROC: the probability that an unlike image has a higher value than one of the
    run's.

    Raises DataError where the split has no stored logits.
    """
    how, logits = calibration.of(run), run.logits(split)
    if logits is None:
        raise DataError(f"{run.name!r} has no scores of {split}", remedy=f"evaluate {run.name}")
    own = calibration.unknown(how.probabilities(logits))
    classify = open_classifier()
    entries = []
    for name, images in _kinds(run, source, classify):
        other = need_finite(classify.logits(images, np.arange(len(images))))
        values = calibration.unknown(how.probabilities(other))
        entries.append({"name": name, "n": len(images), "auroc": auroc(values, own).to_json()})
    found = {"split": split, "n": len(own), "kinds": entries,
             "weights": run.scored(split).get("weights", "")}  # fmt: skip
    with run.writer():
        files.write_json(run.folder / "unlike.json", found)
    return found


def _kinds(
    run: Run, source: Source, classify: Classifier
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield names and images (n, height, width, 3) of the network's size."""
    height, width = classify.size.height, classify.size.width
    chance = np.random.default_rng(_SEED)
    yield "noise", chance.integers(0, 256, (MOST, height, width, 3), np.uint8)
    yield "textures", np.stack([_texture(height, width, chance) for _ in range(MOST)])
    own = spec.parse(str(run.stated[1].get("data", ""))).name
    for name in _SETS:
        if name == own:
            continue
        try:
            part = data.load(name, replace(Source(cache=source.cache), offline=True)).parts[
                "train"
            ]()
        except HundredfoldError:
            continue
        chosen = np.linspace(0, len(part) - 1, min(MOST, len(part))).round().astype(np.int64)
        pixels = part.pixels[part.indices[np.unique(chosen)]]
        sized = [data.decode(image, classify.size, resize=classify.resize) for image in pixels]
        yield name, np.stack(sized)


def _texture(height: int, width: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Return a sum of a few coloured waves of random direction and 2 to 12 periods."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pixels = np.full((height, width, 3), 0.5)
    for _ in range(_WAVES):
        angle, periods = chance.uniform(0, math.pi), chance.uniform(2, 12)
        along = math.cos(angle) * x + math.sin(angle) * y
        wave = np.sin(2 * math.pi * periods * along + chance.uniform(0, 2 * math.pi))
        pixels += wave[..., None] * chance.uniform(-0.25, 0.25, 3)
    return np.asarray((pixels.clip(0, 1) * 255).round(), np.uint8)
