"""The ways to train within a budget, each as an ordinary recipe.

    kind      what is trained
    head      a head on the features of a pretrained backbone
    upper     the last groups of the backbone too, on stored activations
    whole     the whole backbone, on images
    scratch   a network from random weights

The user's own settings replace those of every candidate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hundredfold import data, recipes
from hundredfold.planner.law import IMAGES, SIZE, Kind
from hundredfold.planner.look import Look
from hundredfold.planner.schedule_table import choice_for
from hundredfold.recipe import Recipe
from hundredfold.size import NO_SIZE, PlainSize, Size, SizeLike
from hundredfold.spec import OwnFiles

SIZES = (64, 96, 128, 160, 192, 224)  # pixels at which a backbone sees images
UPPER_GROUPS = 2  # of the backbone: a third of EfficientNet-Lite0's blocks
UPPER_RATE = 0.3  # times the learning rate of the head
VARIANTS = ((4, 0.3), (2, 1.0), (4, 0.1))  # groups and rates for time that is left
STEPS, PASSES = 100, 3  # of a training by gradient, at least
_FEW_PASSES = 12.0  # over up to `_FEW` images
_SHARPER = 4  # times the detail of the images: enlarging them further gains little
_FEW = 1000  # images: with fewer, a larger fraction is held out
_SPEED_MACS = 117e6  # per image of speednet at width 1 and 32 px, on average over the sizes
_LEAST_BATCH = 32


@dataclass(frozen=True)
class Wishes:
    """What the user has set.

    data: the recipe text of the data. changes: other recipe fields. sets: options such as
    "model.depth=16". files: the user's own files that these name. size: of the images; 0 is free.
    """

    data: str
    changes: Mapping[str, Any]
    sets: Sequence[str] = ()
    files: OwnFiles | None = None
    size: SizeLike = 0

    def applied(self, base: Recipe, fields: Mapping[str, Any], data: Sequence[str] = ()) -> Recipe:
        """Return a recipe with fields and options of the data, and the user's settings on top."""
        recipe = base.override({"data": self.data}, (), self.files).override(fields, data)
        return recipe.override(self.changes, self.sets, self.files)


@dataclass(frozen=True)
class Candidate:
    """A way to train: its recipe, the side of the square that its network sees, and its images."""

    kind: Kind
    recipe: Recipe
    size: int
    images: int
    shape: Size = NO_SIZE  # that its network sees; `size` is of a square of as many pixels

    @property
    def pixels(self) -> Size:
        """The size that its network sees."""
        return self.shape or Size.of(self.size)

    @property
    def width(self) -> float:
        """The factor on the channels of a network from scratch; 0 for other networks."""
        return float(self.recipe.model.options.get("width", 0))

    def __str__(self) -> str:
        what = {
            "head": f"a head on features of {self.recipe.model.name}",
            "upper": f"the last groups of {self.recipe.model.name}",
            "whole": f"the whole of {self.recipe.model.name}",
            "scratch": f"{self.recipe.model} from scratch",
        }[self.kind]
        return f"{what} at {self.pixels} px, {self.images:,} images"


