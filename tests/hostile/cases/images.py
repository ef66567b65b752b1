"""Damaged and extreme images in every format: checked, trained on, predicted.

Twelve damaged copies of one picture lie among sound images in each case of the first kind. The
second kind are bombs, many scans, odd modes and odd endings.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hostile import odd
from hostile.case import HERE, Case
from hostile.cases import runs
from hostile.cases.weights import SMALL
from hostile.worker import World
from PIL import Image, features

COUNT, MUTANTS = 260, 12
FORMATS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("JPEG", "RGB", {"quality": 90}),
    "progressive jpeg": ("JPEG", "RGB", {"progressive": True}),
    "cmyk jpeg": ("JPEG", "CMYK", {}),
    "grey jpeg": ("JPEG", "L", {}),
    "png": ("PNG", "RGB", {}),
    "palette png": ("PNG", "P", {}),
    "transparent png": ("PNG", "RGBA", {}),
    "16-bit png": ("PNG", "I;16", {}),
    "1-bit png": ("PNG", "1", {}),
    "webp": ("WEBP", "RGB", {}),
    "lossless webp": ("WEBP", "RGBA", {"lossless": True}),
    "bmp": ("BMP", "RGB", {}),
    "gif": ("GIF", "P", {}),
    "animated gif": ("GIF", "P", {"save_all": True, "append_images": True}),
    "tiff": ("TIFF", "RGB", {}),
    "lzw tiff": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "jpeg tiff": ("TIFF", "RGB", {"compression": "jpeg"}),
    "deflate tiff": ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
    "group 4 tiff": ("TIFF", "1", {"compression": "group4"}),
    "float tiff": ("TIFF", "F", {}),
    "avif": ("AVIF", "RGB", {}),
}
CHECK = ("data", "check", "data")
TRAIN = ("train", "--data", "data", "--model", "densenet(depth=10, growth=4)", *SMALL)
PREDICT = ("predict", "done", "data/train/a", "--threads", "1")
CODES = frozenset({0, 3})


def furnish(world: World) -> None:
    """Make sound images and a run of them."""
    runs.pictures(world.base / HERE / "data")
    end = world.run(world.base, Case("base", (*TRAIN[:-1], "done")))
    if end.code:
        raise SystemExit(f"the base cannot be made: {end.stderr.decode()}")


@cache
def original(name: str) -> bytes:
    """Return a picture of 24 x 20 pixels in a format of `FORMATS`."""
    form, mode, options = FORMATS[name]
    chance = np.random.default_rng(7)
    picture = Image.fromarray(chance.integers(0, 256, (5, 6, 3), np.uint8)).resize((24, 20))
    if mode == "I;16":
        image: Image.Image = Image.fromarray(chance.integers(0, 65536, (20, 24), np.uint16))
    else:
        image = picture.convert(mode)
    if "append_images" in options:
        options = options | {"append_images": [image.rotate(90 * k) for k in range(3)]}
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def cases(seed: int) -> list[Case]:
    """Return all cases, in a random order that depends on the seed."""
    chance = random.Random(seed)
    made = [case for name, make in EXTREME.items() for case in _extreme(name, make)]
    names = [n for n, (form, *_) in FORMATS.items() if form != "AVIF" or features.check("avif")]
    while len(made) < COUNT:
        made.append(_mutants(random.Random(chance.random()), names[len(made) % len(names)]))
    chance.shuffle(made)
    return made


def _mutants(chance: random.Random, name: str) -> Case:
    ending = {"JPEG": "jpg"}.get(FORMATS[name][0], FORMATS[name][0].lower())
    verb = chance.choice([CHECK, (*CHECK, "--json"), TRAIN, PREDICT, (*PREDICT, "--json")])

    def build(world: Path) -> None:
        folder = world / HERE / "data" / "train" / "a"
        for number in range(MUTANTS):
            data = odd.flipped(original(name), chance)
            if chance.random() < 0.2:
                data = odd.flipped(data, chance)
            (folder / f"m{number}.{ending}").write_bytes(data)

    allowed = (f"{HERE}/runs",) if verb == TRAIN else ()
    return Case(f"{MUTANTS} mutants of {name}", verb, build, allowed, CODES)


def _extreme(name: str, make: Callable[[], bytes]) -> Iterator[Case]:
    ending, _, words = name.partition(" ")
    for verb in (CHECK, PREDICT, TRAIN):

        def build(world: Path) -> None:
            for number in range(2):
                path = world / HERE / "data" / "train" / "a" / f"x{number}.{ending}"
                path.write_bytes(make())

        allowed = (f"{HERE}/runs",) if verb == TRAIN else ()
        yield Case(f"{ending}: {words}", verb, build, allowed, CODES)


# --- pictures that are extreme


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def png(
    width: int, height: int, depth: int = 8, colour: int = 2, *more: bytes, rows: int = -1
) -> bytes:
    """Return a black PNG, of which only `rows` rows are there; more: further chunks."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = 1 + (width * channels * depth + 7) // 8
    packer, packed = zlib.compressobj(9), b""
    for _ in range(min(height, 4000) if rows < 0 else rows):
        packed += packer.compress(bytes(row))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [_chunk(b"IHDR", head), *more, _chunk(b"IDAT", packed + packer.flush())]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + _chunk(b"IEND", b"")


