"""Choose the fastest algorithm of each convolution on this machine by timing trials; cache results.

Algorithms compute the same sums (`convolution.py`), so the choice changes only speed and rounding.
It is written into run.json, and a resumed run reads it from there.

In some of the library's weight gradients in bf16, threads busy-wait for each other many times.
That is fast with a core per thread, and many times slower where another process takes one. So an
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
from hundredfold.compute.conv_algorithms import ALGORITHMS, Algorithms, ConvAlgorithm, likely
from hundredfold.compute.conv_library import Geometry
from hundredfold.compute.convolution import Conv2d, directions, products
from hundredfold.compute.replicas import WorkSplit
from hundredfold.compute.threads import threads
from hundredfold.size import Size, SizeLike

Choice = tuple[ConvAlgorithm, ConvAlgorithm, ConvAlgorithm]  # forward, input and weight gradient
Plan = Mapping[str, Choice]
Direction = Callable[[ConvAlgorithm], Tensor]

WORTH = 0.95  # of the library's time, at most, for another algorithm to be taken
_MOST_IMAGES = 128  # of a timing trial: more do not make it more accurate
_FEW_IMAGES = 16  # enough to detect busy-waiting
_HOPELESS = 10.0  # times the best: an algorithm whose first call is slower is not timed
_SLOW = 1.5  # times the best: an algorithm slower than that is not timed again
_ROUNDS = 4  # of timing those that are close
_REFERENCE = 3.0  # times the guess's time: a library slower than that is not timed further
_MOST_PRODUCTS = 3_000  # matrix products of the direct algorithm
_BUSY_WAIT = 5.0  # times one thread's time: reject where two threads on one core take more
_TIME_SLICES = 0.03  # seconds more, at least: some time slices of threads on a core
_KEPT = 100  # cache entries: machines, precisions, micro-batches
_VERSION = 3  # increase it when trials would choose differently
_SHORT = 20e12  # multiply-accumulates of a training too short for trials to pay


@dataclass(frozen=True)
class Layer:
    """A convolution with the size of its input.

    trained: whether the input needs a gradient.
    """

    module: Conv2d
    height: int
    width: int
    trained: bool

    @property
    def key(self) -> str:
        """What determines the time, as text: equal layers share a measurement."""
        outputs, inputs, *kernel = self.module.weight.shape
        stride, pads, groups = self.geometry
        depthwise = "depthwise " if groups > 1 else ""
        size = f"{self.height}x{self.width}"
        of = f"{depthwise}{inputs}>{outputs} k{kernel} s{stride} p{pads}"
        return f"{of} {size} {int(self.trained)}"

    @property
    def geometry(self) -> Geometry:
        geometry = self.module.geometry(self.height, self.width)
        assert geometry is not None
        return geometry

    @property
    def macs(self) -> int:
        """Multiply-accumulates per image, were the stride 1."""
        return self.module.weight.numel() * self.height * self.width


def choose(
    model: nn.Module,
    sizes: Iterable[SizeLike],
    work: WorkSplit,
    precision: str,
    *,
    cache: Path,
    seconds: float = 30.0,
) -> Plan:
    """Measure what the cache lacks and return the algorithms of every convolution.

    sizes: of the training images. work: images of a micro-batch, and the
    threads that compute it. precision: "fp32" or "bf16". seconds: limit of measuring, from the
    most expensive convolution on; `_likely` guesses the rest. The model is not changed; see `use`.
    """
    layers = {layer.key: layer for size in sizes for layer in _layers(model, size)}
    store = Store(cache, "algorithms", version=_VERSION, keep=_KEPT)
    facts = [machine.chip(), torch.__version__, work.threads, work.micro_batch, precision]
    key = store.key(*facts)
    measured = _remembered(store, key)
    lacking = [layer for key, layer in layers.items() if key not in measured]
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    if lacking:
        deadline = time.perf_counter() + seconds
        with threads(work.threads):
            for layer in sorted(lacking, key=lambda layer: -layer.macs):
                if time.perf_counter() < deadline:
                    measured[layer.key] = _fastest(
                        layer, min(work.micro_batch, _MOST_IMAGES), dtype
                    )
        store.save(key, {"of": facts, "algorithms": measured})
    return {key: measured.get(key) or _likely(layer, dtype) for key, layer in layers.items()}


def use(model: nn.Module, sizes: Iterable[SizeLike], plan: Plan) -> None:
    """Set the algorithms of a model's convolutions; layers that a plan lacks use the library."""
    for layer in (layer for size in sizes for layer in _layers(model, size)):
        if layer.key in plan:
            layer.module.algorithms[layer.height, layer.width] = Algorithms(*plan[layer.key])


def pays(macs: int, images: int) -> bool:
    """Return whether a training on `images` images is long enough for timing trials to pay.

    macs: multiply-accumulates of a forward pass per image.
    """
    return 3 * macs * images > _SHORT


