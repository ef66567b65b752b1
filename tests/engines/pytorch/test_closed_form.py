"""Solved heads in the cache: what decides them finds them, what damages them costs a solution."""

from pathlib import Path

import pytest
import torch

from hundredfold.engines.pytorch import probes
from hundredfold.engines.pytorch.closed_form import KEPT, Heads, solve

CLASSES = 3


def features(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    centres = 2 * torch.eye(CLASSES, 8)[labels]
    return centres + torch.randn(count, 8, generator=generator), labels


def found(cache: Path, *, seed: int = 0, count: int = 90) -> Heads:
    return solve(*features(count), *features(60, 1), classes=CLASSES, seed=seed, cache=cache)


def files(cache: Path) -> list[Path]:
    return list((cache / "heads").glob("*/heads.safetensors"))


@pytest.fixture
def solutions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by one for each solution of ridge regression."""
    made: list[int] = []
    ridge = probes.ridge

    def counted(*given: torch.Tensor, classes: int) -> probes.Solved:
        made.append(1)
        return ridge(*given, classes=classes)

    monkeypatch.setattr(probes, "ridge", counted)
    return made


def test_what_is_kept_is_what_was_solved(tmp_path: Path, solutions: list[int]) -> None:
    first, second = found(tmp_path), found(tmp_path)
    assert len(solutions) == 1
    assert first.right == second.right
    assert next(iter(first.right)) == "nearest"
    assert min(first.right.values()) > 0.6
    for kind in ("ridge", "logistic"):
        for one, other in zip(first.dense[kind], second.dense[kind], strict=True):
            assert torch.equal(one, other)
    solved = probes.ridge(*features(90), *features(60, 1), classes=CLASSES)
    assert torch.equal(second.dense["ridge"][0], solved.weight)


def test_other_features_and_seeds_are_solved_anew(tmp_path: Path, solutions: list[int]) -> None:
    found(tmp_path)
    found(tmp_path, count=93)
    found(tmp_path, seed=1)
    assert len(solutions) == len(files(tmp_path)) == 3


def test_a_damaged_file_is_solved_anew(tmp_path: Path, solutions: list[int]) -> None:
    whole = found(tmp_path)
    (file,) = files(tmp_path)
    content = file.read_bytes()
    flipped = [bytearray(content) for _ in range(20)]
    for number, one in enumerate(flipped):
        one[number * len(one) // len(flipped)] ^= 1
    cut = [b"", content[:-1], content.replace(b"ridge.bias", b"ridge.boas")]
    for damaged in (*cut, *flipped):
        file.write_bytes(damaged)
        assert found(tmp_path).right == whole.right
        assert file.read_bytes() == content
    assert len(solutions) == 1 + len(cut) + len(flipped)


def test_a_cache_that_cannot_be_written_costs_a_solution_and_nothing_else(
    tmp_path: Path, solutions: list[int]
) -> None:
    (tmp_path / "cache").write_text("")
    assert found(tmp_path / "cache").right == found(tmp_path / "other").right
    assert len(solutions) == 2


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for seed in range(KEPT + 2):
        found(tmp_path, seed=seed)
    assert len(files(tmp_path)) == KEPT
