"""Which form of each convolution is fastest on this machine: a short probe, remembered.

A form is a way to compute the same sums (`models/_conv.py`), so this changes speed and the
last bits, nothing else. What was chosen is written into the run, and a resumed run takes it
from there.

In some of the library's weight gradients in bf16 threads wait for each other over and over,
awake. That is fast where each has a core, and many times slower where another process takes one,
so a form that does so is left out.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hundredfold import files, machine
from hundredfold.models import FORMS, Conv2d, Form, Forms, directions, products
from hundredfold.parallel import threads
from hundredfold.training.team import Share

Plan = Mapping[str, tuple[Form, Form, Form]]
Way = Callable[[Form], Tensor]

WORTH = 0.95  # of the library's time, at most, for another form to be taken
_MOST_IMAGES = 128  # in a probe: more make it longer, not truer
_FEW_IMAGES = 16  # enough to see threads wait at each
_LOST = 1.5  # a first try this many times slower than the best ends a form's chances
_MOST_PRODUCTS = 3_000  # matrix products in a convolution by taps
_AWAKE = 5.0  # times what one thread takes, that two on its core need who wait awake
_TURNS = 0.03  # seconds more, at least: some turns that threads have on a core
_SHORT = 20e12  # multiply-accumulates of a training that is over before a probe pays


@dataclass(frozen=True)
class Place:
    """A convolution, the size of its input, and whether that needs a gradient."""

    module: Conv2d
    height: int
    width: int
    trained: bool

    @property
    def key(self) -> str:
        """What decides the time, in words: equal layers share a measurement."""
        outputs, inputs, *kernel = self.module.weight.shape
        stride, pads = self.module.geometry(self.height, self.width) or ((), ())
        size = f"{self.height}x{self.width}"
        return f"{inputs}>{outputs} k{kernel} s{stride} p{pads} {size} {int(self.trained)}"

    @property
    def macs(self) -> int:
        """Multiply-accumulates an image, but for a stride."""
        return self.module.weight.numel() * self.height * self.width


def choose(
    model: nn.Module,
    sizes: Iterable[int],
    share: Share,
    precision: str,
    *,
    cache: Path,
    seconds: float = 30.0,
) -> Plan:
    """Measure what the cache lacks and return the forms of every convolution.

    sizes: heights of the square images that the model will be trained on. share: the images
    that go through it at once, and the threads that take them. seconds: that measuring may take,
    the heaviest convolutions first; for the rest `_likely` guesses. The model is left as it is;
    see `use`.
    """
    places = {place.key: place for size in sizes for place in _places(model, size)}
    told = f"{machine.processor()} {' '.join(machine.instruction_sets())} {torch.__version__} "
    told += f"{share.threads} threads, none awake, {precision} {share.piece}"
    file = cache / "probes" / f"forms-{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"
    known = _remembered(file)
    lacking = [place for key, place in places.items() if key not in known]
    if lacking:
        kind = torch.bfloat16 if precision == "bf16" else torch.float32
        end = time.perf_counter() + seconds
        with threads(share.threads):
            for place in sorted(lacking, key=lambda place: -place.macs):
                if time.perf_counter() < end:
                    known[place.key] = _fastest(place, min(share.piece, _MOST_IMAGES), kind)
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(file, {"of": told, "forms": known})
    return {key: known.get(key) or _likely(place) for key, place in places.items()}


def use(model: nn.Module, sizes: Iterable[int], plan: Plan) -> None:
    """Let a model's convolutions take the forms of a plan; what it lacks is the library's."""
    for place in (place for size in sizes for place in _places(model, size)):
        if place.key in plan:
            place.module.forms[place.height, place.width] = Forms(*plan[place.key])


def pays(macs: int, images: int) -> bool:
    """Tell whether a training of so many images is long enough for a probe to pay."""
    return 3 * macs * images > _SHORT


def _places(model: nn.Module, size: int) -> list[Place]:
    """Send an empty batch through the model and note what its convolutions are given."""
    found: list[Place] = []

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(module, Conv2d)
        height, width = given[0].shape[2:]
        if module.geometry(height, width):
            found.append(Place(module, height, width, given[0].requires_grad))

    convolutions = [module for module in model.modules() if isinstance(module, Conv2d)]
    hooks = [module.register_forward_pre_hook(note) for module in convolutions]
    was_training = model.training
    try:
        model.eval()(torch.empty((0, 3, size, size), dtype=torch.uint8))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return found


def _fastest(place: Place, batch: int, kind: torch.dtype) -> tuple[Form, Form, Form]:
    few = products(place.module, place.height, place.width) <= _MOST_PRODUCTS
    others: tuple[Form, ...] = ("unfold", "taps") if few else ("unfold",)
    ways, trials = (
        directions(place.module, place.height, place.width, count, kind)
        for count in (batch, min(batch, _FEW_IMAGES))
    )
    found = [_winner(way, trial, others) for way, trial in zip(ways, trials, strict=True)]
    return (found[0], found[1] if place.trained else "library", found[2])


def _likely(place: Place) -> tuple[Form, Form, Form]:
    """Guess: by taps where the map is small and the kernel reaches over much of its edge."""
    small = place.height * place.width <= 16 and max(place.module.kernel_size) > 1
    return ("taps", "taps", "taps") if small else ("library", "library", "library")


def _winner(way: Way, trial: Way, others: tuple[Form, ...]) -> Form:
    """Time each form once, and those that come close to the best once more.

    trial: the same with few images, to see whether the library's threads wait awake.
    """
    with torch.no_grad():
        way("library")  # oneDNN prepares a shape at its first use
        usual: Form = "single" if _waits_awake(trial) else "library"
        times = {form: _seconds(way, form) for form in (usual, *others)}
        best = min(times.values())
        close = [form for form, taken in times.items() if taken < _LOST * best]
        for form in close if len(close) > 1 else ():
            times[form] = min(times[form], _seconds(way, form))
    fastest = min(times, key=lambda form: times[form])
    return fastest if times[fastest] < WORTH * times[usual] else usual


def _waits_awake(way: Way) -> bool:
    """Tell whether the library's threads wait for each other awake, over and over.

    Two of them on one core then take many times what one takes there: each stays on it while it
    waits for the other. False where there is one thread, or no way to put them on one core.
    """
    if torch.get_num_threads() == 1:
        return False
    way("library")
    taken = []
    with machine.on_one_core() as kept:
        for count in (1, 2) if kept else ():
            with threads(count):
                taken.append(_seconds(way, "library"))
    return bool(taken) and taken[1] > max(_AWAKE * taken[0], taken[0] + _TURNS)


def _seconds(way: Way, form: Form) -> float:
    began = time.perf_counter()
    way(form)
    return time.perf_counter() - began


def _remembered(file: Path) -> dict[str, tuple[Form, Form, Form]]:
    try:
        known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["forms"]
        return {k: (f, i, w) for k, (f, i, w) in known.items() if {f, i, w} <= set(FORMS)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
