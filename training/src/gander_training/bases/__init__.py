"""Bases and retrievers: from Hugging Face or GGUF to quantised ONNX."""
