"""Our backbones with Keras' weights compute Keras' features, scaling included."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hundredfold import cli, data
from hundredfold.data import Source
from hundredfold.engines.pytorch import network
from hundredfold.engines.pytorch.inference import open_model
from hundredfold.run import Run
from hundredfold.weights import files
from hundredfold.weights.load import load_weights
from hundredfold.weights.locate import resolve_weights

SMALL = ["train", "--data", "shapes(size=18, classes=4, images=24)", "--batch-size", "16",
         "--precision", "fp32", "--threads", "1", "--epochs", "1",
         "--set", "validation=0.25"]  # fmt: skip
BACKBONES = {
    "vgg16": "VGG16",
    "resnet50": "ResNet50",
    "densenet121": "DenseNet121",
    "mobilenet_v2": "MobileNetV2",
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory):
    """Return a function that lets Keras save a model, once for each name and size."""
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("h5py") is None:
        pytest.skip("keras and h5py are not installed: pip install tensorflow-cpu")
    folders: dict[tuple[str, int], Path] = {}

    def save(name: str, size: int) -> Path:
        if (name, size) not in folders:
            folder = tmp_path_factory.mktemp(name)
            script = str(Path(__file__).with_name("keras_model.py"))
            command = [sys.executable, script, name, str(size), str(folder)]
            subprocess.run(command, check=True, capture_output=True, timeout=300)
            folders[name, size] = folder
        return folders[name, size]

    return save


@pytest.mark.parametrize("file", ["published.h5", "saved.weights.h5"])
@pytest.mark.parametrize("size", [64, 75])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_features_are_those_of_keras(
    saved, recipe_with, backbone: str, size: int, file: str
) -> None:
    folder = saved(BACKBONES[backbone], size)
    recipe, weights = resolve_weights(recipe_with(backbone), Source(offline=True), folder / file)
    assert weights.layout == "keras"
    options = {"layout": weights.layout, "input_size": size}
    model = network.build(recipe, classes=2, size=size, **options).eval()
    load_weights(model.backbone, recipe.model, weights)
    images = torch.from_numpy(np.load(folder / "images.npy")).permute(0, 3, 1, 2)
    with torch.no_grad():
        actual = model.features(images).numpy()
    expected = np.load(folder / "features.npy")
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(actual / scale, expected / scale, atol=1e-4)
    assert np.abs(actual - expected).max() < 1e-4 * max(1.0, scale)


def _difference(run: Run, stored: np.ndarray) -> float:
    """Return how far logits of the opened network are from stored ones, as a share of these."""
    dataset = data.load(run.recipe.data, Source())
    _, split = data.training(dataset, share=0.25, seed=0)
    logits = open_model(run, torch.device("cpu")).logits(split.pixels, split.indices)
    return float(np.abs(logits - stored).max() / np.abs(stored).max())


def test_a_run_that_began_with_keras_weights_opens_to_the_same_logits(
    saved, tmp_path: Path
) -> None:
    """What no recipe says, Keras' padding and the size that the network sees, its weights say."""
    file = saved("MobileNetV2", 64) / "published.h5"
    first = ["--model", "mobilenet_v2", "--weights", str(file)]
    assert cli.main([*SMALL, *first, "--out", str(tmp_path), "--name", "a"]) == 0
    run = Run(tmp_path / "a")
    told = run.info["weights"]
    assert (told["layout"], told["input_size"]) == ("keras", 128)
    stored = run.logits("validation")
    assert _difference(run, stored) < 1e-3
    assert cli.main([*SMALL, "--weights", "a", "--strategy", "fine_tune(input_size=40)",
                     "--out", str(tmp_path), "--name", "b"]) == 0  # fmt: skip
    other = Run(tmp_path / "b")
    told = other.info["weights"]
    assert (told["layout"], told["input_size"]) == ("keras", 40)
    assert _difference(other, other.logits("validation")) < 1e-3
    with files.opened(run.best()) as contents:
        tensors, metadata = contents.tensors(list(contents.entries)), dict(contents.metadata)
    for key, value in {"layout": "torchvision", "input_size": "64"}.items():
        files.write(run.best(), tensors, metadata | {key: value})
        assert _difference(run, stored) > 0.02, key
