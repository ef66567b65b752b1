"""`hundredfold serve`: answer requests with predictions over HTTP."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from hundredfold.api import serving
from hundredfold.cli._bounds import Bounds

_TOKEN = "HUNDREDFOLD_TOKEN"
_LOOPBACK = ("127.", "::1", "localhost")


@dataclass(frozen=True)
class Limits:
    """The bounds of what a server takes."""

    queue: Annotated[int, Parameter(help="Images that are held; more get 503.")] = 256
    max_bytes: Annotated[int, Parameter(help="Bytes of a request.")] = 32 * 2**20
    timeout: Annotated[
        float, Parameter(help="Seconds for the headers of a request, and again for its body.")
    ] = 20.0
    decode_timeout: Annotated[float, Parameter(help="Seconds to decode an image.")] = 5.0


_LIMITS, _AS_STORED = Limits(), Bounds()


def serve(
    run_or_onnx: str,
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: Annotated[int, Parameter(show_default="one for each 4 cores")] = 0,
    max_batch: int = 32,
    max_wait: float = 0.0,
    token: Annotated[str, Parameter(show_default="none")] = "",
    bounds: Bounds = _AS_STORED,
    limits: Annotated[Limits, Parameter(name="*")] = _LIMITS,
    out: Path = Path("runs"),
    trust: Annotated[list[Path] | None, Parameter(negative="", show_default="none")] = None,
    json: bool = False,
) -> dict[str, Any]:
    """Serve a run or an exported .onnx file: POST /predict, and a page to drop images on.

    Listens on this machine only, unless --host says otherwise. SIGTERM and Ctrl-C answer what was
    taken and end with exit code 0; SIGHUP, or a new file in place of the old, loads it anew.

    Parameters
    ----------
    run_or_onnx
        A run, which is exported first where that is due, or an exported file.
    host
        The address to listen on; 0.0.0.0 is every address of this machine.
    port
        The port; 0 takes any that is free.
    workers
        Processes that infer; together they take every core.
    max_batch
        Images that are inferred together, at most.
    max_wait
        Milliseconds in which an idle worker lets a batch fill.
    token
        What clients send as Authorization: Bearer TOKEN; HUNDREDFOLD_TOKEN sets it unseen.
    out
        The folder of the runs.
    trust
        A .py file of your own that the run names, and that may run in an export.
    json
        Print one JSON object when the server has ended.
    """
    settings = serving.Settings(
        host=host, port=port, workers=workers, max_batch=max_batch, max_wait=max_wait,
        token=token or os.environ.get(_TOKEN, ""), **vars(limits),
    )  # fmt: skip
    if not host.startswith(_LOOPBACK) and not settings.token:
        sys.stderr.write(f"warning: anyone who reaches {host} can send images; see --token\n")

    def say(url: str) -> None:
        stream = sys.stderr if json else sys.stdout
        stream.write(f"{url}\n")
        stream.flush()

    return serving.serve(run_or_onnx, settings, out=out, trust=trust or (), say=say, **vars(bounds))
