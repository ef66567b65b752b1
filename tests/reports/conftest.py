"""Run and study folders made by hand from the contract of a run's folder, without training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hundredfold import comparison, metrics, reports
from hundredfold.data import DataSet, Source, load, training
from hundredfold.run import Run

RECIPE = """title      = "{title}"
source     = "made for a test"
data       = "{data}"
model      = "{model}"
augment    = "shift(pixels=2) | zoom(share=0.1)"
loss       = "cross_entropy(label_smoothing=0.0)"
optimizer  = "adam(lr=0.001)"
schedule   = "constant"
epochs     = {epochs}
batch_size = 128
patience   = 25
select     = "validation.loss"
precision  = "auto"
seed       = {seed}
"""

ROWS = [
    {"name": "scale", "kind": "Scale", "output": [3, 32, 32], "parameters": 0, "macs": 0},
    {"name": "conv1", "kind": "Conv2d", "output": [32, 30, 30], "parameters": 896, "macs": 777600},
    {"name": "pool1", "kind": "MaxPool2d", "output": [32, 15, 15], "parameters": 0, "macs": 0},
    {
        "name": "conv2",
        "kind": "Conv2d",
        "output": [64, 13, 13],
        "parameters": 18496,
        "macs": 3115008,
    },
    {"name": "pool2", "kind": "MaxPool2d", "output": [64, 6, 6], "parameters": 0, "macs": 0},
    {"name": "conv3", "kind": "Conv2d", "output": [64, 4, 4], "parameters": 36928, "macs": 589824},
    {"name": "dense", "kind": "Linear", "output": [64], "parameters": 65600, "macs": 65536},
    {"name": "head", "kind": "Linear", "output": [10], "parameters": 650, "macs": 640},
]


def facts(data: DataSet, *, seed: int, epochs: int, best: int, **other: Any) -> dict[str, Any]:
    """Return what run.json holds."""
    kept, cut = training(data, seed=seed)
    return {
        "status": "done",
        "reason": "no better validation loss for 25 epochs",
        "name": "made-by-hand",
        "best_epoch": best,
        "epochs": epochs,
        "seconds": 61.5 + 7 * seed,
        "images_per_second": 4210.0,
        "waiting_share": 0.012,
        "parameters": 122570,
        "macs": 4548608,
        "peak_memory_bytes": 812_000_000,
        "precision": "bf16",
        "device": "cpu",
        "threads": 2,
        "versions": {"hundredfold": "0.1.0", "python": "3.11.7", "torch": "2.13.0"},
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "changed": True},
        "command": "hundredfold train digits --seed 0",
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:06+00:00",
        "test_evaluations": 0,
        "data": {
            "name": data.name,
            "digest": data.digest,
            "classes": list(data.classes),
            "superclasses": list(data.superclasses),
            "superclass_of": list(data.superclass_of),
            "size": data.size.plain,
            "train": len(kept),
            "validation": len(cut),
        },
    } | other


def curve(epochs: int, top: float, seed: int) -> list[dict[str, float]]:
    """Return epochs of a net that learns towards `top` and overfits a little."""
    noise = np.random.default_rng(seed).normal(0, 0.006, (epochs, 2))
    rows = []
    for k in range(epochs):
        learned = 1 - np.exp(-(k + 1) / (0.18 * epochs))
        train = min(top * 1.08 * learned + noise[k, 0], 0.999)
        valid = min(top * learned - 0.01 + noise[k, 1], 0.999)
        late = max(0.0, k / epochs - 0.5)
        rows.append({
            "epoch": k + 1, "step": 12 * (k + 1), "seconds": round(1.2 * (k + 1), 2), "lr": 0.001,
            "train.loss": round(2.3 * (1 - train) + 0.02, 5), "train.top_1": round(train, 5),
            "validation.loss": round(2.4 * (1 - valid) + 0.05 + 0.4 * late, 5),
            "validation.top_1": round(valid, 5),
        })  # fmt: skip
    return rows


def logits_for(labels: np.ndarray, data: DataSet, accuracy: float, seed: int) -> np.ndarray:
    """Return logits that are right about as often as asked, wrong mostly within the family."""
    generator = np.random.default_rng(seed)
    n, classes = len(labels), len(data.classes)
    spread = generator.normal(0, 1.0, (n, classes))
    if data.superclass_of:
        family = np.array(data.superclass_of)
        spread += 1.3 * (family[None, :] == family[labels][:, None])
    twin = (labels + 1 + (labels % 3 == 0)) % classes
    spread[np.arange(n), twin] += 0.9
    spread[np.arange(n), labels] += np.where(generator.random(n) < accuracy, 4.6, 1.2)
    return (1.6 * spread).astype(np.float32)


def make_run(
    folder: Path,
    data: DataSet,
    *,
    splits: tuple[str, ...] = ("validation", "test"),
    title: str = "A simple CNN on digits",
    model: str = "simple_cnn",
    seed: int = 0,
    accuracy: float = 0.9,
    epochs: int = 30,
    logits: Callable[..., np.ndarray] = logits_for,
    **info: Any,
) -> Run:
    """Write a run's folder; `splits` are those that were scored, `info` changes run.json."""
    folder.mkdir(parents=True)
    run = Run(folder)
    lines = curve(epochs, accuracy, seed)
    best = 1 + min(range(epochs), key=lambda k: lines[k]["validation.loss"])
    text = RECIPE.format(title=title, data=data.name, model=model, epochs=100, seed=seed)
    (folder / "recipe.toml").write_text(text)
    (folder / "curve.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    summary = {"parameters": 122570, "macs": 4548608, "layers": ROWS}
    (folder / "model.json").write_text(json.dumps(summary))
    looks = {"test_evaluations": int("test" in splits)}
    run.save_info(facts(data, seed=seed, epochs=epochs, best=best, **(looks | info)))
    for split in splits:
        where = data.parts["test"]() if split == "test" else training(data, seed=seed)[1]
        labels = where.labels[where.indices]
        found = logits(labels, data, accuracy, seed + 17 * len(split))
        run.save_logits(split, found, labels, where.indices)
        values = metrics.scores(found, labels, superclass_of=data.superclass_of)
        named = {f"{split}.{name}": score.to_json() for name, score in values.items()}
        run.replace_scores(split, named)
    return run


def make_study(out: Path, data: DataSet, variants: dict[str, float], seeds: int) -> Path:
    """Write the runs of a study and its folder; variants: label -> accuracy."""
    members, values = [], {}
    for place, (label, accuracy) in enumerate(variants.items()):
        values[label] = {}
        for seed in range(seeds):
            name = f"{label}-{seed}"
            run = make_run(
                out / name, data, splits=("validation",), title=label, model=label, seed=seed,
                accuracy=accuracy, epochs=24 + 3 * place + seed,
                parameters=120_000 * 3**place, macs=4_500_000 * 5**place,
                seconds=40.0 * 3**place + seed,
            )  # fmt: skip
            values[label][seed] = run.scores["validation.top_1"]["value"]
            members.append({"label": label, "seed": seed, "run": name})
    folder = out / "the-study"
    folder.mkdir()
    (folder / "study.toml").write_text('title = "Three networks"\nseeds = 3\n')
    stored = {
        "title": "Three networks on digits",
        "metric": "validation.top_1",
        "members": members,
        "reference": {
            "source": "a paper's table 2",
            "values": {"simple_cnn": 0.7512, "vgg16": 0.5},
        },
        "left_out": [{"label": "vgg16", "seed": 0, "reason": "the loss was not finite in epoch 3"}],
    }
    (folder / "study.json").write_text(json.dumps(stored))
    compared = comparison.compare(
        values, metric="validation.top_1", words="validation top-1 accuracy"
    ).to_json()
    (folder / "comparison.json").write_text(json.dumps(compared))
    return folder


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(folder=None, cache=tmp_path_factory.mktemp("cache"), offline=True)


@pytest.fixture(scope="session")
def digits(source: Source) -> DataSet:
    return load("digits", source)


@pytest.fixture(scope="session")
def shapes(source: Source) -> DataSet:
    """A hundred classes in twenty superclasses."""
    return load("shapes", source)


@pytest.fixture(scope="session")
def build() -> Callable[..., Run]:
    """How to write a run's folder."""
    return make_run


@pytest.fixture(scope="session")
def digits_run(digits: DataSet, source: Source, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on ten classes, scored on both splits, with its page."""
    run = make_run(tmp_path_factory.mktemp("runs") / "digits-run", digits)
    reports.write_run(run, source)
    return run


@pytest.fixture(scope="session")
def shapes_run(shapes: DataSet, source: Source, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on a hundred classes, scored on both splits, with its page."""
    folder = tmp_path_factory.mktemp("runs") / "shapes-run"
    run = make_run(folder, shapes, title="A hundred shapes", accuracy=0.6)
    reports.write_run(run, source)
    return run


@pytest.fixture(scope="session")
def study(digits: DataSet, source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three variants with three seeds each, compared, with its page."""
    variants = {"simple_cnn": 0.8, "resnet(depth=20)": 0.93, "vgg(depth=11)": 0.92}
    folder = make_study(tmp_path_factory.mktemp("runs"), digits, variants, 3)
    reports.write_study(folder, source)
    return folder
