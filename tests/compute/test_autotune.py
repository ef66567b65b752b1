"""Timing trials of algorithms: what they choose, what is cached, what a run keeps."""

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from hundredfold import machine, training
from hundredfold.compute import autotune, threads
from hundredfold.compute.convolution import Algorithms, Conv2d, directions
from hundredfold.compute.replicas import WorkSplit
from hundredfold.data import Source
from hundredfold.engines.pytorch import ENGINE
from hundredfold.models import build, summary
from hundredfold.models._layers import Scale
from hundredfold.run import Run

Train = Callable[..., Run]
TIMES = {"library": 1.0, "im2col": 0.5, "direct": 0.9}


def _network(text: str = "simple_cnn", size: int = 20) -> nn.Module:
    return build(text, classes=4, size=size, seed=0)


def _timed(
    monkeypatch: pytest.MonkeyPatch, times: dict[str, float], late: dict[str, float] | None = None
) -> list[str]:
    """Set the time of every algorithm, and return a list of those that are timed.

    late: the time of an algorithm's first call in each direction.
    """
    tried: list[str] = []
    seen: list[tuple[Callable[[str], torch.Tensor], str]] = []

    def seconds(direction: Callable[[str], torch.Tensor], algorithm: str) -> float:
        direction(algorithm)
        tried.append(algorithm)
        first = (direction, algorithm) not in seen
        seen.append((direction, algorithm))
        return (late or {}).get(algorithm, times[algorithm]) if first else times[algorithm]

    monkeypatch.setattr(autotune, "_seconds", seconds)
    return tried


def _untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> float:
        raise AssertionError("measured again")

    monkeypatch.setattr(autotune, "_seconds", refuse)


def _choose(folder: Path, model: nn.Module, **other: Any) -> autotune.Plan:
    arguments = {"sizes": [20], "work": WorkSplit(4, 1, 1), "precision": "fp32"} | other
    return autotune.choose(model, **arguments, cache=folder)


def _convolutions(model: nn.Module) -> Iterator[Conv2d]:
    return (module for module in model.modules() if isinstance(module, Conv2d))


def test_the_fastest_algorithm_is_taken_in_each_direction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _timed(monkeypatch, TIMES)
    first, *others = _choose(tmp_path, _network()).values()
    assert len(others) == 2
    assert tuple(first) == ("im2col", "library", "im2col"), "an image needs no gradient"
    assert all(tuple(chosen) == ("im2col",) * 3 for chosen in others)


@pytest.mark.parametrize(("im2col", "taken"), [(0.97, "library"), (0.9, "im2col")])
def test_an_algorithm_is_taken_only_where_it_is_worth_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, im2col: float, taken: str
) -> None:
    _timed(monkeypatch, {"library": 1.0, "im2col": im2col, "direct": 2.0})
    assert {chosen[0] for chosen in _choose(tmp_path, _network()).values()} == {taken}


@pytest.mark.parametrize(("direct", "calls"), [(9.5, 1), (2.0, 2), (1.2, 6)])
def test_a_slow_algorithm_is_timed_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direct: float, calls: int
) -> None:
    tried = _timed(monkeypatch, {"library": 1.0, "im2col": 0.9, "direct": direct})
    _choose(tmp_path, _network())
    assert tried.count("im2col") == tried.count("library") == 6 * tried.count("direct") / calls


