"""The ONNX file: what it takes, answers and says of itself, and when it is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hundredfold as hf
from hundredfold import calibration, exporters
from hundredfold.cli import main
from hundredfold.data import decode
from hundredfold.engines import engine_for
from hundredfold.errors import CheckError, UsageError
from hundredfold.exporters import onnx as target
from hundredfold.exporters._core import core_of
from hundredfold.exporters._graph import joined
from hundredfold.exporters._network import Head
from hundredfold.onnx_model import open_onnx
from hundredfold.prediction import predict

onnx = pytest.importorskip("onnx", reason="the extra export is not installed: no onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra export is not installed")
numpy_helper = onnx.numpy_helper
Changed = Callable[..., Path]


def test_inputs_and_outputs_are_those_of_the_contract(exported: Path) -> None:
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape[3]) == ("images", "tensor(uint8)", 3)
    assert all(isinstance(side, str) for side in given.shape[:3]), "batch and size are free"
    found = {value.name: (value.type, value.shape[1:]) for value in session.get_outputs()}
    assert found == {
        "probabilities": ("tensor(float)", [3]),
        "logits": ("tensor(float)", [3]),
        "unknown": ("tensor(float)", []),
    }
    assert [path.suffix for path in exported.parent.iterdir() if "data" in path.name] == []


@pytest.mark.parametrize("shape", [(1, 20, 28), (5, 20, 28), (3, 64, 40), (1, 1, 1)])
def test_outputs_follow_from_the_logits(made: hf.Run, exported: Path, shape) -> None:
    images = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    found, stored = open_onnx(exported).run(images), calibration.of(made._files)
    assert found.logits.shape == found.probabilities.shape == (shape[0], 3)
    expected = stored.probabilities(found.logits)
    np.testing.assert_allclose(found.probabilities, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.unknown, calibration.unknown(expected), rtol=0, atol=1e-5)
    assert ((found.unknown >= 0) & (found.unknown <= 1)).all()


def test_an_image_alone_is_an_image_in_a_batch(exported: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 30, 30, 3), np.uint8)
    model = open_onnx(exported)
    together = model.run(images).probabilities
    for k, image in enumerate(images):
        alone = model.run(image[None]).probabilities[0]
        np.testing.assert_allclose(alone, together[k], rtol=0, atol=1e-6)


def test_metadata_say_what_the_file_is(made: hf.Run, exported: Path) -> None:
    facts = {entry.key: entry.value for entry in onnx.load(exported).metadata_props}
    run = made._files
    assert (
        json.loads(facts["labels"]) == ["dark", "grey", "φως"] == list(made.info["data"]["classes"])
    )
    assert (facts["image_size"], facts["resize"], facts["kind"]) == ("20x28", "pad", "onnx")
    assert float(facts["temperature"]) == calibration.of(run).temperature
    assert facts["data_digest"] == made.info["data"]["digest"]
    assert len(facts["weights_sha256"]) == len(facts["recipe_digest"]) == 64
    assert json.loads(facts["scores"]) == json.loads((made.folder / "scores.json").read_text())
    assert all(entry["license"] for entry in json.loads(facts["license"]))
    assert json.loads(facts["sets"])["coverage"] == 0.5
    assert "reject" not in facts
    assert str(made.folder.parent).encode() not in exported.read_bytes(), (
        "no folder of this machine"
    )


def test_the_check_says_what_was_measured(made: hf.Run, exported: Path) -> None:
    check = json.loads(exported.with_name("model.onnx.check.json").read_text())
    assert check["source"] == "validation"
    assert check["n"] == len(made._files.labels("validation"))
    assert check["equal_classes"] == 1.0
    assert check["largest_difference"]["logits"] < 1e-4
    assert check["scores"]["top_1"]["file"] == check["scores"]["top_1"]["network"]
    assert check["bytes"] == exported.stat().st_size


def test_the_command_prints_the_file_and_the_check(
    made: hf.Run, exported: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(target, "graph", lambda *_, **__: exported.read_bytes())
    path = tmp_path / "new" / "own.onnx"
    assert main(["export", str(made.folder), "--file", str(path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["file"] == str(path) and answer["check"]["equal_classes"] == 1.0
    assert {file.name for file in path.parent.iterdir()} == {
        "own.onnx", "own.onnx.check.json", "own.README.md",
    }  # fmt: skip
    assert main(["export", str(made.folder), "--file", str(path), "--force"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{path}\n"
    assert printed.err.startswith(f"checked on {answer['check']['n']} validation images with onnx")
    assert "100.0 % get the class of the network" in printed.err


def _bias(model: Any, amount: float) -> None:
    """Add to the bias of the last layer's first class."""
    gemm = [node for node in model.graph.node if node.op_type == "Gemm"][-1]
    for entry in model.graph.initializer:
        if entry.name == gemm.input[2]:
            values = numpy_helper.to_array(entry).copy()
            values[0] += amount
            entry.CopyFrom(numpy_helper.from_array(values, entry.name))


