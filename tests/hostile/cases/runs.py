"""Run folders that a stranger made: every file of a run damaged, and every verb that reads it.

A third of the cases change values in a file that can be read, a third replace a file as a whole,
and a third put links, pipes, holes and the like in the place of files and folders.
"""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile import odd
from hostile.case import HERE, OUTSIDE, Case
from hostile.cases.options import LINES
from hostile.worker import World

COUNT = 1600
TRAIN = ("--epochs", "3", "--batch-size", "8", "--threads", "1", "--precision", "fp32",
         "--model", "densenet(depth=10, growth=4)", "--patience", "0", "--set", "ema=0.5",
         "--set", "validation=0.2")  # fmt: skip
DONE, STOPPED, STUDY = (f"{HERE}/runs/{name}" for name in ("done", "stopped", "lab"))
WATCHED = ("report.html", "figures", "live.html", "live.js")
VERBS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # words -> the command's line, and what it may change
    "report": (("report", "runs/done"), (f"{DONE}/report.html", f"{DONE}/figures")),
    "report json": (
        ("report", "done", "--json"), (f"{DONE}/report.html", f"{DONE}/figures")),
    "runs": (("runs",), ()),
    "runs json": (("runs", "--json"), ()),
    "one run": (("runs", "done"), ()),
    "evaluate": (("evaluate", "done", "--threads", "1"), (DONE,)),
    "evaluate json": (("evaluate", "runs/done", "--json", "--threads", "1"), (DONE,)),
    "validation": (("evaluate", "done", "--split", "validation", "--threads", "1"), (DONE,)),
    "predict": (("predict", "done", "data/test", "--threads", "1"), ()),
    "predict json": (
        ("predict", "runs/done", "data/test/a", "--json", "--threads", "1"), ()),
    "resume": (("train", "--resume", "runs/stopped", "--threads", "1"), (STOPPED,)),
    "predict stopped": (("predict", "stopped", "data/test", "--threads", "1"), ()),
    "report stopped": (("report", "stopped"), (f"{STOPPED}/report.html", f"{STOPPED}/figures")),
    "weights of a run": (
        ("train", "--data", "data", *TRAIN, "--weights", "runs/done", "--name", "n"),
        (f"{HERE}/runs",)),
    "report study": (("report", "runs/lab"), (f"{STUDY}/report.html", f"{STUDY}/figures")),
    "evaluate study": (("evaluate", "runs/lab", "--threads", "1"), (f"{HERE}/runs",)),
    "study": (("study", "lab.toml", "--data-dir", "data", "--dry-run"), ()),
    "compare": (("runs", "compare", "done", "stopped"), ()),
    "compare json": (("runs", "compare", "runs/stopped", "done", "--json"), ()),
    "html": (("runs", "--html", "--json"), (f"{HERE}/runs/index.html",)),
    "prune": (("runs", "prune"), ()),
    "prune yes": (("runs", "prune", "--yes", "--json"), (f"{HERE}/runs",)),
    "rm": (("runs", "rm", "done", "--yes"), (DONE,)),
    "watch": (
        ("watch", "done", "--every", "0.1", "--wait", "1", "--json"),
        tuple(f"{DONE}/{name}" for name in WATCHED)),
    "watch stopped": (
        ("watch", "stopped", "--every", "0.1", "--wait", "1"),
        tuple(f"{STOPPED}/{name}" for name in WATCHED)),
    "export": (("export", "done", "--data-dir", "data", "--json"), (f"{DONE}/export",)),
}  # fmt: skip
_MEMBER = "densenet-data-*"  # the runs of the study
_RUN = {"evaluate study": _MEMBER, "report study": _MEMBER, "study": _MEMBER}
# how often each file is damaged: what is read by most verbs most often
FILES = {
    "run.json": 8, "recipe.toml": 4, "scores.json": 4, "curve.jsonl": 4, "model.json": 3,
    "test.json": 1, "validation.json": 1, "test.logits.npy": 2, "test.labels.npy": 2,
    "test.rows.npy": 1, "test.unseen.npy": 1, "validation.logits.npy": 2,
    "validation.labels.npy": 2, "weights/best.safetensors": 3, "weights/last.safetensors": 1,
    "test.classes.csv": 1, "log.txt": 1, "calibration.json": 2,
    "corruptions.json": 1, "unlike.json": 1,
}  # fmt: skip
FOLDERS = ("figures", "weights", "state", "source", ".lock", "report.html", "log.txt", "run.json",
           "figures/network.svg", "figures/curve-loss.svg", "validation.predictions.csv",
           "test.predictions.csv", "test.logits.npy", "scores.json", "curve.jsonl",
           "weights/best.safetensors", "recipe.toml", "")  # fmt: skip


