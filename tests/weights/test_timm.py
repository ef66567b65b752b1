"""Networks of timm as backbones: with a stand-in for timm, and with timm where it imports."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from hundredfold import cli, models
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.errors import MissingError, UsageError
from hundredfold.recipe import Recipe
from hundredfold.run import Run

NAME = "tiny_net.a1_in1k"
MEAN, STD = (0.5, 0.4, 0.3), (0.1, 0.2, 0.25)
SMALL = ["train", "--data", "shapes(size=18, classes=4, images=24)", "--batch-size", "16",
         "--precision", "fp32", "--threads", "1", "--epochs", "1"]  # fmt: skip


class _Tiny(nn.Module):
    """A network as timm makes one: pooled features, `pretrained_cfg`, a head unless 0 classes."""

    def __init__(self, classes: int, fixed: bool) -> None:
        super().__init__()
        self.num_features = 6
        self.conv = nn.Conv2d(3, 6, 3)
        self.bn = nn.BatchNorm2d(6)
        self.head = nn.Linear(6, classes) if classes else nn.Identity()
        self.pretrained_cfg = {
            "mean": MEAN, "std": STD, "input_size": (3, 48, 48), "fixed_input_size": fixed,
        }  # fmt: skip

    def reset_classifier(self, classes: int) -> None:
        self.head = nn.Linear(6, classes) if classes else nn.Identity()

    def forward(self, x: Tensor) -> Any:
        return self.head(self.bn(self.conv(x)).mean((2, 3)))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    timm: Any = ModuleType("timm")
    timm.list_models = lambda: ["tiny_net", "tiny_fixed"]
    timm.list_pretrained = lambda: [NAME]

    def create_model(name: str, *, pretrained: bool, num_classes: int = 1000) -> nn.Module:
        assert not pretrained
        return _Tiny(num_classes, "fixed" in name)

    timm.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", timm)


def _published() -> _Tiny:
    torch.manual_seed(3)
    whole = _Tiny(1000, False).eval()
    whole.bn.running_mean.uniform_(-1, 1)
    return whole


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_features_are_those_of_the_network_on_images_scaled_as_it_says(
    tmp_path: Path, images, made, load, suffix: str
) -> None:
    whole, file = _published(), tmp_path / f"model{suffix}"
    if suffix == ".pth":
        torch.save(whole.state_dict(), file)
    else:
        save_file(whole.state_dict(), file)
    model = made(f"timm/{NAME}")
    load(model, f"timm/{NAME}", file)
    pixels = images(32)
    scaled = (pixels / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        expected = whole.bn(whole.conv(scaled)).mean((2, 3))
        torch.testing.assert_close(model.features(pixels), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("stand_in")
def test_a_run_trains_is_evaluated_and_lends_its_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file(_published().state_dict(), tmp_path / f"{NAME}.safetensors")
    chosen = ["--model", f"timm/{NAME}", "--strategy", "linear_probe(input_size=32)"]
    place = ["--out", str(tmp_path / "runs"), "--name"]
    assert cli.main([*SMALL, *chosen, *place, "a", "--weights", str(tmp_path)]) == 0
    assert cli.main(["evaluate", str(tmp_path / "runs" / "a")]) == 0
    assert cli.main([*SMALL, *place, "b", "--pretrained", str(tmp_path / "runs" / "a")]) == 0
    assert cli.main([*SMALL, *chosen, *place, "c", "--weights", "imagenet"]) == 4
    said = capsys.readouterr().err
    assert f"https://huggingface.co/timm/{NAME}" in " ".join(said.split())


@pytest.mark.usefixtures("stand_in")
def test_a_network_of_timm_trains_from_scratch_and_opens_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--out", str(tmp_path / "runs"), "--name", "a"]
    assert cli.main([*SMALL, "--model", f"timm/{NAME}", *place]) == 0
    run = Run(tmp_path / "runs" / "a")
    assert str(run.recipe.model) == f"timm(name={NAME!r})"
    assert run.recipe.strategy.name == "scratch"
    held = run.summary["parameters"]
    assert held == (3 * 9 * 6 + 6) + 2 * 6 + (6 * 4 + 4), "convolution, norm, head of 4 classes"
    assert cli.main(["evaluate", str(run.folder), "--split", "validation"]) == 0
    assert "validation" in capsys.readouterr().out


@pytest.mark.usefixtures("stand_in")
def test_a_name_of_timm_is_a_part_of_a_recipe() -> None:
    short, long = (Recipe(model=text) for text in (f"timm/{NAME}", f"timm(name={NAME!r})"))
    assert short.digest == long.digest
    built = models.build(long.model, classes=4, size=32, seed=0)
    assert built(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape == (2, 4)


@pytest.mark.usefixtures("stand_in")
def test_what_does_not_fit_is_one_sentence(tmp_path: Path, made, load) -> None:
    with pytest.raises(UsageError, match="no network 'tiny_nett'") as caught:
        made("timm/tiny_nett")
    assert caught.value.remedy == "did you mean 'tiny_net'?"
    with pytest.raises(UsageError, match="takes images of 48 pixels, not 32"):
        made("timm/tiny_fixed")
    assert isinstance(made("timm/tiny_fixed", input_size=48), Transfer)
    tensors = _published().state_dict()
    del tensors["conv.bias"]
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(MissingError, match=r"network\.conv\.bias: none there"):
        load(made("timm/tiny_net"), "timm/tiny_net", tmp_path / "w.safetensors")


def test_without_timm_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, made) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingError, match="need timm") as caught:
        made("timm/resnet18")
    assert caught.value.remedy.startswith("pip install timm")


def test_timm_itself(tmp_path: Path, images, made, load) -> None:
    """One network each of three kinds, its own weights read back."""
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm does not import here: {error}")
    for name in ("resnet10t", "convnext_atto", "mobilenetv3_small_050"):
        whole = timm.create_model(name, pretrained=False).eval()
        save_file(whole.state_dict(), tmp_path / f"{name}.safetensors")
        model = made(f"timm/{name}", input_size=64)
        load(model, f"timm/{name}", tmp_path / f"{name}.safetensors")
        about, pixels = whole.pretrained_cfg, images(64)
        mean, std = (torch.tensor(about[key]).view(3, 1, 1) for key in ("mean", "std"))
        with torch.no_grad():
            expected = whole.forward_head(
                whole.forward_features((pixels / 255 - mean) / std), pre_logits=True
            )
            torch.testing.assert_close(model.features(pixels), expected, rtol=1e-4, atol=1e-4)
