"""Trains experts and their gates, exports bases, builds and checks pools."""

import os

# Read when onnxruntime is imported, whose builds for Linux and macOS else upload events of their own.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
