"""Parts: functions that a recipe names, such as "wrn(depth=28, width=10)".

The signature of the function that a name stands for is its schema, its help text and its
documentation. It is read from the source, so that a recipe is checked and spelled out without
importing the libraries that the parts need.

Before the star of a signature stands what the program hands over; after it, what a recipe may
say: `def wrn(classes, *, depth=28, width=10)`.

A part of a user's own is written with its file: "my_nets.py:net(width=32)".
"""

from hundredfold.spec._call import Call, literal, parse, parse_chain
from hundredfold.spec._own import OwnCode, OwnFiles, own_code, part_of
from hundredfold.spec._part import Chain, Part, chain, own_part, part, resolve
from hundredfold.spec._signature import Option, Signature, constants, describe, names

__all__ = [
    "Call",
    "Chain",
    "Option",
    "OwnCode",
    "OwnFiles",
    "Part",
    "Signature",
    "chain",
    "constants",
    "describe",
    "literal",
    "names",
    "own_code",
    "own_part",
    "parse",
    "parse_chain",
    "part",
    "part_of",
    "resolve",
]
