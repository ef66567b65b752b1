"""Files of a run: bounded before they are read, checked before they are used, never a link."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hundredfold import run
from hundredfold.errors import DataError
from hundredfold.recipe import Recipe
from hundredfold.run import Run, plain

INFO: dict[str, Any] = {"status": "stopped", "threads": 2, "data": {"classes": ["a", "b", "c"]}}
ROW = {"epoch": 1, "step": 4, "seconds": 0.5, "lr": 0.1, "train.loss": 1.5}


@pytest.fixture
def made(tmp_path: Path) -> Run:
    return run.create(tmp_path / "runs", "one", Recipe(), {"run.json": INFO})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", None),
        ("status", "flying"),
        ("compiled", "x"),
        ("threads", 10**6),
        ("threads", True),
        ("test_evaluations", -1),
        ("steps", 1e308),
        ("seconds", "long"),
        ("algorithms", {"a": ["x"]}),
        ("budget", {"seconds": 1e308, "by_size": {"32": 1.0}, "validation": 0}),
        ("budget", {"seconds": 10, "by_size": {"32": 0}, "validation": 0}),
        ("data", []),
        ("data", {"classes": "abc"}),
        ("data", {"folder": "a\0b"}),
        ("data", {"classes": ["a"], "superclasses": ["b"], "superclass_of": [7]}),
        ("reason", "x" * 100_000),
    ],
)
def test_a_value_of_another_kind_or_size_is_named(made: Run, field: str, value: object) -> None:
    (made.folder / "run.json").write_text(json.dumps(INFO | {field: value}))
    with pytest.raises(DataError, match=r"cannot read .*run\.json") as caught:
        _ = made.info
    assert field in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "text",
    ["", "[1, 2]", "{}", "null", "[" * 9999, '{"a":' * 9999, '{"status": NaN}', '{"status": 1e999}',
     f'{{"status": {"9" * 5000}}}'],
)  # fmt: skip
def test_text_that_is_no_record_is_one_sentence(made: Run, text: str) -> None:
    (made.folder / "run.json").write_text(text)
    with pytest.raises(DataError, match=r"run\.json"):
        _ = made.info


def test_a_name_that_is_no_utf_8_reads_back(made: Run) -> None:
    made.save_info(INFO | {"reason": "Fr\udcfcchte", "data": {"classes": ["\udce4", "\udcf6"]}})
    assert made.info["reason"] == "Fr\udcfcchte"
    assert made.info["data"]["classes"] == ["\udce4", "\udcf6"]


def test_a_field_that_is_missing_is_named_by_whom_it_is_missed(made: Run) -> None:
    assert made.info.get("device") is None
    with pytest.raises(DataError, match=r"run\.json' has no 'device'"):
        _ = made.info["device"]
    with pytest.raises(DataError, match="has no 'digest'"):
        _ = made.info["data"]["digest"]


@pytest.mark.parametrize("rest", [b"", b'{"epoch": 2, "st', b'{"epoch": 2, "a\xc3', b"[1"])
def test_a_half_last_line_of_the_curve_is_passed_over(made: Run, rest: bytes) -> None:
    (made.folder / "curve.jsonl").write_bytes(json.dumps(ROW).encode() + b"\n" + rest)
    assert made.curve == [ROW]


@pytest.mark.parametrize("line", ["x", "[]", "{}", '{"epoch": "1"}', '{"epoch": 1, "lr": NaN}'])
def test_any_other_wrong_line_is_damage(made: Run, line: str) -> None:
    (made.folder / "curve.jsonl").write_text(f"{line}\n{json.dumps(ROW)}\n")
    with pytest.raises(DataError, match=r"curve\.jsonl.*line 1|cannot read .*curve\.jsonl"):
        _ = made.curve


def test_scores_lie_in_the_range_of_their_metric(made: Run) -> None:
    for value in (1.5, -0.1, 1e308, "1", None):
        score = {"value": value, "low": 0.1, "high": 0.2, "n": 5}
        (made.folder / "scores.json").write_text(json.dumps({"test.top_1": score}))
        if value is None:
            assert made.scores["test.top_1"]["value"] is None
            continue
        with pytest.raises(DataError, match=r"scores\.json"):
            _ = made.scores


def _header(shape: str, kind: str = "<f4") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        _header("(4000000000000, 3)"),
        _header("(2, 3)", "|O") + b"\0" * 24,
        _header("(2, 3)", "<f8") + b"\0" * 48,
        _header("(2, 4)") + b"\0" * 32,
        _header("(2, 3)") + b"\0" * 20,
        _header("(0, 3)"),
        _header("(6,)") + b"\0" * 24,
        _header("(2, 3)") + np.full(6, np.nan, "<f4").tobytes(),
        b"\x93NUMPY",
        b"",
    ],
)
def test_an_array_is_what_its_header_says_before_it_is_read(made: Run, content: bytes) -> None:
    (made.folder / "test.logits.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"test\.logits\.npy"):
        made.logits("test")


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0], [0], [0, 1, 2], [2**40, 0]])
def test_labels_belong_to_the_logits(made: Run, labels: list[int]) -> None:
    made.save_logits("test", np.zeros((2, 3), np.float32), np.array(labels), np.arange(2))
    with pytest.raises(DataError, match=r"test\.labels\.npy"):
        made.labels("test")


FILES = ("run.json", "recipe.toml", "scores.json", "model.json", "curve.jsonl", "test.json",
         "test.logits.npy", "weights/best.safetensors", ".lock")  # fmt: skip


def _read_all(opened: Run) -> None:
    _ = opened.scores, opened.summary, opened.curve, opened.scored("test"), opened.logits("test")
    _ = opened.recipe, opened.weights_to_use()
    with opened.writer():
        pass
    opened.save_info(INFO | {"status": "running"})
    _ = opened.info


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "kind",
    [
        os.mkfifo,
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path.name),
        lambda path: path.symlink_to("nowhere"),
    ],
)
def test_only_regular_files_are_read(made: Run, name: str, kind: Callable[[Path], None]) -> None:
    path = made.folder / name
    made.best().write_bytes(b"")
    path.unlink(missing_ok=True)
    kind(path)
    began = time.monotonic()
    with pytest.raises(DataError):
        _read_all(made)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["run.json", "recipe.toml", "curve.jsonl", "test.logits.npy"])
def test_a_file_of_4_gb_is_not_read(made: Run, name: str) -> None:
    with (made.folder / name).open("wb") as file:
        file.truncate(4 << 30)
    began = time.monotonic()
    with pytest.raises(DataError):
        _read_all(made)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["weights", "figures", "state", "log.txt", "mine", "state/a.json"])
def test_nothing_is_written_in_a_run_with_a_link(tmp_path: Path, made: Run, name: str) -> None:
    target = tmp_path / "target"
    target.mkdir()
    path = made.folder / name
    if path.is_dir():
        path.rmdir()
    path.symlink_to(target)
    with pytest.raises(DataError, match="is a link"), made.writer():
        pass
    assert list(target.iterdir()) == []
    assert not (made.folder / ".lock").exists()


def test_a_hard_link_keeps_its_content(tmp_path: Path, made: Run) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine\n")
    os.link(mine, made.folder / "log.txt")
    made.log("a line")
    assert mine.read_text() == "mine\n"
    made.log("another")
    assert (made.folder / "log.txt").read_text() == "mine\na line\nanother\n"


def test_a_size_follows_no_link(tmp_path: Path, made: Run) -> None:
    before = made.bytes
    (made.folder / "figures").symlink_to("/usr")
    (made.folder / "a").symlink_to("/dev/zero")
    assert made.bytes == before
    assert plain.exists(made.folder / "a")
