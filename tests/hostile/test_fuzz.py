"""The fuzzing targets hold for their sound inputs and a few damaged ones; `make fuzz` goes on."""

import random
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["image", "safetensors", "hdf5", "pickle", "toml", "run", "csv"])
def test_a_reader_refuses_and_raises_nothing_else(name: str, tmp_path: Path) -> None:
    if name == "hdf5":
        pytest.importorskip("h5py", reason="h5py is not installed")
    from hostile import odd
    from hostile.fuzz.targets import TARGETS

    target, chance = TARGETS[name], random.Random(0)
    seeds = target.seeds()
    damaged = 3 if name == "run" else 40
    for data in [*seeds, *(odd.flipped(chance.choice(seeds), chance) for _ in range(damaged))]:
        target.act(data[: target.longest])


def test_a_broken_reader_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from hostile.fuzz import targets

    def broken(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("hundredfold.data._tables.read", broken)
    with pytest.raises(KeyError):
        targets.TARGETS["csv"].act(b"file,label\n")
