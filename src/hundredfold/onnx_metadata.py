"""Read the metadata of an ONNX file without onnxruntime: microseconds, and no weights in memory.

An ONNX file is one protocol buffer, `ModelProto`; field 14 holds the pairs of metadata_props
(onnx.proto3 of ONNX 1.16). A field of bytes is its number, its length and its content.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

_METADATA = 14  # field of ModelProto
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5  # wire types
_MOST = 16 * 2**20  # bytes of one pair


def metadata_of(path: Path) -> dict[str, str]:
    """Return the strings of a file by name; none where it is no ONNX file, or absent."""
    try:
        with path.open("rb") as file:
            return _pairs(file)
    except (OSError, ValueError):
        return {}


def missing_bounds(metadata: Mapping[str, str], reject_at: str, sets: float) -> str:
    """Return the options that a file was not exported with; "" where it has all of them."""
    try:
        rule = json.loads(metadata.get("reject", "{}")).get("rule")
        coverage = json.loads(metadata.get("sets", "{}")).get("coverage")
    except (ValueError, AttributeError):
        rule = coverage = None
    missing = [f"--reject-at {reject_at}"] if reject_at and _rule(rule) != _rule(reject_at) else []
    missing += [f"--sets {sets:g}"] if sets and coverage != sets else []
    return " ".join(missing)


def _rule(text: object) -> tuple[str, float | str]:
    """Return kind and number of a rule: "coverage=.9" is "coverage=0.9"."""
    kind, _, value = str(text).partition("=")
    try:
        return kind, float(value)
    except ValueError:
        return kind, value


def _pairs(file: BinaryIO) -> dict[str, str]:
    found: dict[str, str] = {}
    while (key := _varint(file)) is not None:
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _varint(file)
        elif kind in (_FIXED_64, _FIXED_32):
            file.seek(8 if kind == _FIXED_64 else 4, 1)
        elif kind == _BYTES:
            length = _varint(file) or 0
            if number == _METADATA and length <= _MOST:
                name, value = _pair(_exactly(file, length))
                found |= {name: value} if name else {}
            else:
                file.seek(length, 1)
        else:
            raise ValueError("no protocol buffer")
    return found


def _exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise ValueError("the file ends too early")
    return data


def _pair(data: bytes) -> tuple[str, str]:
    """Return key and value of a StringStringEntryProto: its fields 1 and 2."""
    at, texts = 0, {1: "", 2: ""}
    while at < len(data):
        number, at = data[at] >> 3, at + 1
        length, shift = 0, 0
        while True:
            byte, at = data[at] if at < len(data) else 0, at + 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if at + length > len(data):
            raise ValueError("a text ends too early")
        texts[number], at = data[at : at + length].decode("utf-8"), at + length
    return texts[1], texts[2]


def _varint(file: BinaryIO) -> int | None:
    """Return a number of 7 bits a byte, the least first; None at the end of the file."""
    value, shift = 0, 0
    while byte := file.read(1):
        value |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128:
            return value
        if shift > 63:
            raise ValueError("no protocol buffer")
    return None
