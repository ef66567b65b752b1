"""Budgets: read as people write them, kept, and ordinary runs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import hundredfold as hf
from hundredfold import cli, run
from hundredfold.errors import UsageError
from hundredfold.planner import parse_duration
from hundredfold.planner.schedule_table import SCHEDULE_TABLE
from hundredfold.training.time_budget import TimeBudget


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1.5h", 5400), ("1h30m", 5400), ("2m 30s", 150)],
)
def test_a_budget_is_read_as_it_is_written(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["5", "m", "5 minutes", "-5m", "1s", "0m", "5mm", "", "1001h", "1" + "0" * 400 + "h"]
)
def test_anything_else_is_no_budget(text: str) -> None:
    with pytest.raises(UsageError, match="not a budget"):
        parse_duration(text)


def test_more_compute_never_pays_for_a_smaller_network() -> None:
    macs = [choice.macs for choice in SCHEDULE_TABLE]
    widths = [choice.width for choice in SCHEDULE_TABLE]
    assert macs == sorted(macs)
    assert macs[0] == 0
    assert widths == sorted(widths)


def test_epochs_and_a_budget_contradict_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--budget", "1m", "--epochs", "3"]) == 2
    assert "--budget chooses the epochs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "sizes"), [(["--weights", "none"], 3), (["--model", "simple_cnn"], 1)]
)
def test_a_budget_leaves_an_ordinary_run(
    given: list[str], sizes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    code = cli.main(["train", "--data", "digits", "--budget", "12s", "--threads", "1",
                     "--out", str(tmp_path), "--json", *given])  # fmt: skip
    torch.set_num_threads(threads)
    said = capsys.readouterr()
    assert code == 0, said.err
    trained_run = run.Run(Path(json.loads(said.out)["run"]))
    assert trained_run.info["status"] == "done"
    assert len(trained_run.info["budget"]["by_size"]) >= sizes
    assert trained_run.info["steps"] == trained_run.curve[-1]["step"]
    assert str(trained_run.recipe.model).startswith(
        "simple_cnn" if "--model" in given else "speednet"
    )
    assert (
        0
        < trained_run.info["steps"]
        <= trained_run.recipe.epochs * trained_run.info["steps_per_epoch"] * 3 + 1
    )
    assert "validation.top_1" in trained_run.scores
    augmented = str(trained_run.recipe.augment)
    assert "alternating_flip" not in augmented, "a mirrored digit is another digit"


def test_a_budgets_recipe_trains_the_same_weights_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TimeBudget, "steps", lambda _self, _done, steps, _spent: steps)
    common = ["--data", "digits", "--threads", "1", "--out", str(tmp_path), "--precision", "fp32"]
    threads = torch.get_num_threads()
    assert cli.main(["train", "--budget", "12s", *common, "--name", "a",
                     "--model", "simple_cnn"]) == 0  # fmt: skip
    assert cli.main(["train", str(tmp_path / "a" / "recipe.toml"), *common, "--name", "b"]) == 0
    torch.set_num_threads(threads)
    first, second = (load_file(run.open_run(name, tmp_path).best()) for name in "ab")
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_a_named_recipe_trains_at_the_size_that_it_records(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(12):
            noise = rng.integers(0, 256, (44, 50, 3), np.uint8)
            Image.fromarray(noise).save(tmp_path / "photos" / name / f"{number}.png")
    threads = torch.get_num_threads()
    trained = hf.train(
        "simple-cnn", data=tmp_path / "photos", budget="12s", threads=1, out=tmp_path / "runs",
        progress="none", batch_size=8,
    )  # fmt: skip
    torch.set_num_threads(threads)
    assert trained.recipe.data.options["size"] == trained.info["data"]["size"] == 40
    assert trained.recipe.digest == trained.info["recipe_digest"]
