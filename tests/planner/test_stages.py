"""The stages of a budget on a simulated clock: on time, early answers, and the best candidate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from hundredfold.planner.candidates import PASSES, STEPS, Candidate, Setting, Wishes
from hundredfold.planner.deadline import Deadline
from hundredfold.planner.law import Kind, Score
from hundredfold.planner.look import Look
from hundredfold.planner.stages import Stages
from hundredfold.size import Size

TRANSFERS: list[Kind] = ["head", "upper", "whole"]
ALL: list[Kind] = [*TRANSFERS, "scratch"]


@dataclass
class Machine:
    """A bench whose clock advances by what each stage would take.

    speed: factor on a machine with 120 features a second at 224 px. errors: of each kind.
    diverges: kinds whose training ends in a loss that is not finite.
    """

    look: Look
    speed: float = 1.0
    errors: dict[str, float] = field(default_factory=dict)
    diverges: tuple[str, ...] = ()
    clock: float = 1.5  # Python has started
    measured: float = 0.0
    first: float = math.inf
    trained: list[Candidate] = field(default_factory=list)

    def now(self) -> float:
        return self.clock

    def feature_rate(self, size: int) -> float:
        if not self.measured:
            self.measured = 0.8 / self.speed
            self.clock += self.measured
        return self.speed * 120 * (224 / size) ** 2.7

    def training_speed(self) -> float:
        self.clock += 0.3 / self.speed
        return self.speed * 100e9

    def _prepare(self, candidate: Candidate) -> None:
        used = candidate.images * (1 + self.look.validation / self.look.images)
        self.clock += used / self.look.decoding
        if candidate.kind == "head":
            self.clock += used / self.feature_rate(candidate.size)

    def answer(self, candidate: Candidate) -> Score:
        began = self.clock
        self._prepare(candidate)
        self.clock += 1.2
        self.first = min(self.first, self.clock)
        return Score(1 - self.errors.get("head", 0.3), 200, self.clock - began)

    def trial(self, candidate: Candidate, seconds: float) -> Score | None:
        if candidate.kind == "scratch":
            self._prepare(candidate)
        self.clock += seconds + 0.8
        if candidate.kind in self.diverges:
            return None
        return Score(1 - self.errors.get(candidate.kind, 0.3), 200, seconds, 5.0)

    def train(self, candidate: Candidate, seconds: float) -> Score | None:
        self.trained.append(candidate)
        if candidate.kind in self.diverges:
            self.clock += 0.3 * seconds
            return None
        self.clock += 0.98 * seconds
        return Score(1 - self.errors.get(candidate.kind, 0.3), 200, seconds)

    def learning_curve(self) -> Sequence[tuple[int, float]]:
        return []


def look(images: int, classes: int, side: int, decoding: float = 1000.0) -> Look:
    return Look(images, images // 10, classes, side, min(side, 128), decoding, mirrors=True)


def run(
    seen: Look, seconds: float, kinds: list[Kind], precision: str = "bf16", **machine: object
) -> tuple[Stages, Machine]:
    bench = Machine(seen, **machine)  # type: ignore[arg-type]
    setting = Setting(Wishes("image_folder", {}), seen, precision)
    deadline = Deadline(0.0, seconds, bench.now)
    stages = Stages(setting, kinds, deadline, bench, lambda _line: None)
    stages.run()
    return stages, bench


@pytest.mark.parametrize("seconds", [20, 60, 180, 900, 7200])
@pytest.mark.parametrize(
    ("images", "classes", "side"),
    [(40, 2, 224), (250, 2, 640), (900, 2, 64), (4000, 5, 128), (10_000, 20, 64),
     (50_000, 100, 32), (100_000, 200, 64), (100_000, 1000, 224)],
)  # fmt: skip
@pytest.mark.parametrize("kinds", [ALL, ["scratch"]])
@pytest.mark.parametrize("speed", [0.4, 1.0, 3.0])
def test_a_budget_is_kept_whatever_the_images(
    seconds: int, images: int, classes: int, side: int, kinds: list[Kind], speed: float
) -> None:
    seen = look(images, classes, side, decoding=1000 * speed)
    _, bench = run(seen, seconds, kinds, speed=speed)
    assert bench.clock <= 1.05 * seconds + 1
    assert bench.clock >= 0.85 * seconds
    if "head" in kinds:
        assert bench.first <= max(8, seconds / 10) + 2 / min(speed, 1)
    assert bench.trained, "what time is left is trained with"


@pytest.mark.parametrize("best", ["head", "upper", "whole", "scratch"])
def test_a_rectangle_is_kept_by_every_candidate(best: str) -> None:
    bench = Machine(look(3000, 8, 224), errors=dict.fromkeys(ALL, 0.5) | {best: 0.05})
    wishes = Wishes("image_folder(size='96x160')", {}, size=Size(96, 160))
    stages = Stages(
        Setting(wishes, bench.look, "bf16"), ALL, Deadline(0.0, 300, bench.now), bench, print
    )
    stages.run()
    assert bench.clock <= 1.05 * 300 + 1
    assert bench.trained
    assert {row["size"] for row in stages.to_json()} == {"96x160"}
    for candidate in bench.trained:
        assert candidate.recipe.data.options["size"] == "96x160"
        assert candidate.size == 124 and "at 96x160 px" in str(candidate)
        if candidate.kind != "scratch":
            assert candidate.recipe.strategy.options["input_size"] == "96x160"


@pytest.mark.parametrize("best", ["upper", "whole", "scratch"])
def test_the_candidate_with_the_highest_expected_accuracy_is_trained(best: str) -> None:
    errors = {"head": 0.3, "whole": 0.9, "scratch": 0.95} | {best: 0.05}
    _, bench = run(look(3000, 8, 224), 300, ALL, errors=errors)
    assert bench.trained[0].kind == best


def test_what_diverges_makes_way_for_the_next() -> None:
    errors = {"head": 0.3, "upper": 0.2, "scratch": 0.1}
    _, bench = run(look(3000, 8, 224), 120, ALL, errors=errors, diverges=("scratch",))
    assert bench.trained[0].kind == "upper", "a trial that diverged is not trained"
    errors["scratch"] = 0.95
    _, bench = run(look(3000, 8, 224), 120, ALL, errors=errors, diverges=("upper",))
    assert [candidate.kind for candidate in bench.trained][:2] == ["upper", "scratch"]


def test_a_network_that_diverges_makes_way_for_a_smaller_one() -> None:
    _, bench = run(look(3000, 8, 64), 300, ["scratch"], diverges=("scratch",))
    widths = [float(c.recipe.model.options["width"]) for c in bench.trained]
    assert len(widths) > 1
    assert widths == sorted(set(widths), reverse=True)
    assert bench.clock <= 1.05 * 300 + 1


@pytest.mark.parametrize("images", [40, 300, 2000, 20_000, 100_000])
@pytest.mark.parametrize("seconds", [20, 60, 300, 3600])
def test_a_training_from_scratch_has_steps_and_passes_enough(images: int, seconds: int) -> None:
    seen = look(images, 10, 64)
    macs = 100e9 * 0.8 * seconds
    candidate = Setting(Wishes("image_folder", {}), seen, "bf16").scratch(images, macs)
    width = float(candidate.recipe.model.options["width"])
    per_image = 117e6 * width**2 * (candidate.size / 32) ** 2
    passed = macs / per_image
    assert passed >= 0.9 * PASSES * candidate.images
    assert passed / candidate.recipe.batch_size >= 0.9 * STEPS


def test_more_time_never_means_a_smaller_network() -> None:
    setting = Setting(Wishes("image_folder", {}), look(5000, 10, 64), "bf16")
    widths = [
        float(setting.scratch(5000, 10**power).recipe.model.options["width"])
        for power in range(11, 16)
    ]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_a_size_that_the_user_set_is_the_size_of_every_candidate() -> None:
    setting = Setting(Wishes("image_folder(size=96)", {}, size=96), look(500, 2, 300), "bf16")
    heads = [setting.head(size, 500) for size in setting.sizes()]
    assert {candidate.size for candidate in heads} == {96}
    assert setting.scratch(500, 1e12).recipe.data.options["size"] == 96


def test_settings_of_the_user_stay_in_every_candidate() -> None:
    wishes = Wishes("image_folder", {"seed": 7, "batch_size": 16}, ("optimizer.lr=0.5",))
    setting = Setting(wishes, look(500, 2, 300), "fp32")
    candidates = [
        setting.head(64, 500),
        setting.upper(64, 500, views=2),
        setting.scratch(500, 1e12),
    ]
    for candidate in candidates:
        assert (candidate.recipe.seed, candidate.recipe.batch_size) == (7, 16)
        assert candidate.recipe.optimizer.options["lr"] == 0.5
