"""Compute micro-batches concurrently on several threads, each with a replica of the model.

Threads that share an operation wait for each other at its end, and a step has hundreds of
operations. Here each thread computes whole micro-batches from images to gradients, so it waits
once per step. Where another process delays one thread, the others take more micro-batches.
Gradients are summed in the order of the micro-batches. So results do not depend on thread
scheduling, nor on the number of threads up to the number of micro-batches.
"""

import copy
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hundredfold.compute.dropout import Dropout
from hundredfold.compute.portions import Portion, whole_pieces
from hundredfold.compute.random_rows import draws, rows_of

LossFn = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, Tensor]]
Pair = tuple[Tensor, Tensor]  # images and targets

_KNOWN = ("hundredfold.", "torch.nn.")  # packages of layers with known random draws and statistics
_MOST = 4  # micro-batches at most, where the recipe names no size
_LEAST = 64  # images of a micro-batch at least: operations on fewer are too short to pay


class WorkSplit(NamedTuple):
    """The split of a step's work.

    micro_batch: images per forward pass. workers: micro-batches computed concurrently.
    threads: per micro-batch.
    """

    micro_batch: int
    workers: int
    threads: int


def split_work(
    model: nn.Module, batch: int, micro_batch: int, *, sequential: bool | None = None
) -> WorkSplit:
    """Return the split of a batch of `batch` images.

    micro_batch: images per forward pass. 0 is the whole batch for models with BatchNorm, and
    otherwise a quarter of it, but at least 64. sequential: micro-batches sequentially, each on all
    threads; None is the opposite of `can_replicate`.
    """
    threads = torch.get_num_threads()
    sequential = not can_replicate(model) if sequential is None else sequential
    parts = 1 if sequential or _norms_of(model) else max(1, min(_MOST, batch // _LEAST))
    size = min(micro_batch or -(-batch // parts), batch)
    workers = 1 if sequential else min(threads, pieces(batch, size))
    return WorkSplit(size, workers, threads // workers)


def pieces(batch: int, micro_batch: int) -> int:
    """Return the number of micro-batches of nearly equal size that a batch is split into.

    None has a single image, which BatchNorm may not take, unless `micro_batch` or `batch` is 1.
    So a batch of 3 in micro-batches of 2 stays whole.
    """
    count = -(-batch // micro_batch)
    return count if micro_batch == 1 else max(1, min(count, batch // 2))


def can_replicate(model: nn.Module) -> bool:
    """Return whether replicas of a model can compute micro-batches concurrently.

    They cannot on a GPU, nor with a layer that draws from torch's default generator or updates
    statistics in an unknown way.
    """
    on_cpu = all(parameter.device.type == "cpu" for parameter in model.parameters())
    return on_cpu and all(_is_known(module) for module in model.modules() if module.training)


def _is_known(module: nn.Module) -> bool:
    if isinstance(module, Dropout):
        return True
    known = _in_package(module) and not draws(module)
    return known and getattr(module, "momentum", 0.0) is not None


def normalises(model: nn.Module) -> bool:
    """Return whether a layer normalises over the images of a micro-batch."""
    return any(isinstance(m, _BatchNorm) and m.training for m in model.modules())


def computed_apart(model: nn.Module, *, sequential: bool) -> bool:
    """Return whether a micro-batch can be computed without those before it, to the same result.

    Replicas seed each micro-batch. Computed sequentially, they share one stream of random numbers,
    from which layers in training may draw, and the user's own.
    """
    layers = [module for module in model.modules() if module.training]
    one_stream = sequential and any(draws(m) or not _in_package(m) for m in layers)
    return not one_stream and all(map(_is_known, layers))


def _in_package(module: nn.Module) -> bool:
    return type(module).__module__.startswith(_KNOWN)


class Result(NamedTuple):
    """Result of a micro-batch.

    sums: [loss, number correct] in float64. statistics: BatchNorm's means and variances.
    """

    sums: Tensor
    gradients: Sequence[Tensor | None]
    statistics: Sequence[Tensor]


Take = Callable[[Result], None]


class _Replica:
    """A copy of the model for one thread, which shares its parameters and constants.

    BatchNorm's statistics and Dropout's generator are the replica's own. With a momentum of 1
    BatchNorm holds the statistics of the latest micro-batch.
    """

    def __init__(self, model: nn.Module) -> None:
        own = {id(tensor) for norm in _norms_of(model) for tensor in norm.buffers()}
        shared = (t for t in (*model.parameters(), *model.buffers()) if id(t) not in own)
        self.model = copy.deepcopy(model, {id(tensor): tensor for tensor in shared})
        self.generator = torch.Generator()
        for module in self.model.modules():
            if isinstance(module, Dropout):
                module.generator = self.generator
        self.norms = _norms_of(self.model)
        for norm in self.norms:
            norm.momentum = 1.0
        self.trained = [p for p in self.model.parameters() if p.requires_grad]

    def compute(
        self, loss_fn: LossFn, pair: Pair, weight: float, key: int, portion: Portion
    ) -> Result:
        """Compute a portion; weight: its fraction of the batch's images. key: seeds dropout."""
        self.generator.manual_seed(key)
        with rows_of(self.model, portion):
            loss, correct = loss_fn(self.model, *pair)
        loss = loss * weight
        gradients = torch.autograd.grad(loss, self.trained, allow_unused=True)
        statistics = [buffer.clone() for norm in self.norms for buffer in _statistics(norm)]
        return Result(
            torch.stack((loss.detach().double(), correct.double())), gradients, statistics
        )


class _Total:
    """Take results in the order of the micro-batches, in whatever order they arrive."""

    def __init__(self, take: Take) -> None:
        self.sums: list[Tensor] = []
        self._take = take
        self._waiting: dict[int, Result] = {}
        self._lock = threading.Lock()

    def add(self, number: int, result: Result) -> None:
        with self._lock:
            self._waiting[number] = result
            while ready := self._waiting.pop(len(self.sums), None):
                self._add(ready)

    def _add(self, result: Result) -> None:
        self.sums.append(result.sums)
        self._take(result)


def add_result(model: nn.Module, result: Result) -> None:
    """Add a micro-batch's gradients to a model's, and let its BatchNorm follow the statistics."""
    add_gradients(model, result.gradients)
    follow_statistics(model, result.statistics)


@torch.no_grad()
def add_gradients(model: nn.Module, gradients: Sequence[Tensor | None]) -> None:
    """Add gradients, one for each parameter that is trained, to a model's."""
    trained = [p for p in model.parameters() if p.requires_grad]
    for parameter, gradient in zip(trained, gradients, strict=True):
        if gradient is None:
            continue
        if parameter.grad is not None:
            parameter.grad.add_(gradient)
        elif gradient.stride() == parameter.stride():
            parameter.grad = gradient
        else:  # in the parameter's memory order, which fused updates walk
            parameter.grad = torch.empty_like(parameter).copy_(gradient)


@torch.no_grad()
def follow_statistics(model: nn.Module, statistics: Sequence[Tensor]) -> None:
    """Let a model's BatchNorm follow the means and variances of a micro-batch."""
    parts = iter(statistics)
    for norm in _norms_of(model):
        assert norm.momentum is not None
        assert norm.num_batches_tracked is not None
        for buffer in _statistics(norm):
            buffer.mul_(1 - norm.momentum).add_(next(parts), alpha=norm.momentum)
        norm.num_batches_tracked.add_(1)


class ReplicaPool:
    """Threads that compute micro-batches concurrently, each with a replica of the model.

    loss_fn: model, images, targets -> mean loss and number correct.
    """

    def __init__(self, model: nn.Module, loss_fn: LossFn) -> None:
        self._model, self._loss_fn = model, loss_fn
        self._replicas: list[_Replica] = []
        self._threads = ThreadPoolExecutor(1)

    def gradients(self, micro_batches: Sequence[Pair], key: int) -> Tensor:
        """Add the gradients of a batch to the model's; return [mean loss, number correct].

        key: `key` plus a micro-batch's index seeds its dropout.
        """
        portions = whole_pieces(len(pair[0]) for pair in micro_batches)
        images = sum(portion.images for portion in portions)
        take = partial(add_result, self._model)
        return self.compute(list(zip(micro_batches, portions, strict=True)), images, key, take)

    def compute(
        self,
        work: Sequence[tuple[Pair, Portion]],
        images: int,
        key: int,
        take: Take,
        *,
        most: int = 0,
    ) -> Tensor:
        """Compute portions of a batch of `images`; return their [mean loss, number correct].

        take: takes the result of each, in their order. most: workers at most; 0 is one a thread.
        """
        workers = min(most or torch.get_num_threads(), len(work))
        if len(self._replicas) < workers:
            lacking = workers - len(self._replicas)
            self._replicas += [_Replica(self._model) for _ in range(lacking)]
            self._threads = ThreadPoolExecutor(workers)
        total, waiting = _Total(take), deque(enumerate(work))

        def run(replica: _Replica) -> None:
            while True:
                try:
                    number, (pair, portion) = waiting.popleft()
                except IndexError:
                    return
                weight = len(pair[0]) / images
                seed = key + portion.number
                result = replica.compute(self._loss_fn, pair, weight, seed, portion)
                total.add(number, result)

        if workers == 1:
            run(self._replicas[0])
        else:
            self._run_concurrently(run, workers)
        return torch.stack(total.sums).sum(0)

    def _run_concurrently(self, work: Callable[[_Replica], None], workers: int) -> None:
        """Run each worker in its own thread, with an equal part of torch's threads."""
        threads = torch.get_num_threads()

        def work_alone(replica: _Replica) -> None:
            torch.set_num_threads(threads // workers)
            work(replica)

        running = [
            self._threads.submit(work_alone, replica) for replica in self._replicas[:workers]
        ]
        errors = [error for future in running if (error := future.exception())]
        torch.set_num_threads(threads)  # the default of new threads
        try:
            if errors:
                raise errors[0]
        finally:
            del running, errors  # avoids a reference cycle that keeps the memory of the step


def _norms_of(model: nn.Module) -> list[_BatchNorm]:
    """Return the BatchNorm layers that update running statistics."""
    norms = (module for module in model.modules() if isinstance(module, _BatchNorm))
    return [norm for norm in norms if norm.training and norm.track_running_stats]


def _statistics(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var
