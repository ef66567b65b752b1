"""Clients that are slow, broken or hostile: others are answered, memory and time are bounded."""

import random
import socket
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest
from served import Server

Picture = Callable[..., bytes]
RED = (230, 20, 20)
_HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\n"


def _all_of(one: socket.socket) -> bytes:
    """Read until the server closes."""
    data = b""
    try:
        while piece := one.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def _is_well(server: Server, picture: Picture) -> None:
    status, answer = server.post(picture(RED))
    assert (status, answer["predictions"][0]["label"]) == (200, "red")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /predict HTTP/1.1\r\nho", b" 408 "),
        (_HEAD + b"content-length: 100\r\n\r\nabc", b" 408 "),
        (_HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n", b" 408 "),
        (b"", b""),
        (b"\r\n", b""),
    ],
)
def test_a_client_that_stops_sending_is_let_go(
    server: Server, picture: Picture, sent: bytes, status: bytes
) -> None:
    with server.connect() as one:
        one.sendall(sent)
        began = time.monotonic()
        answer = _all_of(one)
        assert time.monotonic() - began < 6
    assert status in answer[:30]
    _is_well(server, picture)


def test_a_client_that_sends_a_byte_at_a_time_is_let_go(server: Server) -> None:
    began = time.monotonic()
    with server.connect() as one, pytest.raises(OSError):
        for byte in _HEAD * 100:
            one.sendall(bytes([byte]))
            time.sleep(0.1)
    assert time.monotonic() - began < 6


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\na: " + b"x" * 100_000, b" 431 "),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, b" 431 "),
        (b"GET /" + b"x" * 100_000, b" 431 "),
        (b"nonsense\r\n\r\n", b" 400 "),
        (b"\x16\x03\x01\x02\x00", b" 400 "),
        (_HEAD + b"content-length: -1\r\n\r\n", b" 400 "),
        (_HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\na", b" 400 "),
        (_HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc", b" 400 "),
        (_HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", b" 400 "),
        (_HEAD + b"content-length: 99999999999\r\n\r\n", b" 413 "),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: x\r\n\r\n", b" 400 "),
    ],
)
def test_a_broken_request_is_refused_and_its_connection_closed(
    server: Server, picture: Picture, sent: bytes, status: bytes
) -> None:
    with server.connect() as one:
        with suppress(OSError):
            one.sendall(sent)
        answer = _all_of(one)
    assert status in answer[:30] or not answer  # a reset may overtake the answer
    assert b"Traceback" not in answer
    _is_well(server, picture)


def test_a_body_without_end_is_cut(start: Callable[..., Server], picture: Picture) -> None:
    server = start("--max-bytes=100000", "--timeout=5")
    before = psutil.Process(server.process.pid).memory_info().rss
    piece, sent = b"2710\r\n" + b"x" * 10_000 + b"\r\n", 0
    with server.connect() as one:
        one.sendall(_HEAD + b"transfer-encoding: chunked\r\n\r\n")
        try:
            while sent < 2**31:
                one.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
    assert sent < 2**31
    assert psutil.Process(server.process.pid).memory_info().rss < before + 50e6
    _is_well(server, picture)


def test_requests_behind_each_other_are_answered_in_order(server: Server, picture: Picture) -> None:
    file = picture(RED)
    one_request = _HEAD + b"content-length: %d\r\n\r\n" % len(file) + file
    last = b"GET /labels HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    with server.connect() as one:
        one.sendall(one_request * 20 + last)
        answer = _all_of(one)
    assert answer.count(b"HTTP/1.1 200") == 21
    assert answer.count(b'"label": "red", "probability": 0.9') == 40  # as the label, and in top
    assert answer.endswith(b'{"labels": ["red", "green", "blue"]}')


def test_a_client_that_closes_its_half_is_answered(server: Server, picture: Picture) -> None:
    file = picture(RED)
    with server.connect() as one:
        one.sendall(_HEAD + b"content-length: %d\r\n\r\n" % len(file) + file)
        one.shutdown(socket.SHUT_WR)
        assert b'"label": "red"' in _all_of(one)


@pytest.mark.parametrize("at_a_time", [1, 50, 1000])
def test_a_client_that_reads_nothing_is_dropped(
    server: Server, picture: Picture, at_a_time: int
) -> None:
    before = psutil.Process(server.process.pid).memory_info().rss
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", server.port))
        one.settimeout(8)
        with pytest.raises(OSError):
            while True:
                one.sendall(b"GET /docs HTTP/1.1\r\nhost: x\r\n\r\n" * at_a_time)
    assert psutil.Process(server.process.pid).memory_info().rss < before + 30e6
    _is_well(server, picture)


def test_clients_that_leave_before_the_answer_leave_nothing_behind(
    server: Server, picture: Picture
) -> None:
    file = picture(RED)
    for _ in range(50):
        with server.connect() as one:
            one.sendall(_HEAD + b"content-length: %d\r\n\r\n" % len(file) + file)
            linger = struct.pack("ii", 1, 0)  # a reset instead of a close
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    patience = time.monotonic() + 10
    while "images_held 0\n" not in server.get("/metrics")[1].decode():
        assert time.monotonic() < patience
        time.sleep(0.05)
    _is_well(server, picture)


def _png_of_zeros(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes((3 * width + 1) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_small_file_of_many_pixels_is_refused(server: Server, picture: Picture) -> None:
    status, answer = server.post(_png_of_zeros(8000, 8000))
    assert 400 <= status < 500
    assert "pixels" in answer["error"]["message"]
    _is_well(server, picture)


def test_an_image_that_takes_too_long_costs_the_others_nothing(
    start: Callable[..., Server], picture: Picture
) -> None:
    server = start("--decode-timeout=0.1")
    status, answer = server.post(_png_of_zeros(7000, 7000))
    assert (status, answer["error"]["message"]) == (413, "the image takes over 0.1 s to decode")
    _is_well(server, picture)
    assert server.await_event("process_ended")["process"] == "decoder"


def test_noise_never_ends_a_server_nor_grows_it(server: Server, picture: Picture) -> None:
    draw = random.Random(0)
    file = picture(RED)
    good = _HEAD + b"content-length: %d\r\n\r\n" % len(file) + file

    def send(rounds: int) -> None:
        for _ in range(rounds):
            data = bytearray(good * draw.randrange(1, 3))
            for _ in range(draw.randrange(1, 12)):
                data[draw.randrange(len(data))] = draw.randrange(256)
            with server.connect() as one:
                one.sendall(data[: draw.randrange(1, len(data) + 1)])
                one.shutdown(socket.SHUT_WR)
                assert b"Traceback" not in _all_of(one)

    send(150)
    before = psutil.Process(server.process.pid).memory_info().rss
    send(450)
    assert psutil.Process(server.process.pid).memory_info().rss < 1.05 * before
    _is_well(server, picture)
