"""Files to labels: in order, whatever their form, and the same as evaluation says."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hundredfold import cli, data, evaluation, prediction
from hundredfold.classifier import Classifier
from hundredfold.data import Source
from hundredfold.engines import engine_for
from hundredfold.errors import UsageError
from hundredfold.run import Run

TURNED = 6  # EXIF orientation: what is stored has to be turned by 90 degrees, clockwise


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run that knows something of shapes."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUNDREDFOLD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        options = ["--data", "shapes(size=20, classes=10, images=30)", "--epochs", "3",
                   "--precision", "fp32", "--threads", "1", "--out", str(out), "--name", "a",
                   "--batch-size", "32", "--optimizer", "adam(lr=0.003)"]  # fmt: skip
        assert cli.main(["train", *options]) == 0
    return Run(out / "a")


def opened(run: Run) -> Classifier:
    return engine_for(run.recipe).open(run, torch.device("cpu"))


@pytest.fixture
def photos(made: Run, tmp_path: Path) -> list[Path]:
    """Return the test images as PNG files."""
    pixels = data.load(made.recipe.data, Source()).parts["test"]().pixels[:30]
    paths = [tmp_path / "photos" / f"{number:03d}.png" for number in range(len(pixels))]
    (tmp_path / "photos").mkdir()
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(np.asarray(image)).save(path)
    return paths


def test_predictions_are_those_of_evaluation(made: Run, photos: list[Path]) -> None:
    evaluation.evaluate(made, "test", Source(), lambda: opened(made))
    logits = made.logits("test")
    assert logits is not None
    shares = torch.from_numpy(logits).softmax(1).numpy()
    classes = made.info["data"]["classes"]
    for row, found in enumerate(prediction.predict(opened(made), photos)):
        order = np.argsort(-shares[row])
        assert found.label == classes[order[0]]
        assert list(found.probabilities) == [classes[k] for k in order]
        values = list(found.probabilities.values())
        np.testing.assert_allclose(values, shares[row][order], atol=1e-4)
        assert sum(values) == pytest.approx(1, abs=1e-5)


def test_files_are_answered_in_the_order_given(made: Run, photos: list[Path]) -> None:
    given = [photos[k] for k in (4, 1, 9, 1)]
    found = prediction.predict(opened(made), given)
    assert [one.file for one in found] == [str(path) for path in given]
    alone = [prediction.predict(opened(made), [path])[0] for path in given]
    assert found.labels == [one.label for one in alone]


def test_a_folder_stands_for_the_images_in_it(made: Run, photos: list[Path]) -> None:
    (photos[0].parent / ".hidden").write_text("not an image")
    found = prediction.predict(opened(made), [photos[0].parent])
    assert [one.file for one in found] == [str(path) for path in photos]
    assert all(len(one.top(5)) == 5 for one in found)


def test_what_training_passes_over_is_passed_over_and_said(
    made: Run, photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = photos[0].parent
    for place in (".ipynb_checkpoints", "__MACOSX", "@eaDir"):
        (folder / place).mkdir()
        (folder / place / "0.png").write_bytes(photos[0].read_bytes())
    (folder / "notes.txt").write_text("not an image")
    (folder / "out").symlink_to("/")
    found = prediction.predict(opened(made), [folder])
    assert [one.file for one in found] == [str(path) for path in photos]
    assert found.passed_over == {
        ".txt": 1, "in a folder of the system": 2, "in a hidden folder": 1,
        "link to a folder elsewhere": 1,
    }  # fmt: skip
    assert found[:2].to_json()["passed_over"] == found.passed_over
    assert "passed over 2 files in a folder of the system" in found.notes


@pytest.mark.parametrize("top", [0, -1])
def test_fewer_classes_than_one_are_a_matter_of_usage(made: Run, photos: list[Path], top) -> None:
    assert cli.main(["predict", str(made.folder), str(photos[0]), "--top", str(top)]) == 2
    with pytest.raises(UsageError, match="not positive"):
        prediction.predict(opened(made), photos[:1])[0].top(top)


@pytest.mark.parametrize(("more", "code"), [(0, 0), (1, 2), (1000, 2)])
def test_top_is_at_most_the_classes_of_the_run(
    made: Run, photos: list[Path], capsys: pytest.CaptureFixture[str], more: int, code: int
) -> None:
    classes = len(made.info["data"]["classes"])
    top = ["--top", str(classes + more)]
    assert cli.main(["predict", str(made.folder), str(photos[0]), *top]) == code
    said = capsys.readouterr()
    if code:
        assert f"--top {classes + more} is out of range" in said.err
        assert f"--top {classes}" in said.err
    else:
        assert len(said.out.splitlines()) == 1 + classes


def test_a_broken_file_gets_an_error_and_the_others_their_labels(
    made: Run, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "_BATCH", 3)
    whole = prediction.predict(opened(made), photos[:8])
    photos[2].write_bytes(photos[2].read_bytes()[:60])
    photos[6].write_text("not an image")
    found = prediction.predict(opened(made), photos[:8])
    for number, one in enumerate(found):
        if number in (2, 6):
            assert (one.label, one.probability, one.probabilities) == (None, None, {})
            assert photos[number].name in one.error
        else:
            assert one.label == whole[number].label
            assert one.error == ""


def test_a_photo_that_lies_on_its_side_is_turned_upright(
    made: Run, photos: list[Path], tmp_path: Path
) -> None:
    upright = Image.open(photos[3])
    exif = Image.Exif()
    exif[0x0112] = TURNED
    lying = tmp_path / "lying.png"
    upright.transpose(Image.Transpose.ROTATE_90).save(lying, exif=exif)
    wanted, found = prediction.predict(opened(made), [photos[3], lying])
    assert list(found.probabilities) == list(wanted.probabilities)
    assert found.probabilities == pytest.approx(wanted.probabilities, abs=1e-6)


def test_paths_that_lead_nowhere_are_refused(made: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        prediction.predict(opened(made), [tmp_path / "absent.png"])
    with pytest.raises(UsageError, match="no files"):
        prediction.predict(opened(made), [])


def test_the_command_prints_a_table_and_json(
    made: Run, photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    photos[1].write_text("not an image")
    files = [str(path) for path in photos[:3]]
    assert cli.main(["predict", str(made.folder), *files, "--top", "2"]) == 0
    printed = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert [(row["file"], row["rank"]) for row in rows] == [
        (files[0], "1"), (files[0], "2"), (files[2], "1"), (files[2], "2")]  # fmt: skip
    assert photos[1].name in printed.err
    assert cli.main(["predict", str(made.folder), *files, "--top", "2", "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)["predictions"]
    assert [answer["file"] for answer in answers] == files
    assert answers[1]["label"] is None and photos[1].name in answers[1]["error"]
    assert answers[0]["top"][0]["label"] == answers[0]["label"] == rows[0]["label"]
    assert len(answers[0]["top"]) == 2 and 0 <= answers[0]["unknown"] <= 1


def test_where_no_file_is_an_image_the_command_fails_with_bad_data(
    made: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_text("not an image")
    assert cli.main(["predict", str(made.folder), str(tmp_path / "a.png")]) == 3
    assert "none of the 1 files" in capsys.readouterr().err
