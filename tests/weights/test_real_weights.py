"""The real DenseNet-169, learned on ImageNet, knows more of CIFAR-100 than pixels do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hundredfold import data
from hundredfold.data import Source, Split
from hundredfold.engines.pytorch.probes import knn_votes
from hundredfold.models._fold import fold

_WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "densenet169-imagenet"


@pytest.fixture(scope="module")
def densenet(made, load, tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    if not _WEIGHTS.is_dir():
        pytest.skip(f"the weights of DenseNet-169 are not at hand: there is no {_WEIGHTS}")
    model = made("densenet169", input_size=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUNDREDFOLD_CACHE", str(tmp_path_factory.mktemp("cache")))
        load(model, "densenet169", _WEIGHTS)
    model.backbone = fold(model.backbone)
    return model


def some(split: Split, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return images (count, 3, 32, 32) of the first 20 classes, and their labels."""
    rows = split.indices[split.labels[split.indices] < 20]
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:count])
    images = torch.from_numpy(np.asarray(split.pixels)[rows]).permute(0, 3, 1, 2)
    return images, torch.from_numpy(split.labels[rows])


@pytest.mark.real_data
def test_nearest_neighbours_on_its_features_are_correct_far_more_often(
    densenet: torch.nn.Module, real_cifar100: Path
) -> None:
    """300 training images, 150 others that were held out of training; chance is 5 %."""
    dataset = data.load("cifar100", Source(folder=real_cifar100))
    training, held_out = data.training(dataset, share=0.1, seed=0)
    known, labels = some(training, 300, 0)
    others, their = some(held_out, 150, 1)

    def top_1(features: Tensor, more: Tensor) -> float:
        votes = knn_votes(features, labels, more, classes=20, k=5)
        return float((votes.argmax(1) == their).float().mean())

    with torch.inference_mode():
        features = [torch.cat([densenet.features(b) for b in torch.split(images, 40)])
                    for images in (known, others)]  # fmt: skip
    pixels = [images.float().flatten(1) - 127.5 for images in (known, others)]
    assert top_1(*features) > top_1(*pixels) + 0.25
    assert top_1(*features) > 0.4
