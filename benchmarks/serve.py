"""A prediction server under load, beside a plain FastAPI and onnxruntime script (40 lines).

    python benchmarks/serve.py FILE [--tests rate,start,malformed,slow,kills] [--minutes 10]

It needs FastAPI. The rate is measured of a third server too: Starlette before the same processes.

FILE is an exported ONNX file. Images are JPEGs of its size, over keep-alive connections on
loopback, from a client on the same machine. The servers are interleaved, round by round.

rate       requests a second, closed loop; then p50 and p99 at half of that, at a fixed rate
start      from starting the command to the first answer
malformed  a fifth of 10,000 requests broken in some way: wrong answers, crashes, memory
slow       200 clients that send a byte a second, beside 20 good ones
kills      full load while a worker is killed every 20 s: requests that got no answer
"""

import argparse
import asyncio
import io
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import uvloop
from _common import ratio, write_record
from _load import Load, closed_loop, label, open_loop, request
from PIL import Image

from hundredfold import machine
from hundredfold.onnx_metadata import metadata_of

_HERE = Path(__file__).parent
_PLAIN, _OURS = "plain FastAPI script", "`hundredfold serve`"
_STARLETTE = "Starlette before the same processes"
_IMAGES = 64
_CONNECTIONS = 32
_WARM = 10  # seconds of load before memory is looked at


def images(size: int) -> list[bytes]:
    """Return JPEGs of smooth random pictures, each another."""
    draw, found = np.random.default_rng(0), []
    for _ in range(_IMAGES):
        small = Image.fromarray(draw.integers(0, 256, (4, 4, 3), np.uint8))
        stream = io.BytesIO()
        small.resize((size, size), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
        found.append(stream.getvalue())
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def command(kind: str, file: Path, port: int, options: argparse.Namespace) -> list[str]:
    if kind == _PLAIN:
        script = str(_HERE / "_plain_server.py")
        return [sys.executable, script, str(file), str(port), str(options.plain_processes)]
    if kind == _STARLETTE:
        return [sys.executable, str(_HERE / "_starlette_server.py"), str(file), str(port)]
    given = [*options.options.split()] if options.options else []
    return [sys.executable, "-m", "hundredfold", "serve", str(file), f"--port={port}", *given]


@contextmanager
def server(
    kind: str, file: Path, options: argparse.Namespace, body: bytes
) -> Iterator[tuple[int, psutil.Process, float]]:
    """Run a server; yield its port, its process and the seconds to its first answer."""
    port, began = free_port(), time.perf_counter()
    with Path(options.log).open("ab") as log:
        process = subprocess.Popen(command(kind, file, port, options), stderr=log, stdout=log)
    try:
        yield port, psutil.Process(process.pid), first_answer(port, body, process) - began
        assert process.poll() is None, f"{kind} ended with {process.returncode}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)
        if kind == _OURS:
            assert process.returncode == 0, f"exit code {process.returncode}"


def first_answer(port: int, body: bytes, process: subprocess.Popen[bytes]) -> float:
    """Return the moment at which a prediction came."""
    while process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 30) as one:
                one.sendall(request(body))
                if b" 200 " in one.recv(65536)[:20]:
                    return time.perf_counter()
        except OSError:
            time.sleep(0.005)
    raise SystemExit(f"the server ended with exit code {process.returncode}")


def wrong(load: Load, labels: list[str]) -> int:
    """Return how many answers have another class than they should."""
    return sum(
        result.status != 200 or label(result.body) != labels[result.number % len(labels)]
        for result in load.results
    )


def expected(port: int, requests: list[bytes]) -> list[str]:
    """Return the class of each image, asked one at a time."""
    load, _ = uvloop.run(closed_loop(port, requests, 1, count=len(requests)))
    return [str(label(result.body)) for result in sorted(load.results, key=lambda r: r.number)]


def memory(process: psutil.Process) -> int:
    """Return the bytes that a process and its children hold for themselves."""
    return sum(one.memory_full_info().uss for one in [process, *process.children(recursive=True)])


