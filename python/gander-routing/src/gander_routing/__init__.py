"""A pool of LoRA experts on its base, routed in PyTorch: PHATGOOSE, the other strategies, what-ifs."""

import os

# Read when onnxruntime is imported, whose builds for Linux and macOS else upload events of their own.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
