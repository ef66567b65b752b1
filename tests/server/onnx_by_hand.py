"""Small ONNX files in the layout of `hundredfold export`, made by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GAMMA = 0.1  # of generalised entropy
COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230)}


def mean_colour(
    path: Path,
    *,
    classes: tuple[str, ...] = tuple(COLOURS),
    size: str = "8",
    temperature: float = 1.0,
    scale: float = 0.02,
    **metadata: Any,
) -> Path:
    """Write a network whose class is the strongest of red, green and blue; return the file.

    classes: 3 names. Logits are the mean of each channel times `scale`.
    """
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["logits"]),
    ]
    weights = {
        "axes": np.array([1, 2], np.int64),
        "weights": scale * np.eye(3, dtype=np.float32),
    }
    return write(path, nodes, weights, classes, size, temperature, metadata)


def write(
    path: Path,
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    classes: tuple[str, ...],
    size: str,
    temperature: float,
    metadata: dict[str, Any],
) -> Path:
    """Write a network that computes `logits`, with its other outputs and its metadata."""
    count = len(classes)
    largest = count * (1 / count) ** GAMMA * (1 - 1 / count) ** GAMMA
    constants = {
        "temperature": np.float32(temperature),
        "gamma": np.float32(GAMMA),
        "one": np.float32(1),
        "largest": np.float32(largest),
        "last": np.array([1], np.int64),
    }
    nodes = [
        *nodes,
        helper.make_node("Div", ["logits", "temperature"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["probabilities"], axis=1),
        helper.make_node("Sub", ["one", "probabilities"], ["others"]),
        helper.make_node("Mul", ["probabilities", "others"], ["products"]),
        helper.make_node("Pow", ["products", "gamma"], ["powers"]),
        helper.make_node("ReduceSum", ["powers", "last"], ["entropy"], keepdims=0),
        helper.make_node("Div", ["entropy", "largest"], ["unknown"]),
    ]
    arrays = {name: np.asarray(value) for name, value in (constants | weights).items()}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "h", "w", 3])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", count]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", count]),
            helper.make_tensor_value_info("unknown", TensorProto.FLOAT, ["n"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    facts = {
        "hundredfold": "1", "labels": list(classes), "image_size": size, "resize": "crop",
        "temperature": str(temperature), "kind": "onnx", "model": "by hand", "scores": {},
        "license": [], "recipe_digest": "0", "data_digest": "0", "weights_sha256": "0",
    } | metadata  # fmt: skip
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in facts.items()}
    helper.set_model_props(model, texts)
    temporary = path.with_suffix(".tmp")
    onnx.save(model, temporary)
    temporary.replace(path)
    return path


def resnet20(path: Path, *, classes: int = 100, seed: int = 0) -> Path:
    """Write a ResNet-20 for 32 px with random weights, normalisation folded into convolutions.

    He et al. 2016, section 4.2: 0.27 M parameters, 41 M multiply-accumulates.
    """
    draw = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {
        "mean": np.full((1, 3, 1, 1), 127.5, np.float32),
        "std": np.full((1, 3, 1, 1), 64, np.float32),
        "head": (draw.normal(size=(64, classes)) / 8).astype(np.float32),
        "axes": np.array([2, 3], np.int64),
    }
    nodes = [
        helper.make_node("Transpose", ["images"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["floats", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["x0"]),
    ]

    def conv(name: str, source: str, fan_in: int, fan_out: int, kernel: int, stride: int) -> str:
        scale = np.sqrt(2 / (fan_in * kernel**2))
        weights[f"{name}.w"] = (scale * draw.normal(size=(fan_out, fan_in, kernel, kernel))).astype(
            np.float32
        )
        weights[f"{name}.b"] = np.zeros(fan_out, np.float32)
        nodes.append(
            helper.make_node(
                "Conv", [source, f"{name}.w", f"{name}.b"], [name], strides=[stride, stride],
                kernel_shape=[kernel, kernel], pads=[kernel // 2] * 4,
            )
        )  # fmt: skip
        return name

    def relu(source: str) -> str:
        nodes.append(helper.make_node("Relu", [source], [f"{source}.r"]))
        return f"{source}.r"

    at, width = relu(conv("stem", "x0", 3, 16, 3, 1)), 16
    for stage, planes in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if stage and not block else 1
            name = f"s{stage}b{block}"
            inner = relu(conv(f"{name}c1", at, width, planes, 3, stride))
            outer = conv(f"{name}c2", inner, planes, planes, 3, 1)
            short = at if stride == 1 else conv(f"{name}p", at, width, planes, 1, 2)
            nodes.append(helper.make_node("Add", [outer, short], [f"{name}a"]))
            at, width = relu(f"{name}a"), planes
    nodes += [
        helper.make_node("ReduceMean", [at, "axes"], ["features"], keepdims=0),
        helper.make_node("MatMul", ["features", "head"], ["logits"]),
    ]
    names = tuple(f"class {k}" for k in range(classes))
    return write(path, nodes, weights, names, "32", 1.0, {})
