"""A study: a base and what varies, times seeds; which runs it has, and what they say.

It never trains and never opens a test split. What it compares are scores that lie in runs.
"""

from hundredfold.studies._definition import Member, Study, define, load, members, variants
from hundredfold.studies._outcome import LeftOut, conclude, find

__all__ = [
    "LeftOut",
    "Member",
    "Study",
    "conclude",
    "define",
    "find",
    "load",
    "members",
    "variants",
]