def test_a_delay_of_the_first_calls_changes_no_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a kernel is prepared, or two threads still share a core."""
    _timed(monkeypatch, {"library": 1.0, "im2col": 1.3, "direct": 2.0}, late={"library": 8.0})
    assert {chosen[0] for chosen in _choose(tmp_path, _network()).values()} == {"library"}


def test_a_convolution_of_too_many_products_does_not_try_the_direct_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _timed(monkeypatch, TIMES)
    model = nn.Sequential(Scale(), Conv2d(3, 2, 3, padding=1))
    _choose(tmp_path, model, sizes=[40], work=WorkSplit(1, 1, 1))
    assert "direct" not in tried
    _choose(tmp_path, model, sizes=[10], work=WorkSplit(1, 1, 1))
    assert "direct" in tried


def test_where_there_is_no_time_algorithms_are_guessed_and_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _untimed(patch)
        guessed = list(_choose(tmp_path, _network(), seconds=0.0).values())
    assert guessed == [("library",) * 3, ("library",) * 3, ("direct",) * 3], "maps of 20, 9 and 3"
    tried = _timed(monkeypatch, TIMES)
    assert {chosen[0] for chosen in _choose(tmp_path, _network()).values()} == {"im2col"}
    assert tried


def _busy_waiting(monkeypatch: pytest.MonkeyPatch, one: float, two: float) -> list[set[int]]:
    """Set the library's seconds on one core; return the cores that it is timed on."""
    used: list[set[int]] = []

    def seconds(direction: Callable[[str], torch.Tensor], algorithm: str) -> float:
        direction(algorithm)
        used.append(machine.allowed())
        if machine.cores() > 1:
            times = {"library": 1.0, "single_thread": 2.0, "im2col": 4.0, "direct": 4.0}
            return times[algorithm]
        return one if torch.get_num_threads() == 1 else two

    monkeypatch.setattr(autotune, "_seconds", seconds)
    return used


two_cores = pytest.mark.skipif(
    machine.cores() < 2 or not hasattr(os, "sched_setaffinity"), reason="needs two cores of Linux"
)


@two_cores
@pytest.mark.parametrize(
    ("one", "two", "taken"),
    [(0.01, 0.5, "single_thread"), (0.001, 0.02, "library"), (0.2, 0.9, "library")],
)
def test_threads_that_busy_wait_are_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: float, two: float, taken: str
) -> None:
    cores = machine.allowed()
    used = _busy_waiting(monkeypatch, one, two)
    plan = _choose(tmp_path, _network(), work=WorkSplit(4, 1, 2))
    assert {algorithm for chosen in plan.values() for algorithm in chosen} == {taken, "library"}
    assert all(chosen[2] == taken for chosen in plan.values())
    assert {len(cores_of) for cores_of in used} == {1, len(cores)}
    assert machine.allowed() == cores


@two_cores
def test_a_single_thread_is_not_checked_for_busy_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = _busy_waiting(monkeypatch, 0.01, 9.0)
    plan = _choose(tmp_path, _network(), work=WorkSplit(4, 2, 1))
    assert {algorithm for chosen in plan.values() for algorithm in chosen} == {"library"}
    assert {len(cores_of) for cores_of in used} == {machine.cores()}


@two_cores
@pytest.mark.parametrize("stride", [1, 2])
def test_the_choice_is_not_many_times_slower_on_a_shared_core(tmp_path: Path, stride: int) -> None:
    """Strides in bf16 make the library wait for each image, on many processors."""
    model = nn.Sequential(Scale(), Conv2d(3, 32, 3, padding=1, stride=stride))
    images = torch.randint(0, 256, (32, 3, 32, 32), dtype=torch.uint8)
    [chosen] = _choose(
        tmp_path, model, sizes=[32], work=WorkSplit(32, 1, 2), precision="bf16"
    ).values()
    direction = directions(model[1], 32, 32, len(images), torch.bfloat16)[2]
    with threads.threads(2), machine.on_one_core():
        assert min(autotune._seconds(direction, chosen[2]) for _ in range(3)) < 0.1


def test_measurements_are_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _timed(monkeypatch, TIMES)
    model = _network()
    plan = _choose(tmp_path, model)
    _untimed(monkeypatch)
    assert _choose(tmp_path, model) == plan
    wider = _network("simple_cnn(dropout=0.1)")
    assert _choose(tmp_path, wider) == plan, "equal layers share a measurement"


@pytest.mark.parametrize(
    "other", [{"work": WorkSplit(8, 1, 1)}, {"precision": "bf16"}, {"sizes": [20, 24]}], ids=str
)
def test_another_shape_or_precision_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any]
) -> None:
    tried = _timed(monkeypatch, TIMES)
    model = _network("resnet(depth=20)")
    _choose(tmp_path, model)
    before = len(tried)
    _choose(tmp_path, model, **other)
    assert len(tried) > before


