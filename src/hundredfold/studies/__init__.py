"""A study: variants of a base recipe, each trained with several seeds, and their comparison.

This package compares scores that are stored in runs. It never trains a model itself and never
opens a test split.
"""

from hundredfold.studies._definition import Member, Study, define, load, members, need_few, variants
from hundredfold.studies._outcome import LeftOut, conclude, cross_validated, find

__all__ = [
    "LeftOut",
    "Member",
    "Study",
    "conclude",
    "cross_validated",
    "define",
    "find",
    "load",
    "members",
    "need_few",
    "variants",
]
