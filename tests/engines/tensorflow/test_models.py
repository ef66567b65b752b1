"""The networks of both engines are the same ones, and Keras' get the pixels that they want."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hundredfold import models
from hundredfold.data import Source
from hundredfold.engines.pytorch import inference
from hundredfold.errors import MissingError, UsageError
from hundredfold.inference import load_weights
from hundredfold.recipe import Recipe

tf = pytest.importorskip("tensorflow", reason="the extra 'tensorflow' is not installed")

import keras  # noqa: E402

from hundredfold.engines.tensorflow import _layers, pretrained, weights  # noqa: E402
from hundredfold.engines.tensorflow._summary import summary  # noqa: E402
from hundredfold.engines.tensorflow.learner import in_order  # noqa: E402
from hundredfold.engines.tensorflow.opening import build  # noqa: E402

# Keras 3.15 itself turns its variables into arrays in a way that NumPy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLASSES = 7
FEATURES = {"vgg16": 14_714_688, "densenet121": 6_953_856}  # trainable, by Keras' own summaries
SHARED = [("simple_cnn", 18), ("simple_cnn(dropout=0.3)", 32), ("resnet(depth=20)", 18),
          ("resnet(depth=20)", 33)]  # fmt: skip
shared = pytest.mark.parametrize(("text", "size"), SHARED)


def _pixels(size: int, count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def _recipe(text: str, seed: int = 0, **fields: str) -> Recipe:
    return Recipe(engine="tensorflow", model=text, seed=seed, **fields)


def _built(text: str, size: int, seed: int = 0) -> Any:
    return build(_recipe(text, seed), CLASSES, size)


def _torch(text: str, size: int) -> nn.Module:
    """Return a network whose norms and scaling are not those of a fresh one."""
    model = models.build(text, classes=CLASSES, size=size, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            if name.startswith("scale."):
                tensor.add_(torch.rand(tensor.shape, generator=generator) * 9)
    return model


def _logits(network: Any, pixels: np.ndarray) -> np.ndarray:
    return in_order(lambda images: network(images, training=False), pixels, np.arange(len(pixels)))


@shared
def test_weights_of_pytorch_give_the_same_logits_in_keras(text: str, size: int) -> None:
    model, network = _torch(text, size), _built(text, size, 3)
    weights.assign(network, model.state_dict(), "memory")
    pixels = _pixels(size)
    expected = inference.logits(model, pixels, np.arange(5), device=torch.device("cpu"))
    assert expected.std() > 0.1
    np.testing.assert_allclose(_logits(network, pixels), expected, atol=1e-4)


@shared
def test_weights_of_keras_give_the_same_logits_in_pytorch(text: str, size: int) -> None:
    model, network = _torch(text, size), _built(text, size, 3)
    load_weights(model, weights.tensors(network), "memory")
    pixels = _pixels(size)
    actual = inference.logits(model, pixels, np.arange(5), device=torch.device("cpu"))
    np.testing.assert_allclose(actual, _logits(network, pixels), atol=1e-4)


@shared
def test_both_engines_count_the_same(text: str, size: int) -> None:
    ours = summary(_built(text, size), size)
    expected = models.summary(_torch(text, size), size)
    assert (ours.parameters, ours.macs) == (expected.parameters, expected.macs)


def test_the_same_seed_draws_the_same_weights() -> None:
    first, again, other = (weights.tensors(_built("simple_cnn", 18, s)) for s in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_scaling_is_fitted_as_pytorchs_layer_fits_it() -> None:
    pixels = _pixels(8, 50)
    pixels[..., 2] = 9
    scale = _layers.Scale("scale")
    scale.build(None)
    scale.fit(pixels)
    expected = [*pixels.std((0, 1, 2))[:2], 1.0]
    np.testing.assert_allclose(scale.mean.value.numpy().ravel(), pixels.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(scale.std.value.numpy().ravel(), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["vgg16", "densenet121"])
def test_keras_networks_get_the_pixels_that_their_weights_want(name: str, tmp_path: Path) -> None:
    expected = {"vgg16": keras.applications.vgg16, "densenet121": keras.applications.densenet}[name]
    keras.utils.set_random_seed(5)
    made = {"vgg16": keras.applications.VGG16, "densenet121": keras.applications.DenseNet121}[name]
    source = made(include_top=False, weights=None, pooling="avg", input_shape=(32, 32, 3))
    file = tmp_path / "notop.weights.h5"
    source.save_weights(file)
    recipe = _recipe(f'keras_application(name="{name}")', weights=str(file),
                     strategy="linear_probe(input_size=32)")  # fmt: skip
    recipe, found = pretrained.resolve_weights(recipe, Source(offline=True), None)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    assert recipe.weights == f"notop.weights.h5@{digest}"
    network = build(recipe, CLASSES, 32)
    pretrained.load(network, name, found, offline=True)
    body = keras.Model(network.input, network.get_layer("features").output)
    pixels = _pixels(32)
    scaled = expected.preprocess_input(pixels.astype(np.float32))
    np.testing.assert_allclose(_logits(body, pixels), _logits(source, scaled), atol=1e-4)
    channels = body.output.shape[-1]
    assert summary(network, 32).parameters == FEATURES[name] + (channels + 1) * CLASSES
    trained = {variable.path for variable in network.trainable_variables}
    assert trained == {"classifier/kernel", "classifier/bias"}


def test_missing_or_wrong_weights_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    model = 'keras_application(name="vgg16")'
    network = _built(model, 32)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    for given in ("imagenet", str(tmp_path / "none.h5"), str(tmp_path / "other.weights.h5")):
        recipe, source = _recipe(model, weights=given), Source(offline=True)
        with pytest.raises(MissingError, match="vgg16") as caught:
            _, file = pretrained.resolve_weights(recipe, source, None)
            pretrained.load(network, "vgg16", file, offline=True)
        assert "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5" in str(caught.value)


def test_pinned_weights_are_those_of_the_recipe_or_none(tmp_path: Path) -> None:
    one, other = tmp_path / "one.h5", tmp_path / "other.h5"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    source = Source(offline=True)
    recipe = _recipe('keras_application(name="vgg16")', weights=str(one))
    pinned, file = pretrained.resolve_weights(recipe, source, None)
    assert (file.path, file.layout) == (one, "keras")
    assert pretrained.resolve_weights(pinned, source, one) == (pinned, file)
    with pytest.raises(MissingError, match="not those of the recipe"):
        pretrained.resolve_weights(pinned, source, other)
    scratch = _recipe('keras_application(name="vgg16")')
    assert pretrained.resolve_weights(scratch, source, None) == (scratch, None)


@pytest.mark.parametrize(
    ("strategy", "trained"), [("fine_tune(rate=1.0)", FEATURES["vgg16"]), ("linear_probe", 0)]
)
def test_a_strategy_says_what_is_trained(strategy: str, trained: int) -> None:
    recipe = _recipe('keras_application(name="vgg16")', weights="imagenet", strategy=strategy)
    network = build(recipe, CLASSES, 32)
    assert network.get_layer("resize").output.shape[1:3] == (128, 128)
    assert network.get_layer("dropout").rate == 0.2
    numbers = sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
    assert numbers == trained + (512 + 1) * CLASSES


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("resnet(depth=18)", "depth=18"),
        ('keras_application(name="vgg16", dropout=1.5)', "dropout"),
        ("simple_cnn(dropout=1.0)", "dropout"),
    ],
)
def test_networks_that_cannot_be_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        _built(text, 32)
