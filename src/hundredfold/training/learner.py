"""A model with what trains it: one step, and all that a step changes."""

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hundredfold import inference
from hundredfold.inference import autocast
from hundredfold.optim import Optimizer
from hundredfold.training import team

Schedule = Callable[[float], float]
Resolution = Callable[[float, int], int]
Loss = Callable[[Tensor, Tensor], Tensor]


class Learner:
    """Train a model step by step.

    micro_batch: images that go through the model at once, gradients being summed over the
    batch; BatchNorm sees only these. 0 is the whole batch, or what `team.share` takes for it.
    in_turn: such pieces go through the model one after another, each computed by all threads;
    as they do anyway on a GPU, compiled, or where `team.suits` says so. Else side by side.
    compiled: torch.compile turns the forward and the backward pass into fewer, fused kernels,
    once for each size of images; the first step of each size waits for that.
    average: decay per step of an exponential moving average of the weights (Polyak &
    Juditsky 1992), which is then what is scored and kept; 0 is off.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        loss: Loss,
        schedule: Schedule,
        resolution: Resolution,
        *,
        precision: str,
        average: float = 0.0,
        micro_batch: int = 0,
        compiled: bool = False,
        in_turn: bool = False,
    ) -> None:
        self.model = model.train()
        self.optimizer = optimizer
        self.loss = loss
        self.schedule = schedule
        self.resolution = resolution
        self.precision = precision
        self.decay = average
        self.micro_batch = micro_batch
        self.device = next(model.parameters()).device
        self.rates = [float(group["lr"]) for group in optimizer.param_groups]
        self.average = copy.deepcopy(model) if average else None
        self._judge = torch.compile(self._judged, dynamic=False) if compiled else self._judged
        self._in_turn = in_turn or compiled or not team.suits(model)
        self._team = team.Team(model, self._judge)

    def step(self, images: Tensor, targets: Tensor, progress: float, key: int) -> Tensor:
        """Do one step and return [loss, number right] as float64 on the device.

        images: uint8 (batch, 3, height, width); targets: (batch, classes). `key` seeds
        what the step draws (dropout), so that a resumed run draws the same.
        """
        if self.device.type == "cpu":  # without the backtraces that the other makes for no GPU
            torch.default_generator.manual_seed(key)
        else:
            torch.manual_seed(key)
        factor = self.schedule(progress)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        images = resized(images, self.resolution(progress, images.shape[-1]))
        sums = self.gradients(images, targets, key)
        self.update()
        return sums

    def share(self, batch: int) -> team.Share:
        """Return how a batch of so many images is shared out."""
        return team.share(self.model, batch, self.micro_batch, in_turn=self._in_turn)

    def gradients(self, images: Tensor, targets: Tensor, key: int = 0, *, piece: int = 0) -> Tensor:
        """Add the gradients of a batch's mean loss, and return [loss, right].

        piece: images at once; 0 is what `share` says.
        """
        size = piece or self.share(len(images)).piece
        pieces = list(zip(torch.split(images, size), torch.split(targets, size), strict=True))
        if len(pieces) > 1 and not self._in_turn:
            return self._team.gradients(pieces, key)
        return torch.stack([self._gradients(*pair, len(images)) for pair in pieces]).sum(0)

    def _gradients(self, images: Tensor, targets: Tensor, batch: int) -> Tensor:
        loss, right = self._judge(self.model, images, targets)
        loss = loss * (len(images) / batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return torch.stack((loss.detach().double(), right.double()))

    def _judged(self, model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean loss of images and how many are right, as scalars."""
        with autocast(self.device, self.precision):
            logits = model(images)
        logits = logits.float()
        right = (logits.detach().argmax(1) == targets.argmax(1)).sum()
        return self.loss(logits, targets), right

    def update(self) -> None:
        """Move the weights by the gradients, and let go of these."""
        with autocast(self.device, self.precision):  # for updates that multiply matrices
            self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average:
            _follow(self.average, self.model, 1 - self.decay)

    @property
    def scored(self) -> nn.Module:
        """The network that is scored and kept: the averaged one where that is on."""
        return self.average or self.model

    def rate(self, progress: float) -> float:
        """The first group's learning rate in a step at that progress."""
        return self.rates[0] * self.schedule(progress)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights that are scored and kept."""
        return {name: t.detach().clone() for name, t in self.scored.state_dict().items()}

    def logits(self, pixels: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits by the network that is scored, in the precision of training."""
        return inference.logits(
            self.scored, pixels, indices, device=self.device, precision=self.precision
        )

    def final(
        self,
        weights: Mapping[str, Tensor],
        pixels: NDArray[np.uint8],
        indices: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Return fp32 logits by these weights, which the model keeps."""
        inference.load_weights(self.model, dict(weights), "memory")
        return inference.logits(self.model, pixels, indices, device=self.device)

    def tensors(self) -> dict[str, Tensor]:
        """Return everything a step changes, by name, without copying."""
        found = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        if self.average:
            found |= {f"average.{name}": t for name, t in self.average.state_dict().items()}
        found |= {f"optimizer.{name}": t for name, t in self.optimizer.tensors().items()}
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to where `tensors` were taken."""
        self.model.load_state_dict(_below("model.", tensors))
        if self.average:
            self.average.load_state_dict(_below("average.", tensors))
        self.optimizer.load(_below("optimizer.", tensors))


def resized(images: Tensor, size: int) -> Tensor:
    """Return uint8 images (batch, 3, height, width) as (batch, 3, size, size), antialiased.

    Features (batch, channels) are returned as they are.
    """
    if images.shape[-1] == size or images.ndim == 2:
        return images
    small = functional.interpolate(images, (size, size), mode="bilinear", antialias=True)
    return small.contiguous(memory_format=torch.channels_last)


def key_of(seed: int, epoch: int, step: int) -> int:
    """Return the seed of what one step draws."""
    return int(np.random.SeedSequence((seed, epoch, step)).generate_state(1, np.uint64)[0]) >> 1


@torch.no_grad()
def _follow(average: nn.Module, model: nn.Module, share: float) -> None:
    """Move the average towards the model; counters are copied."""
    pairs = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    moving: list[tuple[Tensor, Tensor]] = []
    counters: list[tuple[Tensor, Tensor]] = []
    for pair in pairs:
        (moving if pair[0].is_floating_point() else counters).append(pair)
    torch._foreach_lerp_([a for a, _ in moving], [m for _, m in moving], share)
    for mean, now in counters:
        mean.copy_(now)


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
