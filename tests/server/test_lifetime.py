"""A server from its start to its end: deaths, signals, other files, a full queue."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from served import Server

Picture = Callable[..., bytes]
RED = (230, 20, 20)


@pytest.fixture
def held(picture: Picture) -> Callable[..., list["Future[tuple[int, Any]]"]]:
    """Return a function that stops a kind of process, and sends images that it will not do."""

    def hold(server: Server, kind: str, count: int) -> list["Future[tuple[int, Any]]"]:
        (process,) = server.children(kind)
        process.suspend()
        pool = ThreadPoolExecutor(count)
        futures = [pool.submit(server.post, picture(RED)) for _ in range(count)]
        pool.shutdown(wait=False)
        patience = time.monotonic() + 10
        while f"images_held {count}\n" not in server.get("/metrics")[1].decode():
            assert time.monotonic() < patience
            time.sleep(0.01)
        return futures

    return hold


@pytest.mark.parametrize("kind", ["worker", "decoder"])
def test_what_a_killed_process_had_is_done_by_another(
    start: Callable[..., Server], held: Callable[..., Any], kind: str
) -> None:
    server = start("--workers=1")
    futures = held(server, kind, 5)
    (process,) = server.children(kind)
    process.kill()
    assert [future.result()[0] for future in futures] == [200] * 5
    event = server.await_event("process_ended")
    assert (event["process"], event["pid"], event["code"]) == (kind, process.pid, -signal.SIGKILL)
    assert server.children(kind)[0].pid != process.pid


def test_a_full_queue_refuses_and_says_when_to_come_again(
    start: Callable[..., Server], held: Callable[..., Any], picture: Picture
) -> None:
    server = start("--queue=2", "--workers=1")
    futures = held(server, "worker", 2)
    response, _ = server.ask("POST", "/predict", picture(RED))
    assert response.status == 503
    assert int(response.headers["retry-after"]) >= 1
    server.resume()
    assert [future.result()[0] for future in futures] == [200, 200]
    assert server.post(picture(RED))[0] == 200


def test_sigterm_answers_what_was_taken_and_takes_no_more(
    start: Callable[..., Server], held: Callable[..., Any]
) -> None:
    server = start("--workers=1")
    futures = held(server, "worker", 3)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.await_event("ending")
    time.sleep(0.3)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), 1)
    server.resume()
    assert [future.result()[0] for future in futures] == [200] * 3
    assert server.process.wait(10) == 0
    assert time.monotonic() - began < 10
    assert server.log[-1]["event"] == "ended"


def test_sigterm_ends_in_time_whatever_clients_and_workers_do(
    start: Callable[..., Server], held: Callable[..., Any]
) -> None:
    server = start("--workers=1")
    children = [*server.children("worker"), *server.children("decoder")]
    with server.connect() as idle, server.connect() as slow, server.connect() as half:
        idle.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        slow.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc")
        half.sendall(b"POST /pre")
        futures = held(server, "worker", 1)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
        assert time.monotonic() - began < 10
    assert futures[0].exception(5) is not None  # the worker never answered
    psutil.wait_procs(children, 3)
    assert not [child for child in children if child.is_running()]


def test_no_process_outlives_a_front_that_is_killed(start: Callable[..., Server]) -> None:
    server = start()
    children = [*server.children("worker"), *server.children("decoder")]
    assert len(children) >= 2
    server.process.kill()
    _, alive = psutil.wait_procs(children, 10)
    assert not alive


@pytest.mark.parametrize("told", ["by a signal", "by the file"])
def test_another_file_replaces_the_first_without_a_lost_request(
    start: Callable[..., Server], tmp_path: Path, picture: Picture, told: str
) -> None:
    from onnx_by_hand import mean_colour

    file = mean_colour(tmp_path / "a.onnx")
    server = start(file=file)
    statuses, labels, over = [], set[str](), threading.Event()

    def ask() -> None:
        while not over.is_set():
            status, answer = server.post(picture(RED, (30, 20)))
            statuses.append(status)
            labels.add(answer["predictions"][0]["label"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    mean_colour(file, classes=("rot", "grün", "blau"), size="6x12")
    if told == "by a signal":
        server.process.send_signal(signal.SIGHUP)
    server.await_event("reloaded")
    time.sleep(0.2)
    over.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert labels == {"red", "rot"}
    assert server.post(picture(RED))[1]["predictions"][0]["label"] == "rot"


def test_a_file_that_cannot_be_loaded_leaves_the_first_in_place(
    start: Callable[..., Server], tmp_path: Path, picture: Picture
) -> None:
    from onnx_by_hand import mean_colour

    file = mean_colour(tmp_path / "a.onnx")
    server = start(file=file)
    other = tmp_path / "other"
    other.write_bytes(b"no network")
    other.replace(file)
    assert server.await_event("reload_failed")["reason"]
    assert server.post(picture(RED))[1]["predictions"][0]["label"] == "red"
    mean_colour(file, classes=("rot", "grün", "blau"))
    server.await_event("reloaded")
    assert server.post(picture(RED))[1]["predictions"][0]["label"] == "rot"


def _run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hundredfold", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60)


def test_a_server_that_cannot_start_says_why(network: Path, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no network")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        cases = [
            (["b.onnx"], 2, "there is no file"),
            (["a.onnx", "--port=0"], 3, "cannot read"),
            ([str(network), f"--port={port}"], 2, "cannot listen"),
            ([str(network), "--host=192.0.2.1", "--port=0"], 2, "cannot listen"),
            ([str(network), "--port=70000"], 2, "--port"),
            ([str(network), "--queue=0"], 2, "--queue"),
            ([str(network), "--reject-at=accuracy=0.9"], 2, "was not exported with"),
            (["no-such-run"], 2, "there is no run"),
        ]
        for arguments, code, words in cases:
            done = _run(*arguments, folder=tmp_path)
            assert done.returncode == code, (arguments, done.stderr)
            assert words in done.stderr
            assert "Traceback" not in done.stderr


def test_json_is_one_object_at_the_end(network: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hundredfold", "serve", str(network), "--port=0", "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stderr is not None
    while "http://" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=15)
    assert process.returncode == 0
    assert out.startswith("{") and '"requests": 0' in out
    assert os.fspath(network) in out
