"""`serve RUN`: the file that is served answers as the run does now."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from served import Server

from hundredfold.api import load, serving, train
from hundredfold.errors import DataError, UsageError


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with validation scores."""
    for name in ("onnxruntime", "onnxscript", "uvicorn", "httptools", "uvloop"):
        pytest.importorskip(name, reason=f"the extra serve is not installed: no {name}")
    out = tmp_path_factory.mktemp("runs")
    return train("simple-cnn", data="digits", epochs=1, out=out, name="a", threads=1).folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """Return a copy of the run that a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "runs" / "a"))


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the options of the exports that are called for; none is carried out."""
    asked: list[list[str]] = []
    monkeypatch.setattr(serving, "_export", lambda _folder, options: asked.append(options))
    monkeypatch.setattr(
        serving.lifetime, "run", lambda path, _settings, **_further: {"file": str(path)}
    )
    return asked


def _written(folder: Path, **metadata: Any) -> Path:
    """Write an export as the run would have it, but for some metadata; return the file."""
    from onnx_by_hand import mean_colour

    stored = json.loads((folder / "calibration.json").read_text())
    weights = (folder / "weights" / "best.safetensors").read_bytes()
    facts = {
        "temperature": stored["temperature"],
        "weights_sha256": sha256(weights).hexdigest(),
    } | {name: stored[name] for name in ("reject", "sets") if name in stored}
    (folder / "export").mkdir(exist_ok=True)
    return mean_colour(folder / "export" / "model.onnx", **(facts | metadata))


def _calibrate(folder: Path, **facts: Any) -> None:
    file = folder / "calibration.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | facts))


def test_a_served_run_answers_as_it_predicts(
    start: Callable[..., Server], folder: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (31, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg")
    server = start("--reject-at=coverage=0.9", "--sets=0.8", "--out=runs", file=Path("a"))
    predicted = load(folder).predict([tmp_path / "photo.jpg"], reject_at="coverage=0.9", sets=0.8)
    (expected,) = predicted.to_json()["predictions"]
    (found,) = server.post((tmp_path / "photo.jpg").read_bytes())[1]["predictions"]
    assert found.keys() == expected.keys()
    assert [one["label"] for one in found["top"]] == [one["label"] for one in expected["top"]]
    for name in ("label", "rejected", "set", "error"):
        assert found[name] == expected[name]
    for one, other in zip([found, *found["top"]], [expected, *expected["top"]], strict=True):
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)
    assert found["unknown"] == pytest.approx(expected["unknown"], abs=1e-5)
    assert server.text_of_log.count("exporting") == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"weights_sha256": "0"},
        {"temperature": 77.0},
        {"sets": "none"},
        {"reject": {"rule": "accuracy=0.9", "threshold": 0.5}},
        {"sets": {"coverage": 0.9, "threshold": 0.5}},
        {"sets": {}},
        {"kind": "onnx-int8"},
        {"hundredfold": "0"},
    ],
)
def test_a_file_of_another_state_of_the_run_is_exported_anew(
    folder: Path, exports: list[list[str]], metadata: dict[str, Any]
) -> None:
    file = _written(folder)
    assert serving.serve(str(folder), serving.Settings())["file"] == str(file)
    assert exports == []
    _written(folder, **metadata)
    serving.serve(str(folder), serving.Settings())
    assert exports == [[]]


def test_a_run_that_is_calibrated_anew_is_exported_anew(
    folder: Path, exports: list[list[str]]
) -> None:
    _written(folder)
    _calibrate(folder, temperature=1.5)
    serving.serve(str(folder), serving.Settings())
    assert exports == [[]]
    _calibrate(folder, sets={"coverage": 0.9, "threshold": 0.125})
    _written(folder)
    serving.serve(str(folder), serving.Settings(), sets=0.9)
    assert exports == [[]]
    _calibrate(folder, sets={"coverage": 0.9, "threshold": 0.25})
    serving.serve(str(folder), serving.Settings(), sets=0.9)
    assert exports == [[], ["--sets=0.9"]]


def test_bounds_that_a_file_lacks_are_exported(
    folder: Path, exports: list[list[str]], tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text("")
    _written(folder)
    serving.serve(
        "a", serving.Settings(), reject_at="coverage=.9", sets=0.8, out=tmp_path / "runs",
        trust=[tmp_path / "own.py"],
    )  # fmt: skip
    trust = f"--trust={tmp_path / 'own.py'}"
    assert exports == [[trust, "--reject-at=coverage=.9", "--sets=0.8"]]
    with pytest.raises(UsageError, match="is no coverage"):
        serving.serve("a", serving.Settings(), sets=7, out=tmp_path / "runs")


def test_an_export_that_fails_says_why(folder: Path) -> None:
    (folder / "weights" / "best.safetensors").write_bytes(b"no weights")
    with pytest.raises(DataError) as caught:
        serving.serve(str(folder), serving.Settings())
    assert "best.safetensors" in caught.value.message
