"""Strategies: what is trained of a network, how fast, and how its head begins.

A file defines one function, which returns a `Strategy`. Engines carry it out.
"""

from hundredfold.strategies._strategy import QUARTERS, Head, Strategy

__all__ = ["QUARTERS", "Head", "Strategy"]
