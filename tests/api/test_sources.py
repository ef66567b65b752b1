"""Own images from tables and archives, from the call to the prediction."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hundredfold as hf
from hundredfold.api.request import read
from hundredfold.cli import main

FAST: dict[str, Any] = {
    "epochs": 1, "batch_size": 8, "precision": "fp32", "threads": 1, "device": "cpu",
    "progress": "none", "image_size": 24,
}  # fmt: skip


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Return a table of 8 patients with 4 images each, wider than high, in two classes."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "scans"
    folder.mkdir()
    with (folder / "table.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "label", "patient"])
        for patient in range(8):
            for scan in range(4):
                name, label = f"p{patient}_{scan}.png", "ab"[patient % 2]
                shade = np.full((20, 30, 3), 60 + 120 * (patient % 2), np.uint8)
                noise = rng.integers(0, 40, shade.shape, np.uint8)
                Image.fromarray(shade + noise).save(folder / name)
                writer.writerow([name, label, f"p{patient}"])
    return folder / "table.csv"


def test_a_table_is_trained_scored_reported_and_used(scans: Path, tmp_path: Path) -> None:
    run = hf.train(data=scans, group="patient", test=0.25, resize="pad", out=tmp_path / "r", **FAST)
    assert run.status == "done"
    options = run.recipe.data.options
    assert (options["size"], options["resize"], options["group"], options["test"]) == (
        24, "pad", "patient", 0.25)  # fmt: skip
    assert run.info["data"]["train"] + run.info["data"]["validation"] == 24
    scores = run.evaluate("test", threads=1)
    assert scores["test.top_1"]["n"] == 8
    image = scans.parent / "p0_0.png"
    pixels = hf_decode(image, 24, "pad")
    from_file = run.predict(image, threads=1)[0].probabilities
    from_pixels = run.predict(pixels, threads=1)[0].probabilities
    assert from_file == pytest.approx(from_pixels, abs=1e-6)
    assert "cannot be read" not in run.report().read_text("utf-8")


def hf_decode(path: Path, size: int, resize: Any) -> np.ndarray:
    """Return the whole image on black by Pillow alone."""
    assert resize == "pad"
    square = Image.new("RGB", (size, size))
    small = Image.open(path).resize((24, 16), Image.Resampling.BICUBIC)
    square.paste(small, (0, 4))
    return np.asarray(square)


def test_corrected_labels_are_found_again_by_evaluate(scans: Path, tmp_path: Path) -> None:
    labels = tmp_path / "corrected.csv"
    labels.write_text("file,label\np0_0.png,b\np0_1.png,\n")
    run = hf.train(data=scans, labels=labels, out=tmp_path / "r", **FAST)
    assert run.info["data"]["labels"] == str(labels)
    assert run.recipe.data.options["labels"].startswith("corrected.csv@")
    assert run.info["data"]["train"] + run.info["data"]["validation"] == 31
    before = run.scores["validation.loss"]
    (run.folder / "validation.logits.npy").unlink()
    assert run.evaluate("validation", threads=1)["validation.loss"] == before
    other = hf.train(data=scans, out=tmp_path / "r", **FAST)
    assert other.name != run.name
    again = hf.train(data=scans, labels=labels, out=tmp_path / "r", **FAST)
    assert again.folder == run.folder, "the same labels are the same run"


def test_an_interrupted_training_of_a_table_goes_on(scans: Path, tmp_path: Path) -> None:
    labels = tmp_path / "corrected.csv"
    labels.write_text("file,label\np0_0.png,b\n")
    images = scans.parent
    table = scans.rename(tmp_path / "table.csv")
    options = FAST | {"data": table, "data_dir": images, "labels": labels, "epochs": 3}

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "epoch":
            raise KeyboardInterrupt

    with pytest.raises(hf.Interrupted):
        hf.train(out=tmp_path / "r", name="x", **options | {"progress": stop})
    whole = hf.train(out=tmp_path / "r", name="y", **options)
    resumed = hf.train(resume=tmp_path / "r" / "x", threads=1, progress="none")
    weights = [run.folder / "weights" / "best.safetensors" for run in (whole, resumed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_setting_an_option_of_the_data_leaves_the_choice_of_a_network(scans: Path) -> None:
    plain = read("", {"data": scans, "image_size": 24, "budget": "1m", "progress": "none"})
    other = read("", {"data": scans, "set": ["data.size=24"], "budget": "1m", "progress": "none"})
    assert plain.changes == other.changes and plain.recipe.digest == other.recipe.digest
    assert not plain.named and plain.sets == other.sets == ()
    assert plain.sized and other.sized


@pytest.mark.parametrize(
    ("given", "sized"),
    [
        ({}, False),
        ({"image_size": 0}, False),
        ({"resize": "pad", "set": ["seed=3"]}, False),
        ({"image_size": 32}, True),
        ({"set": ["data.size=32", "seed=3"]}, True),
        ({"data": "image_folder(size=32)"}, True),
        ({"data": "digits"}, False),
        ({"data": "digits", "image_size": 32}, True),
        ({"data": "digits(size=16)"}, True),
    ],
    ids=str,
)
def test_a_size_is_kept_however_it_is_given(
    scans: Path, given: dict[str, Any], sized: bool
) -> None:
    own = {"data_dir": scans} if str(given.get("data", "")).startswith("image_folder") else {}
    request = read("", {"data": scans, "budget": "1m", "progress": "none", **given, **own})
    assert request.sized is sized
    assert not any(text.startswith("data.") for text in request.sets)


def test_a_recipe_s_own_options_hold_for_other_images(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("data = \"image_folder(size=40, resize='stretch')\"\n")
    request = read(str(tmp_path / "own.toml"), {"data": scans, "progress": "none"})
    assert request.source.folder == scans
    assert request.recipe.data.options["size"] == 40
    assert request.recipe.data.options["resize"] == "stretch"


def test_a_size_follows_the_weights(scans: Path, tmp_path: Path) -> None:
    first = hf.train(data=scans, out=tmp_path / "r", name="first", **FAST)
    options = {key: value for key, value in FAST.items() if key != "image_size"}
    after = hf.train(data=scans, weights=first.folder, out=tmp_path / "r", name="after", **options)
    assert after.recipe.data.options["size"] == 24
    unset = hf.train(data=scans, out=tmp_path / "r", name="unset", **options)
    assert unset.recipe.data.options["size"] == 32


def test_the_command_takes_a_table_and_an_archive_by_the_same_flags(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["train", "--dry-run", "--json", "--threads", "1", "--precision", "fp32",
            "--batch-size", "8", "--imgsz", "24", "--test", "0.25"]  # fmt: skip
    assert main([*line, "--data", str(scans), "--group", "patient"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["data"]["train"] + facts["data"]["validation"] == 24
    assert main([*line, "--data", str(scans.parent), "--label-pattern", "{label}_*"]) == 0
    assert len(json.loads(capsys.readouterr().out)["data"]["classes"]) == 8


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["--data", "missing.csv"], 2),
        (["--data", "digits", "--group", "x"], 2),
        (["--data", "TABLE", "--label-column", "x"], 2),
        (["--data", "TABLE", "--label-pattern", "{label}_*"], 2),
        (["--data", "TABLE", "--labels", "missing.csv"], 3),
        (["--data", "TABLE", "--resize", "squash"], 2),
    ],
)
def test_a_mistake_has_its_exit_code(scans: Path, line: list[str], code: int) -> None:
    assert main(["train", *(text.replace("TABLE", str(scans)) for text in line)]) == code


def test_a_check_reads_what_a_training_reads(scans: Path, tmp_path: Path) -> None:
    labels = tmp_path / "corrected.csv"
    labels.write_text("file,label\np0_0.png,b\np0_1.png,\n")
    report = hf.check(scans, labels=labels)
    assert report["classes"]["train"] == {"a": 14, "b": 17}
    assert report["name"] == "scans-table"
    by_name = hf.check(scans.parent, label_pattern="{label}_*")
    assert len(by_name["classes"]["train"]) == 8
    with pytest.raises(hf.UsageError, match="neither a column"):
        hf.check(scans, group="nobody")
