"""Builds the ONNX graph of the bundled embedding model straight from its weights, without PyTorch.

The graph has the operations that tracing the pipeline of sentence-transformers yields (BERT with eager attention, mean
pooling, unit length), so both give the same vectors.
"""

from collections.abc import Mapping

import export_onnx
import numpy as np
import onnx
from convert_e5 import Container, Floats, Shape
from onnx import TensorProto, helper, numpy_helper

IR_VERSION = 8
"""The version of the file format that goes with `export_onnx.OPSET`."""


class Graph:
    """Nodes and constants of a graph under construction; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: object, kind: type = np.float32, name: str = "") -> str:
        """A constant of this value; weights are named, so that quantisation finds them again."""
        name = name or f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def integers(self, *values: int) -> str:
        """A constant list of integers: axes and shapes."""
        return self.constant(values, np.int64)

    def add(self, operation: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """The result of an operation."""
        output = output or f"{operation}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [output], name=output, **attributes))
        return output


class Network:
    """The layers of BERT over named weights (those of `transformers.BertModel`)."""

    def __init__(self, shape: Shape, weights: Mapping[str, Floats]) -> None:
        self._shape, self._weights = shape, weights
        self.graph = Graph()

    def pipeline(self) -> None:
        """input_ids, attention_mask [batch, tokens] -> sentence_embedding [batch, hidden] of length 1."""
        graph, last = self.graph, self.graph.integers(-1)
        mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
        # 0 for tokens, the lowest number for padding: softmax gives it no weight.
        absent = graph.add("Sub", graph.constant(1.0), graph.add("Unsqueeze", mask, graph.integers(1, 2)))
        bias = graph.add("Mul", absent, graph.constant(np.finfo(np.float32).min))
        states = self._embeddings()
        for layer in range(self._shape.layers):
            states = self._layer(states, bias, f"encoder.layer.{layer}")
        column = graph.add("Unsqueeze", mask, last)
        total = graph.add("ReduceSum", graph.add("Mul", states, column), graph.integers(1), keepdims=0)
        mean = graph.add("Div", total, graph.add("ReduceSum", column, graph.integers(1), keepdims=0))
        graph.add("Div", mean, graph.add("ReduceL2", mean, axes=[-1], keepdims=1), output="sentence_embedding")

    def _embeddings(self) -> str:
        graph = self.graph
        length = graph.add("Gather", graph.add("Shape", "input_ids"), graph.constant(1, np.int64))
        zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
        positions = graph.add("Range", zero, length, one)
        kinds = graph.add("Mul", positions, zero)  # every token is of the first kind
        words, places, types = (
            graph.add("Gather", self._weight(f"embeddings.{table}_embeddings"), rows)
            for table, rows in (("word", "input_ids"), ("position", positions), ("token_type", kinds))
        )
        added = graph.add("Add", graph.add("Add", words, types), places)
        return self._normalised(added, "embeddings.LayerNorm")

    def _layer(self, states: str, bias: str, name: str) -> str:
        graph = self.graph
        attended = self._dense(
            self._attention(states, bias, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        states = self._normalised(graph.add("Add", attended, states), f"{name}.attention.output.LayerNorm")
        inner = self._gelu(self._dense(states, f"{name}.intermediate.dense"))
        outer = self._dense(inner, f"{name}.output.dense")
        return self._normalised(graph.add("Add", outer, states), f"{name}.output.LayerNorm")

    def _attention(self, states: str, bias: str, name: str) -> str:
        graph, heads = self.graph, self._shape.heads
        width = self._shape.hidden // heads
        split, joined = graph.integers(0, 0, heads, width), graph.integers(0, 0, self._shape.hidden)
        # Keys are transposed within each head: [batch, heads, width, tokens].
        orders = {"query": [0, 2, 1, 3], "key": [0, 2, 3, 1], "value": [0, 2, 1, 3]}
        query, key, value = (
            graph.add("Transpose", graph.add("Reshape", self._dense(states, f"{name}.{part}"), split), perm=order)
            for part, order in orders.items()
        )
        scores = graph.add("Mul", graph.add("MatMul", query, key), graph.constant(width**-0.5))
        shares = graph.add("Softmax", graph.add("Add", scores, bias), axis=-1)
        mixed = graph.add("Transpose", graph.add("MatMul", shares, value), perm=[0, 2, 1, 3])
        return graph.add("Reshape", mixed, joined)

    def _gelu(self, x: str) -> str:
        graph = self.graph
        curve = graph.add("Erf", graph.add("Div", x, graph.constant(2**0.5)))
        product = graph.add("Mul", x, graph.add("Add", curve, graph.constant(1.0)))
        return graph.add("Mul", product, graph.constant(0.5))

    def _dense(self, x: str, name: str) -> str:
        matrix = self.graph.constant(self._weights[f"{name}.weight"].T, name=f"{name}.weight")
        product = self.graph.add("MatMul", x, matrix, output=f"{name}.MatMul")
        return self.graph.add("Add", self._weight(name, "bias"), product)

    def _normalised(self, x: str, name: str) -> str:
        weights = self._weight(name), self._weight(name, "bias")
        return self.graph.add("LayerNormalization", x, *weights, axis=-1, epsilon=float(f"{self._shape.epsilon:.3g}"))

    def _weight(self, name: str, kind: str = "weight") -> str:
        return self.graph.constant(self._weights[f"{name}.{kind}"], name=f"{name}.{kind}")


def build() -> onnx.ModelProto:
    """The bundled model in float32, for inputs of any batch size and length (470 MB)."""
    container = Container.installed()
    network = Network(container.shape, container.state())
    network.pipeline()
    tokens = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    vector = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", container.shape.hidden])
    graph = helper.make_graph(network.graph.nodes, "embed", tokens, [vector], network.graph.constants)
    opset = helper.make_opsetid("", export_onnx.OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
