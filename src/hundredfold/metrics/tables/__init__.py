"""What reports show beside scores: arrays and numbers without an interval of their own.

One function a file: `from hundredfold.metrics.tables.confusion import confusion`.
"""
