"""ONNX operators that the graphs of several families have."""

COMMON = {
    "Add", "Cast", "Concat", "Conv", "Div", "Identity", "MatMul", "Mul", "Reshape", "Shape", "Slice", "Transpose",
    "Unsqueeze",
}  # fmt: skip
TRANSFORMER = {
    "Gemm", "LayerNormalization", "MultiHeadAttention", "Range", "ReduceMean", "Split", "Sqrt", "Squeeze", "Sub",
}  # fmt: skip
SPEECH = {"BiasGelu", "Gelu", "InstanceNormalization", "Less", "ReduceSum"}
