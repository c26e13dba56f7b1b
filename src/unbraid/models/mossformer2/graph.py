"""The MossFormer2 as an ONNX graph: mixture (B, T) -> sources (B, sources, T).

Tokens are a matrix (B·N, D) for linear layers, and features stand in front of frames, (B, C, N), for convolutions over
time.
"""

from unbraid.models.mossformer2.config import MossFormer2Config
from unbraid.models.mossformer2.layout import HEADS, LEAST_SCALE, NORM_EPS, OUTER_NORM_EPS, signature
from unbraid.models.onnx.builder import CONTRIB, FLOAT, Graph, Tensors
from unbraid.models.onnx.global_norm import global_norm
from unbraid.models.onnx.layers import layer_norm, linear, rotated, rotation

END = 2**62  # a slice bound beyond any axis


def build(geometry: MossFormer2Config, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    g, graph = geometry, Graph(tensors, location)
    batch, samples = graph.size("mixture", 0), graph.size("mixture", 1)
    stride = [g.kernel_samples // 2]
    w = graph.op("Conv", graph.unsqueeze("mixture", 1), graph.weight("encoder.weight"), strides=stride)
    w = graph.transpose(graph.op("Relu", w), 0, 2, 1)  # (B, N, D)
    masked = graph.op("Mul", _MaskNet(graph, g, w).masks(), graph.unsqueeze(w, 1))  # (B, sources, N, D)
    x = graph.transpose(masked, 0, 1, 3, 2)
    x = graph.reshape(x, -1, g.features, graph.size(w, 1))
    x = graph.op("ConvTranspose", x, graph.weight("decoder.weight"), strides=stride)  # (B·sources, 1, ≤ T)
    x = graph.op("Pad", x, graph.vector([0] * 5, graph.op("Sub", samples, graph.size(x, 2))))
    return graph.model(signature(g), {"sources": graph.reshape(x, batch, g.sources, samples)})


class _MaskNet:
    """The nodes of the masking network; methods take and return tokens (B·N, C), unless they say otherwise."""

    def __init__(self, graph: Graph, g: MossFormer2Config, w: str):
        """`w` are the frames of the mixture (B, N, D)."""
        self.graph, self.g, self.w = graph, g, w
        self.batch, self.frames = graph.size(w, 0), graph.size(w, 1)
        self.step = graph.unsqueeze(graph.op("Cast", graph.steps(self.frames), to=FLOAT), 1)  # (N, 1)
        self.missing = graph.op("Mod", graph.op("Neg", self.frames), graph.constant([g.group_frames]))
        self.turn = rotation(graph, graph.op("Mul", self.step, graph.weight("masknet.rotary_rates")))
        self.share = graph.op("Div", graph.constant(1.0), graph.op("Cast", self.frames, to=FLOAT))  # 1 / N

    def masks(self) -> str:
        """(B, sources, N, D)."""
        graph, g, d = self.graph, self.g, self.g.features
        x = graph.reshape(global_norm(graph, "masknet.norm", self.w, rank=3), [-1, d])
        x = self._framed(linear(graph, "masknet.inlet", x, bias=False), d)
        angle = graph.op("Mul", self.step, graph.weight("masknet.position_rates"))
        positions = graph.op("Concat", graph.op("Sin", angle), graph.op("Cos", angle), axis=1)  # (N, D)
        x = graph.op("Add", x, graph.op("Mul", positions, graph.weight("masknet.position_scale")))
        h = graph.reshape(x, [-1, d])
        for i in range(g.layers):
            h = self._memory(f"masknet.layers.{i}.memory", self._attention(f"masknet.layers.{i}.attention", h))
        h = self._framed(layer_norm(graph, "masknet.layers_norm", h, OUTER_NORM_EPS), d)
        x = graph.op("Add", x, global_norm(graph, "masknet.block_norm", h, rank=3))
        x = graph.op("PRelu", x, graph.weight("masknet.prelu.weight"))
        x = self._framed(linear(graph, "masknet.split", graph.reshape(x, [-1, d])), g.sources, d)
        x = graph.transpose(x, 0, 2, 1, 3)  # (B, sources, N, D)
        shape, x = graph.op("Shape", x), graph.reshape(x, [-1, d])
        value = graph.op("Tanh", linear(graph, "masknet.value", x))
        gate = graph.op("Sigmoid", linear(graph, "masknet.gate", x))
        mask = linear(graph, "masknet.outlet", graph.op("Mul", value, gate), bias=False)
        return graph.reshape(graph.op("Relu", mask), shape)

    def _attention(self, name: str, x: str) -> str:
        graph, d = self.graph, self.g.features
        h = self._late(x)
        values, gates = (self._padded(self._projection(f"{name}.{part}", h)) for part in ("values", "gates"))
        query, far_query, key, far_key = self._heads(name, h)  # (B, N, Q)
        query, key = (self._grouped(self._padded(y)) for y in (query, key))
        near = graph.op("MatMul", query, graph.transpose(key, 0, 1, 3, 2))  # (B, G, K, K)
        near = graph.op("Relu", graph.op("Mul", near, graph.constant(1 / self.g.group_frames)))
        near = graph.op("Mul", near, near)
        far_query, far_key = self._padded(far_query), graph.op("Mul", self._padded(far_key), self.share)
        far_key = graph.transpose(far_key, 0, 2, 1)

        def attended(y: str) -> str:
            close = graph.reshape(graph.op("MatMul", near, self._grouped(y)), 0, -1, 2 * d)
            return graph.op("Add", close, graph.op("MatMul", far_query, graph.op("MatMul", far_key, y)))

        gated = graph.op("Sigmoid", graph.op("Mul", attended(values), gates))
        y = graph.op("Mul", graph.op("Mul", attended(gates), values), gated)  # (B, N and more, 2 D)
        y = graph.reshape(graph.slice(y, 0, self.frames, axis=1), [-1, 2 * d])
        return graph.op("Add", x, graph.reshape(self._projection(f"{name}.outlet", self._scaled(y)), [-1, d]))

    def _late(self, x: str) -> str:
        """Half of the features a frame late, and each token divided by its root mean square."""
        graph, d = self.graph, self.g.features
        earlier = self._framed(graph.slice(x, 0, d // 2, axis=1), d // 2)
        earlier = graph.op("Pad", earlier, graph.constant([0, 1, 0, 0, -1, 0]))
        earlier = graph.reshape(earlier, [-1, d // 2])
        return self._scaled(graph.op("Concat", earlier, graph.slice(x, d // 2, END, axis=1), axis=1))

    def _scaled(self, x: str) -> str:
        graph = self.graph
        size = graph.op("ReduceL2", x, graph.constant([1]))  # (B·N, 1)
        width = graph.op("Sqrt", graph.op("Cast", graph.size(x, 1), to=FLOAT))
        return graph.op("Div", x, graph.op("Max", graph.op("Div", size, width), graph.constant(LEAST_SCALE)))

    def _heads(self, name: str, h: str) -> list[str]:
        """Queries and keys (B, N, Q) for near frames and far ones, in the order of `HEADS`."""
        graph, size, count = self.graph, self.g.rotated_features, len(HEADS)
        keys = graph.unsqueeze(self._projection(f"{name}.keys", h), 2)  # (B, N, 1, Q)
        keys = graph.op("Mul", keys, graph.weight(f"{name}.head_scales"))
        keys = graph.op("Add", keys, graph.weight(f"{name}.head_offsets"))  # (B, N, 4, Q)
        heads = rotated(graph, graph.slice(keys, 0, size, axis=3), self.turn, size)
        if size < self.g.key_features:
            heads = graph.op("Concat", heads, graph.slice(keys, size, END, axis=3), axis=3)
        first = graph.op("Split", heads, axis=2, num_outputs=count, outputs=count)
        return [graph.squeeze(f"{first}.{i}" if i else first, 2) for i in range(count)]

    def _memory(self, name: str, x: str) -> str:
        graph, m = self.graph, self.g.memory_features
        h = graph.op("PRelu", linear(graph, f"{name}.inlet", x), graph.weight(f"{name}.prelu.weight"))
        h = layer_norm(graph, f"{name}.inlet_norm", h, NORM_EPS)
        values, gates = (
            self._projection(f"{name}.{part}", layer_norm(graph, f"{name}.{part}_norm", h, NORM_EPS))
            for part in ("values", "gates")
        )  # (B, N, M)
        y = graph.op("Relu", linear(graph, f"{name}.hidden", graph.reshape(gates, [-1, m])))
        y = graph.transpose(self._framed(linear(graph, f"{name}.project", y, bias=False), m), 0, 2, 1)  # (B, M, N)
        y = self._conv(f"{name}.convs.1", graph.op("Concat", self._conv(f"{name}.convs.0", y, 1), y, axis=1), 2)
        y = graph.op("Mul", values, graph.op("Add", gates, graph.transpose(y, 0, 2, 1)))
        y = layer_norm(graph, f"{name}.outlet_norm", graph.op("Add", graph.reshape(y, [-1, m]), h), NORM_EPS)
        return graph.op("Add", x, linear(graph, f"{name}.outlet", y))

    def _conv(self, name: str, x: str, dilation: int) -> str:
        """A dilated convolution, the norm of each feature over all frames, and PReLU: (B, C, N) -> (B, M, N)."""
        graph, reach = self.graph, dilation * (self.g.memory_frames // 2)
        x = graph.op(
            "Conv",
            x,
            graph.weight(f"{name}.conv.weight"),
            group=self.g.memory_features,
            dilations=[dilation],
            pads=[reach, reach],
        )
        norm = graph.weight(f"{name}.norm.weight"), graph.weight(f"{name}.norm.bias")
        x = graph.op("InstanceNormalization", x, *norm, epsilon=NORM_EPS)
        return graph.op("PRelu", x, graph.unsqueeze(graph.weight(f"{name}.prelu.weight"), 1))

    def _projection(self, name: str, x: str) -> str:
        """A linear layer, SiLU and a depthwise convolution: tokens -> (B, N, C)."""
        graph, reach = self.graph, self.g.kernel_frames // 2
        outputs = graph.shape_of(f"{name}.conv.weight")[0]
        x = graph.op("QuickGelu", linear(graph, f"{name}.linear", x), domain=CONTRIB, alpha=1.0)
        x = graph.transpose(self._framed(x, outputs), 0, 2, 1)  # (B, C, N)
        x = graph.op("Conv", x, graph.weight(f"{name}.conv.weight"), group=outputs, pads=[reach, reach])
        return graph.transpose(x, 0, 2, 1)

    def _framed(self, x: str, *sizes: int) -> str:
        """Tokens -> (B, N, …)."""
        return self.graph.reshape(x, self.batch, self.frames, *sizes)

    def _padded(self, x: str) -> str:
        """(B, N, C) with zeros behind the last frame, up to whole groups."""
        return self.graph.op("Pad", x, self.graph.vector([0] * 4, self.missing, 0))

    def _grouped(self, x: str) -> str:
        """(B, G·K, C) -> (B, G, K, C)."""
        return self.graph.reshape(x, self.batch, -1, self.g.group_frames, self.graph.size(x, 2))
