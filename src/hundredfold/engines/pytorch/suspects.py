"""Find labels that may be wrong, from features of a network pretrained on ImageNet.

A ridge predicts each image from all others, and where it contradicts the label, that is suspect.
No network is trained, no evaluation is counted, and nothing is passed on to a training.
"""

import hashlib
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hundredfold import machine
from hundredfold.backbones import BACKBONES, MODELS
from hundredfold.compute import device as devices
from hundredfold.compute import precision
from hundredfold.compute.threads import threads
from hundredfold.data import DataSet, Pixels, Source, Split, Suspect
from hundredfold.engines.pytorch import features, network
from hundredfold.engines.pytorch.leave_one_out import probabilities
from hundredfold.engines.pytorch.on_features import extract, folded
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.recipe import Recipe
from hundredfold.spec import part
from hundredfold.weights.load import load_weights
from hundredfold.weights.locate import WeightsFile, resolve_weights

BACKBONE = "efficientnet_lite0"
SIZES = (128, 224)  # pixels, the quick and the accurate one
_LEAST = 1e-3  # probability below which classes are equally unlikely
_AFFORDABLE = 5000  # images at the accurate size: it takes four times as long for each


def image_size(images: int, side: int) -> int:
    """Return the size in pixels at which the features of so many images are computed.

    side: shorter side of the images in pixels. Small images gain nothing from the larger size.
    """
    quick, accurate = SIZES
    return accurate if images <= _AFFORDABLE and side > (quick + accurate) / 2 else quick


def suspects(dataset: DataSet, source: Source, size: int) -> list[Suspect]:
    """Return all images of a data set, those whose label is most likely wrong first.

    Every part is read, the test part too. size: of the network's input in pixels.

    The order is that of the odds of the likely against the given label. Raises MissingError where
    the pretrained weights are missing.
    """
    splits = {name: opened() for name, opened in dataset.parts.items()}
    with threads(machine.cores()):
        rows = torch.cat([*_features(dataset, splits, source, size)])
    labels = np.concatenate([split.labels[split.indices] for split in splits.values()])
    values = probabilities(rows, torch.from_numpy(labels), classes=len(dataset.classes)).numpy()
    files = [(file, name) for name, split in splits.items() for file in split.files(name)]
    likely, classes = values.argmax(1), dataset.classes
    return [
        Suspect(
            file=files[row][0],
            split=files[row][1],
            given=classes[labels[row]],
            likely=classes[likely[row]],
            probability=float(values[row, likely[row]]),
        )
        for row in _most_suspect(values, labels)
    ]


def _most_suspect(values: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows by falling odds of the best other class against the given one."""
    every = np.arange(len(labels))
    given = values[every, labels]
    others = values.copy()
    others[every, labels] = 0
    odds = np.log((others.max(1) + _LEAST) / (given + _LEAST))
    return np.argsort(-odds, kind="stable")


def _features(
    dataset: DataSet, splits: dict[str, Split], source: Source, size: int
) -> Iterator[Tensor]:
    """Yield the features (n, channels) of each part, computed once and cached."""
    recipe, file = _pretrained(source)
    model = network.build(recipe, classes=2, size=dataset.size, layout=file.layout, input_size=size)
    assert isinstance(model, Transfer)
    load_weights(model.backbone, recipe.model, file)
    device = devices.choose("auto")
    kind = precision.promising(device)
    compute = partial(extract, folded(model.eval().to(device)), device, kind)
    for name, split in splits.items():
        identity = [str(recipe.model), file.digest, file.layout, 0, size]
        identity += [_digest(dataset, name, split), name, kind]
        request = features.Request(
            split.pixels, split.indices, model.standard.mean.numel(), features.View(), identity
        )
        found = features.compute(compute, request, source.cache)
        yield torch.from_numpy(np.asarray(found)[split.indices])


def _pretrained(source: Source) -> tuple[Recipe, WeightsFile]:
    model = part(BACKBONES[BACKBONE].network, MODELS)
    recipe = Recipe.model_validate(
        {"model": str(model), "weights": "imagenet", "strategy": "linear_probe"}
    )
    recipe, file = resolve_weights(recipe, source)
    assert file is not None
    return recipe, file


def _digest(dataset: DataSet, name: str, split: Split) -> str:
    """Return what determines a part's pixels: the data set's digest, which leaves out test."""
    return dataset.digest if name != "test" else _sha256(split.pixels)


def _sha256(pixels: Pixels, block: int = 1024) -> str:
    digest = hashlib.sha256()
    for first in range(0, len(pixels), block):
        digest.update(np.ascontiguousarray(pixels[first : first + block]).data)
    return digest.hexdigest()
