"""The same VAE as ONNX graphs, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from ..nets import Net

ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh"}
OPSET, IR_VERSION = 18, 8


class Graph:
    """Nodes and weights, to which dense layers and other operations are appended."""

    def __init__(self, params: Mapping[str, np.ndarray], activation: str) -> None:
        self.params, self.activation = params, ACTIVATIONS[activation]
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, TensorProto] = {}

    def node(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str] = (), **more: Any
    ) -> Any:
        """Append an operation; returns the names of its outputs, or the one name."""
        outputs = list(outputs) or [f"value{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, **more))
        return outputs[0] if len(outputs) == 1 else outputs

    def constant(self, name: str, value: Any) -> str:
        self.weights[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def network(self, part: str, x: str) -> str:
        """The dense layers of the encoder or the decoder, with the activation between them."""
        layers = [name[:-1] for name in self.params if name.startswith(part) and name[-1] == "W"]
        for layer in layers:
            wanted = [self.constant(layer + kind, self.params[layer + kind]) for kind in "Wb"]
            x = self.node("Gemm", [x, *wanted], transB=1)
            if layer != layers[-1]:
                x = self.node(self.activation, [x])
        return x

    def heads(self, x: str) -> list[str]:
        return self.node(
            "Split", [self.network("encoder", x)], ["mu", "logvar"], axis=1, num_outputs=2
        )

    def sum(self, x: str) -> str:
        axes = self.constant("columns", np.array([1], np.int64))
        return self.node("ReduceSum", [x, axes], keepdims=0)

    def model(self, given: str, width: int, outputs: Sequence[str]) -> ModelProto:
        def value(name: str, shape: Any) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self.nodes, "npvae", [value(given, [None, width])],
            [value(name, None) for name in outputs], list(self.weights.values()),
        )  # fmt: skip
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


def encoder(net: Net, params: Mapping[str, np.ndarray]) -> ModelProto:
    graph = Graph(params, net.activation)
    return graph.model("x", net.x_dim, graph.heads("x"))


def decoder(net: Net, params: Mapping[str, np.ndarray]) -> ModelProto:
    graph = Graph(params, net.activation)
    mean = graph.node("Sigmoid", [graph.network("decoder", "z")])
    return graph.model("z", net.z_dim, [mean])


def score(net: Net, params: Mapping[str, np.ndarray]) -> ModelProto:
    """The ELBO of each row, with one draw of z."""
    graph = Graph(params, net.activation)
    node, half, one = (
        graph.node,
        graph.constant("half", np.float32(0.5)),
        graph.constant("one", np.float32(1)),
    )
    mu, logvar = graph.heads("x")
    std = node("Exp", [node("Mul", [logvar, half])])
    noise = node("RandomNormalLike", [mu])
    logits = graph.network("decoder", node("Add", [mu, node("Mul", [std, noise])]))
    log_px = graph.sum(node("Sub", [node("Mul", ["x", logits]), node("Softplus", [logits])]))
    squares = node("Add", [node("Mul", [mu, mu]), node("Exp", [logvar])])
    twice_kl = graph.sum(node("Sub", [squares, node("Add", [logvar, one])]))
    bound = node("Sub", [log_px, node("Mul", [twice_kl, half])])
    return graph.model("x", net.x_dim, [bound])


def infer(peer: str, net: Net, threads: int, answer: Callable[..., None]) -> None:
    from .with_npvae import model_of

    params = model_of(net).params
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1

    def call_of(model: ModelProto) -> Callable[[np.ndarray], Callable[[], Any]]:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        name, run = session.get_inputs()[0].name, session.run
        return lambda x: lambda: run(None, {name: x})

    answer(
        encode=call_of(encoder(net, params)),
        decode=call_of(decoder(net, params)),
        score=call_of(score(net, params)),
    )
