"""All weights of the right names and shapes, or none and one sentence."""

import pickle
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from hundredfold import models
from hundredfold.backbones import BACKBONES
from hundredfold.errors import MissingError, UsageError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize("backbone", ["resnet18", "densenet121", "mobilenet_v2", "vgg16_bn",
                                      "efficientnet_b0", "convnext_tiny"])  # fmt: skip
def test_a_file_by_torchvisions_names_computes_the_networks_own_features(
    backbone: str, tmp_path: Path, images, made, load, published
) -> None:
    """The oracle is the whole network, fed with floats scaled as torchvision's page says."""
    tensors = published(backbone)
    torch.save(tensors, tmp_path / "w.pth")
    whole = models.build(BACKBONES[backbone].network, classes=1000, size=224, seed=5).eval()
    whole.load_state_dict(tensors, strict=False)
    whole.scale.mean.zero_()
    whole.scale.std.fill_(1)
    last = [m for m in whole.modules() if isinstance(m, torch.nn.Linear)][-1]
    inputs = []
    last.register_forward_hook(lambda _m, given, _o: inputs.append(given[0]))
    pixels = images(64)
    scaled = (pixels / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    model = made(backbone, input_size=64)
    load(model, backbone, tmp_path / "w.pth")
    with torch.no_grad():
        whole(scaled)
        actual = model.features(pixels)
    torch.testing.assert_close(actual, inputs[0], rtol=1e-4, atol=1e-4 * float(inputs[0].max()))


def test_densenets_old_names_are_known(tmp_path: Path, made, load, published) -> None:
    tensors = published("densenet121")
    old = {}
    for name, tensor in tensors.items():
        for kind in ("norm", "conv"):
            for number in "12":
                name = name.replace(f".{kind}{number}.", f".{kind}.{number}.")
        old[name] = tensor
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    model = made("densenet121")
    load(model, "densenet121", tmp_path / "old.pth")
    layer = model.backbone.features.denseblock1.denselayer1
    assert torch.equal(
        layer.norm2.running_var, tensors["features.denseblock1.denselayer1.norm2.running_var"]
    )


def test_a_safetensors_file_says_its_epsilon(tmp_path: Path, made, load, published) -> None:
    tensors = {n: t.contiguous() for n, t in published("resnet18").items()}
    save_file(tensors, tmp_path / "w.safetensors", {"bn_eps": "0.001"})
    model = made("resnet18")
    load(model, "resnet18", tmp_path / "w.safetensors")
    actual, given = model.backbone.bn1.running_var, tensors["bn1.running_var"]
    torch.testing.assert_close(actual, given + (1e-3 - 1e-5), rtol=1e-6, atol=1e-7)


def test_a_cut_backbone_reads_a_whole_file(resnet18: Path, images, made, load) -> None:
    model = made("resnet18", cut=2)
    load(model, "resnet18", resnet18)
    assert model.classifier.in_features == 128
    assert model.features(images(32)).shape == (4, 128)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t.pop("layer3.0.conv1.weight"), "layer3.0.conv1.weight: none there"),
        (lambda t: t.update({"bn1.weight": torch.ones(65)}), r"bn1.weight: \(65,\) there"),
        (lambda t: t.update({"layer9.weight": torch.ones(1)}), "layer9.weight"),
        (lambda t: t["bn1.bias"].fill_(float("nan")), "bn1.bias holds numbers that are not finite"),
    ],
)
def test_wrong_weights_change_nothing(
    resnet18: Path, tmp_path: Path, spoil, says: str, made, load
) -> None:
    tensors = torch.load(resnet18, weights_only=True)
    spoil(tensors)
    torch.save(tensors, tmp_path / "w.pth")
    model = made("resnet18")
    before = {n: t.clone() for n, t in model.state_dict().items()}
    with pytest.raises(MissingError) as caught:
        load(model, "resnet18", tmp_path / "w.pth")
    assert caught.value.exit_code == 4
    assert re.search(says, str(caught.value))
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())


def test_weights_of_another_network_say_how_to_get_the_right_ones(
    resnet18: Path, made, load
) -> None:
    with pytest.raises(MissingError) as caught:
        load(made("resnet34"), "resnet34", resnet18)
    assert "not those of resnet34" in str(caught.value)
    assert "https://download.pytorch.org/models/resnet34-b627a593.pth" in str(caught.value)


class Canary:
    """Touch a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (self.file,))


@pytest.mark.parametrize("content", ["pickle", "torch", "text", "empty", "half"])
def test_a_strangers_file_runs_no_code(
    content: str, tmp_path: Path, resnet18: Path, made, load
) -> None:
    file, canary = tmp_path / "w.pth", tmp_path / "canary"
    if content == "pickle":
        file.write_bytes(pickle.dumps({"bn1.weight": Canary(canary)}))
    elif content == "torch":
        torch.save({"bn1.weight": Canary(canary)}, file)
    elif content == "half":
        file.write_bytes(resnet18.read_bytes()[:100_000])
    else:
        file.write_bytes(b"not weights" if content == "text" else b"")
    with pytest.raises(MissingError, match="cannot read weights"):
        load(made("resnet18"), "resnet18", file)
    assert not canary.exists()


def test_the_backbone_stays_in_inference_mode_and_frozen(
    resnet18: Path, images, made, load
) -> None:
    model = made("resnet18")
    load(model, "resnet18", resnet18)
    before = {n: t.clone() for n, t in model.backbone.state_dict().items()}
    F.cross_entropy(model.train()(images(32)), torch.arange(4) % 3).backward()
    trained = {n for n, p in model.named_parameters() if p.grad is not None}
    assert trained == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(t, before[n]) for n, t in model.backbone.state_dict().items())


def test_rates_fall_towards_the_image(made) -> None:
    model = made("resnet18", "fine_tune", rate=0.1, layer_decay=0.5)
    shares = {id(p): share for p, share in model.rates()}
    assert len(shares) == len(list(model.parameters()))
    assert shares[id(model.classifier.weight)] == 1
    assert shares[id(model.backbone.conv1.weight)] == pytest.approx(0.1 * 0.5**3)
    assert shares[id(model.backbone.layer4[1].conv2.weight)] == pytest.approx(0.1)


def test_frozen_quarters_begin_at_the_image_and_cost_no_gradient(images, made) -> None:
    model = made("resnet18", "fine_tune", rate=0.1, layer_decay=0.5, freeze=1)
    names = [name for name, _ in model.backbone.named_parameters()]
    F.cross_entropy(model(images(32)), torch.arange(4) % 3).backward()
    trained = [name for name, p in model.backbone.named_parameters() if p.grad is not None]
    assert trained == names[len(names) // 4 :]
    shares = dict(model.rates())
    assert len(shares) == len(trained) + 2
    assert min(shares.values()) == pytest.approx(0.1 * 0.5**2)


@pytest.mark.parametrize(
    ("backbone", "options", "says"),
    [
        ("densenet196", {}, "did you mean 'densenet169'"),
        ("resnet18", {"cut": 5}, "1 to 4"),
        ("wrn(depth=10)", {"cut": 1}, "whole networks only"),
        ("resnet18", {"cut": -1}, "cut is a number from 0 to 100"),
    ],
)
def test_a_network_that_cannot_begin_with_weights_says_what_would_be_right(
    backbone: str, options: dict[str, object], says: str, made
) -> None:
    with pytest.raises(UsageError) as caught:
        made(backbone, **options)
    assert says in str(caught.value)
