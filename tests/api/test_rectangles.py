"""Images as rectangles, from the command line and from Python, to the prediction."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hundredfold as hf
from hundredfold.api.training import estimate
from hundredfold.cli import main
from hundredfold.data import decode

FAST: dict[str, Any] = {
    "epochs": 1, "batch_size": 8, "precision": "fp32", "threads": 1, "device": "cpu",
    "progress": "none",
}  # fmt: skip


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of two classes, the images wide, tall and square in turn."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 9), ("test", 3)):
        for label, shade in (("dark", 60), ("light", 170)):
            folder = tmp_path / "photos" / part / label
            folder.mkdir(parents=True)
            for k in range(count):
                shape = [(30, 60, 3), (60, 30, 3), (40, 40, 3)][k % 3]
                noise = rng.integers(0, 40, shape, np.uint8)
                Image.fromarray(np.full(shape, shade, np.uint8) + noise).save(folder / f"{k}.png")
    return tmp_path / "photos"


def command(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any]:
    """Return the exit code of a command, and its answer or what it says of an error."""
    code = main([*map(str, words), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out) if not code else said.err


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_the_command_line_trains_scores_and_uses_rectangles(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], resize: Any
) -> None:
    out = tmp_path / "runs"
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in FAST.items()
             if key != "progress"]  # fmt: skip
    code, trained = command(
        capsys, "train", "--data", photos, "--image-size", "24x40", "--resize", resize,
        "--out", out, "--name", "wide", *flags,
    )  # fmt: skip
    assert code == 0, trained
    run = hf.load(out / "wide")
    assert run.info["data"]["size"] == run.recipe.data.options["size"] == "24x40"
    code, scores = command(capsys, "evaluate", out / "wide", "--split", "test", "--threads", 1)
    assert code == 0, scores
    files = sorted(photos.glob("test/*/*.png"))
    code, answer = command(capsys, "predict", out / "wide", *files, "--threads", 1)
    assert code == 0, answer
    shown = [prediction["probability"] for prediction in answer["predictions"]]
    decoded = [decode(file, "24x40", resize=resize) for file in files]
    again = [run.predict(pixels, threads=1)[0].probability for pixels in decoded]
    assert shown == pytest.approx(again, abs=1e-5)
    labels = [prediction["label"] for prediction in answer["predictions"]]
    right = np.mean([label == file.parent.name for label, file in zip(labels, files, strict=True)])
    assert run.scores["test.top_1"]["value"] == pytest.approx(right)
    assert "24 × 40 × 3" in run.report().read_text("utf-8")


def test_every_spelling_of_a_size_is_the_same_run(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    asked = FAST | {"data": photos, "out": out, "augment": "pad_crop | flip | rotate"}
    first = hf.train(image_size=(24, 40), **asked)
    for words in ({"image_size": "24x40"}, {"set": ["data.size=24x40"]}):
        assert hf.train(**words, **asked).folder == first.folder
    other = hf.train(image_size="40x24", **asked)
    assert other.folder != first.folder
    square = hf.train(image_size="24x24", **asked)
    assert square.recipe.data.options["size"] == square.info["data"]["size"] == 24
    assert hf.train(image_size=24, **asked).folder == square.folder


def test_sizes_grow_on_both_sides_and_a_run_is_estimated(photos: Path, tmp_path: Path) -> None:
    asked = FAST | {"model": "resnet(depth=20)", "resolution": "progressive", "data": photos,
                    "image_size": "32x48", "out": tmp_path / "runs", "epochs": 3}  # fmt: skip
    run = hf.train(**asked)
    assert run.status == "done"
    plan = estimate(**asked | {"name": "plan"})
    assert plan["data"]["size"] == "32x48" and plan["macs"] == run.info["macs"]


def test_arrays_become_rectangles(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 30, 60, 3), np.uint8)
    labels = np.arange(24) % 2
    run = hf.train(data=(images, labels), image_size=(18, 30), out=tmp_path / "runs", **FAST)
    assert run.info["data"]["size"] == "18x30"
    scores = run.evaluate("validation", data=(images, labels), threads=1)
    assert scores["validation.top_1"]["n"] > 0
    assert run.predict(images[0], threads=1)[0].label in ("0", "1")


def test_a_run_on_rectangles_lends_its_network(photos: Path, tmp_path: Path) -> None:
    asked = FAST | {"data": photos, "out": tmp_path / "runs"}
    first = hf.train(model="resnet(depth=20)", image_size="24x40", name="first", **asked)
    for strategy in ("linear_probe(head='ridge')", "fine_tune(rate=0.1)"):
        second = hf.train(weights=first.folder, strategy=strategy, **asked)
        assert second.info["data"]["size"] == "24x40", "the size follows the weights"
        assert second.info["weights"]["input_size"] == "24x40"
        assert second.evaluate("test", threads=1)["test.top_1"]["n"] == 6
    other = hf.train(weights=first.folder, strategy="linear_probe(input_size='32x32')", **asked)
    assert other.info["weights"]["input_size"] == other.info["data"]["size"] == 32


@pytest.mark.parametrize("size", ["0x64", "64x", "64x64x3", "100000x2", "x", "12.5", "7x64", "7"])
def test_a_wrong_size_is_one_sentence(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], size: str
) -> None:
    code, said = command(
        capsys, "train", "--data", photos, "--imgsz", size, "--out", tmp_path / "runs",
        "--batch-size", 8,
    )  # fmt: skip
    assert code == 2
    assert size in said and "Traceback" not in said
    assert not list((tmp_path / "runs").glob("*/recipe.toml"))


@pytest.mark.parametrize("words", [["--image-size", "-1x5"], ["--set", "data.size=0x64"]])
def test_a_size_that_looks_like_something_else_is_refused(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, said = command(capsys, "train", "--data", photos, *words, "--out", tmp_path / "runs")
    assert code == 2 and "Traceback" not in said


def test_networks_are_counted_for_rectangles(capsys: pytest.CaptureFixture[str]) -> None:
    code, counted = command(capsys, "models", "resnet(depth=20)", "--size", "32x64")
    assert code == 0 and counted["size"] == "32x64"
    _, square = command(capsys, "models", "resnet(depth=20)", "--size", "32")
    assert square["size"] == 32
    assert 1.9 < counted["macs"] / square["macs"] < 2.1
