"""The stages of a budget: look, answer early, race, train, and say what more would bring.

No strategy wins everywhere: on groceries a head on features is far ahead of a training from
scratch, on blood cells far behind (docs/results.md). So candidates are tried on the data for a part
of the time, and the one with the highest expected accuracy gets the rest. What is trained later is
kept only where it is better on the validation images.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hundredfold import wording
from hundredfold.planner.candidates import PASSES, Candidate, Setting, worth
from hundredfold.planner.deadline import Deadline
from hundredfold.planner.law import Kind, Score, are_close, of_upper_groups, predicted
from hundredfold.planner.protocol import Bench, Line

_FEATURES = 0.25  # of the time, at most, for features of the images
_FEATURES_SHORT = 0.4  # of a budget of up to a minute, in which they are most of the answer
_FIRST = 0.04  # of the time, for features of the first answer
_LEAST_FIRST = 2.0  # seconds
_TRIAL, _LONG_TRIAL = 0.06, 0.02  # of the time for each trial: up to a minute, and beyond
_LEAST_TRIAL = 3.0  # seconds: shorter trials tell nothing
_RACE = 25.0  # seconds of a budget from which on candidates are tried
_WHOLE = 240.0  # seconds of a budget from which on the whole backbone is tried
_UPPER_SPEED = 1 / 80  # of features, times the side: steps of the last groups (1.4x at 128 px)
_RACE_ENDS = 0.5  # of the time: with less left, no further trial begins
_RUN = 1.5  # seconds to write a run with its scores
_BACKWARD = 4.0  # times a forward pass: a training step of a whole backbone
_REST = 0.12  # of the time: with less left, no further training begins
_LEAST_REST = 4.0  # seconds
_SECOND_VIEW = 0.35  # of the time left, at most, for activations of a second version
_BETTER = 1.01  # times what the first features are worth: less is not worth computing others
_OTHER_SIZE = 0.08  # of the time, at most, to decode images again at another size
_TRIED = 0.04  # of the time, at most, to decode images for a trial
_DECODING = 0.3  # of the time left, at most, to decode images for a training from scratch
_SMALLER = (0.5, 0.1, 0.02)  # of the compute, for a network in place of one that diverged
_WORTH_SHARING = 20.0  # seconds left, at least, to share between two candidates
_FEWEST = 40  # images


@dataclass
class Stages:
    """Run the stages of a budget on a bench.

    kinds: kinds of candidates that the user's settings allow. say: logs a line.
    """

    setting: Setting
    kinds: Sequence[Kind]
    deadline: Deadline
    bench: Bench
    say: Callable[[str], None]
    lines: list[Line] = field(default_factory=list)
    _close: bool = False  # whether the two best are too close to tell which will win

    def run(self) -> None:
        """Run all stages."""
        if "head" in self.kinds:
            self._answer()
        ranked = self._race()
        self._train(ranked)
        self._report_more()

    def likely(self) -> Candidate:
        """Return what the budget would probably end with, without computing anything long."""
        if "head" in self.kinds:
            head = self._features(self._feature_seconds)
            self.lines.append(Line("answer", head, None))
            if self.kinds == ["head"]:
                return head
        return self._candidates()[0]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the rows of the plan for run.json."""
        rows: list[dict[str, Any]] = []
        for line in self.lines:
            candidate, score = line.candidate, line.score
            row: dict[str, Any] = {"stage": line.stage, "kind": candidate.kind}
            row |= {"model": str(candidate.recipe.model), "size": candidate.pixels.plain}
            row["images"] = candidate.images
            if score:
                row |= {"accuracy": round(score.accuracy, 4), "seconds": round(score.seconds, 2)}
            if line.predicted is not None:
                row["predicted"] = round(line.predicted, 4)
            rows.append(row)
        return rows

    def _answer(self) -> None:
        """Fit heads: within the first tenth on what fits, then on what a quarter allows."""
        due = self.deadline.first - self.deadline.spent - _RUN
        first = self._features(min(due, max(_LEAST_FIRST, _FIRST * self.deadline.seconds)))
        self._fit(first)
        main = self._features(self._feature_seconds)
        if worth(main.size, main.images) > _BETTER * worth(first.size, first.images):
            self._fit(main)

    @property
    def _feature_seconds(self) -> float:
        """Seconds for features: a larger fraction of a short budget."""
        fraction = _FEATURES + (_FEATURES_SHORT - _FEATURES) * min(1, 60 / self.deadline.seconds)
        return fraction * self.deadline.seconds

    def _fit(self, candidate: Candidate) -> None:
        self.say(f"budget     {wording.seconds(self.deadline.spent)}: {candidate}")
        self.lines.append(Line("answer", candidate, self.bench.answer(candidate)))

    def _features(self, seconds: float) -> Candidate:
        """Return the head whose features are worth the most within some seconds."""
        look = self.setting.look
        options: list[tuple[float, int, int]] = []
        for size in self.setting.sizes():
            each = 1 / look.decoding + 1 / self.bench.feature_rate(size)
            images = self._fitting(seconds / each)
            fits = images + self.setting.held_out(images) <= seconds / each
            if fits or not options:
                options.append((worth(size, images), size, images))
        _, size, images = max(options)
        return self.setting.head(size, images)

    def _fitting(self, passed: float) -> int:
        """Return how many training images fit, if so many may pass with the validation images."""
        look = self.setting.look
        least = min(look.images, max(_FEWEST, 2 * look.classes))
        images = min(look.images, int(passed))
        for _ in range(3):  # the part that is held out depends on the number
            images = min(look.images, int(passed) - self.setting.held_out(max(images, least)))
        return max(images, least)

    @property
    def _answered(self) -> Line | None:
        return next((line for line in reversed(self.lines) if line.stage == "answer"), None)

    def _race(self) -> list[Candidate]:
        """Return what can be trained by gradient, the best by its predicted accuracy first."""
        ranked: list[tuple[float, int, Candidate]] = []
        for candidate in self._candidates():
            accuracy = self._expected(candidate)
            if accuracy is not None:
                ranked.append((-accuracy, len(ranked), candidate))
        ranked.sort(key=lambda entry: entry[:2])
        self._close = len(ranked) > 1 and are_close(-ranked[0][0], -ranked[1][0])
        return [candidate for *_, candidate in ranked]

    def _candidates(self) -> list[Candidate]:
        """Return what could be trained by gradient in the time left."""
        answered, look, chosen = self._answered, self.setting.look, []
        images = answered.candidate.images if answered else look.images
        if answered and "upper" in self.kinds:
            chosen.append(self.setting.upper(answered.candidate.size, images, views=1))
        long = self.deadline.seconds >= _WHOLE or "upper" not in self.kinds
        if "whole" in self.kinds and long:
            size = self._whole_size(images)
            if size or not chosen:
                chosen.append(self.setting.whole(size or self.setting.sizes()[0], images))
        if "scratch" in self.kinds and (not chosen or self._has_time_for_other_size(images)):
            chosen.append(self._scratch(self.deadline.left, _DECODING * self.deadline.left))
        return chosen

    def _scratch(self, seconds: float, decoding: float) -> Candidate:
        """Return the network from scratch for a training of some seconds.

        decoding: seconds to decode its images, at most.
        """
        answered, look = self._answered, self.setting.look
        images = answered.candidate.images if answered else look.images
        images = int(min(images, max(_FEWEST, decoding * look.decoding)))
        return self.setting.scratch(images, self.bench.training_speed() * 0.8 * max(1.0, seconds))

    def _has_time_for_other_size(self, images: int) -> bool:
        """Return whether there is time to try a network that sees images of another size."""
        seconds = self.deadline.seconds
        return seconds >= _RACE and images / self.setting.look.decoding < _OTHER_SIZE * seconds

    def _whole_size(self, images: int) -> int:
        """Return the largest size at which a whole backbone sees all images often enough, or 0."""
        passed = PASSES * images / (0.7 * self.deadline.left)
        return max(
            (
                size
                for size in self.setting.sizes()
                if self.bench.feature_rate(size) / _BACKWARD >= passed
            ),
            default=0,
        )

    def _expected(self, candidate: Candidate) -> float | None:
        """Return and log the accuracy that a candidate is expected to reach; None: it diverges.

        The last groups are expected to gain on their head. Others are tried for a while.
        """
        answered = self._answered
        if candidate.kind == "upper" and answered and answered.score:
            speed = max(1.0, _UPPER_SPEED * candidate.size) * self.bench.feature_rate(
                candidate.size
            )
            passed = speed * 0.9 * self.deadline.left
            accuracy = of_upper_groups(answered.score, passed / candidate.images)
            self.say(f"expected   {candidate}: {accuracy:.2%}, from that of its head")
            self.lines.append(Line("expected", candidate, None, accuracy))
            return accuracy
        if not self._tries():
            return 0.0
        budget = self.deadline.seconds
        seconds = max(_LEAST_TRIAL, _TRIAL * min(budget, 60) + _LONG_TRIAL * max(0, budget - 60))
        if candidate.kind == "scratch":  # a network that learns something in so short a time
            candidate = self._scratch(seconds, _TRIED * self.deadline.seconds)
        score = self.bench.trial(candidate, seconds)
        expected = predicted(candidate.kind, score, 0.9 * self.deadline.left) if score else None
        self.lines.append(Line("trial", candidate, score, expected))
        if score and expected is not None:
            self.say(
                f"trial      {candidate}: accuracy {score.accuracy:.2%} after {score.seconds:.1f} "
                f"s, {expected:.2%} expected at the end"
            )
        return expected

    def _tries(self) -> bool:
        """Return whether a trial can change anything: there is another candidate, and time."""
        others = set(self.kinds) - {"head"}
        return len(others) > 1 and self.deadline.left > _RACE_ENDS * self.deadline.seconds

    def _train(self, ranked: Sequence[Candidate]) -> None:
        """Train the best candidate with the time left; after a divergence, the next.

        What a training leaves of the time goes to variants of it, and to the next candidates.
        """
        waiting, varied = list(ranked), False
        for number in itertools.count():
            left = self.deadline.left
            short = left < max(_LEAST_REST, _REST * self.deadline.seconds)
            if not waiting or (short and self.lines):
                return
            candidate = waiting.pop(0)
            shared = number == 0 and self._close and left > _WORTH_SHARING
            chosen, score = self._trained(candidate, left / 2 if shared else left, shared=shared)
            if score is None and chosen.kind == "scratch":
                waiting += self._smaller(chosen)
            elif score and chosen.kind == "upper" and not varied:
                place, varied = int(shared), True
                waiting[place:place] = self.setting.variants(chosen)

    def _trained(
        self, candidate: Candidate, seconds: float, *, shared: bool
    ) -> tuple[Candidate, Score | None]:
        """Train a candidate for some seconds; return what was trained, and its score."""
        chosen = self._with_views(candidate, seconds)
        if candidate.kind == "scratch":  # as planned for this time, unless it is a smaller one
            planned = self._scratch(seconds, _DECODING * seconds)
            chosen = min(planned, candidate, key=lambda network: network.width)
        self.say(
            f"budget     {wording.seconds(self.deadline.spent)}: training {chosen}, for "
            f"{wording.seconds(seconds)}" + (": the next is as likely to win" if shared else "")
        )
        score = self.bench.train(chosen, seconds)
        self.lines.append(Line("training", chosen, score))
        return chosen, score

    def _smaller(self, failed: Candidate) -> list[Candidate]:
        """Return the next smaller network in place of one that diverged, if there is one."""
        compute = self.bench.training_speed() * self.deadline.left
        for fraction in _SMALLER:
            candidate = self.setting.scratch(failed.images, fraction * compute)
            if candidate.width < failed.width:
                return [candidate]
        return []

    def _with_views(self, candidate: Candidate, left: float) -> Candidate:
        """Return the candidate on two versions of each image where there is time for them."""
        if candidate.kind != "upper":
            return candidate
        seconds = candidate.images / self.bench.feature_rate(candidate.size)
        if seconds > _SECOND_VIEW * left:
            return candidate
        return self.setting.upper(candidate.size, candidate.images, views=2)

    def _report_more(self) -> None:
        """Say what more images and more time would bring."""
        curve = list(self.bench.learning_curve()) if self._answered else []
        if curve:
            text = ", ".join(f"{accuracy:.1%} with {images:,}" for images, accuracy in curve)
            self.say(f"more       images: a head alone has {text}")
        scored = [line for line in self.lines if line.score and line.stage != "trial"]
        best = max(scored, key=lambda line: line.score.accuracy if line.score else 0, default=None)
        if best and best.score:
            longer = predicted(best.candidate.kind, best.score, 10 * best.score.seconds)
            self.say(f"more       time: {longer:.1%} is expected for ten times the budget")
