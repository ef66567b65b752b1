"""Join the parts of an exported network to one ONNX graph: resize, network, head.

    images -> If(size is the network's) -> sized -> core -> logits -> head -> probabilities, unknown
                 else resize

The resize stands in a branch, because its weights take longer than a small network.
"""

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from hundredfold.data import Resize
from hundredfold.errors import MissingError, pip_install
from hundredfold.exporters._network import Head
from hundredfold.exporters._resize import ResizeImages
from hundredfold.onnx_model import INPUT
from hundredfold.size import Size

OPSET = 18
SIZED, LOGITS = "sized", "logits"
_SAME = "/same"  # suffix of the names within a branch


class _Outputs(nn.Module):
    """A head without the logits, which the graph has already."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        answers = self.head(logits)
        return answers.probabilities, answers.unknown


def need_onnx() -> None:
    """Raise MissingError where a package that writes ONNX files is missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingError(
            f"{error.name or 'a package'} is not installed",
            found="ONNX files need the extra 'export'",
            remedy=pip_install("onnx", "onnxruntime", "onnxscript"),
        ) from None


def core_graph(core: nn.Module, size: Size) -> Any:
    """Return the ONNX model of a `Core`: uint8 (batch, height, width, 3) -> logits."""
    images = torch.zeros((2, size.height, size.width, 3), dtype=torch.uint8)
    return to_onnx(core, images, SIZED, [LOGITS], {0: "batch"})


def joined(
    core: Any,
    *,
    size: Size,
    resize: Resize,
    head: Head,
    metadata: Mapping[str, str],
    branch: bool = True,
) -> bytes:
    """Return an ONNX file of a core model with the resize before it and the head after it.

    branch: whether images of the right size skip the resize, which would not change them. Without
        it the graph has no `If`, which OpenVINO 2026.4 computes wrongly the first time.
    """
    import onnx

    before = _named(onnx.load_model_from_string(_resize(size, resize, branch)), "resize/")
    core = _named(copy.deepcopy(core), "core/")
    after = _named(onnx.load_model_from_string(_head(head.temperature, head.classes)), "head/")
    outputs = [after.graph.output[0], core.graph.output[0], after.graph.output[1]]
    graph = onnx.helper.make_graph(
        [
            *(_chosen(before.graph, size) if branch else before.graph.node),
            *core.graph.node,
            *after.graph.node,
        ],
        "hundredfold",
        list(before.graph.input),
        outputs,
        [
            *(() if branch else before.graph.initializer),
            *core.graph.initializer,
            *after.graph.initializer,
        ],
    )
    opsets = {entry.domain: entry.version for part in (core, before, after)
              for entry in part.opset_import}  # fmt: skip
    model = onnx.helper.make_model(
        graph,
        producer_name="hundredfold",
        ir_version=10,
        opset_imports=[onnx.helper.make_opsetid(*pair) for pair in opsets.items()],
    )
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@lru_cache(maxsize=8)
def _resize(size: Size, resize: Resize, branch: bool) -> bytes:
    """Return the ONNX model of a resize: images -> sized."""
    images = torch.zeros((2, size.height + 1, size.width + 2, 3), dtype=torch.uint8)
    free = {0: "batch", 1: "height", 2: "width"}
    module = ResizeImages(size, resize, branch=branch)
    return bytes(to_onnx(module, images, INPUT, [SIZED], free).SerializeToString())


@lru_cache(maxsize=8)
def _head(temperature: float, classes: int) -> bytes:
    """Return the ONNX model of a head: logits -> probabilities, unknown."""
    module, logits = _Outputs(Head(temperature, classes)), torch.zeros((2, classes))
    model = to_onnx(module, logits, LOGITS, ["probabilities", "unknown"], {0: "batch"})
    return bytes(model.SerializeToString())


def to_onnx(
    module: nn.Module, example: Tensor, name: str, outputs: Sequence[str], free: dict[int, str]
) -> Any:
    """Return the ONNX model of a module. free: dimensions of its input that may have any size."""
    dimensions = {index: torch.export.Dim(text) for index, text in free.items()}
    with quietly():
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            verbose=False,
            external_data=False,
            opset_version=OPSET,
            input_names=[name],
            output_names=list(outputs),
            dynamic_shapes=(dimensions,),
        )
    assert program is not None
    return _plain(program.model_proto)


@contextmanager
def quietly() -> Iterator[None]:
    """Leave out what torch's exporter says about itself and about packages it does not need."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _plain(model: Any) -> Any:
    """Remove traces of source files, which name folders of this machine."""
    del model.metadata_props[:]
    _forget(model.graph)
    return model


def _forget(graph: Any) -> None:
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer, graph):
        part.doc_string = ""
        del part.metadata_props[:]
    del graph.value_info[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _forget(attribute.g)


def _named(model: Any, prefix: str) -> Any:
    """Return a model whose inner names begin with a prefix; input and outputs keep theirs."""
    kept = {value.name for value in (*model.graph.input, *model.graph.output)} | {""}
    _rename(model.graph, prefix, kept)
    return model


def _rename(graph: Any, prefix: str, kept: set[str]) -> None:
    """Prefix all names of a graph and of its branches, which use names from outside too."""

    def named(names: Any) -> list[str]:
        return [name if name in kept else prefix + name for name in names]

    for node in graph.node:
        node.name = prefix + node.name
        node.input[:], node.output[:] = named(node.input), named(node.output)
        for attribute in node.attribute:
            for branch in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                _rename(branch, prefix, kept)
    for value in (*graph.initializer, *graph.input, *graph.output):
        (value.name,) = named([value.name])


def _chosen(resize: Any, size: Size) -> list[Any]:
    """Return nodes that resize images which do not have the size of the network yet."""
    from onnx import TensorProto, helper

    def branch(name: str, nodes: Sequence[Any], result: str, initializers: Sequence[Any]) -> Any:
        shape = ["batch", size.height, size.width, 3]
        output = helper.make_tensor_value_info(result, TensorProto.UINT8, shape)
        return helper.make_graph(nodes, name, [], [output], initializers)

    inner = f"resize/{SIZED}"
    for node in resize.node:
        node.output[:] = [inner if name == SIZED else name for name in node.output]
    same = helper.make_node("Identity", [INPUT], ["resize/same"])
    wanted = helper.make_tensor("resize/wanted", TensorProto.INT64, [2], list(size))
    return [
        helper.make_node("Constant", [], ["resize/wanted"], value=wanted),
        helper.make_node("Shape", [INPUT], ["resize/given"], start=1, end=3),
        helper.make_node("Equal", ["resize/given", "resize/wanted"], ["resize/sides"]),
        helper.make_node("Cast", ["resize/sides"], ["resize/bits"], to=TensorProto.INT64),
        helper.make_node("ReduceMin", ["resize/bits"], ["resize/both"], keepdims=0),
        helper.make_node("Cast", ["resize/both"], ["resize/is_sized"], to=TensorProto.BOOL),
        helper.make_node(
            "If",
            ["resize/is_sized"],
            [SIZED],
            name="resize",
            then_branch=branch("as_it_is", [same], "resize/same", []),
            else_branch=branch("resized", list(resize.node), inner, list(resize.initializer)),
        ),
    ]
