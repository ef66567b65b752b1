"""Training from Python: the same run as by the command, quiet, and stopped like a notebook's."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hundredfold as hf
from hundredfold import cli
from hundredfold import run as folders
from hundredfold.api.options import COMMAND_DEFAULTS, CommandOptions, TrainOptions
from hundredfold.cli._flags import train_signature
from hundredfold.recipe import Recipe

TIMES = {
    "started", "finished", "seconds", "images_per_second", "waiting_share", "saving_share",
    "peak_memory_bytes",
}  # fmt: skip


def test_the_keywords_are_the_recipe_s_fields_and_the_command_s_options() -> None:
    filled_in = {name for name, f in Recipe.model_fields.items() if "dict" in str(f.annotation)}
    fields = Recipe.model_fields.keys() - filled_in
    keywords, commands = (kind.__annotations__.keys() for kind in (TrainOptions, CommandOptions))
    assert keywords == fields | commands | {"progress"}
    assert COMMAND_DEFAULTS.keys() == commands
    flags = train_signature().parameters.keys()
    assert flags == keywords - {"progress"} | {"recipe", "dry_run", "json"}


def flags(options: dict[str, Any]) -> list[str]:
    given = {k: v for k, v in options.items() if k != "progress"}
    return [text for k, v in given.items() for text in (f"--{k.replace('_', '-')}", str(v))]


def facts(run: hf.Run) -> dict[str, Any]:
    return {k: v for k, v in run.info.items() if k not in TIMES | {"command"}}


def test_python_and_the_command_leave_the_same_run(tmp_path: Path, small: dict[str, Any]) -> None:
    options = small | {"model": "resnet(depth=20)", "augment": "flip", "seed": 5}
    one = hf.train(**options, lr=0.002, out=tmp_path / "one", name="a")
    line = [*flags(options), "--lr", "0.002", "--out", str(tmp_path / "two"), "--name", "a"]
    assert cli.main(["train", *line]) == 0
    two = hf.load("a", out=tmp_path / "two")
    assert one.recipe.digest == two.recipe.digest
    left = [sorted(p.relative_to(r.folder) for p in r.folder.rglob("*")) for r in (one, two)]
    assert left[0] == left[1]
    assert Path("report.html") in left[0] and Path("figures/curve-top_1.svg") in left[0]
    for file in ("weights/best.safetensors", "weights/last.safetensors", "validation.logits.npy",
                 "scores.json", "model.json"):  # fmt: skip
        assert (one.folder / file).read_bytes() == (two.folder / file).read_bytes(), file
    assert facts(one) == facts(two)
    assert one.info["command"].startswith("hf.train(data='shapes")
    assert "lr=0.002" in one.info["command"]
    assert shlex.split(two.info["command"])[0] == "hundredfold"


def test_the_recipe_chooses_the_engine(tmp_path: Path, small: dict[str, Any]) -> None:
    pytest.importorskip("tensorflow")
    run = hf.train(**small, engine="tensorflow", model="simple_cnn", out=tmp_path)
    assert (run.recipe.engine, run.status) == ("tensorflow", "done")
    assert "tensorflow" in run.info["versions"]
    assert run.evaluate("val")["validation.top_1"] == run.scores["validation.top_1"]
    plain = hf.train(**small, out=tmp_path, name="pytorch")
    assert run.recipe.digest != plain.recipe.digest


def test_nothing_is_printed_and_the_log_has_it_all(
    tmp_path: Path, small: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    run = hf.train(**small | {"progress": "auto"}, out=tmp_path)
    assert capfd.readouterr() == ("", "")
    log = (run.folder / "log.txt").read_text(encoding="utf-8")
    assert "epoch 2/2" in log and "done  " in log


def test_a_function_gets_events_in_their_order(tmp_path: Path, small: dict[str, Any]) -> None:
    events: list[dict[str, Any]] = []
    run = hf.train(**small | {"progress": events.append}, out=tmp_path)
    kinds = [event["event"] for event in events]
    assert kinds[0] == "message" and kinds[-1] == "end"
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2]
    for event, row in zip(epochs, run.curve, strict=True):
        assert {key: event[key] for key in row} == row
        assert event["epochs"] == 2
    json.dumps(events)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epoch": 3}, "there is no option 'epoch'"),
        ({"imgsz": 3}, "there is no option 'imgsz'"),
        ({"epochs": -1}, "epochs"),
        ({"progress": "loud"}, "progress = 'loud'"),
        ({"data": "nowhere/at/all"}, "nowhere/at/all is not a folder"),
        ({"model": "resnt"}, "no model is called 'resnt'"),
        ({"budget": "5m", "epochs": 3}, "--budget chooses the epochs"),
        ({"resume": "a", "epochs": 3}, "there is no run 'a'"),
    ],
)
def test_a_mistake_is_an_exception_with_a_remedy(
    options: dict[str, Any], sentence: str, elsewhere: Path
) -> None:
    with pytest.raises(hf.UsageError) as caught:
        hf.train(**options)
    assert sentence in caught.value.message
    assert caught.value.exit_code == 2
    assert caught.value.remedy or caught.value.found
    assert not (elsewhere / "runs").exists()


def test_another_word_for_an_option_is_understood_as_what_was_meant() -> None:
    meant = {"imgsz": "image_size", "learning_rate": "lr", "batch": "batch_size", "epoch": "epochs"}
    for word, wanted in meant.items():
        with pytest.raises(hf.UsageError) as caught:
            hf.train(**{word: 1})
        assert caught.value.remedy == f"did you mean {wanted!r}?"
    with pytest.raises(hf.UsageError) as caught:
        hf.train(tokenizer=1)
    assert caught.value.remedy is None


def interrupted(code: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run code that trains, and interrupt it in its second epoch."""
    script = folder / "script.py"
    script.write_text(
        "import os, signal, hundredfold as hf\n"
        "def watch(event):\n"
        "    if event['event'] == 'epoch' and event['epoch'] == 2:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "asked = dict(data='shapes(size=18, classes=3, images=40)', epochs=500, threads=1,\n"
        "             batch_size=16, precision='fp32', patience=0, progress=watch, name='a')\n"
        + code,
        encoding="utf-8",
    )
    return subprocess.run(
        [sys.executable, *options, str(script)],
        cwd=folder, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )  # fmt: skip


def test_an_interrupt_in_a_session_returns_a_run_that_goes_on(tmp_path: Path) -> None:
    code = (
        "run = hf.train(**asked)\n"
        "print(run.status, run.curve[-1]['epoch'])\n"
        "def later(event):\n"
        "    watch({**event, 'epoch': event.get('epoch', 0) - 2})\n"
        "again = hf.train(progress=later, resume=run.folder)\n"
        "print(again.status, again.folder == run.folder, again.curve[-1]['epoch'])\n"
    )
    done = interrupted(code, tmp_path, "-i")
    assert done.stdout.splitlines()[:2] == ["stopped 2", "stopped True 4"], done.stderr


def test_an_interrupt_in_a_script_is_an_exception_that_names_the_run(tmp_path: Path) -> None:
    code = (
        "try:\n    hf.train(**asked)\n"
        "except hf.Interrupted as e:\n    print(e.exit_code, e.run, e.remedy)\n"
    )
    done = interrupted(code, tmp_path)
    wanted = f"{128 + signal.SIGINT} runs/a hundredfold train --resume runs/a"
    assert done.stdout.strip() == wanted, done.stderr


def test_arrays_are_trained_on_scored_and_resumed(tmp_path: Path, small: dict[str, Any]) -> None:
    chance = np.random.default_rng(0)
    labels = np.arange(120) % 3 + 5
    images = (
        chance.integers(0, 100, (120, 18, 18, 3), np.uint8)
        + (50 * (labels - 5)).astype(np.uint8)[:, None, None, None]
    )
    options = small | {"data": (images, labels), "out": tmp_path}
    run = hf.train(**options, name="a")
    assert run.info["data"]["name"] == "arrays" and run.info["data"]["folder"] is None
    assert run.info["data"]["classes"] == ["5", "6", "7"]
    assert "data=..." in run.info["command"]
    assert run.evaluate("val", data=(images, labels)) == {
        key: value for key, value in run.scores.items() if key.startswith("validation.")
    }
    scores = run.evaluate("test", data=(images[:30], labels[:30]))
    assert scores["test.top_1"]["n"] == 30
    assert "test.top_1_unseen" not in scores
    with pytest.raises(hf.DataError, match="no class of the label"):
        run.evaluate("test", data=(images[:2], [1, 2]))
    folders.Run(run.folder).delete_scores()
    with pytest.raises(hf.UsageError, match="passed from Python"):
        run.evaluate("val")
    assert "cannot be read" not in (run.folder / "report.html").read_text(encoding="utf-8")
    taught = {"train": (images, labels), "test": (images[:30], labels[:30])}
    assert run.evaluate("test", data=taught)["test.top_1"]["n"] == 30


def test_other_test_images_give_scores_of_their_own(tmp_path: Path, small: dict[str, Any]) -> None:
    chance = np.random.default_rng(1)
    images, labels = chance.integers(0, 256, (90, 18, 18, 3), np.uint8), np.arange(90) % 3
    run = hf.train(**small | {"data": (images, labels)}, out=tmp_path)
    others = chance.integers(0, 256, (12, 18, 18, 3), np.uint8)
    whole = {"train": (images, labels), "test": (others, labels[:12])}
    first = run.evaluate("test", data=whole)
    assert first["test.top_1_unseen"] == first["test.top_1"]
    second = run.evaluate("test", data=(images[:60], labels[:60]))
    assert second["test.top_1"]["n"] == 60 and "test.top_1_unseen" not in run.scores
    assert second["test.loss"] == run.scores["test.loss"] != first["test.loss"]
    assert run.info["test_evaluations"] == 2
    assert any(key.startswith("validation.") for key in run.scores)


def test_a_table_and_a_folder_of_the_same_images_train_the_same_weights(
    tmp_path: Path, small: dict[str, Any], photos: list[Path]
) -> None:
    import pandas as pd
    from PIL import Image

    labels = [row % 2 for row in range(8)]
    for path, label in zip(photos, labels, strict=True):
        place = tmp_path / "folder" / str(label) / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).save(place)
    order = sorted(range(8), key=lambda row: labels[row])  # a folder is read class by class
    table = pd.DataFrame({"image": [photos[k] for k in order], "label": [labels[k] for k in order]})
    asked = small | {"batch_size": 2, "validation": 0.25, "out": tmp_path / "runs"}
    one = hf.train(**asked | {"data": table}, image_size=18, name="table")
    two = hf.train(**asked | {"data": str(tmp_path / "folder")}, image_size=18, name="folder")
    assert one.info["data"]["digest"] == two.info["data"]["digest"]
    file = "validation.logits.npy"
    assert (one.folder / file).read_bytes() == (two.folder / file).read_bytes()


def test_a_page_that_cannot_be_written_does_not_undo_a_training(
    tmp_path: Path, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hundredfold.api import training

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training.reports, "write_run", full)
    with pytest.warns(hf.HundredfoldWarning, match="No space left"):
        assert hf.train(**small, out=tmp_path).status == "done"