def _layers(model: nn.Module, size: SizeLike) -> list[Layer]:
    """Pass a batch of 0 images through the model and record each convolution's input size."""
    layers: list[Layer] = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, Conv2d)
        height, width = inputs[0].shape[2:]
        if module.geometry(height, width):
            layers.append(Layer(module, height, width, inputs[0].requires_grad))

    convolutions = [module for module in model.modules() if isinstance(module, Conv2d)]
    hooks = [module.register_forward_pre_hook(record) for module in convolutions]
    was_training = model.training
    try:
        model.eval()(torch.empty((0, 3, *Size.of(size)), dtype=torch.uint8))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return layers


def _fastest(layer: Layer, batch: int, dtype: torch.dtype) -> Choice:
    full, small = (
        directions(layer.module, layer.height, layer.width, count, dtype)
        for count in (batch, min(batch, _FEW_IMAGES))
    )
    guess = _depthwise_guess(layer, dtype)
    others = _others(layer, dtype)
    best = [_winner(*three, others) for three in zip(full, small, guess, strict=True)]
    return (best[0], best[1] if layer.trained else "library", best[2])


def _others(layer: Layer, dtype: torch.dtype) -> tuple[ConvAlgorithm, ...]:
    """Return the algorithms to be timed beside the library's."""
    if layer.geometry.groups > 1:
        return ("reduced", "fp32") if dtype == torch.bfloat16 else ("reduced",)
    few = products(layer.module, layer.height, layer.width) <= _MOST_PRODUCTS
    return ("im2col", "direct") if few else ("im2col",)


def _likely(layer: Layer, dtype: torch.dtype) -> Choice:
    """Guess: "direct" for maps of at most 16 pixels, where much of a window is padding."""
    if layer.geometry.groups > 1:
        return _depthwise_guess(layer, dtype)
    small = layer.height * layer.width <= 16 and max(layer.module.kernel_size) > 1
    return ("direct", "direct", "direct") if small else ("library", "library", "library")


def _depthwise_guess(layer: Layer, dtype: torch.dtype) -> Choice:
    """Guess for depthwise convolutions; for others it is the library."""
    return likely(layer.module.weight.shape, layer.width, layer.geometry, dtype)


def _winner(
    direction: Direction,
    small: Direction,
    guess: ConvAlgorithm,
    others: tuple[ConvAlgorithm, ...],
) -> ConvAlgorithm:
    """Time the algorithms in rounds; the least time of each counts.

    small: the same with few images, to detect whether the library lacks a kernel, or its threads
    busy-wait. guess: what is used where it lacks one.
    """
    with torch.no_grad():
        default = guess if _lacks_kernel(small, guess) else "library"
        if default == "library" and _busy_waits(small):
            default = "single_thread"
        times = _times(direction, default, others)
    fastest = min(times, key=lambda name: times[name])
    return fastest if times[fastest] < WORTH * times[default] else default


def _times(
    direction: Direction, default: ConvAlgorithm, others: tuple[ConvAlgorithm, ...]
) -> dict[ConvAlgorithm, float]:
    """Return the least seconds of the algorithms that may be the fastest, and of the default.

    The first round also prepares kernels for a shape, and threads that `_busy_waits` moved to one
    core may still share it. So it excludes only what is many times slower, and does not count.
    """
    names = dict.fromkeys((default, *others))
    first = {name: _seconds(direction, name) for name in names}
    most = _HOPELESS * min(first.values())
    times = {
        name: _seconds(direction, name) for name in names if name == default or first[name] < most
    }
    for _ in range(_ROUNDS):
        most = _SLOW * min(times.values())
        for name in [name for name in times if name == default or times[name] < most]:
            times[name] = min(times[name], _seconds(direction, name))
    return times


def _lacks_kernel(direction: Direction, guess: ConvAlgorithm) -> bool:
    """Return whether the library takes many times as long as the guess, unless that is itself."""
    if guess == "library":
        return False
    for name in (guess, "library"):
        direction(name)
    return _seconds(direction, "library") > _REFERENCE * _seconds(direction, guess)


def _busy_waits(direction: Direction) -> bool:
    """Return whether the library's threads busy-wait for each other many times.

    Two such threads on one core take many times as long as one, as each occupies the core while
    it waits. False with one thread, or where the system cannot pin threads to a core.
    """
    if torch.get_num_threads() == 1:
        return False
    direction("library")
    seconds = []
    with machine.on_one_core() as pinned:
        for count in (1, 2) if pinned else ():
            with threads(count):
                seconds.append(_seconds(direction, "library"))
    return bool(seconds) and seconds[1] > max(_BUSY_WAIT * seconds[0], seconds[0] + _TIME_SLICES)


def _seconds(direction: Direction, algorithm: ConvAlgorithm) -> float:
    began = time.perf_counter()
    direction(algorithm)
    return time.perf_counter() - began


def _remembered(store: Store, key: str) -> dict[str, Choice]:
    algorithms = (store.load(key) or {}).get("algorithms", {})
    return {
        layer: (f, i, w) for layer, (f, i, w) in algorithms.items() if {f, i, w} <= set(ALGORITHMS)
    }
