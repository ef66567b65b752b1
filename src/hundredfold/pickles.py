"""Interpret pickles safely, without Python's unpickler.

A pickle is a program for a small stack machine that can call any function by name. This
interpreter supports only the instructions for plain values, arrays and tensors (pickletools
lists all instructions). A function or class in a pickle becomes a `Name`, and the caller's own
function is called in its place. Nothing is imported, and no memory is allocated beyond the
content of the pickle and a small object for each instruction, whose number is bounded.
"""

import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, Protocol, runtime_checkable

_MARK = object()
_ARGUMENTS = 16  # of a call at most
_INSTRUCTIONS = 1_000_000  # five times those of CIFAR-100, or 50,000 tensors


class Refused(Exception):
    """A pickle is damaged or hostile, for the reason in the message."""


class Name(NamedTuple):
    """A function or class that the pickle names; it is never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        text = f"{self.module}.{self.name}"[:80]
        return text if text.isprintable() else repr(text)


@runtime_checkable
class Built(Protocol):
    """An object whose state the pickle sets after the call that created it."""

    def build(self, state: Any) -> None: ...


@dataclass(frozen=True)
class Vocabulary:
    """The names and references that pickles of one kind may contain.

    calls:  (module, name) -> the function that is called instead.
    need:   the expected content, for errors: "dictionary of tensors".
    stored: resolves a persistent id, a reference to data outside the pickle; None refuses it.
    """

    calls: Mapping[tuple[str, str], Callable[..., Any]]
    need: str
    stored: Callable[[Any], Any] | None = None


def interpret(content: bytes | BinaryIO, vocabulary: Vocabulary) -> Any:
    """Return the object in a pickle; a stream is read to the end of the pickle.

    Dictionaries, lists, tuples, numbers, text and bytes are returned as such, Python 2 strings as
    Latin-1 text, and everything else as the vocabulary's functions return it. Raises Refused for
    a damaged pickle, an unsupported instruction, or a name that is not in the vocabulary.
    """
    machine = _Machine(vocabulary)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of odd escapes in strings
            for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
                if number >= _INSTRUCTIONS:
                    raise Refused(f"its pickle has over {_INSTRUCTIONS:,} instructions")
                if opcode.name == "STOP":
                    return machine.stack[-1]
                machine.do(opcode.name, argument)
    except (ValueError, IndexError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise Refused(f"its pickle is damaged ({str(error)[:80]})") from None
    raise Refused("its pickle has no end")


class _Machine:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.vocabulary = vocabulary

    def do(self, name: str, argument: Any) -> None:
        if name in _PLAIN:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise self.refused(name)

    def refused(self, item: object) -> Refused:
        return Refused(f"its pickle has {item}, which no {self.vocabulary.need} needs")

    def since_mark(self) -> list[Any]:
        start = len(self.stack) - 1
        while self.stack[start] is not _MARK:
            start -= 1
            if start < 0:
                raise IndexError("a mark is missing")
        items = self.stack[start + 1 :]
        del self.stack[start:]
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

    def dictionary(self, _argument: None) -> None:
        items = self.since_mark()
        self.stack.append({})
        self.set_items(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes | int):  # hashing nested tuples may never end
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
        if self.vocabulary.stored is None:
            raise self.refused("a reference to something outside")
        self.stack.append(self.vocabulary.stored(self.stack.pop()))

    def call(self, _argument: None) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        function = self.vocabulary.calls.get((called.module, called.name))
        if function is None:
            raise self.refused(called)
        if not isinstance(arguments, tuple) or len(arguments) > _ARGUMENTS:
            raise Refused(f"its pickle calls {called} with something else than its arguments")
        self.stack.append(function(*arguments))

    def build(self, _argument: None) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Built):
            self.stack[-1].build(state)  # other objects, such as OrderedDict, need no state


_PLAIN = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),  # written by Python 2
}
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
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put,
    "GET": _Machine.get,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "LIST": lambda machine, _: machine.stack.append(machine.since_mark()),
    "DICT": _Machine.dictionary,
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
