"""What an executor is asked for, and what it answers: jobs, their progress and their outcomes."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from hundredfold.errors import Interrupted

Key = TypeVar("Key")
Argument: TypeAlias = str | Path

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # that end the jobs of an executor


@dataclass(frozen=True)
class Job:
    """One `hundredfold train` command and the run's folder that it fills.

    A Path among arguments and variables is a file or a folder that the command reads. An executor
    elsewhere sends its content along, and puts the path of the copy in its place.

    folder:      the run's folder; it need not exist.
    begin:       the arguments after `train` that begin the run, without --out and --name.
    resume:      those that resume it, without --resume.
    begun:       whether the folder holds an unfinished run, which is resumed.
    files:       a small folder with the recipe and the user's own code, to which paths among the
                 arguments may lead; None without one.
    tables:      files among the arguments whose whole folder is read, as its images lie there.
    environment: additional environment variables.
    """

    folder: Path
    begin: tuple[Argument, ...] = ()
    resume: tuple[Argument, ...] = ()
    begun: bool = False
    files: Path | None = None
    tables: frozenset[Path] = frozenset()
    environment: Mapping[str, Argument] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files and folders that the command reads, without those in `files`."""
        given = (*(self.resume if self.begun else self.begin), *self.environment.values())
        paths = dict.fromkeys(path for path in given if isinstance(path, Path))
        return tuple(p for p in paths if self.files is None or not p.is_relative_to(self.files))

    def arguments(
        self, folder: Path | None = None, path_of: Callable[[Path], Path] = Path
    ) -> list[str]:
        """Return the arguments after `hundredfold`.

        folder: in place of the run's own. path_of: gives the copy of a path that is read.
        """
        target = folder or self.folder
        given = self.resume if self.begun else self.begin
        texts = [str(path_of(a)) if isinstance(a, Path) else a for a in given]
        if self.begun:
            return ["train", "--resume", str(target), *texts]
        return ["train", *texts, "--out", str(target.parent), "--name", target.name]

    def variables(self, path_of: Callable[[Path], Path] = Path) -> dict[str, str]:
        """Return the environment variables as text; see `arguments`."""
        return {
            name: str(path_of(value)) if isinstance(value, Path) else value
            for name, value in self.environment.items()
        }


@dataclass(frozen=True)
class JobProgress:
    """How far a running job is.

    node:  the machine that it runs on; "" is this one.
    curve: the lines of its curve.jsonl so far.
    """

    node: str = ""
    curve: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The exit code of a job, its JSON object, and the reason of a failure ("" if none)."""

    code: int
    result: dict[str, Any]
    reason: str

    @classmethod
    def of_output(cls, code: int, out: str, err: str) -> "Outcome":
        """Return the outcome of a command that has printed these texts."""
        result = _json(out)
        error, lines = result.get("error") or {}, err.strip().splitlines()
        reason = str(error.get("message") or (lines[-1] if lines else f"exit code {code}"))
        return cls(code, result, reason if code else "")


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


# Called a few times a second with the running jobs; returns the keys of those that shall save and
# stop, which end with exit code 143.
Watch: TypeAlias = Callable[[Mapping[Key, JobProgress]], Collection[Key]]

# Called when there is room for another job; returns further ones, none where there are none now.
# A key may come again once its job has ended.
More: TypeAlias = Callable[[], Mapping[Key, Job]]


def nothing_more() -> Mapping[Any, Job]:
    """Return no further jobs: all are known at the start."""
    return {}


class Executor(Protocol):
    """Carry out jobs: on this machine, on a Ray cluster, by SLURM.

    When a job has ended, its folder is in place, whole, on this machine.
    """

    def outcomes(
        self, jobs: Mapping[Key, Job], watch: Watch[Key], more: More[Key] = nothing_more
    ) -> Iterator[tuple[Key, Outcome]]:
        """Yield (key, outcome) of each job as it ends, exactly one for each.

        It ends when no job is left and `more` has none.

        Raises Interrupted after SIGINT, SIGTERM or SIGHUP, once every running job has saved its
        state. Where the caller ends early, the running jobs save and stop too.
        """
        ...


def saved_by(signal_number: int) -> Interrupted:
    """Return the error that a signal ended the jobs."""
    return Interrupted("stopped; the state of every run is saved", signal_number=signal_number)
