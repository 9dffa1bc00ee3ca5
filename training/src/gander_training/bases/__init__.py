"""Bases and retrievers: Hugging Face or GGUF in, rounded, ONNX out."""