def rate(file: Path, bodies: list[bytes], options: argparse.Namespace) -> list[dict[str, Any]]:
    requests, kinds = [request(body) for body in bodies], (_PLAIN, _OURS, _STARLETTE)
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    half: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    mistakes, ports = Counter[str](), {}
    with ExitStack() as servers:
        for kind in kinds:
            ports[kind] = servers.enter_context(server(kind, file, options, bodies[0]))[0]
        labels = {kind: expected(port, requests) for kind, port in ports.items()}
        assert all(found == labels[_OURS] for found in labels.values()), "other classes"
        for port in ports.values():
            uvloop.run(closed_loop(port, requests, _CONNECTIONS, seconds=1))
        for number in range(options.rounds):
            for kind in kinds[:: 1 if number % 2 else -1]:
                port = ports[kind]
                load, seconds = uvloop.run(
                    closed_loop(port, requests, _CONNECTIONS, seconds=options.seconds)
                )
                rates[kind].append(load.rate(seconds))
                at_half = uvloop.run(
                    open_loop(port, requests, _CONNECTIONS, rates[kind][-1] / 2, options.seconds)
                )
                half[kind].append((at_half.quantile(0.5), at_half.quantile(0.99)))
                for one in (load, at_half):
                    mistakes[kind] += wrong(one, labels[kind]) + len(one.lost)
    return [
        {
            "server": kind,
            "requests_per_second": statistics.median(rates[kind]),
            "p50_ms": 1000 * statistics.median(p[0] for p in half[kind]),
            "p99_ms": 1000 * statistics.median(p[1] for p in half[kind]),
            "mistakes": mistakes[kind],
            "to_plain": ratio(rates[kind], rates[_PLAIN]),
            "to_starlette": ratio(rates[kind], rates[_STARLETTE]),
            "n": options.rounds,
        }
        for kind in kinds
    ]


def start(file: Path, bodies: list[bytes], options: argparse.Namespace) -> list[dict[str, Any]]:
    found: dict[str, list[float]] = {_PLAIN: [], _OURS: []}
    for _ in range(options.rounds):
        for kind, times in found.items():
            with server(kind, file, options, bodies[0]) as (_, _, seconds):
                times.append(seconds)
    return [
        {"server": kind, "seconds": statistics.median(times), "n": options.rounds}
        for kind, times in found.items()
    ]