def _text_bomb() -> bytes:
    packed = zlib.compress(bytes(200_000_000), 9)
    return png(8, 8, 8, 2, _chunk(b"zTXt", b"a\x00\x00" + packed), rows=8)


def _profile_bomb() -> bytes:
    packed = zlib.compress(bytes(400_000_000), 9)
    return png(8, 8, 8, 2, _chunk(b"iCCP", b"a\x00\x00" + packed), rows=8)


def _many_chunks() -> bytes:
    return png(8, 8, 8, 2, *[_chunk(b"tEXt", b"k%d\x00v" % k) for k in range(200_000)], rows=8)


def scans(count: int, side: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated."""
    data = _saved(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * count + b"\xff\xd9"


def _exif(orientation: int, extra: bytes = b"") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _saved(Image.new("RGB", (9, 17), (9, 99, 200)), "JPEG", exif=exif.tobytes() + extra)


def _tiff(entries: dict[int, tuple[int, int, int]], data: bytes = bytes(64)) -> bytes:
    """Return a TIFF with the entries tag -> (type, count, value)."""
    body = b"".join(struct.pack("<HHII", t, *entry) for t, entry in sorted(entries.items()))
    head = b"II*\x00" + struct.pack("<I", 8 + len(data))
    return head + data + struct.pack("<H", len(entries)) + body + struct.pack("<I", 0)


_TIFF = {256: (4, 1, 4), 257: (4, 1, 4), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1),
         273: (4, 1, 8), 278: (4, 1, 4), 279: (4, 1, 16)}  # fmt: skip


def _looped_tiff() -> bytes:
    data = bytearray(_tiff(_TIFF))
    data[-4:] = struct.pack("<I", 8 + 64)
    return bytes(data)


def _planar() -> bytes:
    """Return a TIFF of 16-bit colours, plane after plane."""
    values = np.arange(3 * 16, dtype="<u2").tobytes()
    entries = _TIFF | {258: (3, 1, 16), 262: (3, 1, 2), 277: (3, 1, 3), 284: (3, 1, 2),
                       279: (4, 1, len(values))}  # fmt: skip
    return _tiff(entries, values)


def _noise(side: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8))


def _frames(count: int, side: int, form: str) -> bytes:
    frames = [Image.new("P", (side, side), k % 255) for k in range(count)]
    return _saved(frames[0], form, save_all=True, append_images=frames[1:])


EXTREME: dict[str, Callable[[], bytes]] = {
    "png bomb of 2 gigapixels": lambda: png(46_000, 46_000, rows=4000),
    "png bomb of 49 megapixels": lambda: png(7000, 7000, rows=7000),
    "png bomb of 49 megapixels of 16 bits": lambda: png(7000, 7000, 16, 6, rows=7000),
    "png of 2^31 pixels wide": lambda: png(2**31 - 1, 1, 1, 0, rows=0),
    "png of no pixels": lambda: png(0, 0, rows=0),
    "png of one pixel": lambda: png(1, 1, rows=1),
    "png of 40,000 x 1": lambda: png(40_000, 1, rows=1),
    "png of 1 x 40,000": lambda: png(1, 40_000, 8, 0, rows=40_000),
    "png of 16-bit grey": lambda: _saved(Image.fromarray(np.full((9, 9), 4095, np.uint16)), "PNG"),
    "png of text that is a bomb": _text_bomb,
    "png of a profile that is a bomb": _profile_bomb,
    "png of many chunks": _many_chunks,
    "png without its palette": lambda: png(8, 8, 8, 3, rows=8),
    "png of half its rows": lambda: png(8, 8, rows=4),
    "jpg of 20,000 scans": lambda: scans(20_000, 64),
    "jpg of 3,000 scans, large": lambda: scans(3000, 3000),
    "jpg of 300 scans, large": lambda: scans(300, 6000),
    "jpg of 60,000 x 1": lambda: _saved(Image.new("L", (60_000, 1)), "JPEG"),
    "jpg of 40 megapixels": lambda: _saved(Image.new("L", (6300, 6300)), "JPEG", quality=5),
    "jpg of orientation 6": lambda: _exif(6),
    "jpg of orientation 99": lambda: _exif(99),
    "jpg of more EXIF": lambda: _exif(3, bytes(50_000)),
    "jpg of comments": lambda: _saved(Image.new("L", (9, 9)), "JPEG", comment=b"\x1b[2J" * 9000),
    "gif of 2,000 frames": lambda: _frames(2000, 8, "GIF"),
    "gif of a large screen": lambda: (
        b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b";"
    ),
    "webp of 200 frames": lambda: _frames(200, 16, "WEBP"),
    "bmp of a gigapixel": lambda: (
        b"BM" + struct.pack("<IHHIIiiHH", 99, 0, 0, 54, 40, 32000, 32000, 1, 24) + bytes(60)
    ),
    "bmp of a negative height": lambda: (
        b"BM"
        + struct.pack("<IHHIIiiHHIIIIII", 99, 0, 0, 54, 40, 4, -(2**31), 1, 24, 0, 0, 0, 0, 0, 0)
    ),
    "tif of a gigapixel": lambda: _tiff(_TIFF | {256: (4, 1, 40_000), 257: (4, 1, 40_000)}),
    "tif of 2^31 strips": lambda: _tiff(_TIFF | {273: (4, 2**31, 8)}),
    "tif of a loop": _looped_tiff,
    "tif of planes of 16 bits": _planar,
    "tif of 64 bits": lambda: _tiff(_TIFF | {258: (3, 1, 64)}),
    "tif of floats": lambda: _saved(Image.fromarray(np.full((9, 9), np.nan, np.float32)), "TIFF"),
    "tif of whole numbers": lambda: _saved(
        Image.fromarray(np.full((9, 9), 2**30, np.int32)), "TIFF"
    ),
    "tif of CMYK": lambda: _saved(Image.new("CMYK", (9, 9)), "TIFF"),
    "tif of Lab": lambda: _saved(Image.new("LAB", (9, 9)), "TIFF"),
    "avif that is large": lambda: _saved(_noise(1500), "AVIF", quality=5, speed=10),
    "jpg that is an EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "jpg that is a PDF": lambda: b"%PDF-1.4\n",
    "jpg that is an SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "jpg that is a PSD": lambda: b"8BPS\x00\x01" + bytes(200),
    "jpg that is a PPM": lambda: b"P6 30000 30000 255\n",
    "jpg that is an ICO": lambda: _saved(Image.new("RGB", (16, 16)), "ICO"),
    "png that is a JPEG": lambda: _saved(Image.new("RGB", (16, 16)), "JPEG"),
    "jpg that is HTML": lambda: b"<html>not found</html>",
    "jpg of 32 MB": lambda: _exif(1) + bytes(33_000_000),
}
