"""Finds the configurations of the installed transformers that have experts, and makes a tiny one of each.

The sizes are the same for all; where a family needs something else, ``OVERRIDES`` says so.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gander_training.tiny.pool import VOCABULARY

# Fields that hold the number of experts in a layer.
EXPERTS = re.compile(r"^(moe_)?(num|n)_(local_|routed_)?experts$")
HIDDEN, HEADS = 32, 4

SIZES: Mapping[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
    # Experts
    "num_experts": 8,
    "num_local_experts": 8,
    "n_routed_experts": 8,
    "moe_num_experts": 8,
    "num_experts_per_tok": 2,
    "num_experts_per_token": 2,
    "top_k_experts": 2,
    "moe_topk": 2,
    "moe_top_k": 2,
    "moe_k": 2,
    "moe_intermediate_size": 16,
    "expert_ffn_hidden_size": 16,
    "shared_expert_intermediate_size": 16,
    "moe_shared_expert_intermediate_size": 16,
    "shared_experts_intermediate_size": 16,
    "shared_intermediate_size": 16,
    "n_shared_experts": 1,
    "num_shared_experts": 1,
    "moe_num_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
    "num_expert_group": 1,
    # Dense layers first
    "first_k_dense_replace": 1,
    "num_dense_layers": 1,
    "moe_layer_start_index": 1,
    "moe_layer_end_index": 2,
    # Latent attention
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
    "sliding_window": 128,
    # Linear attention and state spaces
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "mamba_n_heads": 8,
    "mamba_d_head": 8,
    "mamba_d_state": 16,
    "mamba_dt_rank": 4,
    "mamba_num_heads": 8,
    "mamba_head_dim": 8,
    "mamba_chunk_size": 16,
    "chunk_size": 16,
    "ssm_state_size": 16,
    "n_groups": 1,
}

MAMBA = ["mamba", "attention", "mamba", "attention"]
LINEAR = ["linear_attention", "full_attention", "linear_attention", "full_attention"]

# Other sizes, and shapes that the families' published models have: k of 1, 8 experts of 64 and of 128, an odd number of
# experts, groups, zero-compute experts, layers without keys.
OVERRIDES: Mapping[str, Mapping[str, Any]] = {
    "dbrx": {
        "d_model": HIDDEN, "n_heads": HEADS, "n_layers": 2, "max_seq_len": 256,
        "ffn_config": {"ffn_hidden_size": 16, "moe_num_experts": 8, "moe_top_k": 2, "hidden_size": HIDDEN},
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
    },
    "beam": {"mlp_layer_types": ["dense", "sparse", "sparse"], "n_group": 4, "topk_group": 2},
    "deepseek_v2": {"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2, "num_experts_per_tok": 3},
    "deepseek_v3": {"n_group": 4, "topk_group": 2, "num_experts_per_tok": 3},
    "doge": {"is_moe": True, "num_experts": 16},
    "deepseek_ocr2_text": {"mlp_layer_types": ["dense", "sparse", "sparse"]},
    "ernie4_5_vl_moe_text": {
        "moe_intermediate_size": [16, 16],
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
    },
    "glm4v_moe_text": {
        "head_dim": 16,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1], "partial_rotary_factor": 0.5},
    },
    "glm5_next_text": {
        "qk_rope_head_dim": 0, "mlp_layer_types": ["dense", "sparse", "sparse"],
        "layer_types": ["linear_attention", "indexed_attention", "linear_attention"], "linear_head_dim": 8, "linear_num_heads": 4,
    },
    "hy_v4_vl_text": {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}},
    "muse_spark_audio": {
        "num_hidden_layers": 4, "out_hidden_size": HIDDEN, "hidden_sizes": [8] * 4, "depths": [1] * 4,
    },
    "muse_spark_vision": {"out_hidden_size": HIDDEN},
    "step3p5": {"mlp_layer_types": ["dense", "sparse", "sparse"]},
    "kimi_linear": {
        "linear_head_dim": 8, "linear_num_heads": 4, "num_hidden_layers": 4, "layer_types": LINEAR,
    },
    "bailing_hybrid": {"num_hidden_layers": 4, "layer_group_size": 2, "n_group": 4, "topk_group": 2},
    "gemma4_text": {
        "enable_moe_block": True, "hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": VOCABULARY,
        "layer_types": ["sliding_attention", "full_attention", "full_attention"], "num_kv_shared_layers": 0,
        "global_head_dim": 8,
    },
    "granitemoe": {"num_local_experts": 7},
    "granitemoehybrid": {"num_hidden_layers": 4, "layers_block_type": MAMBA, "layer_types": MAMBA},
    "inkling2_loop_text": {
        "unpadded_vocab_size": VOCABULARY, "loop_layer_index_start": 1, "loop_layer_index_end": 2,
        "n_layers_per_attn_res_block": 1,
    },
    "inkling2_text": {"unpadded_vocab_size": VOCABULARY},
    "jamba": {"num_hidden_layers": 4, "attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv"]},
    "llama4_text": {"num_experts_per_tok": 1, "interleave_moe_layer_step": 1, "intermediate_size_mlp": 32},
    "longcat_flash": {"num_layers": 2, "zero_expert_num": 2, "num_experts_per_tok": 3, "ffn_hidden_size": 32},
    "minimax": {"num_hidden_layers": 4, "layer_types": LINEAR},
    "olmoe": {"num_experts": 64, "num_experts_per_tok": 8},
    "qwen3_5_moe_text": {"num_hidden_layers": 4, "layer_types": LINEAR},
    "qwen3_moe": {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 4},
    "qwen3_next": {"num_hidden_layers": 4, "layer_types": LINEAR},
    "qwen4_exp_text": {
        "num_hidden_layers": 4, "layer_types": LINEAR,
        "indexer_n_heads": 4, "indexer_kv_heads": 1, "indexer_head_dim": 8, "indexer_budget": 16, "indexer_compress_ratio": 4,
    },
    "zaya": {"num_experts_per_tok": 1},
}  # fmt: skip


# Configurations of models that do not predict one token after another.
OTHERWISE: Mapping[str, str] = {
    "diffusion_gemma_text": "writes whole blocks by diffusion, not one token after another",
    "dots3_note_vision_encoder": "reads pictures",
    "openai_privacy_filter": "labels tokens, and writes none",
    "qwen3_omni_moe_talker_text": "speaks: its tokens are sounds, of a text that another model wrote",
    "vitpose_backbone": "reads pictures, and takes the expert that it is told",
}


@dataclass(frozen=True)
class Family:
    """A configuration with experts. ``loaded`` is the type that is loaded: the same, or a model that contains it."""

    name: str
    loaded: str | None
    """None if there is nothing to open."""
    why: str = ""
    whose: str = ""
    """Who would have to change something."""


def fields_of(config: Any) -> set[str]:
    """The names of a configuration's fields."""
    named = set(inspect.signature(config.__init__).parameters) | set(getattr(config, "attribute_map", {}))
    return {name for name in named if name != "self"}


