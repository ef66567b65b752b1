from hundredfold.api import (
    Network as Network,
    Prediction as Prediction,
    Predictions as Predictions,
    Run as Run,
    Study as Study,
    check as check,
    evaluate as evaluate,
    list_models as list_models,
    list_runs as list_runs,
    load as load,
    predict as predict,
    report as report,
    study as study,
    train as train,
)
from hundredfold.errors import (
    CheckError as CheckError,
    DataError as DataError,
    HundredfoldError as HundredfoldError,
    HundredfoldWarning as HundredfoldWarning,
    Interrupted as Interrupted,
    MissingError as MissingError,
    UsageError as UsageError,
)

__version__: str
