"""One count of bytes for a dry run, the check before a run, and each save of it."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from hundredfold import cli
from hundredfold.optim import optimizers
from hundredfold.run import Run
from hundredfold.training import disk, saves, session
from hundredfold.weights import files

TRAIN = ["train", "--data", "shapes(size=18, classes=4, images=24)", "--batch-size", "16",
         "--precision", "fp32", "--threads", "1", "--epochs", "3"]  # fmt: skip
OPTIMIZERS = ["adam", "adamw", "sgd", "sgd(momentum=0.0, nesterov=False)", "muon"]
MODELS = ["simple_cnn", "wrn(depth=10, width=1)"]


def _bytes(folder: Path) -> int:
    kinds = ("*.safetensors", "*.npy", "*.jsonl", "state/*.json")
    return sum(path.stat().st_size for kind in kinds for path in folder.rglob(kind))


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_dry_run_the_check_and_the_saves_agree_with_what_is_written(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    optimizer: str,
    model: str,
) -> None:
    options = [*TRAIN, "--optimizer", optimizer, "--model", model, "--set", "ema=0.9"]
    assert cli.main([*options, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["bytes"]
    before, each, most = [], [], []

    def note_save(folder: Path, size: int, _remedy: str) -> None:
        each.append(size)
        most.append(_bytes(folder.parent))

    monkeypatch.setattr(session, "need_room", lambda _folder, size, _remedy: before.append(size))
    monkeypatch.setattr(saves, "need_room", note_save)
    monkeypatch.setattr(saves, "SHARE_OF_TIME", float("inf"))
    monkeypatch.setattr(Run, "delete_state", lambda run: most.append(_bytes(run.folder)))
    assert cli.main([*options, "--name", "a"]) == 0
    assert before == [plan]
    assert max(most) <= plan
    (state,) = {p.stat().st_size for p in Path("runs/a/state").glob("0*.safetensors")}
    (best,) = {p.stat().st_size for p in Path("runs/a/state").glob("best*.safetensors")}
    assert all(state + best <= size <= 1.05 * (state + best) + (1 << 17) for size in each)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "muon"])
def test_an_optimizers_outline_is_what_its_first_step_leaves(optimizer: str) -> None:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 5), nn.BatchNorm1d(1))
    model = nn.Sequential(*layers[:3], nn.Unflatten(1, (1, 5)), layers[3])
    trained = getattr(optimizers, optimizer)(model)
    before = [p.detach().clone() for p in model.parameters()]
    outline = {name: (t.shape, t.dtype) for name, t in trained.outline().items()}
    size = files.size(trained.outline())
    assert trained.tensors() == {}, "an outline fills nothing"
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))
    model(torch.randn(2, 3, 8, 8)).square().sum().backward()
    trained.step()
    assert {name: (t.shape, t.dtype) for name, t in trained.tensors().items()} == outline
    assert files.size(trained.tensors()) == size


def test_a_disk_without_room_is_refused_before_anything_is_made(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: Usage)
    assert cli.main([*TRAIN, "--name", "a"]) == 5
    assert "there is not enough room" in capsys.readouterr().err
    assert not (elsewhere / "runs").exists()
