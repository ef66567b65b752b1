"""The address of a Ray cluster: find it, and check who listens there, before Ray connects.

Ray itself waits for more than a minute where nothing listens or the token is wrong.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from hundredfold.errors import UsageError

LOCAL, AUTO = "local", "auto"
MODE, TOKEN, PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_LISTENS, _ANSWERS = 5.0, 30.0  # seconds
_LOOPBACK = ("127.", "localhost", "::1", "[::1]")
_PROBE = """
import sys
from ray._private.ray_constants import KV_NAMESPACE_CLUSTER
from ray._raylet import GcsClient
print(GcsClient(address=sys.argv[1]).internal_kv_get(
    b"CLUSTER_METADATA", KV_NAMESPACE_CLUSTER).decode())
"""


def found() -> str:
    """Return the address of the cluster that `auto` means."""
    from ray._private.services import find_gcs_addresses

    address = os.environ.get("RAY_ADDRESS", "")
    if address and address != AUTO:
        return need_address(address)
    running = sorted(find_gcs_addresses())
    if len(running) == 1:
        return str(running[0])
    many = f"{len(running)} Ray clusters run here: {', '.join(running)}"
    raise UsageError(
        many if running else "no Ray cluster runs on this machine",
        remedy="--cluster HOST:PORT, or --cluster local to start one for this command",
    )


def need_address(text: str) -> str:
    """Return HOST:PORT. Raises UsageError for anything else, such as ray://HOST:PORT."""
    if text.startswith("ray://"):
        raise UsageError(
            f"{text!r} is an address of Ray's client, which needs other software on both sides",
            remedy="run this command on a node of the cluster, with --cluster auto",
        )
    host, _, port = text.rpartition(":")
    if host and port.isdecimal() and 0 < int(port) < 65536 and "/" not in host:
        return text
    raise UsageError(
        f"{text!r} is no cluster", remedy="auto, local, slurm, or HOST:PORT of a Ray cluster"
    )


def need_listener(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _LISTENS).close()
    except OSError as error:
        raise UsageError(
            f"nothing listens at {address}",
            found=error.strerror or str(error),
            remedy="ray start --head on that machine, or --cluster local",
        ) from None


def need_token(address: str) -> None:
    """Raise UsageError for an address beyond this machine without a token of one's own."""
    if address.startswith(_LOOPBACK):
        return
    if os.environ.get(MODE) != "token":
        raise UsageError(
            f"the Ray cluster at {address} would be used without authentication",
            found=f"{MODE} is not set to token",
            remedy=f"start it and this command with {MODE}=token, or --insecure in a network "
            "where you trust everybody",
        )
    path = Path(os.environ.get(PATH) or Path.home() / ".ray" / "auth_token")
    if not os.environ.get(TOKEN) and path.is_file() and path.stat().st_mode & 0o077:
        raise UsageError(f"others can read the token in {str(path)!r}", remedy=f"chmod 600 {path}")


def probe(ray: Any, address: str) -> None:
    """Ask a cluster for its versions, in a process of its own, as Ray would wait for minutes."""
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _PROBE, address],
            capture_output=True, text=True, timeout=_ANSWERS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"what listens at {address} does not answer as a Ray cluster does",
            remedy="the port of ray start --head, 6379 unless it was set",
        ) from None
    if asked.returncode:
        last = asked.stderr.strip().splitlines()[-1:] or [""]
        if "InvalidAuthToken" in asked.stderr:
            raise UsageError(
                f"the Ray cluster at {address} refuses this token",
                found=f"{MODE}={os.environ.get(MODE, '')}",
                remedy=f"{PATH} with the token file that the cluster was started with",
            )
        raise UsageError(f"the Ray cluster at {address} cannot be asked", found=last[0])
    there = json.loads(asked.stdout.strip().splitlines()[-1])
    python = ".".join(map(str, sys.version_info[:3]))
    here = {"Python": python, "Ray": ray.__version__}
    for name, other in (("Python", there["python_version"]), ("Ray", there["ray_version"])):
        if here[name] != other:
            raise UsageError(
                f"the Ray cluster at {address} has {name} {other}, not {here[name]}",
                remedy=f"the same {name} on every node and here",
            )
