"""A pool's base as a model of transformers."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from gander_routing.encoder_decoder import load_shipped_pair
from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.fill import fill, linear_modules
from gander_routing.graph import read_weights


def require_causal(source: Path) -> None:
    """Refuse a folder whose model does not predict the next token of a text."""
    config = read_json(source / "config.json")
    names = config.get("architectures") or []
    if not any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names):
        raise UserError(f"{source / 'config.json'}: not a causal language model (architectures: {names})")


def load_shipped(pool: Path, dtype: torch.dtype = torch.float32) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The pool's ONNX base as a transformers model with the dequantised weights, in eval mode, and its tokenizer.

    The dequantised weights are rounded to ``dtype``; the runtime computes with float32.
    """
    manifest = read_json(pool / "pool.json").get("base", {})
    if isinstance(manifest.get("model"), dict):
        return load_shipped_pair(pool, manifest, dtype)
    graph_path = pool / manifest.get("model", "base/model.onnx")
    config_path = pool / manifest.get("config", "base/config.json")
    tokenizer_path = pool / manifest.get("tokenizer", "base/tokenizer.json")
    for path in (graph_path, config_path, tokenizer_path):
        if not path.is_file():
            raise UserError(f"{path}: no such file")
    require_causal(config_path.parent)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(config_path.parent)).float()
    is_tied = read_json(config_path).get("tie_word_embeddings", model.config.tie_word_embeddings)
    fill(model, read_weights(graph_path, set(linear_modules(model))), graph_path, _tied_head(model) if is_tied else {})
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_path.parent, local_files_only=True)
    return model.to(dtype).eval(), tokenizer


def _tied_head(model: PreTrainedModel) -> dict[str, str]:
    """Maps the name of the head's weight to that of the embedding that it shares."""
    names = {module: name for name, module in model.named_modules()}
    return {f"{names[model.get_output_embeddings()]}.weight": f"{names[model.get_input_embeddings()]}.weight"}
