"""Strategies: which layers are trained, at which rate, and how the head is initialised.

A file defines one function, which returns a `Strategy`. Engines carry it out.
"""

from hundredfold.strategies._strategy import QUARTERS, Head, Strategy

__all__ = ["QUARTERS", "Head", "Strategy"]
