"""Files of a stranger: damaged ones are bad data in one sentence, never a stack trace."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hundredfold import onnx_metadata, onnx_model
from hundredfold.cli import main
from hundredfold.errors import DataError, MissingError, UsageError
from hundredfold.onnx_model import open_onnx

onnx = pytest.importorskip("onnx", reason="the extra export is not installed: no onnx")
TensorProto = onnx.TensorProto
Changed = Callable[..., Path]


def need_refused(path: Path, text: str) -> None:
    with pytest.raises(DataError, match=text) as caught:
        open_onnx(path)
    assert caught.value.exit_code == 3
    assert len(str(caught.value)) < 600
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.999])
def test_a_file_that_is_cut_short_cannot_be_read(exported: Path, tmp_path: Path, kept) -> None:
    content, path = exported.read_bytes(), tmp_path / "short.onnx"
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    need_refused(path, "cannot read|no ONNX file of Hundredfold")


def test_random_bytes_are_no_file(tmp_path: Path) -> None:
    path = tmp_path / "noise.onnx"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    need_refused(path, "cannot read")


def test_a_file_that_is_not_there_is_bad_data(tmp_path: Path) -> None:
    need_refused(tmp_path / "none.onnx", "cannot read")


def test_the_command_says_it_in_one_line(tmp_path: Path, jpegs: list[Path], capsys) -> None:
    path = tmp_path / "noise.onnx"
    path.write_bytes(b"no network")
    assert main(["predict", str(path), str(jpegs[0])]) == 3
    assert "Traceback" not in capsys.readouterr().err


def _rename_output(model: Any) -> None:
    model.graph.output[2].name = "strange"
    for node in model.graph.node:
        node.output[:] = ["strange" if name == "unknown" else name for name in node.output]


def _of_floats(model: Any) -> None:
    model.graph.output[2].type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in model.graph.node:
        if node.output[0] == "unknown":
            for attribute in node.attribute:
                if attribute.name == "to":
                    attribute.i = TensorProto.DOUBLE


@pytest.mark.parametrize("change", [_rename_output, _of_floats])
def test_other_outputs_are_no_file_of_ours(changed: Changed, change) -> None:
    need_refused(changed(change), "no ONNX file of Hundredfold|cannot read")


@pytest.mark.parametrize("layout", [None, "2", "", "1" * 5000])
def test_another_layout_is_refused(changed: Changed, layout: str | None) -> None:
    need_refused(changed(hundredfold=layout), "no ONNX file of Hundredfold")


@pytest.mark.parametrize(
    ("field", "value"),
    [("labels", v) for v in (None, "", "[]", "{}", '["a"]', '["a", "b", 3]', "[" * 9000,
                             '["a", "b", "c", "d"]')]
    + [("image_size", v) for v in (None, "", "0", "-1", "9999", "20x", "1e3", "20x28x3")]
    + [("resize", v) for v in (None, "squash", "")]
    + [("temperature", v) for v in (None, "0", "-1", "nan", "inf", "warm")]
    + [("reject", v) for v in ("[]", "{}", "0", '"x"', '{"rule": "a", "threshold": NaN}',
                               '{"rule": "a", "threshold": 2}', '{"rule": "a", "threshold": "1"}',
                               '{"rule": "a", "threshold": 1' + "0" * 400 + "}")]
    + [("sets", v) for v in ("[]", "false", '{"coverage": 0.9}',
                             '{"coverage": -1, "threshold": 0.5}')],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_metadata_outside_their_bounds_are_damaged(
    changed: Changed, field: str, value: str | None
) -> None:
    need_refused(changed(**{field: value}), "metadata of .* are damaged")


@pytest.mark.parametrize(
    "images",
    [np.zeros((20, 28, 3), np.uint8), np.zeros((1, 20, 28, 4), np.uint8),
     np.zeros((1, 20, 28, 3), np.float32), np.zeros((0, 20, 28, 3), np.uint8),
     np.zeros((1, 0, 28, 3), np.uint8)],
    ids=lambda images: f"{images.dtype} {images.shape}",
)  # fmt: skip
def test_what_is_no_batch_of_images_is_refused(exported: Path, images: np.ndarray) -> None:
    with pytest.raises(UsageError, match="cannot be classified"):
        open_onnx(exported).run(images)


def test_a_file_that_fails_while_it_computes_is_bad_data(changed: Changed) -> None:
    def reshape(model: Any) -> None:
        """Fix the resize's first output to a shape that other images do not have."""
        for node in model.graph.node:
            if node.op_type == "Gemm":
                break
        index = list(model.graph.node).index(node)
        from onnx import helper, numpy_helper

        model.graph.initializer.append(numpy_helper.from_array(np.array([7, 1]), "fixed"))
        old = node.input[0]
        model.graph.node.insert(index, helper.make_node("Reshape", [old, "fixed"], ["broken"]))
        node.input[0] = "broken"

    try:
        model = open_onnx(changed(reshape))
    except DataError:
        return  # found when it is opened
    with pytest.raises(DataError, match="cannot compute images"):
        model.run(np.zeros((1, 20, 28, 3), np.uint8))


def test_without_onnxruntime_the_extra_is_named(exported: Path, monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingError, match="extra 'export'") as caught:
        open_onnx(exported)
    assert caught.value.exit_code == 4


def test_threads_change_nothing_but_the_time(exported: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 20, 28, 3), np.uint8)
    one = open_onnx(exported, 1, spins=False).run(images)
    np.testing.assert_allclose(
        one.logits, open_onnx(exported, 2).run(images).logits, rtol=1e-5, atol=1e-5
    )


def test_metadata_are_read_without_the_runtime(exported: Path) -> None:
    assert onnx_metadata.metadata_of(exported) == open_onnx(exported).metadata


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"\xff" * 50, b"\x72\x7f\x0a", b"text"])
def test_metadata_of_what_is_no_file_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    assert onnx_metadata.metadata_of(path) == {}
    assert onnx_metadata.metadata_of(tmp_path / "none") == {}


def test_every_prefix_of_a_file_has_readable_metadata(exported: Path, tmp_path: Path) -> None:
    content, path = exported.read_bytes(), tmp_path / "a.onnx"
    whole = onnx_metadata.metadata_of(exported)
    for length in np.linspace(len(content) - 3000, len(content), 60).astype(int):
        path.write_bytes(content[:length])
        found = onnx_metadata.metadata_of(path)
        assert {k for k in found if found[k] != whole.get(k)} <= set(whole) | {""}


def test_missing_bounds_are_those_that_differ(exported: Path) -> None:
    facts = onnx_metadata.metadata_of(exported)
    missing = onnx_metadata.missing_bounds
    assert missing(facts, "", 0.0) == missing(facts, "", 0.5) == ""
    assert missing(facts, "", 0.9) == "--sets 0.9"
    assert missing(facts, "accuracy=0.9", 0.5) == "--reject-at accuracy=0.9"
    assert missing({"reject": "["}, "accuracy=0.9", 0.0) == "--reject-at accuracy=0.9"
    model = onnx_model.open_onnx(exported)
    model.need_bounds("", 0.5)
    with pytest.raises(UsageError, match=r"was not exported with --sets 0\.9"):
        model.need_bounds("", 0.9)