def broken(body: bytes, draw: random.Random) -> bytes:
    """Return a request that has no image, or is no request."""
    noise = draw.randbytes(draw.randrange(1, 3000))
    return draw.choice(
        [
            lambda: request(b""),
            lambda: request(noise),
            lambda: request(body[: draw.randrange(1, len(body) // 2)]),
            lambda: request(body[:100] + noise + body[300:500]),
            lambda: request(noise, "application/json"),
            lambda: request(b'{"images": ' + b"[" * 1000, "application/json"),
            lambda: request(b'{"images": ["%%%"]}', "application/json"),
            lambda: request(noise, "multipart/form-data; boundary=x"),
            lambda: request(b"--x\r\n\r\n" + noise, "multipart/form-data; boundary=x"),
            lambda: request(body, "text/html"),
            lambda: request(body, path="/nowhere"),
            lambda: b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
            lambda: b"GET /" + noise.hex().encode() + b" HTTP/1.1\r\nhost: x\r\n\r\n",
            lambda: b"\x16\x03\x01" + noise + b"\r\n\r\n",
        ]
    )()


def malformed(file: Path, bodies: list[bytes], options: argparse.Namespace) -> list[dict[str, Any]]:
    draw, good = random.Random(0), [request(body) for body in bodies]
    kinds = [draw.random() < 0.2 for _ in range(10_000)]
    mixed = [
        broken(bodies[k % len(bodies)], draw) if bad else good[k % len(good)]
        for k, bad in enumerate(kinds)
    ]
    with server(_OURS, file, options, bodies[0]) as (port, process, _):
        labels = expected(port, good)
        uvloop.run(closed_loop(port, mixed, _CONNECTIONS, count=len(mixed)))
        before = memory(process)
        load, _ = uvloop.run(closed_loop(port, mixed, _CONNECTIONS, count=len(mixed)))
        after, statuses, mistakes = memory(process), Counter[int](), 0
        for result in load.results:
            statuses[result.status] += 1
            if kinds[result.number]:
                mistakes += not 400 <= result.status < 500
            else:
                mistakes += label(result.body) != labels[result.number % len(labels)]
        traces = sum(b"Traceback" in result.body for result in load.results)
    return [
        {
            "requests": len(mixed), "lost": len(mixed) - len(load.results),
            "mistakes": mistakes, "stack_traces": traces, "memory_growth": after / before - 1,
            "statuses": {str(status): statuses[status] for status in sorted(statuses)},
        }
    ]  # fmt: skip


async def _drip(port: int, data: bytes, over: asyncio.Event) -> None:
    """Send a byte a second for as long as the server lets it."""
    while not over.is_set():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for byte in data:
                writer.write(bytes([byte]))
                await writer.drain()
                try:
                    await asyncio.wait_for(over.wait(), 1)
                    writer.close()
                    return
                except TimeoutError:
                    pass
                if reader.at_eof():
                    break
            writer.close()
        except OSError:
            await asyncio.sleep(0.5)


def slow(file: Path, bodies: list[bytes], options: argparse.Namespace) -> list[dict[str, Any]]:
    requests = [request(body) for body in bodies]

    async def both(port: int) -> Load:
        over = asyncio.Event()
        halves = [requests[0], requests[0][: requests[0].find(b"\r\n\r\n") + 4]]
        heads = [(r if k % 2 else halves[1] + bodies[0][:1]) for k, r in enumerate(requests)]
        dripping = [
            asyncio.create_task(_drip(port, heads[k % len(heads)], over)) for k in range(200)
        ]
        await asyncio.sleep(2)
        load = await open_loop(port, requests, 20, 100.0, options.slow_seconds)
        over.set()
        await asyncio.gather(*dripping)
        return load

    with server(_OURS, file, options, bodies[0]) as (port, _, _):
        labels = expected(port, requests)
        load = uvloop.run(both(port))
        return [
            {
                "requests": len(load.results) + len(load.lost), "lost": len(load.lost),
                "mistakes": wrong(load, labels), "p99_ms": 1000 * load.quantile(0.99),
            }
        ]  # fmt: skip


def kills(file: Path, bodies: list[bytes], options: argparse.Namespace) -> list[dict[str, Any]]:
    requests, every = [request(body) for body in bodies], options.every
    draw, killed = random.Random(0), 0

    async def killing(process: psutil.Process) -> None:
        nonlocal killed
        while True:
            await asyncio.sleep(every)
            victims = [c for c in process.children() if "hundredfold.server.worker" in c.cmdline()]
            if victims:
                os.kill(draw.choice(victims).pid, signal.SIGKILL)
                killed += 1

    async def both(port: int, process: psutil.Process) -> tuple[Load, float]:
        task = asyncio.create_task(killing(process))
        try:
            return await closed_loop(port, requests, _CONNECTIONS, seconds=60 * options.minutes)
        finally:
            task.cancel()

    with server(_OURS, file, options, bodies[0]) as (port, process, _):
        labels = expected(port, requests)
        uvloop.run(closed_loop(port, requests, _CONNECTIONS, seconds=_WARM))
        before = process.memory_full_info().uss, process.num_fds()  # of the one that stays
        load, seconds = uvloop.run(both(port, process))
        return [
            {
                "seconds": seconds, "kills": killed,
                "requests": len(load.results) + len(load.lost), "lost": len(load.lost),
                "mistakes": wrong(load, labels), "requests_per_second": load.rate(seconds),
                "p99_ms": 1000 * load.quantile(0.99), "slowest_ms": 1000 * load.quantile(1),
                "memory_growth": process.memory_full_info().uss / before[0] - 1,
                "more_open_files": process.num_fds() - before[1],
            }
        ]  # fmt: skip


_Test = Callable[[Path, list[bytes], argparse.Namespace], list[dict[str, Any]]]
_TESTS: dict[str, _Test] = {
    "rate": rate,
    "start": start,
    "malformed": malformed,
    "slow": slow,
    "kills": kills,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--tests", default=",".join(_TESTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of a block")
    parser.add_argument("--slow-seconds", type=float, default=30)
    parser.add_argument("--minutes", type=float, default=10, help="of kills")
    parser.add_argument("--every", type=float, default=20, help="seconds between two kills")
    parser.add_argument("--plain-processes", type=int, default=1)
    parser.add_argument("--options", default="", help="more options of hundredfold serve")
    parser.add_argument("--log", default=os.devnull, help="a file for what the servers print")
    parser.add_argument("--record", type=Path, help="write benchmarks/results/NAME.json as well")
    options = parser.parse_args()
    metadata = metadata_of(options.file)
    rows: list[dict[str, Any]] = []
    for name in options.tests.split(","):
        found = _TESTS[name](options.file, images(int(metadata["image_size"])), options)
        rows += [{"test": name, **row} for row in found]
        for row in found:
            sys.stdout.write(json.dumps({"test": name, **row}) + "\n")
        sys.stdout.flush()
    if options.record:
        facts = {"precision": "fp32", "threads": machine.cores(), "n": options.rounds}
        write_record(options.record, {**facts, "model": metadata["model"], "rows": rows})


if __name__ == "__main__":
    main()
