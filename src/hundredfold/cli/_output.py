"""The command's output: streams that survive a failure and show control characters escaped.

Stdout may be closed (`>&-`), its reader may have ended (`| head -1`), or its disk may be full.
The training continues, because the run's log has every line. Further output is discarded, and
a failure other than a closed pipe is reported at the end.

All text passes through `Output.write`, which shows the control characters of foreign names escaped.
Only what draws on a terminal by control sequences writes to `Output.styled`.
"""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

from hundredfold.wording import visible


class Output(io.TextIOBase):
    """A stream that accepts all output, even after the first `failure` of its own stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding or "utf-8"

    @property
    def styled(self) -> TextIO:
        """The same stream, for text whose control sequences are meant."""
        return cast(TextIO, _Styled(self))

    def write(self, text: str) -> int:
        return self.write_styled(visible(text))

    def write_styled(self, text: str) -> int:
        self._attempt(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def isatty(self) -> bool:
        return self.failure is None and self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def _attempt(self, act: Callable[[], object]) -> None:
        if self.failure is not None:
            return
        try:
            act()
        except OSError as error:
            self.failure = error
            _send_nowhere(self._stream)


class _Styled:
    """An output that takes control sequences as they are."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, text: str) -> int:
        return self._output.write_styled(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)


@contextmanager
def lasting_output() -> Iterator[tuple[Output, Output]]:
    """Replace stdout and stderr by streams that never fail; yield both."""
    with _opened(sys.stdout, 1) as stdout, _opened(sys.stderr, 2) as stderr:
        out, err = Output(stdout), Output(stderr)
        with redirect_stdout(out), redirect_stderr(err):
            yield out, err


@contextmanager
def _opened(stream: TextIO | None, descriptor: int) -> Iterator[TextIO]:
    """Yield a stream that escapes unencodable characters; discard output if it was closed.

    The descriptor of a closed stream is opened on /dev/null, so that no file of a run gets it.
    """
    if stream is not None:
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
        yield stream
        return
    try:
        os.fstat(descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
    with open(os.devnull, "w", encoding="utf-8") as sink:  # noqa: PTH123
        yield sink


def _send_nowhere(stream: TextIO) -> None:
    """Point a stream's descriptor to /dev/null, so that its buffer can be flushed."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