def furnish(world: World) -> None:
    """Make the base: images, a finished and a stopped run of them, and a study of two runs."""
    pictures(world.base / HERE / "data")
    (world.base / HERE / "lab.toml").write_text(
        'title = "lab"\nseeds = 1\n[base]\ndata = "image_folder"\n'
        'model = "densenet(depth=10, growth=4)"\n'
        'epochs = 1\nbatch_size = 8\npatience = 0\nprecision = "fp32"\nvalidation = 0.2\n'
        "[vary.one]\nema = 0.5\n[vary.two]\nema = 0.0\n"
    )
    train = ("train", "--data", "data", *TRAIN)
    _must(world, (*train, "--name", "done"))
    _must(world, ("evaluate", "done", "--corruptions", "--unlike", "--threads", "1"))
    _must(world, ("study", "lab.toml", "--data-dir", "data", "--threads", "1"))
    _must(world, (*train, "--name", "stopped"), 143, _stop_after_two_epochs)


def pictures(folder: Path, parts: tuple[str, ...] = ("train", "test"), count: int = 12) -> None:
    """Draw small pictures of two classes, dark and bright noise."""
    import numpy as np
    from PIL import Image

    chance = np.random.default_rng(3)
    for part in parts:
        for label, base in (("a", 20), ("b", 140)):
            place = folder / part / label
            place.mkdir(parents=True)
            for number in range(count if part == "train" else 4):
                pixels = chance.integers(base, base + 90, (16, 16, 3), np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")


def _must(world: World, argv: tuple[str, ...], code: int = 0, prepare: Any = None) -> None:
    end = world.run(world.base, Case("base", argv), prepare)
    if end.code != code:
        raise SystemExit(f"the base cannot be made: {argv}: {end.code} {end.stderr.decode()}")


def _stop_after_two_epochs() -> None:
    import os
    import signal

    from hundredfold.training import loop

    finish, done = loop.Loop._finish_epoch, []

    def finishing(self: Any, row: Any) -> None:
        finish(self, row)
        done.append(row)
        if len(done) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    loop.Loop._finish_epoch = finishing  # type: ignore[method-assign]


def cases(seed: int) -> list[Case]:
    """Return all cases, in a random order that depends on the seed."""
    chance = random.Random(seed)
    makers = (_values, _values, _whole, _places, _links)
    made = [_made(random.Random(chance.random()), makers[k % 5], k) for k in range(COUNT)]
    chance.shuffle(made)
    return made


Build = Callable[[Path], None]


def _folder(world: Path, run: str) -> Path:
    return min(world.glob(run))


def _made(
    chance: random.Random, maker: Callable[[random.Random, str], tuple[str, Build]], number: int
) -> Case:
    verb = list(VERBS)[(number // 5) % len(VERBS)]
    argv, allowed = VERBS[verb]
    run = "stopped" if "stopped" in " ".join(argv) else _RUN.get(verb, "done")
    words, build = maker(chance, f"{HERE}/runs/{run}")
    return Case(f"{number}: {verb} of {words}", argv, build, allowed)


def _file(chance: random.Random, run: str) -> str:
    """Return a file of a run, or of the study that it belongs to."""
    if run.endswith(_MEMBER) and chance.random() < 0.5:
        return f"../lab/{chance.choice(['study.json', 'comparison.json', 'study.toml'])}"
    return chance.choices(list(FILES), list(FILES.values()))[0]


def _values(chance: random.Random, run: str) -> tuple[str, Build]:
    """Change values inside of a file that can be read."""
    name = "state" if run.endswith("stopped") and chance.random() < 0.5 else _file(chance, run)
    return f"{name} changed", lambda world: _change(_folder(world, run), name, chance)


def _change(run: Path, name: str, chance: random.Random) -> None:
    if name == "state":
        _change_state(run / "state", chance)
    elif name.endswith(".json"):
        _edit_json(run / name, chance)
    elif name.endswith(".jsonl"):
        _edit_lines(run / name, chance)
    elif name.endswith(".toml"):
        _edit_toml(run / name, chance)
    elif name.endswith(".npy"):
        kind = chance.choice([*odd.NPY, *["numbers"] * 10])
        (run / name).write_bytes(odd.arrays(chance) if kind == "numbers" else odd.npy(kind))
    elif name.endswith(".safetensors"):
        _edit_safetensors(run / name, chance)
    elif (run / name).exists():
        (run / name).write_bytes(odd.flipped((run / name).read_bytes(), chance))


def _edit_json(path: Path, chance: random.Random) -> None:
    if path.is_file():
        _, value = odd.changed(json.loads(path.read_text()), chance, chance.choice([1, 1, 3, 20]))
        path.write_text(json.dumps(value))


def _edit_lines(path: Path, chance: random.Random) -> None:
    lines = path.read_text().splitlines()
    if chance.random() < 0.3:
        path.write_text("\n".join(lines)[: -chance.randrange(1, 60)])
        return
    _, rows = odd.changed([json.loads(line) for line in lines], chance, 2)
    if chance.random() < 0.1:
        rows = rows * 20_000
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")


def _edit_toml(path: Path, chance: random.Random) -> None:
    line = chance.choice(LINES)
    key = line.partition(" ")[0]
    kept = [old for old in path.read_text().splitlines() if old.partition(" ")[0] != key]
    if chance.random() < 0.2:
        kept = kept[: chance.randrange(len(kept))]
    path.write_text("\n".join([line, *kept]) + "\n")
    (path.parent / "evil.py").write_text(
        f"open({str(path.parents[3] / OUTSIDE / 'ran')!r}, 'w')\ndef net(classes): return None\n"
    )


def _edit_safetensors(path: Path, chance: random.Random) -> None:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    if chance.random() < 0.3:
        path.write_bytes(odd.flipped(data, chance))
        return
    _, header = odd.changed(json.loads(data[8 : 8 + length]), chance, chance.choice([1, 1, 4]))
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def _change_state(state: Path, chance: random.Random) -> None:
    """Change saves, and sign them anew, as a stranger could."""
    from hundredfold.run import commits

    for path in state.glob("[0-9]*.json"):
        commit = json.loads(path.read_text())
        commit.pop("sha256")
        _, commit = odd.changed(commit, chance, chance.choice([1, 1, 3]))
        signed = commit | {"sha256": commits.digest(commit)} if isinstance(commit, dict) else commit
        path.write_text(json.dumps(signed))
    if chance.random() < 0.3:
        for path in state.glob("*.safetensors"):
            _edit_safetensors(path, chance)


def _whole(chance: random.Random, run: str) -> tuple[str, Build]:
    """Replace a file as a whole."""
    name, kind = _file(chance, run), chance.choice(list(odd.WHOLE))
    return f"{name} as {kind}", lambda world: _write(_folder(world, run) / name, odd.WHOLE[kind])


def _write(path: Path, content: bytes) -> None:
    odd.remove(path)
    path.write_bytes(content)


def _places(chance: random.Random, run: str) -> tuple[str, Build]:
    """Put something that is no regular file in the place of a file or folder."""
    names = [*FOLDERS[:-1], *(_file(chance, run) for _ in FOLDERS)]
    name, kind = chance.choice(names), chance.choice(list(odd.PLACES))
    if "/" in name and not name.startswith(".") and chance.random() < 0.2:
        name = name.partition("/")[0]

    def build(world: Path) -> None:
        path = _folder(world, run) / name
        if path.parent.is_dir():
            odd.replace(path, kind)

    return f"{name} as {kind}", build


def _links(chance: random.Random, run: str) -> tuple[str, Build]:
    """Let a file or folder of the run be a link that leads out, or name what lies outside."""
    name = chance.choice([*FOLDERS, "pictures", "state/*", "latest"])
    target = chance.choice(["notes.txt", "folder", "page.svg", "photos", "nothing-there"])

    def build(world: Path) -> None:
        outside, folder = world / OUTSIDE, _folder(world, run)
        if name == "pictures":
            _point_at_pictures(folder, outside / "photos", chance)
        elif name == "state/*":
            for path in (folder / "state").iterdir():
                odd.link(path, outside / target)
        elif name == "latest":
            odd.link(folder.parent / "latest", outside / target)
        elif name == "":
            shutil.move(folder, outside / "run")
            odd.link(folder, outside / "run")
        else:
            odd.link(folder / name, outside / target)

    return f"{name or 'the folder'} as a link to {target}", build


def _point_at_pictures(run: Path, photos: Path, chance: random.Random) -> None:
    """Name another folder's pictures in the record of a run."""
    path = run / "run.json"
    info = json.loads(path.read_text())
    info["data"]["folder"] = str(photos)
    if chance.random() < 0.7:
        info["data"].pop("digest", None)
    recipe = run / "recipe.toml"
    if chance.random() < 0.5:
        lines = [line for line in recipe.read_text().splitlines() if not line.startswith("data ")]
        recipe.write_text("\n".join([f'data = "{photos}"', *lines]) + "\n")
    path.write_text(json.dumps(info))
