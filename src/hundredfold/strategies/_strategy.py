"""A strategy as a value; nothing here computes."""

from dataclasses import dataclass
from typing import Literal

from hundredfold.errors import UsageError

Head = Literal["random_init", "ridge", "logistic"]
QUARTERS = 4  # of a network's weight tensors, counted from the image on


@dataclass(frozen=True)
class Strategy:
    """What is trained of a network.

    pretrained: whether the network begins with weights, under a new head.
    rate: learning rate of the network as a share of the head's; 0 trains the head alone.
    layer_decay: share by which the rate falls for each quarter towards the image.
    freeze: quarters that stay as they are, beginning at the image.
    input_size: pixels that images are resized to; 0 is the engine's choice.
    cut: groups of the network that are kept; 0 keeps all.
    head: how the head begins. views: how often a frozen network sees each image.
    dropout: probability that a feature is dropped before the head, in training.
    """

    pretrained: bool
    rate: float = 1.0
    layer_decay: float = 1.0
    freeze: int = 0
    input_size: int = 0
    cut: int = 0
    head: Head = "random_init"
    views: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise UsageError(
                f"invalid strategy: dropout = {self.dropout}, must be in [0, 1)",
                remedy="--set strategy.dropout=0.2",
            )
        if self.cut < 0 or (self.input_size and self.input_size < 8):
            raise UsageError(
                f"invalid strategy: input_size = {self.input_size}, cut = {self.cut}",
                found="input_size is 0 or at least 8 pixels, cut at least 0 groups",
            )

    @property
    def frozen(self) -> bool:
        """Whether the network stays as it is and a head is trained on its features."""
        return self.pretrained and self.rate == 0

    @property
    def solves(self) -> bool:
        """Whether the head is solved on features before training begins."""
        return self.pretrained and self.head != "random_init"

    def rate_of(self, quarter: int) -> float:
        """Return the learning rate of a quarter, 0 to 3 from the image on; 0 where it is frozen."""
        if quarter < self.freeze:
            return 0.0
        return float(self.rate * self.layer_decay ** (QUARTERS - 1 - quarter))
