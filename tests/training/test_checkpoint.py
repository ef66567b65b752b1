"""Saves: exact, immutable, and passed over when damaged."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hundredfold import spec
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.errors import CheckError
from hundredfold.models import build
from hundredfold.optim import losses, resolutions
from hundredfold.run import commits
from hundredfold.training import checkpoint, disk
from hundredfold.training.position import step_seed

OPTIMIZERS = ("sgd", "sgd(momentum=0.0, nesterov=False)", "adam", "adamw")


def _learner(optimizer: str, average: float = 0.9, seed: int = 0) -> Learner:
    model = build("wrn(depth=10, width=1, dropout=0.3)", classes=4, size=12, seed=seed)
    make = spec.resolve(optimizer, "hundredfold.optim.optimizers")
    return Learner(
        model,
        make(model),
        losses.cross_entropy,
        lambda progress: 1 - progress,
        resolutions.progressive,
        precision="fp32",
        average=average,
    )


def _step(learner: Learner, number: int) -> Tensor:
    generator = torch.Generator().manual_seed(number)
    images = torch.randint(256, (8, 12, 12, 3), generator=generator, dtype=torch.uint8)
    targets = torch.rand(8, 4, generator=generator).softmax(1)
    key = step_seed(0, 0, number)
    return learner.step(images.permute(0, 3, 1, 2), targets, number / 10, key)


def _save(folder: Path, step: int, *, best: int = 1, value: float = 0.0) -> None:
    tensors = {"w": torch.full((4, 3), float(step)), "n": torch.tensor(step)}
    weights = {"w": torch.full((4, 3), float(best))}
    checkpoint.save(folder, step, tensors, {"epoch": step, "loss": value}, weights, best)


def _silent(_line: str) -> None:
    pass


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_step_after_loading_is_the_step_without_a_save(
    tmp_path: Path, optimizer: str, average: float
) -> None:
    unbroken = _learner(optimizer, average)
    for number in range(3):
        _step(unbroken, number)
    checkpoint.save(tmp_path, 3, unbroken.tensors(), {}, {}, 0)
    saved = checkpoint.load(tmp_path, _silent)
    assert saved is not None
    resumed = _learner(optimizer, average, seed=9)
    resumed.load(saved.tensors)
    for number in range(3, 8):
        torch.testing.assert_close(_step(resumed, number), _step(unbroken, number), rtol=0, atol=0)
    expected, actual = unbroken.tensors(), resumed.tensors()
    assert expected.keys() == actual.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, actual[name]), name
        assert tensor.dtype == actual[name].dtype, name


def test_a_loaded_optimizer_state_lies_in_memory_as_its_parameter(tmp_path: Path) -> None:
    learner = _learner("adam")
    _step(learner, 0)
    checkpoint.save(tmp_path, 1, learner.tensors(), {}, {}, 0)
    saved = checkpoint.load(tmp_path, _silent)
    assert saved is not None
    resumed = _learner("adam")
    resumed.load(saved.tensors)
    resumed_buffers = resumed.optimizer.tensors()
    for name, buffer in learner.optimizer.tensors().items():
        assert resumed_buffers[name].stride() == buffer.stride(), name


def test_a_save_comes_back_with_its_position_and_its_best(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
               "b": torch.randn(3).to(torch.bfloat16), "c": torch.tensor(7)}  # fmt: skip
    position = {"epoch": 2, "loss": 0.1 + 0.2, "best": {"epoch": 1, "value": 1 / 3}}
    checkpoint.save(tmp_path, 7, tensors, position, {"w": torch.ones(2)}, 1)
    saved = checkpoint.load(tmp_path, _silent)
    assert saved is not None
    assert saved.position == position
    assert torch.equal(saved.best["w"], torch.ones(2))
    for name, tensor in tensors.items():
        assert torch.equal(saved.tensors[name], tensor)


def test_where_nothing_was_saved_there_is_nothing_to_load(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path, _silent) is None


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _emptied(_content: bytes) -> bytes:
    return b""


def _flipped(fraction: float) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        index = int(fraction * (len(content) - 1))
        return content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :]

    return flip


DAMAGES = {"cut": _cut, "emptied": _emptied, **{f"flipped at {s}": _flipped(s) for s in
           (0.0, 0.1, 0.3, 0.5, 0.8, 0.999)}}  # fmt: skip
FILES = {"tensors": "0000000020.safetensors", "best": "best-000002-b.safetensors",
         "commit": "0000000020.json"}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_save_is_reported_and_passed_over_for_the_one_before(
    tmp_path: Path, file: str, damage: str
) -> None:
    _save(tmp_path, 10, best=1)
    _save(tmp_path, 20, best=2)
    path = tmp_path / FILES[file]
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    reported: list[str] = []
    saved = checkpoint.load(tmp_path, reported.append)
    assert saved is not None
    assert saved.position["epoch"] == 10
    assert float(saved.best["w"][0, 0]) == 1
    assert len(reported) == 1
    assert "0000000020.json" in reported[0]
    assert "damaged" in reported[0]


def test_no_single_byte_of_a_commit_can_change_unnoticed(tmp_path: Path) -> None:
    _save(tmp_path, 10, value=1.25)
    _save(tmp_path, 20, value=2.5)
    path = tmp_path / "0000000020.json"
    content, before = path.read_bytes(), (tmp_path / "0000000010.json").read_bytes()
    for index in range(len(content)):
        path.write_bytes(content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :])
        saved = checkpoint.load(tmp_path, _silent)
        assert saved is not None
        assert saved.position in ({"epoch": 10, "loss": 1.25}, {"epoch": 20, "loss": 2.5})
        assert float(saved.tensors["n"]) == saved.position["epoch"]
        (tmp_path / "0000000010.json").write_bytes(before)


def test_a_missing_file_is_a_damaged_save(tmp_path: Path) -> None:
    _save(tmp_path, 10, best=1)
    _save(tmp_path, 20, best=1)
    (tmp_path / "0000000020.safetensors").unlink()
    saved = checkpoint.load(tmp_path, _silent)
    assert saved is not None
    assert saved.position["epoch"] == 10


def test_tensors_without_a_commit_are_no_save(tmp_path: Path) -> None:
    _save(tmp_path, 10)
    _save(tmp_path, 20)
    (tmp_path / "0000000020.json").unlink()
    saved = checkpoint.load(tmp_path, _silent)
    assert saved is not None
    assert saved.position["epoch"] == 10


def test_where_every_save_is_damaged_it_is_an_error(tmp_path: Path) -> None:
    for step in (10, 20):
        _save(tmp_path, step)
        (tmp_path / f"{step:010d}.safetensors").write_bytes(b"")
    lines: list[str] = []
    with pytest.raises(CheckError, match="every saved state"):
        checkpoint.load(tmp_path, lines.append)
    assert len(lines) == 2


def test_training_goes_on_after_a_damaged_save(tmp_path: Path) -> None:
    _save(tmp_path, 10)
    _save(tmp_path, 20)
    (tmp_path / "0000000020.json").write_bytes(b"{")
    assert checkpoint.load(tmp_path, _silent) is not None
    _save(tmp_path, 20)
    _save(tmp_path, 30)
    saved = checkpoint.load(tmp_path, _silent)
    assert saved is not None
    assert saved.position["epoch"] == 30


def test_two_saves_are_kept_and_all_that_they_name(tmp_path: Path) -> None:
    for step, best in ((10, 1), (20, 1), (30, 3), (40, 3), (50, 3)):
        _save(tmp_path, step, best=best)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "0000000040.json",
        "0000000040.safetensors",
        "0000000050.json",
        "0000000050.safetensors",
        "best-000003-a.safetensors",
        "best-000003-b.safetensors",
    ]


def test_the_best_that_the_older_save_names_stays(tmp_path: Path) -> None:
    _save(tmp_path, 10, best=1)
    _save(tmp_path, 20, best=2)
    for path in tmp_path.glob("*.json"):
        for entry in ("tensors", "best"):
            assert (tmp_path / json.loads(path.read_text())[entry]["file"]).is_file()


def test_an_unchanged_best_is_written_once_in_each_of_two_places(tmp_path: Path) -> None:
    _save(tmp_path, 10, best=1)
    _save(tmp_path, 20, best=1)
    files = sorted(tmp_path.glob("best*"))
    written = [path.stat().st_mtime_ns for path in files]
    for step in (30, 40, 50):
        _save(tmp_path, step, best=1)
    assert len(files) == 2
    assert [path.stat().st_mtime_ns for path in files] == written


def test_a_damaged_best_is_written_again(tmp_path: Path) -> None:
    for step in (10, 20):
        _save(tmp_path, step, best=1)
    (tmp_path / "best-000001-a.safetensors").write_bytes(b"damaged")
    _save(tmp_path, 30, best=1)
    saved = checkpoint.load(tmp_path, _silent)
    assert saved is not None
    assert saved.position["epoch"] == 30


@pytest.mark.parametrize("step", [20, 30])
def test_two_saves_share_no_file(tmp_path: Path, step: int) -> None:
    """One damaged file is one damaged save, even where the best is the same for long."""
    for number in range(10, step + 1, 10):
        _save(tmp_path, number, best=1)
    _save(tmp_path, step, best=1)  # once more, as at the end of a training
    named = []
    for path in tmp_path.glob("*.json"):
        commit = json.loads(path.read_text())
        named += [commit[entry]["file"] for entry in ("tensors", "best")]
    assert len(named) == len(set(named)) == 4


def test_a_damaged_older_save_does_not_stop_the_next_one(tmp_path: Path) -> None:
    for step in (10, 20):
        _save(tmp_path, step)
    (tmp_path / "0000000010.json").write_bytes(b"{")
    (tmp_path / "0000000010.safetensors").write_bytes(b"")
    _save(tmp_path, 30)
    names = sorted(path.stem for path in tmp_path.glob("*.json"))
    assert names == ["0000000020", "0000000030"]


def test_a_save_that_was_passed_over_never_counts_as_one_that_is_kept(tmp_path: Path) -> None:
    for step in (10, 20):
        _save(tmp_path, step)
    (tmp_path / "0000000020.safetensors").write_bytes(b"")
    assert checkpoint.load(tmp_path, _silent) is not None
    _save(tmp_path, 15)
    names = sorted(path.stem for path in tmp_path.glob("*.json"))
    assert names == ["0000000010", "0000000015"]


def test_a_commit_names_no_file_of_another_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    _save(folder, 10)
    (folder / "0000000010.safetensors").rename(tmp_path / "else.safetensors")
    commit = json.loads((folder / "0000000010.json").read_text())
    commit["tensors"]["file"] = "../else.safetensors"
    del commit["sha256"]
    signed = commit | {"sha256": commits.digest(commit)}
    (folder / "0000000010.json").write_text(json.dumps(signed))
    lines: list[str] = []
    with pytest.raises(CheckError, match="every saved state"):
        checkpoint.load(folder, lines.append)
    assert "tensors.file" in lines[0]


def test_a_save_takes_no_more_room_than_was_foreseen(tmp_path: Path) -> None:
    learner = _learner("adam")
    _step(learner, 0)
    tensors, best = learner.tensors(), learner.weights()
    checkpoint.save(tmp_path, 1, tensors, {"curve": ""}, best, 1)
    taken = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert taken <= disk.save_bytes(learner, "") < taken + (1 << 17)