@dataclass(frozen=True)
class Setting:
    """What all candidates of a budget share.

    precision: "bf16" or "fp32". most_validation: images held out at most. backbone: its name.
    groups: of layers of the backbone. input_size: on which a run computes whose weights are used; 0
    for published weights.
    """

    wishes: Wishes
    look: Look
    precision: str
    most_validation: int = 2000
    backbone: str = "efficientnet_lite0"
    groups: int = 0
    input_size: SizeLike = 0

    @property
    def fixed(self) -> Size:
        """The size that the user or the weights fix; 0 where it is free."""
        return Size.of(self.input_size) or Size.of(self.wishes.size)

    def sizes(self) -> tuple[int, ...]:
        """Return the sizes at which a backbone may see the images, ascending."""
        if self.fixed:
            return (self.fixed.side,)
        most = _SHARPER * self.look.detail
        return tuple(size for size in SIZES if size <= most) or SIZES[:1]

    def head(self, size: int, images: int) -> Candidate:
        """Return a head on features."""
        strategy = f"linear_probe(input_size={self._shape(size)!r}, head='best', dropout=0.0)"
        return self._transfer("head", size, images, {"strategy": strategy, "epochs": 0})

    def upper(
        self,
        size: int,
        images: int,
        *,
        views: int,
        groups: int = UPPER_GROUPS,
        rate: float = UPPER_RATE,
    ) -> Candidate:
        """Return the last groups on activations of so many versions of each image.

        groups: trained, from the end. rate: of their learning rate to the head's.
        """
        strategy = (
            f"fine_tune(groups={groups}, views={views}, input_size={self._shape(size)!r}, "
            f"head='best', rate={rate})"
        )
        mirrored = (
            "flip(probability=1.0)"
            if self.look.mirrors
            else "shift(horizontal=0.08, vertical=0.08)"
        )
        return self._transfer(
            "upper", size, images, self._by_gradient(strategy, mirrored if views > 1 else "")
        )

    def variants(self, upper: Candidate) -> list[Candidate]:
        """Return trainings of other depths and rates than that of some last groups.

        Few images leave time for them: the held-out images then choose depth and rate.
        """
        views = int(upper.recipe.strategy.options["views"])
        return [
            self.upper(upper.size, upper.images, views=views, groups=groups, rate=rate)
            for groups, rate in VARIANTS
            if groups < self.groups
        ]

    def whole(self, size: int, images: int) -> Candidate:
        """Return the whole backbone, trained on augmented images."""
        strategy = (
            f"fine_tune(input_size={self._shape(size)!r}, head='best', rate=0.3, layer_decay=0.7)"
        )
        chain = f"pad_crop(pixels={max(2, self._pixels(size) // 16)}, mode='reflect'){self._flip()}"
        return self._transfer("whole", size, images, self._by_gradient(strategy, chain))

    def scratch(self, images: int, macs: float) -> Candidate:
        """Return a network from random weights.

        macs: multiply-accumulates of forward passes within the time. The network is one whose
        training has `STEPS` steps and `PASSES` passes; where there is none, it sees fewer images.
        """
        size = Size.of(self.wishes.size).side or max(
            32, min(self.look.detail, self._affordable_size(macs))
        )
        enough = max(STEPS * _LEAST_BATCH, wanted_passes(images) * images)
        choice = choice_for(macs / max(images, STEPS * _LEAST_BATCH / PASSES))
        while _macs(choice.width, size) * enough > macs and choice.width > 0.25:
            choice = choice_for(choice.macs * 0.99)
        images = min(images, max(int(macs / _macs(choice.width, size) / PASSES), _LEAST_BATCH))
        batch = _batch(macs / _macs(choice.width, size), images)
        scale = (batch / 1024) ** 0.5
        fields = {
            "title": "from scratch within a budget of time",
            "model": f"speednet(width={choice.width})",
            "augment": f"pad_crop(pixels={max(2, size // 16)}, mode='reflect'){self._flip()}",
            "optimizer": f"muon(lr={0.18 * scale:.3g}, sgd_lr={1.38 * scale:.3g})",
            "resolution": f"progressive(shares={choice.shares}, until={choice.until})",
            "batch_size": batch,
            "micro_batch": min(256, batch),
        }
        if self._own_network():
            fields = self._by_gradient("scratch", str(fields["augment"])) | {"batch_size": batch}
            return self._candidate("scratch", Recipe(), fields, size, images)
        return self._candidate("scratch", recipes.load("speed-75"), fields, size, images)

    def _affordable_size(self, macs: float) -> int:
        """Return the largest size at which a small network passes over all images often enough."""
        images = max(self.look.images, STEPS * _LEAST_BATCH / PASSES)
        ratio = macs / (10 * images * _macs(0.5, 32))
        return int(32 * max(ratio, 1.0) ** 0.5 // 16 * 16)

    def _own_network(self) -> bool:
        """Return whether the user chose another network than `speednet`."""
        wanted = self.wishes.applied(recipes.load("speed-75"), {})
        return wanted.model.name != "speednet"

    def _transfer(self, kind: Kind, size: int, images: int, fields: Mapping[str, Any]) -> Candidate:
        begin = {"model": self.backbone, "weights": "imagenet", "patience": 0}
        few = {"batch_size": max(1, min(64, images // 4))}
        return self._candidate(kind, Recipe(), {**begin, **few, **fields}, size, images)

    def _by_gradient(self, strategy: str, augment: str) -> dict[str, Any]:
        return {
            "strategy": strategy,
            "augment": augment,
            "loss": "cross_entropy(label_smoothing=0.1)",
            "optimizer": "adamw(lr=0.001)",
            "schedule": "one_cycle",
            "epochs": 20,
        }

    def _candidate(
        self, kind: Kind, base: Recipe, fields: Mapping[str, Any], size: int, images: int
    ) -> Candidate:
        common = {
            "precision": self.precision,
            "select": "validation.top_1",
            "patience": 0,
            "validation": self._validation(images),
        }
        return Candidate(
            kind, self.wishes.applied(base, {**common, **fields}, self._data(size, images)),
            size, images, NO_SIZE if self.fixed.is_square else self.fixed,
        )  # fmt: skip

    def _data(self, size: int, images: int) -> list[str]:
        """Return the options of the data: their size, and how many are used."""
        every = images >= self.look.images
        if not self._folder():
            return [] if every else [f"limit={images}"]
        sets = [] if self.wishes.size else [f"data.size={self._shape(self._pixels(size))}"]
        return sets if every else [*sets, f"data.subset={images}"]

    def _shape(self, size: int) -> PlainSize:
        """Return a size as a recipe writes it: the fixed one where that is no square."""
        return size if self.fixed.is_square else self.fixed.plain

    def _pixels(self, size: int) -> int:
        """Return the pixels of decoded images: not more than the files have."""
        return min(size, max(self.look.side, 8)) if self._folder() else self.look.side

    def _folder(self) -> bool:
        return self.wishes.data.startswith("image_folder")

    def held_out(self, images: int) -> int:
        """Return the number of validation images, where so many others are used for training."""
        if self.look.validation:
            return data.for_validation(images, self.look.images, self.look.validation)
        return round(self._validation(images) * self._cut_from(images))

    def _validation(self, images: int) -> float:
        """Return the fraction of the training images that is held out."""
        count = self._cut_from(images)
        fraction = 0.1 if count >= _FEW else 0.2
        return round(min(fraction, self.most_validation / max(count, 1)), 4)

    def _cut_from(self, images: int) -> int:
        """Return the images of which validation images are a fraction: a limit counts after it."""
        return images if self._folder() else self.look.images

    def _flip(self) -> str:
        return " | alternating_flip" if self.look.mirrors else ""


def wanted_passes(images: int) -> float:
    """Return the passes that a training from scratch should have: few images need more of them."""
    return float(max(PASSES, _FEW_PASSES * (_FEW / max(images, _FEW)) ** 0.45))


def worth(size: int, images: int) -> float:
    """Return what features of so many images at a size are worth for a head; higher is better.

    It is minus the logarithm of the expected error, up to a constant.
    """
    return float(images**IMAGES * size**SIZE)


def _macs(width: float, size: int) -> float:
    """Return multiply-accumulates per image of a speednet, on average over its sizes."""
    return _SPEED_MACS * width**2 * (size / 32) ** 2


def _batch(passed: float, images: int) -> int:
    """Return the batch: the largest power of two that leaves enough steps, in [32, 1024].

    passed: images that pass through the network within the time.
    """
    most = min(passed / STEPS, images / 4)
    return next((size for size in (1024, 512, 256, 128, 64) if size <= most), _LEAST_BATCH)
