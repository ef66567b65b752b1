"""TensorBoard: an event file in the run's folder; `tensorboard --logdir runs` shows all runs.

Records are written with tensorboard's own protocol buffers, without TensorFlow and its start.
"""

import os
import platform
import time
from collections.abc import Mapping
from typing import Any

from hundredfold.run import Run
from hundredfold.trackers._tracker import numbers, score_numbers, settings

NEEDS = ("tensorboard",)


class TensorBoard:
    """An event file; steps are epochs."""

    def __init__(self, run: Run, first: int) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event: Any = event_pb2.Event
        self._summary: Any = summary_pb2
        self._tensor: Any = tensor_pb2.TensorProto
        name = f"events.out.tfevents.{time.time():.0f}.{platform.node()}.{os.getpid()}"
        self._file = (run.folder / name).open("wb")
        self._records: Any = RecordWriter(self._file)
        self._last = first
        self._write(first, file_version="brain.Event:2")
        # epochs from `first` on are trained anew: those of an earlier file are void
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(first, session_log=start)
        rows = "".join(f"| {key} | `{value}` |\n" for key, value in settings(run).items())
        self._text("recipe", f"| field | value |\n|---|---|\n{rows}")

    def epoch(self, row: Mapping[str, float]) -> None:
        self._last = int(row["epoch"])
        self._scalars(numbers(row))

    def end(self, status: str, scores: Mapping[str, Mapping[str, Any]]) -> None:
        self._scalars(score_numbers(scores))
        self._text("status", status)
        self._file.close()

    def _scalars(self, values: Mapping[str, float]) -> None:
        entries = [self._summary.Summary.Value(tag=k, simple_value=v) for k, v in values.items()]
        self._write(self._last, summary=self._summary.Summary(value=entries))

    def _text(self, tag: str, text: str) -> None:
        plugin = self._summary.SummaryMetadata.PluginData(plugin_name="text")
        value = self._summary.Summary.Value(
            tag=f"{tag}/text_summary",
            metadata=self._summary.SummaryMetadata(plugin_data=plugin),
            tensor=self._tensor(dtype="DT_STRING", string_val=[text.encode()]),
        )
        self._write(self._last, summary=self._summary.Summary(value=[value]))

    def _write(self, step: int, **content: Any) -> None:
        event = self._event(wall_time=time.time(), step=step, **content)
        self._records.write(event.SerializeToString())
        self._records.flush()


def start(run: Run, first: int) -> TensorBoard:
    """Begin to log a run. first: the epoch that comes next."""
    return TensorBoard(run, first)
