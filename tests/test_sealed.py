"""A study never opens the test images, and a training says what it left out of its own."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold import cli, run

STUDY = """
title = "Sealed"
base = "simple-cnn"
seeds = 1
[overrides]
epochs = 1
batch_size = 64
precision = "fp32"
[vary.one]
[vary.two]
"optimizer.lr" = 0.002
"""


def _official(folder: Path) -> Path:
    inside = folder / "cifar-100-binary"
    inside.mkdir(parents=True)
    rows = np.random.default_rng(0).integers(0, 256, (300, 3074), np.uint8)
    rows[:, 1] = np.arange(300) % 100
    (inside / "train.bin").write_bytes(rows.tobytes())
    return folder


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe stands for the test images")
def test_a_study_never_opens_the_test_images(tmp_path: Path) -> None:
    """In place of the file lies a pipe: who opened it would wait for ever."""
    folder = _official(tmp_path / "sealed")
    os.mkfifo(folder / "cifar-100-binary" / "test.bin")
    (tmp_path / "sealed.toml").write_text(STUDY, encoding="utf-8")
    code = cli.main(["study", str(tmp_path / "sealed.toml"), "--data-dir", str(folder), "--out",
                     str(tmp_path / "runs"), "--threads", "1", "--json"])  # fmt: skip
    assert code == 0
    made = run.all_runs(tmp_path / "runs")
    assert [one.info["status"] for one in made] == ["done", "done"]
    assert {one.info["test_evaluations"] for one in made} == {0}


def test_a_training_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    for number in range(24):
        place = photos / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    (photos / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    code = cli.main(["train", "--data", str(photos), "--set", "data.size=20", "--epochs", "1",
                     "--batch-size", "8", "--precision", "fp32", "--threads", "1", "--name", "a",
                     "--out", str(tmp_path / "runs"), "--json"])  # fmt: skip
    out, err = capsys.readouterr()
    assert code == 0
    assert f"left out 1 of 25 files of {photos} that cannot be read: a/broken.jpg (" in err
    assert f"see: hundredfold data check {photos}" in err
    facts = json.loads(out)["data"]
    assert facts["train"] + facts["validation"] == 24
