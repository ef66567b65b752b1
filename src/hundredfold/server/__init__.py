"""Serve an ONNX file over HTTP: one front process, processes that decode, processes that infer.

    client -- front (connections, queue) -- decoder: file -> pixels of the network's size
                                         -- worker: pixels -> the answer as JSON

The front imports no NumPy, no Pillow and no onnxruntime. No process imports torch.
"""
