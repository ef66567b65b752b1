"""kill -9 at any instant: the resumed run ends with the same last bit."""

import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hundredfold import spec
from hundredfold.run import Run

RUNS, KILLS = 6, 3  # of each tenth, and of each run
MODELS = (
    "simple_cnn(dropout=0.3)",
    "wrn(depth=10, width=1, dropout=0.3)",
    "densenet(depth=10, growth=4)",
)
AUGMENT = ("flip | shift | mixup", "pad_crop | flip | cutout", "trivial", "zoom | rotate | cutmix",
           "alternating_flip | erase")  # fmt: skip
SCHEDULES = ("cosine(warmup=0.2)", "one_cycle", "steps(at=[0.5], factor=0.2)", "linear")
SELECT = ("validation.loss", "validation.top_1", "last")

Task = dict[str, Any]
CarryOut = Callable[[list[Task]], list[list[int]]]


def _recipe(plain: list[str], chance: random.Random) -> list[str]:
    """Draw a recipe from all that could make a resumed run differ."""
    optimizers = spec.names("hundredfold.optim.optimizers")
    sizes = [] if (model := chance.choice(MODELS)).startswith("simple") else ["progressive"]
    select = chance.choice(SELECT)
    patience = 0 if select == "last" else chance.randint(0, 2)  # elsewhere it cannot act
    return [
        *plain, "--model", model, "--set", f"epochs={chance.choice((2.5, 3, 4, 5))}",
        "--augment", chance.choice(AUGMENT), "--schedule", chance.choice(SCHEDULES),
        "--optimizer", chance.choice(optimizers), "--resolution", chance.choice(["full", *sizes]),
        "--patience", str(patience), "--seed", str(chance.randrange(1000)),
        "--set", f"micro_batch={chance.choice((0, 0, 5))}",
        "--set", f"ema={chance.choice((0.0, 0.9))}", "--set", f'select="{select}"',
        *chance.choice(([], ["--set", 'precision="bf16"'])),
    ]  # fmt: skip


def test_runs_killed_three_times_end_as_those_that_were_not(
    tmp_path: Path,
    carry_out: CarryOut,
    task: Callable[..., Task],
    plain: list[str],
    differences: Callable[[Path, Path], list[str]],
    tally: Callable[[str, int, int, str], None],
    tenth: int,
) -> None:
    """Kills are counted from the start of a process, so that they fall on every part of it."""
    chance = random.Random(tenth)
    recipes = [_recipe(plain, chance) for _ in range(RUNS)]
    whole = [task(f"whole-{k}", recipe) for k, recipe in enumerate(recipes)]
    assert carry_out(whole) == [[0]] * RUNS
    killed = []
    for k, recipe in enumerate(recipes):
        seconds = Run(Path(whole[k]["run"])).info["seconds"]
        waits = [chance.uniform(0.02, 0.3 * seconds + 0.05) for _ in range(KILLS)]
        faults = {"signal": signal.SIGKILL, "waits": [*waits, None], "from_start": True}
        cache = {"environment": {"HUNDREDFOLD_CACHE": str(tmp_path / f"cache-{k}")}}
        killed.append(task(f"killed-{k}", recipe, save_every=0.02, **faults, **cache))
    codes = carry_out(killed)
    kills = sum(each.count(-signal.SIGKILL) for each in codes)
    found = {
        k: differences(Path(whole[k]["run"]), Path(killed[k]["run"])) if codes[k][-1] == 0
        else [Path(killed[k]["said"]).read_text()[-500:]]
        for k in range(RUNS)
    }  # fmt: skip
    assert not any(found.values()), found
    same = sum(not differing for differing in found.values())
    tally("kill -9 three times, then --resume: the same bits", RUNS, same, f"{kills} kills")
