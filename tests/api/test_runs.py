"""A run in Python: its scores, its predictions in every form of image, its network, its page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import hundredfold as hf
from hundredfold import cli, data


def images(run: hf.Run) -> np.ndarray:
    return np.asarray(data.load(str(run.recipe.data), data.Source()).parts["test"]().pixels)


def test_what_a_run_says_is_what_lies_in_its_folder(trained: hf.Run) -> None:
    assert trained.status == "done" and trained.name == "a"
    assert trained.scores == json.loads((trained.folder / "scores.json").read_text())
    lines = (trained.folder / "curve.jsonl").read_text().splitlines()
    assert trained.curve == [json.loads(line) for line in lines]
    shown = repr(trained)
    assert "done" in shown and str(trained.folder) in shown and "\n" not in shown


def test_val_is_validation_and_is_no_look_at_the_test_split(trained: hf.Run) -> None:
    looks = trained.info["test_evaluations"]
    found = trained.evaluate("val")
    assert found == {k: v for k, v in trained.scores.items() if k.startswith("validation.")}
    assert trained.info["test_evaluations"] == looks
    with pytest.raises(hf.UsageError, match="no split 'train'"):
        trained.evaluate("train")


def test_every_form_of_an_image_is_predicted_the_same(trained: hf.Run, photos: list[Path]) -> None:
    pixels = images(trained)[: len(photos)]
    wanted = trained.predict(photos)
    forms: dict[str, Any] = {
        "texts": [str(path) for path in photos],
        "arrays": list(pixels),
        "one array": pixels,
        "pictures": [Image.fromarray(image) for image in pixels],
        "a folder": photos[0].parent,
        "mixed": [photos[0], *pixels[1:4], *map(Image.fromarray, pixels[4:])],
    }
    for name, form in forms.items():
        found = trained.predict(form)
        assert found.labels == wanted.labels, name
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one.values, other.values, rtol=1e-5)
    assert len(trained.predict(photos[0])) == len(trained.predict(pixels[0])) == 1
    assert wanted[2].file == str(photos[2]) and wanted[1:3].labels == wanted.labels[1:3]
    assert trained.predict(pixels)[0].file is None


def test_probabilities_are_those_of_the_network(trained: hf.Run) -> None:
    pixels = images(trained)[:5]
    network = trained.model()
    assert isinstance(network, torch.nn.Module) and not network.training
    with torch.inference_mode():
        logits = network(torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2))
    wanted = logits.softmax(1).numpy()
    for one, row in zip(trained.predict(pixels), wanted, strict=True):
        np.testing.assert_allclose(one.values, row, atol=1e-6)
        assert list(one.probabilities.values()) == sorted(one.values, reverse=True)
        assert one.label == one.classes[row.argmax()] and one.probability == max(one.values)
        assert sum(one.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_the_command_answers_as_python_does(
    trained: hf.Run, photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    photos[3].write_text("no image")
    files = [str(path) for path in photos]
    assert cli.main(["predict", str(trained.folder), *files, "--top", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["predictions"]
    assert found == trained.predict(files).to_json(top=2)["predictions"]
    assert found[0].keys() >= {"file", "label", "probability", "top", "unknown"}
    assert found[0]["top"][0] == {k: found[0][k] for k in ("label", "probability")}
    assert found[3]["label"] is None and "cannot read" in found[3]["error"]


@pytest.mark.parametrize(
    "wrong",
    ["nowhere.png", np.zeros((4, 4)), np.zeros((2, 3, 18, 18), np.uint8), []],
    ids=["path", "floats", "channels first", "nothing"],
)
def test_what_is_no_image_at_all_is_a_mistake(trained: hf.Run, wrong: Any) -> None:
    with pytest.raises(hf.UsageError):
        trained.predict(wrong)


def test_a_run_is_opened_by_name_and_folder_and_listed(
    trained: hf.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = trained.folder.parent
    monkeypatch.setenv("HOME", str(out.parent))
    for name, place in (("a", out), (trained.folder, "runs"), ("latest", out),
                        ("a", f"~/{out.name}"), (f"~/{out.name}/a", "runs")):  # fmt: skip
        assert hf.load(name, out=place).recipe.digest == trained.recipe.digest
    assert [run.name for run in hf.list_runs(f"~/{out.name}")] == ["a"]
    with pytest.raises(hf.UsageError, match="there is no run 'b'"):
        hf.load("b", out=out)
    assert hf.evaluate("a", "validation", out=out) == trained.evaluate("val")
    assert hf.report("a", out=out) == out / "a" / "report.html"


def test_networks_are_listed_with_their_cost() -> None:
    found = {network.model: network for network in hf.list_models()}
    assert found["resnet(depth=20)"].parameters == 275_572


def test_a_folder_is_checked_before_training(photos: list[Path], tmp_path: Path) -> None:
    for row, path in enumerate(photos):
        place = tmp_path / "classes" / ("ab"[row % 2]) / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
    assert hf.check(str(tmp_path / "classes"))["problems"] == []
    place.write_text("no image")
    report = hf.check(tmp_path / "classes")
    assert [bad["file"] for bad in report["bad"]] == [f"{place.parent.name}/{place.name}"]
    assert report["problems"] == [], "training leaves an unreadable file out"
