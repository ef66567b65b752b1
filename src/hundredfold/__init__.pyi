from hundredfold.api import (
    Network as Network,
)
from hundredfold.api import (
    Prediction as Prediction,
)
from hundredfold.api import (
    Predictions as Predictions,
)
from hundredfold.api import (
    Run as Run,
)
from hundredfold.api import (
    Study as Study,
)
from hundredfold.api import (
    check as check,
)
from hundredfold.api import (
    evaluate as evaluate,
)
from hundredfold.api import (
    export as export,
)
from hundredfold.api import (
    list_models as list_models,
)
from hundredfold.api import (
    list_runs as list_runs,
)
from hundredfold.api import (
    load as load,
)
from hundredfold.api import (
    predict as predict,
)
from hundredfold.api import (
    report as report,
)
from hundredfold.api import (
    study as study,
)
from hundredfold.api import (
    train as train,
)
from hundredfold.api import (
    tune as tune,
)
from hundredfold.errors import (
    CheckError as CheckError,
)
from hundredfold.errors import (
    DataError as DataError,
)
from hundredfold.errors import (
    HundredfoldError as HundredfoldError,
)
from hundredfold.errors import (
    HundredfoldWarning as HundredfoldWarning,
)
from hundredfold.errors import (
    Interrupted as Interrupted,
)
from hundredfold.errors import (
    MissingError as MissingError,
)
from hundredfold.errors import (
    UsageError as UsageError,
)

__version__: str
