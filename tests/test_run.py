"""The folder a training leaves: made once, written whole, read without pickle."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hundredfold import run
from hundredfold.errors import DataError, UsageError
from hundredfold.recipe import Recipe

HOLD = (
    "import sys, time; from pathlib import Path; from hundredfold.run import Run\n"
    "with Run(Path(sys.argv[1])).writer():\n"
    "    print('held', flush=True); time.sleep(60)"
)


def test_a_new_run_holds_its_recipe(tmp_path: Path) -> None:
    what = Recipe(title="mine", seed=3)
    made = run.create(tmp_path / "runs", "first", what)
    assert made.recipe == what
    assert (made.scores, made.curve, made.summary) == ({}, [], {})
    assert made.logits("test") is None


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    run.create(tmp_path, "first", Recipe())
    with pytest.raises(UsageError, match="never overwritten") as caught:
        run.create(tmp_path, "first", Recipe(seed=1))
    assert "--resume" in str(caught.value)
    assert run.open_run("first", tmp_path).recipe.seed == 0


@pytest.mark.parametrize("name", ["", ".", "..", "latest", "a/b", "a\\b", "a\nb", "x" * 201])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is not a name for a run"):
        run.create(tmp_path, name, Recipe())
    assert list(tmp_path.iterdir()) == []


def test_latest_points_to_the_newest(tmp_path: Path) -> None:
    for name in ("b", "a"):
        run.create(tmp_path, name, Recipe())
    assert run.open_run("latest", tmp_path).name == "a"
    assert [one.name for one in run.all_runs(tmp_path)] == ["a", "b"]


def test_a_run_opens_by_folder_and_by_name(tmp_path: Path) -> None:
    made = run.create(tmp_path, "first", Recipe())
    assert run.open_run(str(made.folder), Path("elsewhere")).name == "first"
    assert run.open_run("first", tmp_path).folder == made.folder


def test_a_run_that_is_not_there_is_answered_with_the_closest(tmp_path: Path) -> None:
    run.create(tmp_path, "resnet-digits", Recipe())
    with pytest.raises(UsageError, match="there is no run 'resnet-digit'") as caught:
        run.open_run("resnet-digit", tmp_path)
    assert caught.value.remedy == "did you mean 'resnet-digits'?"


def test_a_folder_without_a_recipe_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    assert run.all_runs(tmp_path) == []
    assert run.all_runs(tmp_path / "nowhere") == []


def test_the_default_name_says_model_data_and_digest() -> None:
    what = Recipe(model="simple_cnn")
    name = run.default_name(what, "my photos/2024")
    assert name == f"simple-cnn-my-photos-2024-{what.digest[:12]}"


def test_logits_read_back_bit_by_bit(tmp_path: Path) -> None:
    made = run.create(tmp_path, "first", Recipe())
    logits = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    labels, rows = np.arange(7) % 3, np.arange(7) * 2
    made.save_logits("validation", logits, labels, rows)
    for stored, given in (("logits", logits), ("labels", labels), ("rows", rows)):
        read = getattr(made, stored)("validation")
        assert read.dtype == given.dtype
        np.testing.assert_array_equal(read, given)


def test_an_array_that_would_run_code_is_not_read(tmp_path: Path) -> None:
    made = run.create(tmp_path, "first", Recipe())
    np.save(made.folder / "test.logits.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"cannot read .*test\.logits\.npy"):
        made.logits("test")


def test_new_scores_join_those_that_are_there(tmp_path: Path) -> None:
    made = run.create(tmp_path, "first", Recipe())
    made.replace_scores("validation", {"validation.top_1": {"value": 0.5}})
    made.replace_scores("test", {"test.top_1": {"value": 0.4}})
    assert made.scores.keys() == {"validation.top_1", "test.top_1"}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    made = run.create(tmp_path, "first", Recipe())
    (made.folder / "run.json").write_text('{"status": "do', encoding="utf-8")
    with pytest.raises(DataError, match=r"cannot read .*run\.json"):
        _ = made.info


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot create the run|exists"):
        run.create(tmp_path / "file" / "runs", "first", Recipe())


def test_one_writer_and_the_lock_goes_with_the_process(tmp_path: Path) -> None:
    made = run.create(tmp_path, "first", Recipe())
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(made.folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        began = time.monotonic()
        with pytest.raises(UsageError, match="another process is writing"), made.writer():
            pass
        assert time.monotonic() - began < 2
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    with made.writer():
        pass
