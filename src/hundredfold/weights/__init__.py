"""Read, write and locate files of weights, and load them into networks.

`locate` imports no torch; `files` reads and writes tensors; `load` copies them into a network.
"""
