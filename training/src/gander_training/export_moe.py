"""Export a mixture of experts to an ONNX folder with transformers' own exporter, held to its source before it is there."""

from __future__ import annotations

import copy
import json
import logging
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from gander_training.errors import UserError
from gander_training.fixtures import quiet

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
BATCH, PAST, NEW = 2, 4, 3  # of the example that is exported; 0 and 1 would be taken for constants


def plain_past(model: Any) -> Any:
    """Keys and values of some tokens, none forgotten outside a sliding window: the mask leaves those out already."""
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    with torch.no_grad():
        past = model(input_ids=torch.ones(BATCH, PAST, dtype=torch.long), use_cache=True).past_key_values
    for index, layer in enumerate(past.layers):
        if isinstance(layer, DynamicSlidingWindowLayer):
            past.layers[index] = DynamicLayer()
            past.layers[index].update(layer.keys, layer.values)
    return past


def write_float32(model: Any, folder: Path) -> None:
    """``model.onnx``, ``model.onnx.data``, ``config.json`` and ``export.json`` by transformers' exporter."""
    from transformers.exporters import OnnxConfig, OnnxExporter

    inputs = {
        "input_ids": torch.ones(BATCH, NEW, dtype=torch.long),
        "attention_mask": torch.ones(BATCH, PAST + NEW, dtype=torch.long),
        "past_key_values": plain_past(model),
        "use_cache": True,
    }
    with quiet():
        OnnxExporter().export(model, inputs, OnnxConfig(dynamic=True)).save_pretrained(folder)
    path = folder / "model.onnx"
    graph = onnx.load(path, load_external_data=False)
    without_traces(graph)
    path.write_bytes(graph.SerializeToString(deterministic=True))


# What torch.onnx notes of how it came to a node. Stack traces name files of the machine; the rest says once more, at
# three times the length, what the name scopes say.
NOTES = ("stack_trace", "fx_node", "namespace", "class_hierarchy")


def without_traces(model: onnx.ModelProto) -> None:
    """Leave out what torch.onnx adds for debugging, in place."""
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if not entry.key.endswith(NOTES)]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
