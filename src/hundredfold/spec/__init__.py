"""Parts: functions that a recipe names, such as "wrn(depth=28, width=10)".

The signature of a part's function is its schema, and its docstring the help text. Both are read
from the source, so a recipe is checked and completed without importing the parts' libraries.

In `def wrn(classes, *, depth=28, width=10)`, the program passes the parameters before the star, and
a recipe sets the options after it.

A part in a user's own file is written with the file: "my_nets.py:net(width=32)".
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
