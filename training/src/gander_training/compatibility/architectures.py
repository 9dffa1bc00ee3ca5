"""Language models of transformers, each with two layers and a few thousand weights."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from gander_training.tiny.numbers import normal
from gander_training.tiny.pool import VOCABULARY

WIDTH, INNER, LAYERS, HEADS, KV_HEADS, CONTEXT = 64, 128, 2, 4, 2, 256

# The usual names of sizes in configurations. An entry below drops a name that its configuration does not have.
LLAMA = {
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "max_position_embeddings": CONTEXT,
    "tie_word_embeddings": True,
}
UNGROUPED = {key: value for key, value in LLAMA.items() if key != "num_key_value_heads"}
GPT = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": CONTEXT}
HEAD = {"head_dim": WIDTH // HEADS}
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class Architecture:
    """A transformers model type, with a configuration that makes it tiny."""

    type: str
    config: dict[str, Any]
    adapted: str | tuple[str, ...] = "all-linear"  # PEFT's target_modules
    note: str = ""
    # False for mixtures: their experts see only some tokens, where routing adapters is not defined.
    routed: bool = True

    @property
    def name(self) -> str:
        """Its name on the command line and as a folder."""
        return f"{self.type}-{self.note}" if self.note else self.type

    @property
    def title(self) -> str:
        """The heading of its row."""
        return f"{self.type}, {self.note}" if self.note else self.type


ARCHITECTURES = [
    Architecture("llama", LLAMA),
    Architecture("mistral", {**LLAMA, **HEAD, "tie_word_embeddings": False, "sliding_window": None}),
    Architecture("mistral", {**LLAMA, **HEAD, "sliding_window": 48}, note="window"),
    Architecture("qwen2", LLAMA),
    Architecture("qwen3", {**LLAMA, **HEAD}),
    Architecture("gemma", {**LLAMA, **HEAD}),
    Architecture("gemma2", {**LLAMA, **HEAD, "query_pre_attn_scalar": 16, "sliding_window": 64}),
    Architecture("gemma3_text", {**LLAMA, **HEAD, "query_pre_attn_scalar": 16, "sliding_window": 64}),
    Architecture("phi", {**UNGROUPED, "tie_word_embeddings": False}),
    Architecture("phi3", {**LLAMA, "original_max_position_embeddings": CONTEXT, "tie_word_embeddings": False}),
    Architecture("smollm3", {**LLAMA, "no_rope_layers": [1, 0]}),
    Architecture("granite", {**LLAMA, "embedding_multiplier": 3.0, "residual_multiplier": 0.5, "logits_scaling": 2.0}),
    Architecture("olmo", LLAMA),
    Architecture("olmo2", LLAMA),
    Architecture("stablelm", {**LLAMA, "tie_word_embeddings": False}),
    Architecture("gpt2", GPT),
    Architecture("gpt_bigcode", {**GPT, "multi_query": True}),
    Architecture("gptj", {**GPT, "rotary_dim": 8}),
    Architecture(
        "gpt_neo",
        {
            "hidden_size": WIDTH,
            "num_layers": LAYERS,
            "num_heads": HEADS,
            "max_position_embeddings": CONTEXT,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 64,
        },
    ),
    Architecture("gpt_neox", {**UNGROUPED, "tie_word_embeddings": False}),
    Architecture(
        "opt",
        {
            "hidden_size": WIDTH,
            "ffn_dim": INNER,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "max_position_embeddings": CONTEXT,
            "word_embed_proj_dim": WIDTH,
        },
    ),
    Architecture("bloom", {"hidden_size": WIDTH, "n_layer": LAYERS, "n_head": HEADS}),
    Architecture("falcon", {**UNGROUPED, "multi_query": True, "new_decoder_architecture": False, "alibi": False}),
    Architecture("mpt", {"d_model": WIDTH, "n_layers": LAYERS, "n_heads": HEADS, "max_seq_len": CONTEXT}),
    Architecture("mixtral", {**LLAMA, **HEAD, "num_local_experts": 4, "sliding_window": None}, ATTENTION, "attention"),
    Architecture(
        "mixtral", {**LLAMA, **HEAD, "num_local_experts": 4, "sliding_window": None}, note="experts", routed=False
    ),
]


def named(name: str) -> Architecture:
    """The architecture with this name."""
    return next(architecture for architecture in ARCHITECTURES if architecture.name == name)


def seed_of(architecture: Architecture, *more: int) -> np.random.Generator:
    """A random generator that depends only on the architecture and ``more``."""
    return np.random.default_rng([zlib.crc32(architecture.name.encode()), *more])


def build(architecture: Architecture) -> Any:
    """The model in PyTorch: F32, in eval mode, with the same weights every time."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    config = AutoConfig.for_model(
        architecture.type,
        vocab_size=VOCABULARY,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
        torch_dtype="float32",
        **architecture.config,
    )
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = kind.from_config(config, attn_implementation="eager").eval()
    rng = seed_of(architecture, 0)
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if parameter.ndim > 1 and id(parameter) not in tables:
                parameter.copy_(normal(rng, *parameter.shape, std=parameter.shape[-1] ** -0.5))
            elif parameter.ndim > 1:
                parameter.copy_(normal(rng, *parameter.shape, std=0.5))
            elif "norm" in name.rpartition(".")[0].rpartition(".")[2].lower() or ".ln_" in name:
                # Gemma's norms scale by 1 + w, others by w; neither factor comes near 0.
                parameter.copy_(name.endswith("weight") + normal(rng, *parameter.shape, std=0.1))
            else:
                parameter.copy_(normal(rng, *parameter.shape, std=0.1))
    return model
