"""The RE-SepFormer as an ONNX graph: mixture (B, T) -> sources (B, sources, T)."""

from unbraid.models.onnx.builder import Graph, Tensors
from unbraid.models.onnx.global_norm import global_norm
from unbraid.models.onnx.layers import linear
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.models.resepformer.layout import GLOBAL_NORM_EPS, signature
from unbraid.models.sepformer.graph import decode, transformer


def build(geometry: ResepformerConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph = Graph(tensors, location)
    batch, samples = graph.size("mixture", 0), graph.size("mixture", 1)
    w = graph.op(
        "Conv", graph.unsqueeze("mixture", 1), graph.weight("encoder.weight"), strides=[geometry.stride_samples]
    )
    w = graph.transpose(graph.op("Relu", w), 0, 2, 1)  # (B, N, D)
    masked = graph.op("Mul", _masknet(graph, geometry, w, batch), graph.unsqueeze(w, 1))  # (B, sources, N, D)
    return graph.model(signature(geometry), {"sources": decode(graph, geometry, masked, batch, samples)})


def _masknet(graph: Graph, g: ResepformerConfig, w: str, batch: str) -> str:
    frames, chunk = graph.size(w, 1), graph.constant([g.chunk_frames])
    gap = graph.op("Sub", chunk, graph.op("Mod", frames, chunk))
    x = graph.op("Pad", w, graph.vector([0] * 4, gap, 0))
    x = graph.reshape(x, [-1, g.chunk_frames, g.features])  # (B·S, K, D)
    for i in range(g.blocks):
        x = _block(graph, g, f"masknet.within.{i}", x)
        if i < g.blocks - 1:
            averages = graph.reshape(graph.op("ReduceMean", x, graph.constant([1])), batch, [-1, g.features])
            told = _block(graph, g, f"masknet.across.{i}", averages)  # (B, S, D)
            x = graph.op("Add", x, graph.reshape(told, [-1, 1, g.features]))
    x = graph.slice(graph.reshape(x, batch, [-1, g.features]), 0, frames, axis=1)  # (B, N, D)
    x = graph.op("PRelu", x, graph.weight("masknet.prelu.weight"))
    x = graph.op("Relu", linear(graph, "masknet.split", graph.reshape(x, [-1, g.features])))
    return graph.transpose(graph.reshape(x, batch, frames, [g.sources, g.features]), 0, 2, 1, 3)


def _block(graph: Graph, g: ResepformerConfig, name: str, x: str) -> str:
    """x + norm(Transformer(x)): (B, N, D) -> (B, N, D)."""
    y = graph.reshape(transformer(graph, g, f"{name}.transformer", x), graph.op("Shape", x))
    return graph.op("Add", x, global_norm(graph, f"{name}.norm", y, rank=3, eps=GLOBAL_NORM_EPS))