def has_experts(config: Any, registered: set[Any]) -> bool:
    """Whether a class of configurations counts experts, itself or in a part without a type of its own."""
    parts = [part for part in (getattr(config, "sub_configs", None) or {}).values() if part not in registered]
    return any(EXPERTS.match(name) for one in (config, *parts) for name in fields_of(one))


def families() -> Iterator[Family]:
    """Every configuration of the installed transformers that has experts, by name."""
    from transformers.models.auto import modeling_auto as auto
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    classes = {name: CONFIG_MAPPING[name] for name in CONFIG_MAPPING}
    registered = set(classes.values())
    causal = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    pictures, pairs = auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES, auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    for name, config in sorted(classes.items()):
        if not has_experts(config, registered):
            continue
        around = [
            other for other in pictures if config in (getattr(classes.get(other), "sub_configs", None) or {}).values()
        ]
        if name in OTHERWISE:
            yield Family(name, None, f"no model of it continues a text: it {OTHERWISE[name]}", "nobody")
        elif name in pairs:
            yield Family(name, None, "an encoder-decoder with native routers, which Gander does not read", "Gander")
        elif name in causal or name in pictures:
            yield Family(name, name)
        elif around:
            yield Family(name, around[0])
        else:
            yield Family(name, None, "there is no model of it that continues a text", "transformers")


def sized(config: Any, name: str) -> dict[str, Any]:
    """Arguments for a tiny configuration of a class; parts of other types are tiny, too."""
    fields, mapped = fields_of(config), getattr(config, "attribute_map", {})
    own = OVERRIDES.get(name, {})
    sizes = {**SIZES, **({"num_key_value_heads": HEADS} if "kv_lora_rank" in fields else {})}
    given = {
        field: value
        for field, value in sizes.items()
        # Not by two names at once.
        if field in fields and mapped.get(field) not in {*sizes, *own}
    }
    parts: dict[str, Any] = getattr(config, "sub_configs", None) or {}
    for part, kind in parts.items():
        if part in fields and getattr(kind, "model_type", None):
            given[part] = sized(kind, kind.model_type)
    return {**given, **own}


def tiny(name: str) -> Any:
    """A tiny configuration of a type."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    config = CONFIG_MAPPING[name]
    return config(**sized(config, name))