def test_another_number_of_threads_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _timed(monkeypatch, TIMES)
    _choose(tmp_path, _network())
    before = len(tried)
    used = torch.get_num_threads()
    seen: list[int] = []
    monkeypatch.setattr(autotune, "_fastest", lambda *_: seen.append(torch.get_num_threads()))
    _choose(tmp_path, _network(), work=WorkSplit(4, 1, 3))
    assert seen == [3, 3, 3]
    assert torch.get_num_threads() == used
    assert len(tried) == before


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", "{}", '{"value": {"algorithms": {}}}', '{"sha256": "0", "value": {}}'],
)
def test_a_damaged_cache_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    tried = _timed(monkeypatch, TIMES)
    plan = _choose(tmp_path, _network())
    (file,) = (tmp_path / "algorithms").iterdir()
    file.write_text(damage)
    tried.clear()
    assert _choose(tmp_path, _network()) == plan
    assert tried
    assert set(json.loads(file.read_text())["value"]["algorithms"]) == set(plan)


def test_timing_trials_leave_the_model_as_it_was(tmp_path: Path) -> None:
    model = _network("resnet(depth=20)")
    before = copy.deepcopy(model.state_dict())
    _choose(tmp_path, model, sizes=[8], work=WorkSplit(2, 1, 1))
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any(
        module.algorithms or module._forward_pre_hooks for module in _convolutions(model)
    )


def test_a_plan_is_used_at_its_sizes_and_what_it_lacks_is_the_librarys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _timed(monkeypatch, TIMES)
    model = _network()
    plan = dict(_choose(tmp_path, model))
    dropped = list(plan)[1]
    del plan[dropped]
    autotune.use(model, [20], json.loads(json.dumps(plan)))
    first, second, third = _convolutions(model)
    assert first.algorithms == {(20, 20): Algorithms("im2col", "library", "im2col")}
    assert second.algorithms == {}
    assert third.algorithms == {(3, 3): Algorithms("im2col", "im2col", "im2col")}


