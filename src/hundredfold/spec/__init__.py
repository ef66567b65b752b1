"""Parts: functions that a recipe names, such as "wrn(depth=28, width=10)".

The signature of a part's function is its schema, and its docstring the help text. Both are read
from the source, so a recipe is checked and completed without importing the parts' libraries.

In `def wrn(classes, *, depth=28, width=10)`, the program passes the parameters before the star, and
a recipe sets the options after it.

An option's numbers have their range in its annotation, `width: Annotated[int, Range(1, 100)]`,
which is checked wherever a part is read, and printed in help and documentation.

A part in a user's own file is written with the file: "my_nets.py:net(width=32)".
"""

from hundredfold.spec._annotation import limits_of
from hundredfold.spec._bounds import bounded
from hundredfold.spec._call import Call, literal, parse, parse_chain
from hundredfold.spec._own import OwnCode, OwnFiles, own_code, part_of
from hundredfold.spec._part import Chain, Part, chain, own_part, part, resolve
from hundredfold.spec._ranges import (
    DEVICES,
    THREADS,
    BelowOne,
    Decay,
    Fraction,
    Limits,
    OneOf,
    PixelsOrAuto,
    PositiveFraction,
    Range,
    Rate,
    Sides,
    Threads,
    need,
)
from hundredfold.spec._signature import Option, Signature, constants, describe, names
from hundredfold.spec._toml import LARGEST, parse_toml

__all__ = [
    "DEVICES",
    "LARGEST",
    "THREADS",
    "BelowOne",
    "Call",
    "Chain",
    "Decay",
    "Fraction",
    "Limits",
    "OneOf",
    "Option",
    "OwnCode",
    "OwnFiles",
    "Part",
    "PixelsOrAuto",
    "PositiveFraction",
    "Range",
    "Rate",
    "Sides",
    "Signature",
    "Threads",
    "bounded",
    "chain",
    "constants",
    "describe",
    "limits_of",
    "literal",
    "names",
    "need",
    "own_code",
    "own_part",
    "parse",
    "parse_chain",
    "parse_toml",
    "part",
    "part_of",
    "resolve",
]
