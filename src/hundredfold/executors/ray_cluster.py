"""Connect to a Ray cluster, or start one here, and check that jobs can run on it."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hundredfold import files, machine
from hundredfold.errors import MissingError, UsageError, pip_install
from hundredfold.executors import boot, shipping
from hundredfold.executors.on_node import LIBRARIES, survey
from hundredfold.executors.ray_address import (
    AUTO,
    LOCAL,
    MODE,
    PATH,
    TOKEN,
    found,
    need_listener,
    need_token,
    probe,
)

_STORE = 200 << 20  # bytes of the object store of a cluster that is started here
_SURVEYED = 120.0  # seconds in which every node answers


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to.

    ray: the module. package: digest and object references of this package's archive.
    names: id of a node -> its name.
    """

    ray: Any
    package: tuple[str, list[Any]]
    names: Mapping[str, str]

    def node_name(self, node: str) -> str:
        """Return a node's name; that of one that joined later is the begin of its id."""
        return self.names.get(node, node[:6])


@contextmanager
def connected(address: str, cpus: int, gpus: float, *, insecure: bool) -> Iterator[Cluster]:
    """Connect to a cluster for the block.

    address: "auto", "local" or HOST:PORT. cpus, gpus: of one job.

    Raises MissingError without Ray, and UsageError where nothing listens, for another version of
    Python, Ray or a library, a wrong or missing token, and where no node has room for a job.
    """
    try:
        import ray
    except ImportError:
        raise MissingError(
            "--cluster needs Ray, which is not installed", remedy=pip_install("hundredfold[ray]")
        ) from None
    with files.temporary_folder("hf-") as private:
        before = {name: os.environ.get(name) for name in (MODE, TOKEN, PATH)}
        try:
            _connect(ray, address, private, insecure=insecure)
            need_room(ray.nodes(), cpus, gpus)
            yield _checked(ray)
        finally:
            ray.shutdown()
            _restore(before)


def _connect(ray: Any, address: str, private: Path, *, insecure: bool) -> None:
    options = {"log_to_driver": False, "configure_logging": False}
    if address == LOCAL:
        _make_token(private / "token")
        _read_token()
        ray.init(
            address="local",
            num_cpus=machine.cores(),
            object_store_memory=_STORE,
            include_dashboard=False,
            _temp_dir=str(private / "ray"),
            **options,
        )
        return
    target = found() if address == AUTO else address
    need_listener(target)
    if not insecure:
        need_token(target)
    probe(ray, target)
    try:
        ray.init(address=target, **options)
    except Exception as error:  # no node of the cluster on this machine, above all
        raise UsageError(
            f"cannot join the Ray cluster at {target} from this machine",
            found=str(error).strip().splitlines()[0] if str(error).strip() else None,
            remedy=f"run this command on a node of it: ray start --address={target}",
        ) from None


def _make_token(path: Path) -> None:
    """Write a fresh token that only this user can read, and have Ray ask for it."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    os.environ.pop(TOKEN, None)
    os.environ.update({MODE: "token", PATH: str(path)})
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def _read_token() -> None:
    """Have Ray read the variables of authentication again, which it does once, when imported."""
    from ray._raylet import AuthenticationTokenLoader, Config

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def _restore(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    _read_token()


def need_room(nodes: list[dict[str, Any]], cpus: int, gpus: float) -> None:
    """Raise UsageError where no node could ever run a job."""
    sizes = [node["Resources"] for node in nodes if node["Alive"]]
    most_gpus = max((size.get("GPU", 0.0) for size in sizes), default=0.0)
    if gpus > most_gpus:
        raise UsageError(
            f"no node has {gpus:g} GPUs for a run",
            found=f"at most {most_gpus:g}",
            remedy="a smaller --gpus-per-run",
        )
    most = max((size.get("CPU", 0.0) for size in sizes), default=0.0)
    if cpus > most:
        raise UsageError(
            f"no node has {cpus} CPUs for a run",
            found=f"at most {most:g}",
            remedy="a smaller --cpus-per-run",
        )
    if not any(s.get("CPU", 0.0) >= cpus and s.get("GPU", 0.0) >= gpus for s in sizes):
        raise UsageError(f"no node has {cpus} CPUs and {gpus:g} GPUs for a run")


def _checked(ray: Any) -> Cluster:
    """Ship the package to the cluster, and ask every node for its libraries."""
    ray.cloudpickle.register_pickle_by_value(boot)
    package = _package(ray)
    call = ray.remote(boot.call)
    here = survey("")
    nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
    asked = {
        call.options(
            num_cpus=0, max_retries=2, scheduling_strategy=on_node(node)
        ).remote("survey", package): node
        for node in nodes
    }  # fmt: skip
    names = _names(nodes)
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_SURVEYED)
    for answer in asked:
        node = names[asked[answer]]
        if answer not in ready:
            raise UsageError(
                f"the node {node} does not answer", remedy="remove it from the cluster"
            )
        _need_equal(node, here, _answer(ray, answer, node))
    return Cluster(ray, package, names)


def _answer(ray: Any, answer: Any, node: str) -> dict[str, str]:
    try:
        found: dict[str, str] = ray.get(answer)
    except ray.exceptions.RayError as error:
        raise UsageError(
            f"the node {node} cannot run Hundredfold",
            found=str(error).strip().splitlines()[-1],
            remedy=f"there: {pip_install('hundredfold[ray]')}",
        ) from None
    return found


def _need_equal(node: str, here: Mapping[str, str], there: Mapping[str, str]) -> None:
    for name in ("python", *LIBRARIES):
        if here[name] != there.get(name):
            raise UsageError(
                f"the node {node} has {name} {there.get(name) or 'not installed'}, "
                f"not {here[name]} as here",
                remedy="the same versions on every node",
            )


def on_node(node: str) -> Any:
    """Return the strategy that schedules on one node, by its id."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)


def _package(ray: Any) -> tuple[str, list[Any]]:
    """Put this package's archive into the object store."""
    root, pieces = Path(__file__).parents[1], list[bytes]()
    digest = shipping.pack(root, pieces.append, name=root.name, dated=False)
    return digest, [ray.put(piece) for piece in pieces]


def _names(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return id -> name of each node; equal names get the begin of their id."""
    hosts = {node: str(about["NodeManagerHostname"]) for node, about in nodes.items()}
    return {
        node: host if list(hosts.values()).count(host) == 1 else f"{host}-{node[:4]}"
        for node, host in hosts.items()
    }
