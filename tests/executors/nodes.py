"""A Ray cluster of several nodes on this machine, each with processes and a cache of its own."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_STORE = 100_000_000  # bytes of a node's object store
_STARTED = 60.0  # seconds


@dataclass
class Cluster:
    """A head and its other nodes. environment: what a driver needs to join with the token."""

    folder: Path
    port: int
    environment: dict[str, str]
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add(self, cpus: int = 1) -> subprocess.Popen[bytes]:
        """Start a node; the first is the head."""
        number = len(self.nodes)
        head = ["--head", f"--port={self.port}", "--include-dashboard=false"]
        where = [f"--address={self.address}"] if self.nodes else head
        if not self.nodes:
            where += [f"--temp-dir={self.folder}"]
        cache = self.folder / f"cache-{number}"
        with (self.folder / f"node-{number}.txt").open("wb") as log:
            node = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *where,
                 f"--num-cpus={cpus}", f"--object-store-memory={_STORE}", "--disable-usage-stats"],
                env=os.environ | self.environment | {"HUNDREDFOLD_CACHE": str(cache)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self.nodes.append(node)
        return node

    def await_head(self) -> None:
        limit = time.monotonic() + _STARTED
        while time.monotonic() < limit:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.1)
        raise TimeoutError((self.folder / "node-0.txt").read_text())

    def await_nodes(self, count: int) -> None:
        """Wait until so many nodes have a raylet that has started its first worker."""
        limit = time.monotonic() + _STARTED
        while sum(bool(raylets(node)) for node in self.nodes) < count:
            if time.monotonic() > limit:
                raise TimeoutError("a node did not start")
            time.sleep(0.1)
        time.sleep(2)


def raylets(node: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(node.pid).children(recursive=True)
        return [process for process in below if process.name() == "raylet"]
    return []


def kill(node: subprocess.Popen[bytes]) -> None:
    """Kill every process of a node with -9, as when its machine is lost."""
    with suppress(psutil.NoSuchProcess):
        all_ = [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]
        for process in all_:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)
        for process in all_:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    node.wait()


@contextmanager
def cluster(folder: Path, nodes: int) -> Iterator[Cluster]:
    """Start so many nodes of one CPU each; kill them at the end."""
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    made = Cluster(folder, port, secret)
    try:
        made.add()
        made.await_head()
        for _ in range(nodes - 1):
            made.add()
        made.await_nodes(nodes)
        yield made
    finally:
        for node in made.nodes[::-1]:
            kill(node)
