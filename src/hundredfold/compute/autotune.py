"""Which algorithm is fastest for each convolution on this machine: timing trials, remembered.

Algorithms compute the same sums (`convolution.py`), so this changes speed and the last bits,
nothing else. What was chosen is written into the run, and a resumed run takes it from there.

In some of the library's weight gradients in bf16, threads busy-wait for each other over and over.
That is fast where each has a core, and many times slower where another process takes one, so an
algorithm that does so is rejected.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from hundredfold import machine
from hundredfold.cache import Store
from hundredfold.compute.conv_algorithms import ALGORITHMS, Algorithms, ConvAlgorithm
from hundredfold.compute.convolution import Conv2d, directions, products
from hundredfold.compute.replicas import WorkSplit
from hundredfold.compute.threads import threads

Three = tuple[ConvAlgorithm, ConvAlgorithm, ConvAlgorithm]  # forward, input and weight gradient
Plan = Mapping[str, Three]
Direction = Callable[[ConvAlgorithm], Tensor]

WORTH = 0.95  # of the library's time, at most, for another algorithm to be taken
_MOST_IMAGES = 128  # of a timing trial: more make it longer, not truer
_FEW_IMAGES = 16  # enough to see threads busy-wait
_LOST = 1.5  # times the best: a slower first try is not repeated
_MOST_PRODUCTS = 3_000  # matrix products of the direct algorithm
_BUSY_WAIT = 5.0  # times one thread's time: reject where two threads on one core take more
_TURNS = 0.03  # seconds more, at least: some time slices of threads on a core
_KEPT = 100  # of machines, precisions and micro-batches
_VERSION = 2  # raise it when trials would choose otherwise
_SHORT = 20e12  # multiply-accumulates of a training that is over before trials pay


@dataclass(frozen=True)
class Layer:
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
    work: WorkSplit,
    precision: str,
    *,
    cache: Path,
    seconds: float = 30.0,
) -> Plan:
    """Measure what the cache lacks and return the algorithms of every convolution.

    sizes: heights of the square images that the model will be trained on. work: images of a
    micro-batch, and the threads that compute it. seconds: that measuring may take, the heaviest
    convolutions first; for the rest `_likely` guesses. The model is left as it is; see `use`.
    """
    layers = {layer.key: layer for size in sizes for layer in _layers(model, size)}
    store = Store(cache, "algorithms", version=_VERSION, keep=_KEPT)
    chip = [machine.processor(), *machine.instruction_sets()]
    facts = [chip, torch.__version__, work.threads, work.micro_batch, precision]
    key = store.key(*facts)
    known = _remembered(store, key)
    lacking = [layer for key, layer in layers.items() if key not in known]
    if lacking:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        end = time.perf_counter() + seconds
        with threads(work.threads):
            for layer in sorted(lacking, key=lambda layer: -layer.macs):
                if time.perf_counter() < end:
                    known[layer.key] = _fastest(layer, min(work.micro_batch, _MOST_IMAGES), dtype)
        store.save(key, {"of": facts, "algorithms": known})
    return {key: known.get(key) or _likely(layer) for key, layer in layers.items()}


def use(model: nn.Module, sizes: Iterable[int], plan: Plan) -> None:
    """Let a model's convolutions use the algorithms of a plan; what it lacks is the library's."""
    for layer in (layer for size in sizes for layer in _layers(model, size)):
        if layer.key in plan:
            layer.module.algorithms[layer.height, layer.width] = Algorithms(*plan[layer.key])


def pays(macs: int, images: int) -> bool:
    """Tell whether a training of so many images is long enough for timing trials to pay."""
    return 3 * macs * images > _SHORT


def _layers(model: nn.Module, size: int) -> list[Layer]:
    """Send an empty batch through the model and note what its convolutions are given."""
    layers: list[Layer] = []

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(module, Conv2d)
        height, width = given[0].shape[2:]
        if module.geometry(height, width):
            layers.append(Layer(module, height, width, given[0].requires_grad))

    convolutions = [module for module in model.modules() if isinstance(module, Conv2d)]
    hooks = [module.register_forward_pre_hook(note) for module in convolutions]
    was_training = model.training
    try:
        model.eval()(torch.empty((0, 3, size, size), dtype=torch.uint8))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return layers


def _fastest(layer: Layer, batch: int, dtype: torch.dtype) -> Three:
    few = products(layer.module, layer.height, layer.width) <= _MOST_PRODUCTS
    others: tuple[ConvAlgorithm, ...] = ("im2col", "direct") if few else ("im2col",)
    full, small = (
        directions(layer.module, layer.height, layer.width, count, dtype)
        for count in (batch, min(batch, _FEW_IMAGES))
    )
    best = [_winner(*pair, others) for pair in zip(full, small, strict=True)]
    return (best[0], best[1] if layer.trained else "library", best[2])


def _likely(layer: Layer) -> Three:
    """Guess: direct where the map is small and the kernel reaches over much of its edge."""
    small = layer.height * layer.width <= 16 and max(layer.module.kernel_size) > 1
    return ("direct", "direct", "direct") if small else ("library", "library", "library")


def _winner(
    direction: Direction, small: Direction, others: tuple[ConvAlgorithm, ...]
) -> ConvAlgorithm:
    """Time each algorithm once, and those that come close to the best once more.

    small: the same with few images, to see whether the library's threads busy-wait.
    """
    with torch.no_grad():
        direction("library")  # oneDNN prepares a shape at its first use
        usual: ConvAlgorithm = "single_thread" if _busy_waits(small) else "library"
        times = {name: _seconds(direction, name) for name in (usual, *others)}
        best = min(times.values())
        close = [name for name, seconds in times.items() if seconds < _LOST * best]
        for name in close if len(close) > 1 else ():
            times[name] = min(times[name], _seconds(direction, name))
    fastest = min(times, key=lambda name: times[name])
    return fastest if times[fastest] < WORTH * times[usual] else usual


def _busy_waits(direction: Direction) -> bool:
    """Tell whether the library's threads busy-wait for each other, over and over.

    Two of them on one core then take many times what one takes there: each stays on it while it
    waits for the other. False where there is one thread, or no way to put them on one core.
    """
    if torch.get_num_threads() == 1:
        return False
    direction("library")
    seconds = []
    with machine.on_one_core() as pinned:
        for count in (1, 2) if pinned else ():
            with threads(count):
                seconds.append(_seconds(direction, "library"))
    return bool(seconds) and seconds[1] > max(_BUSY_WAIT * seconds[0], seconds[0] + _TURNS)


def _seconds(direction: Direction, algorithm: ConvAlgorithm) -> float:
    began = time.perf_counter()
    direction(algorithm)
    return time.perf_counter() - began


def _remembered(store: Store, key: str) -> dict[str, Three]:
    known = (store.load(key) or {}).get("algorithms", {})
    return {layer: (f, i, w) for layer, (f, i, w) in known.items() if {f, i, w} <= set(ALGORITHMS)}
