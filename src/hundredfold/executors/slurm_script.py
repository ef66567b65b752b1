"""The script of an array of SLURM, for people to read."""

import shlex
from collections.abc import Sequence
from pathlib import Path

_GRACE = 120  # seconds before the end of a task's time at which the run saves

_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name=hundredfold-{name}
#SBATCH --array=0-{last}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={cpus}
{gpus}#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@{grace}
#SBATCH --output={folder}/%a.log

# One run a task. A task that is preempted or reaches its time saves, is queued again, and resumes.
work={folder}/$SLURM_ARRAY_TASK_ID

case $SLURM_ARRAY_TASK_ID in
{cases}
esac

again() {{
    kill -TERM "$child" 2> /dev/null
    wait "$child"
    code=$?
    if [ -e "$work/stop" ] || [ "$code" -eq 0 ]; then ended; fi
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
    exit 0
}}

ended() {{
    echo "$code" > "$work/code.part"
    mv "$work/code.part" "$work/code"
    exit "$code"
}}

if [ -e "$work/stop" ]; then code=143; ended; fi
hostname > "$work/node"
if compgen -G "$work/run/*/run.json" > /dev/null; then command=("${{resume[@]}}"); fi
"${{command[@]}}" > "$work/out.json" 2> "$work/err.txt" &
child=$!
trap again USR1 TERM
wait "$child"
code=$?
ended
"""

_CASE = """\
{number})
    command=({begin})
    resume=({resume})
    ;;"""


def array_script(
    folder: Path, commands: Sequence[tuple[str, str]], name: str, cpus: int, gpus: int
) -> str:
    """Return the script of an array.

    folder: in which task n works in the folder n. commands: of each task, as words of the shell,
    to begin its run and to resume it. cpus, gpus: of one task.
    """
    cases = [
        _CASE.format(number=number, begin=begin, resume=resume)
        for number, (begin, resume) in enumerate(commands)
    ]
    return _SCRIPT.format(
        name=name,
        last=len(commands) - 1,
        cpus=cpus,
        gpus=f"#SBATCH --gpus-per-task={gpus}\n" if gpus else "",
        grace=_GRACE,
        folder=shlex.quote(str(folder)),
        cases="\n".join(cases),
    )
