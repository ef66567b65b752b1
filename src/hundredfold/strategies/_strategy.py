"""The settings of a strategy."""

from dataclasses import dataclass
from typing import Literal

from hundredfold.errors import UsageError
from hundredfold.size import PlainSize

Head = Literal["random_init", "ridge", "logistic", "best"]
QUARTERS = 4  # of the list of a network's weight tensors, counted from the input


@dataclass(frozen=True)
class Strategy:
    """Which layers of a network are trained, and how.

    Raises UsageError for settings that exclude each other. Parts check the ranges of each.

    pretrained: whether the network starts from given weights, with a new head.
    rate: factor on the learning rate for the network; the head has 1. 0 trains the head only.
    layer_decay: factor on the rate for each further quarter from the head towards the input.
    freeze: number of quarters that are not trained, from the input on.
    groups: number of the network's last groups that are trained; 0 trains all.
    input_size: size in pixels that images are resized to; 0 is the engine's choice.
    cut: groups of the network that are kept; 0 keeps all.
    head: initialisation of the head. views: number of fixed versions of each image whose
    outputs of the frozen part are computed once; 0 computes them for every step.
    dropout: probability on the features before the head, in [0, 1).
    from_groups: groups of the network whose means are the features, in their order, without those
    after the last one; () takes the network's own features.
    with_maxima: whether the maximum of each map is a feature too, beside the mean.
    hidden: units of a hidden layer in the head; 0 is a linear head.
    """

    pretrained: bool
    rate: float = 1.0
    layer_decay: float = 1.0
    freeze: int = 0
    groups: int = 0
    input_size: PlainSize = 0
    cut: int = 0
    head: Head = "random_init"
    views: int = 1
    dropout: float = 0.0
    from_groups: tuple[int, ...] = ()
    with_maxima: bool = False
    hidden: int = 0

    def __post_init__(self) -> None:
        groups = self.from_groups
        if list(groups) != sorted(set(groups)):
            raise UsageError(
                f"invalid strategy: from_groups = {list(groups)}",
                found="groups stand in their order, each once",
                remedy="linear_probe(from_groups=[3, 4, 5])",
            )
        if groups and self.cut:
            raise UsageError(
                f"invalid strategy: from_groups = {list(groups)}, cut = {self.cut}",
                found="from_groups ends after its last group by itself",
                remedy="from_groups alone",
            )
        if self.hidden and self.head != "random_init":
            raise UsageError(
                f"invalid strategy: hidden = {self.hidden}, head = {self.head!r}",
                found="only a linear head can be fitted",
                remedy="hidden=0, or head='random_init'",
            )

    @property
    def frozen(self) -> bool:
        """Whether only the head is trained, on fixed features."""
        return self.pretrained and self.rate == 0

    @property
    def on_activations(self) -> bool:
        """Whether the last groups are trained on stored activations of the groups before."""
        return bool(self.groups and self.views)

    @property
    def fits_head(self) -> bool:
        """Whether the head starts from a probe that is fitted to features before training."""
        return self.pretrained and self.head != "random_init"

    def rate_of(self, quarter: int) -> float:
        """Return the factor on a quarter's rate, 0 to 3 from the input; 0 where it is frozen."""
        if quarter < self.freeze:
            return 0.0
        return float(self.rate * self.layer_decay ** (QUARTERS - 1 - quarter))
