"""Interpret the pickle of a state dict; numbers of tensors are elsewhere in the file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from hundredfold import pickles
from hundredfold.pickles import Name, Vocabulary
from hundredfold.weights._header import NAME, Refused


@dataclass(frozen=True)
class Stored:
    """A storage: `count` numbers elsewhere in the file; kind: such as "FloatStorage"."""

    kind: str
    key: str
    count: int


@dataclass(frozen=True)
class View:
    """A tensor as a view of a storage; offset and stride are in numbers, not bytes."""

    stored: Stored
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Pickled(NamedTuple):
    """The value of a pickle (containers, plain values, `View`s) and its storages by key."""

    value: Any
    storages: dict[str, Stored]


def interpret(content: bytes | BinaryIO) -> Pickled:
    """Return the value of a pickle; a stream is left after it.

    Raises Refused for an instruction or a name that a dictionary of tensors does not need.
    """
    storages: dict[str, Stored] = {}

    def stored(reference: Any) -> Stored:
        storage = _stored(reference)
        if storages.setdefault(storage.key, storage) != storage:
            raise Refused("its pickle describes one storage in two ways")
        return storage

    try:
        value = pickles.interpret(content, Vocabulary(_CALLS, "dictionary of tensors", stored))
    except pickles.Refused as error:
        raise Refused(str(error)) from None
    return Pickled(value, storages)


def _stored(reference: Any) -> Stored:
    if not isinstance(reference, tuple) or len(reference) not in (5, 6):
        raise Refused("its pickle refers to something that is no storage")
    word, kind, key, _device, count, *within = reference
    if word != "storage" or not isinstance(kind, Name) or within not in ([], [None]):
        raise Refused("its pickle refers to something that is no storage")
    if kind.module != "torch":
        raise Refused("its pickle refers to something that is no storage")
    if type(count) is not int or not isinstance(key, str) or len(key) > NAME or count < 0:
        raise Refused("its pickle has a storage without a name or a size")
    return Stored(kind.name, key, count)


def _view(stored: Any, offset: int, shape: Any, stride: Any, *_rest: Any) -> View:
    if not isinstance(stored, Stored) or type(offset) is not int:
        raise Refused("its pickle has a tensor without a storage")
    return View(stored, offset, shape, stride)


def _parameter(view: Any, *_rest: Any) -> Any:
    return view


def _ordered() -> dict[Any, Any]:
    return {}


_CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered,
    ("torch._utils", "_rebuild_tensor"): _view,  # torch before 0.4
    ("torch._utils", "_rebuild_tensor_v2"): _view,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}
