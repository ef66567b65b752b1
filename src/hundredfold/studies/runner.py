"""Run a study: have the missing members trained, compare, write the pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hundredfold import files, metrics, reports, wording
from hundredfold.comparison import Comparison
from hundredfold.errors import CheckError, MissingError
from hundredfold.events import Display
from hundredfold.executors import Executor, JobProgress, Outcome
from hundredfold.run import Run
from hundredfold.studies import LeftOut, Member, conclude
from hundredfold.studies.ongoing import Elsewhere, recorded
from hundredfold.studies.plan import Plan, choose


@dataclass(frozen=True)
class Result:
    """The result of a study: its comparison, its page, and an error if members failed.

    left_out: members that are not compared, without those that failed.
    """

    comparison: Comparison
    page: Path
    failed: CheckError | None
    left_out: Sequence[LeftOut] = ()


def carry_out(
    plan: Plan, executor: Executor, display: Display | None, *, on_validation: bool = False
) -> Result:
    """Train the members without a finished run, compare all, write the pages.

    executor: where they are trained. on_validation: compare validation scores even where all
    runs have test scores.

    Raises Interrupted after a signal, once every state is saved, and UsageError where no run can
    be compared. Members without weights are left out; where no other is left, it raises
    MissingError.
    """
    with recorded(plan):
        outcomes = _train(plan, executor, display)
    lacking = {m: o for m, o in outcomes.items() if m.recipe.weights and _lacks_weights(o)}
    failures = {m: outcome for m, outcome in outcomes.items() if m not in lacking}
    without = [*plan.left_out, *_left_out(plan, lacking)]
    if without and not plan.done and not failures:
        raise MissingError(f"the study {plan.study.name!r} has no weights", found=without[0].reason)
    every = [*without, *_left_out(plan, failures)]
    comparison = conclude(plan.study, plan.folder, plan.runs, every, on_validation=on_validation)
    page = _write_pages(plan)
    failed = _failed(plan, failures, page) if failures else None
    return Result(comparison, page, failed, without)


def _lacks_weights(outcome: Outcome) -> bool:
    return outcome.code == MissingError.exit_code


def _left_out(plan: Plan, outcomes: Mapping[Member, Outcome]) -> list[LeftOut]:
    return [
        LeftOut(m.label, m.seed, outcome.reason, plan.run_folder(m).name)
        for m, outcome in outcomes.items()
    ]


def value_text(metric: str, number: float | None) -> str:
    """Return a score as text, in percent or as a number; None is "-"."""
    return "-" if number is None else metrics.about(metric).text(number, 4)


def _train(plan: Plan, executor: Executor, display: Display | None) -> dict[Member, Outcome]:
    """Train the missing members; return the outcomes of those that failed."""
    failures: dict[Member, Outcome] = {}
    folders = {member: plan.run_folder(member) for member in plan.missing}
    try:
        if plan.elsewhere:
            _show(display, "status", "choosing precision and convolution algorithms")
            choose(plan)
        with files.temporary_folder() as scratch:
            jobs = {m: plan.job(m, folder, scratch) for m, folder in folders.items()}

            elsewhere = Elsewhere(plan.folder)

            def watch(running: Mapping[Member, JobProgress]) -> tuple[Member, ...]:
                elsewhere.tell(
                    {folders[m].name: (job, m.recipe.epochs) for m, job in running.items()}
                )
                _show(display, "status", _progress_of_all(plan, running))
                return ()

            for member, outcome in executor.outcomes(jobs, watch):
                if outcome.code:
                    failures[member] = outcome
                    _show(display, "message", f"failed   {member}: {outcome.reason}")
                else:
                    plan.done[member] = Run(folders[member])
                    _show(display, "message", _trained(plan, member))
    finally:
        _show(display, "end", "")
    return failures


def _show(display: Display | None, kind: str, text: str) -> None:
    if display is not None and (kind != "status" or display.live):
        display.show({"event": kind, "text": text})


def _progress_of_all(plan: Plan, running: Mapping[Member, JobProgress]) -> str:
    now = "  ".join(f"{m}: {progress_text(m, job)}" for m, job in running.items())
    return f"{len(plan.done)} of {len(plan.members)} done  {now}"


def progress_text(member: Member, job: JobProgress) -> str:
    """Return the progress of a training: its node, epoch, accuracy, and seconds to its end."""
    node = f"{job.node}, " if job.node else ""
    if not job.curve:
        return f"{node}starting"
    last = job.curve[-1]
    accuracy = wording.percent(last.get("validation.top_1", last.get("train.top_1")), 1)
    seen = "" if "validation.top_1" in last else " of the training images"
    left = last.get("seconds", 0.0) * max(member.recipe.epochs / last["epoch"] - 1, 0.0)
    remaining = f", {wording.seconds(left)} left" if left else ""
    text = f"epoch {last['epoch']:.0f} of {member.recipe.epochs}, {accuracy}{seen}"
    return f"{node}{text}{remaining}"


def _trained(plan: Plan, member: Member) -> str:
    """Return one line on a member that has just been trained."""
    run, metric = plan.done[member], plan.study.metric
    shown = value_text(metric, run.scores.get(f"validation.{metric}", {}).get("value"))
    width = max(len(str(m)) for m in plan.members)
    spent = f"{run.info['epochs']} epochs in {wording.seconds(run.info['seconds'])}"
    return f"trained  {member!s:<{width}}  {shown:>8}  {spent}"


def _write_pages(plan: Plan) -> Path:
    """Write the study's page, and those pages of its runs that are out of date."""
    for run in plan.runs.values():
        page = run.folder / reports.PAGE
        newest = max(path.stat().st_mtime for path in run.folder.glob("*.json"))
        if not page.exists() or page.stat().st_mtime < newest:
            reports.write_run(run, plan.source)
    return reports.write_study(plan.folder, plan.source)


def _failed(plan: Plan, failures: Mapping[Member, Outcome], page: Path) -> CheckError:
    """Return one error for all failed members, with their exit code if they have the same."""
    member, outcome = next(iter(failures.items()))
    error = CheckError(
        f"{len(failures)} of {len(plan.members)} runs failed and were left out",
        found=f"{member}: {outcome.reason}",
        remedy="run the same command again, which trains them again",
        see=str(page),
    )
    codes = {outcome.code for outcome in failures.values()}
    error.exit_code = codes.pop() if len(codes) == 1 else error.exit_code
    return error