@pytest.mark.parametrize("amount", [0.01, -30.0, float("nan")])
def test_a_file_that_disagrees_is_not_written(
    made: hf.Run, changed: Changed, tmp_path: Path, capsys, monkeypatch, amount: float
) -> None:
    wrong = changed(lambda model: _bias(model, amount)).read_bytes()
    monkeypatch.setattr(target, "graph", lambda *_, **__: wrong)
    path = tmp_path / "none" / "own.onnx"
    with pytest.raises(CheckError, match="disagree, so no file was written"):
        made.export("onnx", file=path)
    assert main(["export", str(made.folder), "--file", str(path)]) == 5
    assert "logits" in capsys.readouterr().err
    assert not path.parent.exists()


def test_what_cannot_be_exported_is_refused_with_a_remedy(
    made: hf.Run, exported: Path, tmp_path: Path, capsys
) -> None:
    before = exported.read_bytes()
    for words, remedy in (
        ([], "--force"),
        (["--to", "onnx-int9"], "onnx-int8"),
        (["--file", str(tmp_path)], "--file"),
        (["--to", "onnx-int8", "--min-agreement", "1.5"], "min_agreement"),
        (["--force", "--reject-at", "speed=3"], "accuracy=0.95"),
    ):
        assert main(["export", str(made.folder), *words]) == 2, words
        assert remedy in capsys.readouterr().err
    assert exported.read_bytes() == before


def test_bounds_need_validation_images(small_run: Callable[..., Any]) -> None:
    without = hf.load(small_run(validation=0.0, patience=0, select="last").folder)
    for options in ({"reject_at": "coverage=0.9"}, {"sets": 0.9}):
        with pytest.raises(UsageError, match="chosen on validation images"):
            without.export("onnx", **options)
    assert not (without.folder / "export").exists()


@pytest.mark.parametrize("policy", ["crop", "pad", "stretch"])
def test_a_jpeg_is_the_same_through_predict_and_through_the_file(
    made: hf.Run, jpegs: list[Path], pixels, policy, monkeypatch
) -> None:
    import torch

    run = made._files
    network = engine_for(run.recipe).open(run, torch.device("cpu"))._replace(resize=policy)
    fitted = calibration.of(run)
    trained = exporters.Trained(run, network, fitted, None)
    content = joined(
        core_of(network), size=network.size, resize=policy, head=Head(fitted.temperature, 3),
        metadata=trained.metadata("onnx"),
    )  # fmt: skip
    model = open_onnx(content)
    for path, expected in zip(jpegs, predict(network, jpegs, fitted), strict=True):
        found = model.run(pixels(path)[None])
        np.testing.assert_allclose(found.probabilities[0], expected.values, rtol=0, atol=1e-3)
        assert network.classes[found.probabilities[0].argmax()] == expected.label


def test_predict_gives_the_same_for_a_run_and_its_file(
    made: hf.Run, exported: Path, jpegs: list[Path]
) -> None:
    ours, theirs = made.predict(jpegs), hf.predict(exported, jpegs)
    assert ours.labels == theirs.labels
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=0, atol=1e-5)
        assert other.label_set, "the sets of the file are in force"


def test_a_jpeg_is_decoded_at_full_size_where_asked(jpegs: list[Path], pixels) -> None:
    large = jpegs[0]
    whole = decode(pixels(large), (20, 28))
    assert np.array_equal(decode(large, (20, 28), full=True), whole)
    assert not np.array_equal(decode(large, (20, 28)), whole), "reduced while it is decoded"


def test_every_target_is_one_that_can_be_asked_for() -> None:
    assert exporters.targets() == ("html", "onnx", "onnx-int8", "openvino", "torch")
