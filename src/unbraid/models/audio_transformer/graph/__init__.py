"""The ONNX graphs of the audio Transformer."""
