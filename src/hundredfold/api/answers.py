"""Predictions with a table for notebooks."""

from hundredfold import prediction, reports


class Predictions(prediction.Predictions):
    """Predictions in the order of the images; a table in a notebook."""

    def _repr_html_(self) -> str:
        return reports.predictions_html(self)
