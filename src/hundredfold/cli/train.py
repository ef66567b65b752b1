"""`hundredfold train`: train a recipe into a run."""

import shlex
import sys
from typing import Any

from hundredfold.api import training
from hundredfold.cli._flags import train_signature
from hundredfold.displays import Terminal


def train(recipe_name: str = "", /, **flags: Any) -> dict[str, Any]:
    """Train an image classifier, and write a run's folder with its page."""
    as_json, dry_run = flags.pop("json", False), flags.pop("dry_run", False)
    flags["progress"] = Terminal(sys.stderr if as_json else sys.stdout)
    if dry_run:
        return training.estimate(recipe_name, **flags)
    command = shlex.join(["hundredfold", *sys.argv[1:]])
    run = training.begin(recipe_name, flags, command)
    return {"run": str(run.folder), **run.info, "scores": run.scores}


train.__signature__ = train_signature()  # type: ignore[attr-defined]  # read by cyclopts
