"""Building ONNX graphs node by node; needs the `onnx` package."""
