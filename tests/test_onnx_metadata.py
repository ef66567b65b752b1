"""Metadata of ONNX files; the oracle is the package onnx."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hundredfold.onnx_metadata import metadata_of, missing_bounds

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

_TEXTS = st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=300), max_size=6)


def _model(metadata: dict[str, str]) -> bytes:
    """Return a file with weights, opsets, a doc string and metadata."""
    helper = onnx.helper
    weights = helper.make_tensor("w", onnx.TensorProto.FLOAT, [2000], [0.5] * 2000)
    graph = helper.make_graph([], "g", [], [], [weights], doc_string="x" * 200)
    model = helper.make_model(graph, doc_string="y", producer_name="z", model_version=2**40)
    helper.set_model_props(model, metadata)
    content: bytes = model.SerializeToString()
    return content


@settings(deadline=None, max_examples=30)
@given(_TEXTS)
def test_metadata_are_those_that_onnx_has_written(
    tmp_path_factory: pytest.TempPathFactory, metadata: dict[str, str]
) -> None:
    file = tmp_path_factory.mktemp("a") / "a.onnx"
    file.write_bytes(_model(metadata))
    assert metadata_of(file) == metadata


@given(st.binary(max_size=60), st.integers(0, 9000), st.integers(0, 9000))
@settings(deadline=None, max_examples=60)
def test_a_damaged_file_has_no_metadata_or_some_but_raises_nothing(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, end: int
) -> None:
    content = _model({"labels": "[1]"})
    file = tmp_path_factory.mktemp("a") / "a.onnx"
    for damaged in (noise, content[: end % len(content)], content[:at] + noise + content[at:]):
        file.write_bytes(damaged)
        assert isinstance(metadata_of(file), dict)


def test_a_file_that_is_not_there_has_no_metadata(tmp_path: Path) -> None:
    assert metadata_of(tmp_path / "a.onnx") == {}
    assert metadata_of(tmp_path) == {}


def test_bounds_are_missing_where_they_differ_from_what_is_asked() -> None:
    metadata = {
        "reject": '{"rule": "coverage=0.9", "threshold": 0.5}',
        "sets": '{"coverage": 0.8, "threshold": 0.1}',
    }
    assert missing_bounds(metadata, "", 0) == ""
    assert missing_bounds(metadata, "coverage=0.9", 0.8) == ""
    assert missing_bounds(metadata, "coverage=.90", 0.8) == ""
    assert missing_bounds(metadata, "accuracy=0.9", 0.8) == "--reject-at accuracy=0.9"
    assert missing_bounds(metadata, "coverage=0.9", 0.9) == "--sets 0.9"
    assert missing_bounds({}, "coverage=0.9", 0.8) == "--reject-at coverage=0.9 --sets 0.8"
    assert missing_bounds({"sets": "[", "reject": "[]"}, "", 0.8) == "--sets 0.8"
