"""Weights: files of tensors, where those of a backbone lie, and how they get into a network.

`locate` loads no torch; `files` reads and writes tensors; `load` fills a network.
"""
