"""MLflow: a run in the store of MLFLOW_TRACKING_URI, else in mlflow.db in the folder of the runs.

`mlflow ui --backend-store-uri sqlite:///runs/mlflow.db` shows them; that needs the full mlflow.
"""

import os
from collections.abc import Mapping
from typing import Any

from hundredfold.run import Run
from hundredfold.trackers._tracker import (
    PROJECT,
    identity,
    need_network,
    numbers,
    score_numbers,
    settings,
)

NEEDS = ("mlflow", "sqlalchemy", "alembic")
_TAG = "hundredfold.identity"
_LONGEST = 6000  # characters of a parameter, MLflow's own limit
_STATUS = {"done": "FINISHED", "failed": "FAILED"}
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


class MLflow:
    """A run of MLflow; steps are epochs."""

    def __init__(self, run: Run, first: int) -> None:
        for variable, value in _QUIET.items():
            os.environ.setdefault(variable, value)
        from mlflow.tracking import MlflowClient

        store = os.environ.get("MLFLOW_TRACKING_URI", "")
        if store.startswith(("http://", "https://")) or store == "databricks":
            need_network(store)
        folder = run.folder.parent.resolve()
        self._client: Any = MlflowClient(tracking_uri=store or f"sqlite:///{folder}/mlflow.db")
        self._id = self._found(run, folder.as_uri())
        self._client.set_tag(self._id, "hundredfold.first_epoch", str(first))

    def _found(self, run: Run, artifacts: str) -> str:
        """Return the id of the run in MLflow: that of before where it is resumed."""
        client, name = self._client, os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = client.get_experiment_by_name(name)
        place = None if os.environ.get("MLFLOW_TRACKING_URI") else f"{artifacts}/mlartifacts"
        number = (
            experiment.experiment_id
            if experiment
            else client.create_experiment(name, artifact_location=place)
        )
        mine = identity(run)
        if known := client.search_runs([number], f"tags.`{_TAG}` = '{mine}'", max_results=1):
            client.update_run(known[0].info.run_id, status="RUNNING")
            return str(known[0].info.run_id)
        tags = {_TAG: mine, "mlflow.source.name": str(run.folder)}
        created: str = client.create_run(number, run_name=run.name, tags=tags).info.run_id
        for key, value in settings(run).items():
            client.log_param(created, key, str(value)[:_LONGEST])
        return created

    def epoch(self, row: Mapping[str, float]) -> None:
        self._log(numbers(row), int(row["epoch"]))

    def end(self, status: str, scores: Mapping[str, Mapping[str, Any]]) -> None:
        self._log(score_numbers(scores), 0)
        self._client.set_tag(self._id, "hundredfold.status", status)
        self._client.set_terminated(self._id, status=_STATUS.get(status, "KILLED"))

    def _log(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        metrics = [Metric(key, value, now, step) for key, value in values.items()]
        self._client.log_batch(self._id, metrics=metrics)


def start(run: Run, first: int) -> MLflow:
    """Begin to log a run. first: the epoch that comes next."""
    return MLflow(run, first)
