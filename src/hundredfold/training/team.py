"""Pieces of a batch side by side, each computed by one thread from its images to its gradients.

Threads that share an operation wait for each other at its end, and a step has hundreds. Here each
goes through the network alone and takes the next piece when it is done, so it waits once a step;
where another process holds one of them up, the others take more. What the pieces give is added in
their order, so the sums are the same to the last bit however many threads there are, as long as
there are no more of them than pieces.
"""

import copy
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hundredfold.models import Dropout

Judge = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, Tensor]]
Pair = tuple[Tensor, Tensor]  # images and targets

_OURS = ("hundredfold.", "torch.nn.")  # modules of which it is known what they draw and gather
_MOST = 4  # pieces of a batch that nobody asked to have divided
_LEAST = 64  # images in such a piece: with fewer, operations are too short to pay


class Share(NamedTuple):
    """How a step's batch is shared out.

    piece: images that go through the model at once. members: pieces that do side by side.
    threads: that each piece is computed by.
    """

    piece: int
    members: int
    threads: int


def share(model: nn.Module, batch: int, micro_batch: int, *, in_turn: bool | None = None) -> Share:
    """Return how a batch of so many images is shared out.

    micro_batch: images at once; 0 is all of them where layers see the batch as a whole, as
    BatchNorm does, and else a quarter or as much as makes a piece worth while. in_turn: one
    piece after another, each by all threads; None is as `suits` says.
    """
    threads = torch.get_num_threads()
    in_turn = not suits(model) if in_turn is None else in_turn
    pieces = 1 if in_turn or _gathering(model) else max(1, min(_MOST, batch // _LEAST))
    piece = min(micro_batch or -(-batch // pieces), batch)
    members = 1 if in_turn else min(threads, -(-batch // piece))
    return Share(piece, members, threads // members)


def suits(model: nn.Module) -> bool:
    """Tell whether copies of a model can go through pieces of a batch side by side.

    They cannot on a GPU, or where a layer draws from the generator that all threads share or
    gathers statistics in a way that is not known here.
    """
    on_cpu = all(parameter.device.type == "cpu" for parameter in model.parameters())
    return on_cpu and all(_suits(module) for module in model.modules() if module.training)


def _suits(module: nn.Module) -> bool:
    if isinstance(module, Dropout):
        return True
    known = type(module).__module__.startswith(_OURS)
    draws = isinstance(module, nn.modules.dropout._DropoutNd | nn.RReLU)
    return known and not draws and getattr(module, "momentum", 0.0) is not None


class _Given(NamedTuple):
    """What a piece gives: its loss and number right, gradients, means and variances."""

    sums: Tensor
    gradients: Sequence[Tensor | None]
    statistics: Sequence[Tensor]


class _Copy:
    """A model for one thread: parameters and constants are the model's own.

    What BatchNorm gathers and Dropout draws from are the copy's. With a momentum of 1 BatchNorm
    holds the statistics of the newest piece.
    """

    def __init__(self, model: nn.Module) -> None:
        gathered = {id(t) for norm in _gathering(model) for t in norm.buffers()}
        shared = (t for t in (*model.parameters(), *model.buffers()) if id(t) not in gathered)
        self.model = copy.deepcopy(model, {id(tensor): tensor for tensor in shared})
        self.generator = torch.Generator()
        for module in self.model.modules():
            if isinstance(module, Dropout):
                module.generator = self.generator
        self.norms = _gathering(self.model)
        for norm in self.norms:
            norm.momentum = 1.0
        self.trained = [p for p in self.model.parameters() if p.requires_grad]

    def take(self, judge: Judge, pair: Pair, share: float, key: int) -> _Given:
        self.generator.manual_seed(key)
        loss, right = judge(self.model, *pair)
        loss = loss * share
        gradients = torch.autograd.grad(loss, self.trained, allow_unused=True)
        statistics = [held.clone() for norm in self.norms for held in _statistics(norm)]
        return _Given(torch.stack((loss.detach().double(), right.double())), gradients, statistics)


class _Total:
    """Adds what pieces give to a model, in the order of the pieces, whichever comes first."""

    def __init__(self, model: nn.Module) -> None:
        self.sums: list[Tensor] = []
        self._trained = [p for p in model.parameters() if p.requires_grad]
        self._norms = _gathering(model)
        self._waiting: dict[int, _Given] = {}
        self._lock = threading.Lock()

    def add(self, number: int, given: _Given) -> None:
        with self._lock:
            self._waiting[number] = given
            while ready := self._waiting.pop(len(self.sums), None):
                self._add(ready)

    @torch.no_grad()
    def _add(self, given: _Given) -> None:
        self.sums.append(given.sums)
        for parameter, gradient in zip(self._trained, given.gradients, strict=True):
            if gradient is None:
                continue
            if parameter.grad is not None:
                parameter.grad.add_(gradient)
            elif gradient.stride() == parameter.stride():
                parameter.grad = gradient
            else:  # as the parameter lies in memory: fused updates walk that
                parameter.grad = torch.empty_like(parameter).copy_(gradient)
        statistics = iter(given.statistics)
        for norm in self._norms:
            assert norm.momentum is not None
            assert norm.num_batches_tracked is not None
            for held in _statistics(norm):
                held.mul_(1 - norm.momentum).add_(next(statistics), alpha=norm.momentum)
            norm.num_batches_tracked.add_(1)


class Team:
    """Threads that go through pieces of a batch side by side, and a copy of the model for each.

    judge: model, images, targets -> their mean loss and the number right.
    """

    def __init__(self, model: nn.Module, judge: Judge) -> None:
        self._model, self._judge = model, judge
        self._copies: list[_Copy] = []
        self._pool = ThreadPoolExecutor(1)

    def gradients(self, pieces: Sequence[Pair], key: int) -> Tensor:
        """Add the gradients of a batch to the model's, and return its [loss, right].

        The loss is the batch's mean. `key` and a piece's number seed what the piece draws.
        """
        members = min(torch.get_num_threads(), len(pieces))
        if len(self._copies) < members:
            self._copies += [_Copy(self._model) for _ in range(members - len(self._copies))]
            self._pool = ThreadPoolExecutor(members)
        images = sum(len(pair[0]) for pair in pieces)
        total, waiting = _Total(self._model), deque(enumerate(pieces))

        def work(member: _Copy) -> None:
            while True:
                try:
                    number, pair = waiting.popleft()
                except IndexError:
                    return
                share = len(pair[0]) / images
                total.add(number, member.take(self._judge, pair, share, key + number))

        if members == 1:
            work(self._copies[0])
        else:
            self._side_by_side(work, members)
        return torch.stack(total.sums).sum(0)

    def _side_by_side(self, work: Callable[[_Copy], None], members: int) -> None:
        """Let each member work in a thread of its own, with its share of the threads."""
        threads = torch.get_num_threads()

        def alone(member: _Copy) -> None:
            torch.set_num_threads(threads // members)
            work(member)

        running = [self._pool.submit(alone, member) for member in self._copies[:members]]
        errors = [found for future in running if (found := future.exception())]
        torch.set_num_threads(threads)  # what new threads begin with
        try:
            if errors:
                raise errors[0]
        finally:
            del running, errors  # or an error would hold itself, and the memory of its step


def _gathering(model: nn.Module) -> list[_BatchNorm]:
    norms = (module for module in model.modules() if isinstance(module, _BatchNorm))
    return [norm for norm in norms if norm.training and norm.track_running_stats]


def _statistics(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var
