"""Each tracker against its real package, offline; what is stored is read back by that package."""

import importlib
import json
import sqlite3
import struct
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import hundredfold as hf
from hundredfold import trackers
from hundredfold.cli import main
from hundredfold.errors import HundredfoldWarning, MissingError, UsageError
from hundredfold.run import Run
from hundredfold.trackers import Trackers

SMALL: dict[str, Any] = {"data": "shapes(size=18, classes=3, images=40)", "epochs": 2,
                         "batch_size": 16, "precision": "fp32", "threads": 1, "device": "cpu",
                         "progress": "none"}  # fmt: skip


def _need(name: str) -> None:
    for module in importlib.import_module(f"hundredfold.trackers.{name}").NEEDS:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed (extra {name})")


@pytest.fixture
def logged(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], hf.Run]:
    """Return a function that trains two epochs with a tracker, which keeps to the test's folder."""
    for variable in ("MLFLOW_TRACKING_URI", "WANDB_MODE", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("TRACKIO_DIR", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(variable, str(elsewhere / variable))

    def train(name: str) -> hf.Run:
        _need(name)
        with warnings.catch_warnings():
            warnings.simplefilter("error", HundredfoldWarning)  # a tracker that failed warns
            return hf.train(**SMALL, name="one", log=name)

    return train


def _wanted(run: hf.Run, key: str = "validation.top_1") -> list[tuple[int, float]]:
    return [(int(row["epoch"]), pytest.approx(row[key], rel=1e-6)) for row in run.curve]


def test_tensorboard_reads_the_event_file(logged: Callable[[str], hf.Run]) -> None:
    _need("tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    run = logged("tensorboard")
    (file,) = run.folder.glob("events.out.tfevents.*")
    events = list(LegacyEventFileLoader(str(file)).Load())
    assert events[0].file_version == "brain.Event:2"
    values = [(event.step, value) for event in events for value in event.summary.value]
    found = [(step, v.simple_value) for step, v in values if v.tag == "validation/top_1"]
    assert found == _wanted(run)
    scores = {v.tag: v.simple_value for _, v in values}
    top_1 = run.scores["validation.top_1"]
    assert scores["score/validation.top_1/high"] == pytest.approx(top_1["high"], rel=1e-6)
    texts = {v.tag: v.tensor.string_val[0].decode() for _, v in values if v.tensor.string_val}
    assert "| optimizer | `adam(" in texts["recipe/text_summary"]


def test_mlflow_keeps_it_in_sqlite(logged: Callable[[str], hf.Run]) -> None:
    run = logged("mlflow")
    with sqlite3.connect("runs/mlflow.db") as store:
        rows = store.execute(
            "select step, value from metrics where key = 'validation/top_1' order by step"
        ).fetchall()
        parameters = dict(store.execute("select key, value from params").fetchall())
        ((name, status),) = store.execute("select name, status from runs").fetchall()
    assert rows == _wanted(run)
    assert (name, status, parameters["batch_size"]) == ("one", "FINISHED", "16")


def _records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a .wandb file: LevelDB's log format behind a header of 7 bytes.

    A block of 32,768 bytes holds chunks: checksum (4), length (2), kind (1: whole, 2: first,
    3: middle, 4: last), then the bytes; what is left of a block below 7 bytes is padding.
    """
    assert content[:4] == b":W&B"
    position, record = 7, b""
    while position + 7 <= len(content):
        if 32_768 - position % 32_768 < 7:
            position += 32_768 - position % 32_768
            continue
        length, kind = struct.unpack_from("<HB", content, position + 4)
        record += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            yield record
            record = b""


def test_wandb_is_offline_and_keeps_it_in_the_run(logged: Callable[[str], hf.Run]) -> None:
    _need("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    run = logged("wandb")
    assert not [p for p in run.folder.rglob("*") if p.is_symlink()]
    (file,) = run.folder.glob("wandb/offline-run-*/*.wandb")
    found, config = [], {}
    for data in _records(file.read_bytes()):
        record = Record()
        record.ParseFromString(data)
        items = {i.key or ".".join(i.nested_key): i.value_json for i in record.history.item}
        if "validation/top_1" in items:
            found.append((json.loads(items["epoch"]), json.loads(items["validation/top_1"])))
        config |= {i.key: json.loads(i.value_json) for i in record.run.config.update}
    assert found == _wanted(run)
    assert config["batch_size"] == 16


def test_trackio_keeps_it_in_its_database(logged: Callable[[str], hf.Run]) -> None:
    run = logged("trackio")
    import trackio

    (kept,) = [each for each in trackio.Api().runs("hundredfold") if each.name == "one"]
    with sqlite3.connect(next(Path("TRACKIO_DIR").glob("*.db"))) as store:
        rows = store.execute("select step, metrics from metrics order by step, id").fetchall()
    found = [(step, json.loads(text)) for step, text in rows]
    named = [(step, m["validation/top_1"]) for step, m in found if "validation/top_1" in m]
    assert named == _wanted(run) and kept.name == run.name


def test_a_resumed_run_is_one_run_of_mlflow(
    logged: Callable[[str], hf.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = logged("mlflow")
    Trackers(["mlflow"]).replay(Run(run.folder))
    with sqlite3.connect("runs/mlflow.db") as store:
        assert store.execute("select count(*) from runs").fetchone() == (1,)


class _Failing:
    NEEDS = ()

    def __init__(self, where: str) -> None:
        self.where, self.calls = where, 0

    def _do(self, here: str) -> None:
        self.calls += 1
        if here == self.where:
            raise ValueError(f"broken at its {here}")

    def start(self, *_: object) -> "_Failing":
        self._do("start")
        return self

    def epoch(self, *_: object) -> None:
        sys.stdout.write("noise")
        self._do("epoch")

    def end(self, *_: object) -> None:
        self._do("end")


@pytest.mark.parametrize(("where", "calls"), [("start", 1), ("epoch", 2), ("end", 4)])
def test_a_tracker_that_fails_warns_once_and_changes_no_bit(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    where: str, calls: int,
) -> None:  # fmt: skip
    failing = _Failing(where)
    monkeypatch.setattr(trackers, "_module", lambda _name: failing)
    with pytest.warns(
        HundredfoldWarning, match=f"--log wandb ends here.*broken at its {where}"
    ) as w:
        run = hf.train(**SMALL, name="one", log=["wandb", "wandb"])
    assert (len(w), failing.calls, run.status) == (1, calls, "done")
    assert capsys.readouterr().out == ""
    plain = hf.train(**SMALL, name="two")
    files = [each.folder / "weights" / "best.safetensors" for each in (run, plain)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_an_absent_extra_is_exit_4_before_anything_is_written(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trackers, "_is_there", lambda _module: False)
    Path("s.toml").write_text('base = "digits"\nseeds = 1\n[vary.a]\n[vary.b]\nepochs = 1\n')
    for command in (["train", "digits", "--log", "mlflow"], ["study", "s.toml", "--log", "mlflow"]):
        assert main(command) == 4
        assert "pip install 'hundredfold[mlflow]'" in capsys.readouterr().err
    assert not Path("runs").exists()
    with pytest.raises(MissingError):
        hf.train(**SMALL, log="trackio")


def test_an_unknown_tracker_is_a_mistake(elsewhere: Path) -> None:
    assert trackers.names() == ["mlflow", "tensorboard", "trackio", "wandb"]
    with pytest.raises(UsageError, match="did you mean 'wandb'"):
        hf.train(**SMALL, log=["wandbb"])
    assert main(["train", "digits", "--log", "nothing"]) == 2
    assert not Path("runs").exists()


def test_a_study_passes_it_on() -> None:
    from hundredfold.api import studying

    assert studying._logging(None) == []
    if find_spec("tensorboard"):
        assert studying._logging("tensorboard") == ["--log", "tensorboard"]


def test_offline_forbids_a_server(
    logged: Callable[[str], hf.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    _need("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.warns(HundredfoldWarning, match="HUNDREDFOLD_OFFLINE forbids the network"):
        hf.train(**SMALL, name="two", log="mlflow")
