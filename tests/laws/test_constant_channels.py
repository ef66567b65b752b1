"""Every network trains on pictures whose channels are constant, or nearly so, in bf16 and fp32."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hundredfold import models
from hundredfold.compute.precision import autocast
from hundredfold.optim.optimizers import adam, muon, sgd
from hundredfold.spec import names

NETWORKS = {
    "wrn": "wrn(depth=10, width=2)",
    "densenet": "densenet(depth=16)",
    "mobilenet_v2": "mobilenet_v2(width=0.5)",
    "convnext": "convnext(width=16)",
    "resnet": "resnet(depth=20)",
    "preact_resnet": "preact_resnet(depth=20)",
    "speednet": "speednet(width=0.25)",
}
LAW = [NETWORKS.get(n, n) for n in names("hundredfold.models") if n != "timm"]
CHOICES = ["speednet(width=0.25, whiten=False)", "speednet(width=0.25, dirac=False)"]
KINDS = ("grey", "drawings", "red", "flat", "flat grey", "black", "one white pixel")
COUNT, SIZE = 24, 32


def pictures(kind: str, seed: int = 0) -> Tensor:
    """Return uint8 images (COUNT, 3, SIZE, SIZE), channels-last."""
    chance = torch.Generator().manual_seed(seed)
    shape = (COUNT, 1, SIZE, SIZE)
    smooth = F.interpolate(torch.rand(COUNT, 1, 6, 6, generator=chance), (SIZE, SIZE))
    grey = (235 * smooth + 8 * torch.randn(shape, generator=chance)).clamp(0, 255).byte()
    images = torch.zeros(COUNT, 3, SIZE, SIZE, dtype=torch.uint8)
    if kind == "grey":
        images[:] = grey
    elif kind == "drawings":
        images[:] = 255
        for image, (row, column) in zip(images, torch.randint(SIZE, (COUNT, 2)), strict=True):
            image[:, row], image[:, :, column] = 0, 0
    elif kind == "red":
        images[:, :1] = grey
    elif kind.startswith("flat"):
        channels = 1 if kind == "flat grey" else 3
        images[:] = torch.randint(256, (COUNT, channels, 1, 1), generator=chance).byte()
    elif kind == "one white pixel":
        images[0, :, 5, 7] = 255
    return images.contiguous(memory_format=torch.channels_last)


def trained(name: str, images: Tensor, optimizer: str, precision: str, seed: int = 0) -> nn.Module:
    """Return a network after four steps, with a finite loss in each."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = models.build(name, classes=4, size=SIZE, seed=seed).train()
        next(module for module in model.modules() if hasattr(module, "fit")).fit(images)
        update = {"sgd": sgd, "adam": adam, "muon": muon}[optimizer](model)
        for _ in range(4):
            with autocast(torch.device("cpu"), precision):
                logits = model(images)
            loss = F.cross_entropy(logits.float(), torch.arange(COUNT) % 4)
            assert loss.isfinite()
            loss.backward()
            update.step()
            update.zero_grad()
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAW)
def test_networks_train_on_pictures_with_constant_channels(name: str, kind: str) -> None:
    _check(trained(name, pictures(kind), "sgd", "bf16"), kind)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["speednet(width=0.25)", *CHOICES])
def test_the_network_of_budgets_trains_on_them_with_its_optimizer(
    name: str, kind: str, precision: str
) -> None:
    for seed in range(2):
        _check(trained(name, pictures(kind, seed), "muon", precision, seed), kind)


def _check(model: nn.Module, kind: str) -> None:
    for key, value in model.state_dict().items():
        assert value.isfinite().all(), key
    for key, parameter in model.named_parameters():
        assert parameter.abs().max() < 500, f"{key} is {parameter.abs().max():.3g}"
    for norm in model.modules():
        norm.momentum = 1.0  # statistics of the next batch only
    images = pictures(kind)
    with torch.no_grad():
        with autocast(torch.device("cpu"), "bf16"):
            model(images)
        logits = model.eval()(images)  # scores are computed in fp32
    assert logits.isfinite().all()
    assert logits.abs().max() < 1e3, "rounding of the training is not multiplied in inference"
