"""The images in the body of a request: the bytes of one, multipart/form-data, or base64 in JSON."""

import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_HEAD = 8 * 2**10  # bytes of the headers of a part
_BOUNDARY = re.compile(rb'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_FILE_NAME = re.compile(rb'[;\s]filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_MOST_NAME = 255  # characters of a file name that is sent back
_RAW = ("image/", "application/octet-stream", "application/x-www-form-urlencoded")
_SHAPE = 'send {"images": [{"file": "a.jpg", "data": "<base64>"}]}'
RETRY = MappingProxyType({"retry-after": "1"})  # seconds


class BadRequest(Exception):
    """A request that gets no prediction. status, headers: of the answer."""

    def __init__(
        self,
        status: int,
        message: str,
        remedy: str = "",
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.remedy, self.headers = status, message, remedy, headers


@dataclass(frozen=True)
class Upload:
    """An image that a client sent. file: its name there; None without one."""

    file: str | None
    data: bytes


def uploads(content_type: bytes, body: bytes, most: int) -> list[Upload]:
    """Return the images of a body, at least one. most: how many they may be.

    A body of an unknown type is refused with 415. Raises BadRequest.
    """
    kind = content_type.partition(b";")[0].strip().lower().decode("latin-1")
    if not body:
        raise BadRequest(400, "the body is empty", "send the bytes of an image file")
    if kind == "multipart/form-data":
        found = _of_multipart(content_type, body, most)
    elif kind == "application/json":
        found = _of_json(body, most)
    elif not kind or kind.startswith(_RAW):
        found = [Upload(None, body)]
    else:
        raise BadRequest(
            415,
            "the type of the body is none that is read",
            "image/*, application/octet-stream, multipart/form-data or application/json",
        )
    if not found:
        raise BadRequest(400, "there is no image in the body", "send at least one")
    return found


def _of_multipart(content_type: bytes, body: bytes, most: int) -> list[Upload]:
    """Split a body at its boundary (RFC 7578); fields that are no files are passed over."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise BadRequest(400, "multipart/form-data without a boundary")
    delimiter = b"\r\n--" + (match[1] or match[2])
    parts = (b"\r\n" + body).split(delimiter, 2 * most + 2)
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        if len(parts) > 2 * most + 2:
            raise _too_many(most)
        raise BadRequest(400, "the multipart body does not end with its boundary")
    found = [part for part in map(_of_part, parts[1:-1]) if part is not None]
    if len(found) > most:
        raise _too_many(most)
    return found


def _of_part(part: bytes) -> Upload | None:
    """Return the file in a part; None for another field."""
    part = part.removeprefix(b"\r\n") if part.startswith(b"\r\n") else part.lstrip(b" \t")[2:]
    end = part.find(b"\r\n\r\n", 0, _HEAD)
    if end < 0:
        raise BadRequest(400, "a part of the multipart body has no headers, or too long ones")
    head = part[:end]
    name = _FILE_NAME.search(head)
    if name is None and b"filename*=" not in head.lower() and b"content-type:" not in head.lower():
        return None
    text = re.sub(rb"\\(.)", rb"\1", name[1]).decode("utf-8", "replace") if name else None
    return Upload(text[:_MOST_NAME] if text else None, part[end + 4 :])


def _of_json(body: bytes, most: int) -> list[Upload]:
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest(400, "the body is no JSON", _SHAPE) from None
    if not isinstance(sent, dict):
        raise BadRequest(400, "the JSON is no object", _SHAPE)
    images = [sent["image"]] if "image" in sent else sent.get("images")
    if not isinstance(images, list):
        raise BadRequest(400, "the JSON has no images", _SHAPE)
    if len(images) > most:
        raise _too_many(most)
    return [_of_item(item) for item in images]


def _of_item(item: Any) -> Upload:
    """Return an image of JSON: base64, or a data URL, alone or with the name of its file."""
    file, text = (item.get("file"), item.get("data")) if isinstance(item, dict) else (None, item)
    if not isinstance(text, str) or not (file is None or isinstance(file, str)):
        raise BadRequest(400, "an image of the JSON is no text in base64", _SHAPE)
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=False)
    except (ValueError, UnicodeEncodeError):
        raise BadRequest(400, "an image of the JSON is not in base64", _SHAPE) from None
    return Upload(file[:_MOST_NAME] if file else None, data)


def _too_many(most: int) -> BadRequest:
    return BadRequest(413, f"there are over {most} images in the body", "send them in several")
