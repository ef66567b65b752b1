"""Fitted probes in the cache: their inputs are the key, and a damaged entry is fitted anew."""

from pathlib import Path

import pytest
import torch

from hundredfold.engines.pytorch import probes
from hundredfold.engines.pytorch.closed_form import KEPT, FittedProbes, fit_probes

CLASSES = 3


def features(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    centres = 2 * torch.eye(CLASSES, 8)[labels]
    return centres + torch.randn(count, 8, generator=generator), labels


def fitted(cache: Path, *, seed: int = 0, count: int = 90) -> FittedProbes:
    return fit_probes(*features(count), *features(60, 1), classes=CLASSES, seed=seed, cache=cache)


def files(cache: Path) -> list[Path]:
    return list((cache / "probes").glob("*/probes.safetensors"))


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by one for each fit of ridge regression."""
    fits: list[int] = []
    ridge = probes.ridge

    def counted(*arrays: torch.Tensor, classes: int) -> probes.LinearProbe:
        fits.append(1)
        return ridge(*arrays, classes=classes)

    monkeypatch.setattr(probes, "ridge", counted)
    return fits


def test_the_cached_probes_are_the_fitted_ones(tmp_path: Path, fits: list[int]) -> None:
    first, second = fitted(tmp_path), fitted(tmp_path)
    assert len(fits) == 1
    assert first.accuracy == second.accuracy
    assert next(iter(first.accuracy)) == "k-NN"
    assert min(first.accuracy.values()) > 0.6
    for kind in ("ridge", "logistic"):
        for one, other in zip(first.heads[kind], second.heads[kind], strict=True):
            assert torch.equal(one, other)
    solved = probes.ridge(*features(90), *features(60, 1), classes=CLASSES)
    assert torch.equal(second.heads["ridge"][0], solved.weight)


def test_other_features_and_seeds_are_fitted_anew(tmp_path: Path, fits: list[int]) -> None:
    fitted(tmp_path)
    fitted(tmp_path, count=93)
    fitted(tmp_path, seed=1)
    assert len(fits) == len(files(tmp_path)) == 3


def test_a_damaged_file_is_fitted_anew(tmp_path: Path, fits: list[int]) -> None:
    whole = fitted(tmp_path)
    (file,) = files(tmp_path)
    content = file.read_bytes()
    flipped = [bytearray(content) for _ in range(20)]
    for number, one in enumerate(flipped):
        one[number * len(one) // len(flipped)] ^= 1
    cut = [b"", content[:-1], content.replace(b"ridge.bias", b"ridge.boas")]
    for damaged in (*cut, *flipped):
        file.write_bytes(damaged)
        assert fitted(tmp_path).accuracy == whole.accuracy
        assert file.read_bytes() == content
    assert len(fits) == 1 + len(cut) + len(flipped)


def test_a_cache_that_cannot_be_written_costs_another_fit_only(
    tmp_path: Path, fits: list[int]
) -> None:
    (tmp_path / "cache").write_text("")
    assert fitted(tmp_path / "cache").accuracy == fitted(tmp_path / "other").accuracy
    assert len(fits) == 2


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for seed in range(KEPT + 2):
        fitted(tmp_path, seed=seed)
    assert len(files(tmp_path)) == KEPT
