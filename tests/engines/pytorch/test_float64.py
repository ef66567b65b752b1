"""No float64 on a device other than the CPU: Apple's GPUs have none."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hundredfold import augment, models
from hundredfold.compute.device import sum_type
from hundredfold.engines.pytorch import learner as learners
from hundredfold.engines.pytorch.learner import Learner, resized
from hundredfold.models._fold import fold
from hundredfold.optim import losses, optimizers, schedules

META = torch.device("meta")  # has every operation of a device and no numbers
COUNT, SIZE, CLASSES = 8, 32, 5
MODELS = ["simple_cnn(dropout=0.3)", "resnet(depth=20)", "wrn(depth=10, width=1, dropout=0.3)",
          "densenet(depth=22, growth=4)", "vgg(depth=11, batch_norm=True)", "speednet(width=0.25)",
          "preact_resnet(depth=18)", "mobilenet_v2", "efficientnet", "convnext"]  # fmt: skip


@pytest.fixture(autouse=True)
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what knows no meta device: autocast, and torch's fused updates."""
    monkeypatch.setattr(learners, "autocast", lambda *_: nullcontext())
    monkeypatch.setattr(optimizers._sgd, "sgd", lambda *_, **__: None)
    monkeypatch.setattr(optimizers._adam, "adam", lambda *_, **__: None)


class NoFloat64(TorchDispatchMode):
    """Fails where an operation takes or gives float64 off the CPU, as MPS does."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, result)):
            if isinstance(tensor, torch.Tensor) and tensor.device.type != "cpu":
                assert tensor.dtype != torch.float64, operation
        return result


def _learner(model: nn.Module, optimizer: str = "sgd", **options: Any) -> Learner:
    update = getattr(optimizers, optimizer)(model)
    schedule, keep = schedules.cosine, lambda _, size: size
    return Learner(
        model, update, losses.cross_entropy, lambda progress: schedule(progress), keep,
        precision="fp32", **options,
    )  # fmt: skip


def _batch(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.randint(0, 256, (COUNT, SIZE, SIZE, 3), dtype=torch.uint8)
    return images.permute(0, 3, 1, 2).to(device), torch.eye(CLASSES)[torch.arange(COUNT) % 5].to(
        device
    )


def _model(name: str) -> nn.Module:
    return models.build(name, classes=CLASSES, size=SIZE, seed=0)


def test_the_watch_sees_what_mps_would_refuse() -> None:
    for act in (
        lambda: torch.zeros(2, dtype=torch.float64).to(META),
        lambda: torch.zeros(2, device=META).double(),
    ):
        with pytest.raises(AssertionError), NoFloat64():
            act()
    with NoFloat64():
        assert torch.zeros(2).double().to(torch.float32).to(META).device == META


@pytest.mark.parametrize("micro_batch", [0, 4])
@pytest.mark.parametrize("name", MODELS)
def test_a_step_has_none(name: str, micro_batch: int) -> None:
    learner = _learner(_model(name).to(META), micro_batch=micro_batch, average=0.9)
    images, targets = _batch(META)
    with NoFloat64():
        for _ in range(2):
            sums = learner.step(images, targets, 0.5, 1)
    assert (sums.dtype, sums.device.type, sums.shape) == (torch.float32, "meta", (2,))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "muon"])
def test_an_update_has_none(optimizer: str) -> None:
    learner = _learner(_model("resnet(depth=20)").to(META), optimizer)
    images, targets = _batch(META)
    with NoFloat64():
        for _ in range(2):
            learner.step(images, targets, 0.5, 1)


@pytest.mark.parametrize(
    "chain",
    [
        "flip | shift | zoom | rotate",
        "pad_crop | cutout",
        "trivial",
        "mixup",
        "cutmix",
        "erase | alternating_flip",
        "pad_crop(mode='reflect')",
    ],
)
def test_an_augmentation_has_none(chain: str) -> None:
    images, targets = _batch(torch.device("cpu"))
    change = augment.pipeline(chain)
    generator, keys = torch.Generator().manual_seed(1), torch.arange(COUNT)
    with NoFloat64():
        try:
            change(images.to(META), targets.to(META), generator, 0, keys.to(META))
        except NotImplementedError as error:  # reads a number, of which meta has none
            pytest.skip(str(error)[:80])


def test_sums_on_the_way_are_of_the_type_that_steps_give() -> None:
    """As the loop adds them up, from where a run stood."""
    for device in (META, torch.device("cpu")):
        sums = torch.tensor((1.5, 3.0), dtype=sum_type(device)).to(device)
        learner = _learner(_model("simple_cnn").to(device))
        sums += learner.step(*_batch(device), 0.0, 1)
        assert sums.dtype == sum_type(device)
    assert sum_type(torch.device("cpu")) == torch.float64
    assert {sum_type(torch.device(name)) for name in ("cuda", "mps", "xpu")} == {torch.float32}


@pytest.mark.parametrize("name", ["resnet(depth=20)", "densenet(depth=22, growth=4)", "vgg"])
def test_folding_a_network_computes_on_the_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its float64 stays there, and what comes back lies on the network's device."""
    network = _model(name).eval()
    expected = {key: tensor.clone() for key, tensor in fold(network).state_dict().items()}
    moved: list[torch.device] = []
    to = nn.Module.to

    def watched(self: nn.Module, *given: Any, **more: Any) -> nn.Module:
        moved.extend(given[:1])
        return to(self, *given, **more)

    monkeypatch.setattr(nn.Module, "to", watched)
    monkeypatch.setattr(nn.Module, "cpu", lambda _: _model(name).eval())  # meta has no numbers
    with NoFloat64():
        folded = fold(network.to(META))
    assert moved[-1] == META
    assert {p.device.type for p in folded.parameters()} <= {"meta"}
    assert folded.state_dict().keys() == expected.keys()


def test_small_images_are_resized_without_any() -> None:
    with NoFloat64():
        assert resized(_batch(META)[0], 20).shape[-1] == 20
