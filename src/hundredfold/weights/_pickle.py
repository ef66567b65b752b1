"""The pickle of a state dict, interpreted without Python's unpickler.

A pickle is a program for a small stack machine that can call any function by name. This
machine knows the instructions that `torch.save` writes for a dictionary of tensors
(pickletools lists them all); what they name becomes a `Name`, and the three calls that a
tensor needs become records. Nothing is imported, called or allocated.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from hundredfold.weights._contents import Refused

_MARK = object()


@dataclass(frozen=True)
class Name:
    """A function or class that the pickle names; it is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"[:80]


@dataclass(frozen=True)
class Stored:
    """Numbers that lie elsewhere in the file."""

    kind: str
    key: str
    count: int


@dataclass(frozen=True)
class View:
    """A tensor: a part of what is stored, in numbers, not bytes."""

    stored: Stored
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Pickled(NamedTuple):
    """What a pickle holds: dictionaries, lists, tuples, plain values, `View`s; its storages."""

    value: Any
    storages: dict[str, Stored]


def interpret(content: bytes | BinaryIO) -> Pickled:
    """Return what a pickle holds; a stream is left at its end.

    Raises Refused for an instruction or a name that no dictionary of tensors needs.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                return Pickled(machine.stack[-1], machine.storages)
            machine.do(opcode.name, argument)
    except (ValueError, IndexError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise Refused(f"its pickle is damaged ({str(error)[:80]})") from None
    raise Refused("its pickle has no end")


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Stored] = {}

    def do(self, name: str, argument: Any) -> None:
        if name in _PLAIN:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise Refused(f"its pickle holds {name}, which no dictionary of tensors needs")

    def since_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise IndexError("a mark is missing")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def put(self, argument: int | None) -> None:
        self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]

    def get(self, argument: int) -> None:
        self.stack.append(self.memo[argument])

    def tuple_of(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(items)

    def extend(self, _argument: None) -> None:
        items = self.since_mark()
        self.stack[-1].extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int):  # the hash of nested tuples takes for ever
                raise Refused("its pickle has a key that is no name")
            target[key] = value

    def named(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(Name(module, name))

    def named_by_stack(self, _argument: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise Refused("its pickle names something that is no name")
        self.stack.append(Name(module, name))

    def stored(self, _argument: None) -> None:
        word, kind, key, _device, count, *within = self.stack.pop()
        if word != "storage" or kind.module != "torch" or within not in ([], [None]):
            raise Refused("its pickle refers to something that is no storage")
        if type(count) is not int or not isinstance(key, str):
            raise Refused("its pickle has a storage without a name or a size")
        found = Stored(kind.name, key, count)
        if self.storages.setdefault(key, found) != found:
            raise Refused("its pickle describes one storage in two ways")
        self.stack.append(found)

    def call(self, _argument: None) -> None:
        given, what = self.stack.pop(), self.stack.pop()
        known = _CALLS.get((what.module, what.name))
        if known is None:
            raise Refused(f"its pickle names {what}, which no dictionary of tensors needs")
        self.stack.append(known(*given))

    def build(self, _argument: None) -> None:
        self.stack.pop()  # an ordered dictionary's notes on versions


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
_PLAIN = {
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINSTRING",
    "SHORT_BINSTRING",
}  # the last two by Python 2
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    "APPEND": lambda machine, _: machine.stack[-2].append(machine.stack.pop()),
    "APPENDS": _Machine.extend,
    "GLOBAL": _Machine.named,
    "STACK_GLOBAL": _Machine.named_by_stack,
    "BINPERSID": _Machine.stored,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
}
