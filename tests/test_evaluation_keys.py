"""Stored scores are those of one set of images and of one file of weights, or are none."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from hundredfold import cli
from hundredfold.run import Run
from hundredfold.training import saves

TRAIN = ["--epochs", "3", "--batch-size", "8", "--precision", "fp32", "--threads", "1"]
COLOURS = {"a": (220, 30, 30), "b": (30, 220, 30), "c": (30, 30, 220)}


def _draw(root: Path, seed: int, part: str, count: int, classes: str = "abc") -> None:
    chance = np.random.default_rng(seed)
    for name in classes:
        folder = root / part / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = np.clip(chance.normal(COLOURS[name], 20, (16, 16, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")


def _folder(root: Path, seed: int = 0, count: int = 4) -> Path:
    _draw(root, seed, "train", 12)
    _draw(root, seed + 1, "test", count)
    return root


@pytest.fixture
def run(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a run that tells colours apart, its data in `photos`, evaluated once."""
    folder = _folder(elsewhere / "photos")
    assert cli.main(["train", "--data", str(folder), *TRAIN, "--name", "a"]) == 0
    assert _evaluate(capsys)["test.top_1"]["value"] == 1
    return Run(elsewhere / "runs" / "a")


def _evaluate(capsys: pytest.CaptureFixture[str], *options: str) -> dict:
    capsys.readouterr()
    assert cli.main(["evaluate", "a", "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)["scores"]


def _swap(folder: Path) -> None:
    folder = folder / "test"
    (folder / "a").rename(folder / "x")
    (folder / "b").rename(folder / "a")
    (folder / "x").rename(folder / "b")


def _overwrite(folder: Path) -> None:
    shutil.copy(folder / "test" / "a" / "0.png", folder / "test" / "b" / "0.png")


def _remove(folder: Path) -> None:
    for path in (folder / "test" / "c").iterdir():
        path.unlink()


def _add(folder: Path) -> None:
    shutil.copy(folder / "test" / "a" / "0.png", folder / "test" / "b" / "9.png")


CHANGES: dict[str, tuple[Callable[[Path], None], float]] = {
    "labels swapped": (_swap, 4 / 12),
    "an image overwritten": (_overwrite, 11 / 12),
    "a class removed": (_remove, 1.0),
    "an image added": (_add, 12 / 13),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_test_images_are_scored_anew_aloud(
    run: Run,
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    change: str,
) -> None:
    act, wanted = CHANGES[change]
    act(elsewhere / "photos")
    assert _evaluate(capsys)["test.top_1"]["value"] == pytest.approx(wanted)
    assert (
        "scoring again, because the test images are not those of the stored scores" in caplog.text
    )
    caplog.clear()
    assert _evaluate(capsys)["test.top_1"]["value"] == pytest.approx(wanted)
    assert caplog.text == "", "those are stored"
    assert run.info["test_evaluations"] == 3


def test_another_folder_is_scored_and_one_that_is_not_there_is_an_error(
    run: Run, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = _folder(elsewhere / "other", seed=7, count=2)
    _swap(other)
    assert _evaluate(capsys, "--data-dir", str(other))["test.top_1"]["n"] == 6
    before = run.scores, run.info
    for split in ("test", "validation"):
        for wrong, why in (
            ("/nonexistent", "there is no folder '/nonexistent'"),
            ("other/test/a/0.png", "is neither a folder, an archive nor a table of images"),
        ):
            assert cli.main(["evaluate", "a", "--split", split, "--data-dir", wrong]) == 3
            assert why in capsys.readouterr().err
    assert (run.scores, run.info) == before
    assert _evaluate(capsys)["test.top_1"]["n"] == 12
    assert cli.main(["evaluate", "a", "--split", "validation", "--data-dir", str(other)]) == 3
    assert "are not those that 'a' was trained on" in capsys.readouterr().err


def test_other_weights_are_scored_anew_aloud(
    run: Run, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from safetensors import safe_open

    with safe_open(run.best(), "numpy") as file:
        metadata = file.metadata()
    tensors = load_file(run.best())
    head = max(name for name in tensors if name.endswith("bias"))
    tensors[head] = np.array([100, 0, 0], np.float32)  # whatever it sees is an a
    save_file(tensors, run.best(), metadata)
    assert _evaluate(capsys)["test.top_1"]["value"] == pytest.approx(1 / 3)
    assert "scoring again, because the weights are not those" in caplog.text


def test_scores_without_a_digest_are_scored_anew(
    run: Run, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """As those of a run that was made before digests were kept."""
    (run.folder / "test.json").unlink()
    labels = np.load(run.folder / "test.labels.npy")
    np.save(run.folder / "test.labels.npy", labels[::-1])
    assert _evaluate(capsys)["test.top_1"]["value"] == 1
    assert "may be not those of the stored scores" in caplog.text


@pytest.mark.parametrize("kind", ["logits", "labels", "rows", "no labels", "half a file"])
def test_damaged_logits_are_scored_anew_aloud(
    run: Run, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    path = run.folder / f"test.{kind if kind in ('logits', 'rows') else 'labels'}.npy"
    if kind == "no labels":
        path.unlink()
    elif kind == "half a file":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        np.save(path, np.ascontiguousarray(np.load(path)[::-1]))
    assert _evaluate(capsys)["test.top_1"]["value"] == 1
    assert "scoring again, because the stored logits of test are damaged" in caplog.text
    caplog.clear()
    assert _evaluate(capsys)["test.top_1"]["value"] == 1
    assert caplog.text == ""


def test_weights_of_holes_are_refused_before_they_are_read(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with run.best().open("wb") as file:
        file.truncate(1 << 40)
    assert cli.main(["evaluate", "a"]) == 3
    assert "cannot read the weights" in capsys.readouterr().err


def test_what_is_stored_is_shown_aloud_where_the_data_are_gone(
    run: Run, elsewhere: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    stored = run.scores
    (elsewhere / "photos").rename(elsewhere / "moved")
    for split in ("test", "validation"):
        found = _evaluate(capsys, "--split", split)
        assert found == {k: v for k, v in stored.items() if k.startswith(split)}
        assert "using the stored scores" in caplog.text
    _evaluate(capsys, "--data-dir", str(elsewhere / "moved"))
    assert run.info["test_evaluations"] == 3


@pytest.mark.parametrize("saved", [False, True])
def test_validation_as_training_scored_it_is_known_and_not_scored_anew(
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    saved: bool,
) -> None:
    monkeypatch.setattr(saves, "SHARE_OF_TIME", float("inf") if saved else 0.01)
    folder = _folder(elsewhere / "photos")
    assert cli.main(["train", "--data", str(folder), *TRAIN, "--name", "a"]) == 0
    run = Run(elsewhere / "runs" / "a")
    before = (run.folder / "validation.logits.npy").stat().st_mtime_ns
    _evaluate(capsys, "--split", "validation")
    assert (run.folder / "validation.logits.npy").stat().st_mtime_ns == before
    assert caplog.text == ""


def _no_test(folder: Path) -> None:
    shutil.rmtree(folder / "test")


def _gone(folder: Path) -> None:
    folder.rename(folder.parent / "moved")


def _other_classes(folder: Path) -> None:
    _draw_class = folder / "train" / "d"
    shutil.copytree(folder / "train" / "a", _draw_class)


def _no_weights(folder: Path) -> None:
    (folder.parent / "runs" / "a" / "weights" / "best.safetensors").write_bytes(b"no weights")


@pytest.mark.parametrize("fault", [_no_test, _gone, _other_classes, _no_weights])
def test_an_evaluation_that_fails_counts_nothing(
    elsewhere: Path, fault: Callable[[Path], None]
) -> None:
    folder = _folder(elsewhere / "photos")
    assert cli.main(["train", "--data", str(folder), *TRAIN, "--name", "a"]) == 0
    fault(folder)
    for _ in range(2):
        assert cli.main(["evaluate", "a"]) == 3
    run = Run(elsewhere / "runs" / "a")
    assert run.info["test_evaluations"] == 0
    assert not any(name.startswith("test") for name in run.scores)
    assert run.logits("test") is None
