#!/bin/sh
# Measure what needs a GPU, in under nine minutes; docs/benchmarks.md says what and how.
#
#   benchmarks/on_gpu.sh [OUT] [--toy] [--data-dir DIR]
#
# OUT (or $OUT) gets NAME.json and NAME.log of each step and a summary.json. Each step has its own
# time limit. $WHEELS: a folder of wheels to install first. $PYTHON: the interpreter.
set -u
cd "$(dirname "$0")/.." || exit 2
python=${PYTHON:-python3}
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}"

if [ -n "${WHEELS:-}" ]; then
    "$python" -m pip install --quiet --no-index --no-deps "$WHEELS"/*.whl ||
        echo "some of the wheels in $WHEELS were not installed" >&2
fi

out=$("$python" benchmarks/on_gpu.py start "$@") || exit $?

step() { # NAME SECONDS ...
    name=$1 limit=$2
    shift 2
    echo "$name: at most $limit s" >&2
    began=$(date +%s)
    timeout --kill-after=5 "$limit" "$python" benchmarks/on_gpu.py "$name" "$@" \
        --folder "$out" --limit "$limit" >"$out/$name.log" 2>&1
    code=$?
    "$python" benchmarks/on_gpu.py close "$name" --folder "$out" --limit "$limit" \
        --code "$code" --seconds "$(($(date +%s) - began))"
}

step laws 40 "$@"
step train 180 "$@"
step graph 40 "$@"
step speednet 40 "$@"
step resnet_18 40 "$@"
step wrn_28_10 50 "$@"
step budget 80 "$@"
step two_devices 60 "$@"
"$python" benchmarks/on_gpu.py summary --folder "$out"
