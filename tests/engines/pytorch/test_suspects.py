"""Label suspects compute with as many threads as a training would."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hundredfold import data, machine
from hundredfold.data import Source
from hundredfold.engines.pytorch import suspects


@pytest.mark.parametrize("cores", [1, 3])
def test_threads_are_those_of_the_machine_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    seen: list[int] = []

    def features(_data: object, splits: dict, *_: object) -> Iterator[Tensor]:
        for split in splits.values():
            seen.append(torch.get_num_threads())
            yield torch.eye(8)[torch.arange(len(split)) % 8]

    dataset = data.load("shapes(images=8)", Source(None, tmp_path, offline=True))
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(suspects, "_features", features)
    before = torch.get_num_threads()
    assert suspects.suspects(dataset, Source(None, tmp_path, offline=True), 32)
    assert set(seen) == {cores}
    assert torch.get_num_threads() == before
