"""Trains experts and their gates, exports bases, builds and checks pools."""

import gander_routing  # noqa: F401 (it switches off onnxruntime's telemetry)