@pytest.mark.parametrize(
    "name",
    [
        "speednet(width=0.125)",
        "resnet(depth=20)",
        "preact_resnet(depth=20)",
        "wrn(depth=16, width=1)",
        "densenet(depth=16)",
        "vgg(depth=11, batch_norm=False)",
    ],
)
@pytest.mark.parametrize("algorithm", ["im2col", "direct"])
def test_a_network_with_other_algorithms_has_the_same_gradients(name: str, algorithm: str) -> None:
    plain, other = _network(name, 32), _network(name, 32)
    plan = {layer.key: (algorithm,) * 3 for layer in autotune._layers(other, 32)}
    autotune.use(other, [32], plan)
    assert sum(len(module.algorithms) for module in _convolutions(other)) >= 8
    images = torch.randint(0, 256, (6, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    for model in (plain, other):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            logits = model(images.byte())
        nn.functional.cross_entropy(logits, torch.arange(6) % 4).backward()
    for one, two in zip(plain.parameters(), other.parameters(), strict=True):
        if one.grad is not None:
            size = float(one.grad.norm()) / one.grad.numel() ** 0.5
            torch.testing.assert_close(two.grad, one.grad, rtol=1e-3, atol=1e-3 * size + 1e-7)


def test_timing_trials_pay_for_a_long_training_and_not_for_a_short_one() -> None:
    with torch.device("meta"):
        macs = summary(build("resnet(depth=18)", classes=100, size=32, seed=0), 32).macs
    assert autotune.pays(macs, 200 * 50_000)
    assert autotune.pays(macs, 50_000)
    assert not autotune.pays(macs, 2048)
    assert not autotune.pays(4_000_000, 100 * 1_500)


def test_a_short_run_chooses_no_algorithms(
    small_run: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    _untimed(monkeypatch)
    assert small_run(epochs=1).info["algorithms"] == {}


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make every training long enough for timing trials, which im2col wins, in a fresh cache."""
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(autotune, "pays", lambda *_: True)
    _timed(monkeypatch, TIMES)


@pytest.mark.usefixtures("tuned")
def test_the_plan_goes_into_the_run_and_a_resumed_run_takes_it_from_there(
    small_run: Train, progress: training.Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = small_run("whole"), small_run("killed")
    plan = whole.info["algorithms"]
    assert [chosen[0] for chosen in plan.values()] == ["im2col"] * 3
    for path in (killed.folder / "state").iterdir():
        path.unlink()
    killed.save_info(killed.info | {"status": "running"})
    monkeypatch.setattr(autotune, "choose", None)
    training.resume(killed, training.Options(Source(), threads=1), progress, ENGINE)
    assert killed.info["algorithms"] == plan
    assert killed.best().read_bytes() == whole.best().read_bytes()
    monkeypatch.setattr(autotune, "pays", lambda *_: False)
    plain = small_run("plain")
    tuned, library = (load_file(run.best())["conv3.weight"] for run in (whole, plain))
    assert not torch.equal(tuned, library), "the plan was not used"
    torch.testing.assert_close(tuned, library, rtol=0.05, atol=0.01)


@pytest.mark.usefixtures("tuned")
def test_every_size_of_a_progressive_run_has_its_algorithms(small_run: Train) -> None:
    run = small_run(
        data="shapes(size=32, classes=4, images=24)", model="resnet(depth=20)", epochs=1,
        resolution="progressive",
    )  # fmt: skip
    sizes = {key.split()[-2] for key in run.info["algorithms"]}
    assert {"20x20", "24x24", "32x32"} <= sizes


def _depthwise(stride: int = 2) -> nn.Module:
    layers = [Scale(), Conv2d(3, 16, 1), Conv2d(16, 16, 5, stride, 2, groups=16)]
    return nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("precision", "tried", "library", "expected"),
    [
        ("bf16", {"library", "reduced", "fp32"}, 1.0, ("library", "reduced", "reduced")),
        ("bf16", {"library", "reduced", "fp32"}, 0.2, ("library", "library", "library")),
        ("fp32", {"library", "reduced"}, 1.0, ("library", "reduced", "reduced")),
    ],
)
def test_trials_of_depthwise_convolutions_may_change_what_is_likely(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    tried: set[str],
    library: float,
    expected: tuple[str, ...],
) -> None:
    times = {"library": library, "im2col": 9.0, "direct": 9.0, "reduced": 0.5, "fp32": 0.6}
    used = _timed(monkeypatch, times)
    plan = _choose(tmp_path, _depthwise(), precision=precision)
    (key,) = (key for key in plan if key.startswith("depthwise "))
    names = set(used)
    assert tried <= names
    forward, *gradients = plan[key]
    assert tuple(gradients) == expected[1:]
    assert forward in ("library", "reduced"), "both are the library's"


def test_a_reference_kernel_is_timed_with_few_images_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []

    def seconds(direction: Any, algorithm: str) -> float:
        seen.append((algorithm, len(direction.args[0])))
        return {"library": 9.0, "reduced": 0.5}.get(algorithm, 0.6)

    monkeypatch.setattr(autotune, "_seconds", seconds)
    model = _depthwise()
    dense, depthwise = autotune._layers(model, 20)
    chosen = autotune._fastest(depthwise, 32, torch.bfloat16)
    assert tuple(chosen)[1:] == ("reduced", "reduced")
    gradients = seen[seen.index(("library", 16)) :]
    assert ("library", 32) not in gradients
    assert ("reduced", 32) in gradients
    seen.clear()
    autotune._fastest(dense, 32, torch.bfloat16)
    assert ("library", 32) in seen


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_without_time_depthwise_convolutions_avoid_reference_kernels(
    tmp_path: Path, precision: str
) -> None:
    plan = _choose(tmp_path, _depthwise(), precision=precision, seconds=0.0)
    (chosen,) = (tuple(plan[key]) for key in plan if key.startswith("depthwise "))
    of_x = "reduced" if precision == "bf16" else "library"
    assert chosen == ("library", of_x, "reduced")


def test_a_depthwise_convolution_shares_no_measurement_with_a_dense_one() -> None:
    dense, depthwise = Conv2d(1, 16, 3, padding=1), Conv2d(16, 16, 3, padding=1, groups=16)
    assert autotune.Layer(dense, 8, 8, True).key != autotune.Layer(depthwise, 8, 8, True).key
