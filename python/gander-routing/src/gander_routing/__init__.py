"""Routes a pool of LoRA experts on its base in PyTorch: PHATGOOSE, the other strategies, what-ifs."""

import os

# onnxruntime reads this when it is imported; otherwise its builds for Linux and macOS upload usage events.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
