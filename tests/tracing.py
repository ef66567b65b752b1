"""Attach strace to a process that waits, to watch its system calls or to let them fail."""

import os
import subprocess
import time
from pathlib import Path


def attached(child: int, *options: str, log: str = os.devnull) -> "subprocess.Popen[bytes]":
    """Return strace once it traces a child. Raises SystemExit where it cannot."""
    command = ["strace", "-qq", "-o", log, "-p", str(child), *options]
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    status = Path(f"/proc/{child}/status")
    while f"TracerPid:\t{tracer.pid}" not in status.read_text():
        if tracer.poll() is not None:
            raise SystemExit("strace does not attach to a child")
        time.sleep(0.002)
    return tracer
