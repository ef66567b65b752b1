"""The names of folders that are parts of a data set, and names that only look like it."""

import re

PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}

_ALIKE = {
    **PARTS,
    **dict.fromkeys(("trn", "learn", "learning"), "train"),
    **dict.fromkeys(("dev", "devel", "development"), "validation"),
    **dict.fromkeys(("tst", "eval", "evaluation", "holdout", "heldout"), "test"),
}
_FILLERS = ("set", "data", "dataset", "image", "images", "img", "imgs", "split", "part", "samples")


def part_like(name: str) -> str:
    """Return the part that a folder may be meant for: "test" for "Test set 2" or "holdout".

    "" for the name of no part.
    """
    letters = re.sub("[^a-z]+", " ", name.lower().replace("-out", "out").replace(" out", "out"))
    words = [word for word in letters.split() if word not in _FILLERS]
    if len(words) != 1:
        return ""
    whole = words[0]
    return _ALIKE.get(whole) or _ALIKE.get(re.sub("(set|data|images)$", "", whole), "")
