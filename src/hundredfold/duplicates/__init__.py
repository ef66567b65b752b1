"""Search for near-duplicates: from arrays of thumbnails to pairs of rows."""

from hundredfold.duplicates._equal import equal
from hundredfold.duplicates._find import MOST_PAIRS, find_across, find_within
from hundredfold.duplicates._near import Near, across, pairs, within
from hundredfold.duplicates._pictures import Pictures, pictures, upside_down
from hundredfold.duplicates._thumbnails import SIDE, thumbnails

__all__ = [
    "MOST_PAIRS",
    "SIDE",
    "Near",
    "Pictures",
    "across",
    "equal",
    "find_across",
    "find_within",
    "pairs",
    "pictures",
    "thumbnails",
    "upside_down",
    "within",
]
