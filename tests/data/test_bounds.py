"""A file may not cost far more than its size: scans, chunks, tags, blocks, bytes in flight."""

import io
import struct
import threading
import time
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hundredfold.data import _bounds, decode
from hundredfold.errors import DataError


def saved(form: str, side: int = 64, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(stream, form, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(extra: bytes = b"", pixels: np.ndarray | None = None) -> bytes:
    """Return a PNG of 16-bit grey, (8, 8) of zeros by default, with chunks before its pixels."""
    grey = np.zeros((8, 8), np.uint16) if pixels is None else pixels
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 16, 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in grey)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def tags(*entries: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    """Return a TIFF header with entries (tag, type, count, value), and data behind them."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + body + bytes(4) + data


def scans(count: int) -> bytes:
    data = saved("JPEG", 512, progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:last] + data[last:-2] * count + b"\xff\xd9"


def gif(blocks: bytes) -> bytes:
    data = saved("GIF")
    start = 13 + (3 << ((data[10] & 7) + 1))
    return data[:start] + blocks + data[start:]


OVERLAP = tags(*((tag, 7, 60_000, 0) for tag in range(1, 500)), data=bytes(60_000))
JPEG = saved("JPEG")
HOSTILE = {
    "scans": scans(3000),
    "scans of a small file": scans(300),
    "markers": JPEG[:2] + b"\xff\xe5\0\2" * 100_000 + JPEG[2:],
    "exif": JPEG[:2] + b"\xff\xe1\xfe\x02Exif\0\0" + OVERLAP[: 0xFE00 - 6] + JPEG[2:],
    "chunks": png(chunk(b"tEXt", b"a\0b") * 100_000),
    "empty pixels": png(chunk(b"IDAT", b"") * 100_000),
    "text": png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26)))),
    "comment": gif(b"\x21\xfe" + (b"\xff" + b"x" * 255) * 40_000 + b"\0"),
    "comments": gif(b"\x21\xfe\x01x\0" * 100_000),
    "runs": struct.pack("<2sIHHIIiiHHII", b"BM", 0, 0, 0, 54, 40, 99, 99, 1, 8, 1, 0)
    + bytes(5 << 20),
    "tags": OVERLAP,
    "tiles": tags((256, 4, 1, 9), (257, 4, 1, 9), (324, 4, 10**6, 50), data=bytes(4 * 10**6)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_costs_more_than_its_size_is_left_out(name: str) -> None:
    began = time.process_time()
    with pytest.raises(DataError, match="cannot read the image: "):
        decode(HOSTILE[name], 16)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "AVIF"])
def test_what_is_usual_is_read(form: str) -> None:
    exif = Image.Exif()
    exif[271], exif[0x927C] = "maker", b"x" * 40_000
    options: dict[str, Any] = {"exif": exif} if form in ("JPEG", "PNG", "WEBP", "AVIF") else {}
    if form in ("GIF", "PNG", "WEBP"):
        frames = [Image.new("RGB", (300, 300), (k, 0, 0)) for k in range(100)]
        options |= {"save_all": True, "append_images": frames}
    pixels = decode(saved(form, 300, **options), 16)
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() < 8


def test_large_images_wait_for_room() -> None:
    most, now, lock = [0], [0], threading.Lock()

    def take() -> None:
        with _bounds.room(300 * 2**20):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.01)
            with lock:
                now[0] -= 1

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 2
    with _bounds.room(2**33):
        pass


def test_significant_bits_are_scaled_where_values_keep_to_them() -> None:
    grey = np.full((8, 8), 4095, np.uint16)
    assert (decode(png(chunk(b"sBIT", b"\x0c"), grey), 8) == 255).all()
    assert (decode(png(pixels=grey), 8) == 16).all()
    shifted = grey << 4
    assert (decode(png(chunk(b"sBIT", b"\x0c"), shifted), 8) == 255).all()


def test_transparent_grey_of_sixteen_bits_is_white() -> None:
    grey = np.full((8, 8), 1000, np.uint16)
    grey[4:] = 30_000
    pixels = decode(png(chunk(b"tRNS", struct.pack(">H", 1000)), grey), 8)
    assert (pixels[:4] == 255).all()
    assert (pixels[4:] == round(30_000 / 257)).all()


@pytest.mark.parametrize("planar", [1, 2])
def test_deep_colours_in_planes_are_right_or_left_out(planar: int) -> None:
    samples = np.random.default_rng(0).integers(0, 2**16, (8, 8, 3), np.uint16)
    planes = [np.moveaxis(samples, -1, 0)[k] for k in range(3)] if planar == 2 else [samples]
    offsets = [200 + 128 * k for k in range(len(planes))]
    count, size = len(planes), 384 // len(planes)
    fields = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 3, 182), (259, 3, 1, 1), (262, 3, 1, 2),
              (273, 4, count, offsets[0] if count == 1 else 158), (277, 3, 1, 3), (278, 4, 1, 8),
              (279, 4, count, size if count == 1 else 170), (284, 3, 1, planar)]  # fmt: skip
    head = tags(*fields).ljust(158, b"\0")
    lists = struct.pack("<6I3H", *(offsets * 3)[:3], *[size] * 3, 16, 16, 16).ljust(42, b"\0")
    data = head + lists + b"".join(plane.tobytes() for plane in planes)
    if planar == 1:
        assert (decode(data, 8) == samples >> 8).all()
        return
    with pytest.raises(DataError, match="separate planes"):
        decode(data, 8)


def test_no_message_of_a_library_reaches_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole = saved("TIFF", compression="tiff_lzw")
    for seed in range(30):
        damaged, rng = bytearray(whole), np.random.default_rng(seed)
        for place in rng.integers(8, len(damaged), 12):
            damaged[place] = rng.integers(256)
        try:
            decode(bytes(damaged), 16)
        except DataError:
            continue
    assert capfd.readouterr().err == ""
