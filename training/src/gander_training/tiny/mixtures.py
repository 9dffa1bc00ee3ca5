"""Tiny random mixtures of experts, one per architecture: Hugging Face folders of a few hundred kilobytes.

The weights mean nothing; only how each architecture's router decides matters. Norms, router biases and correction
biases differ from a model's initial ones, so that leaving one out shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gander_routing.files import read_json
from gander_routing.quantised import pack_nibbles
from safetensors.torch import load_file, save_file

from gander_training.files import write_json
from gander_training.quiet import quiet
from gander_training.tiny.numbers import normal
from gander_training.tiny.pool import END_OF_TEXT, SEED, VOCABULARY, build_tokenizer

HIDDEN, WIDTH, LAYERS, EXPERTS, CHOSEN = 32, 16, 2, 8, 2
MANY = 128

FP4 = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])

# Spelled as in the published models' config.json: older transformers read nothing else, newer ones still read it.
COMMON: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "num_experts_per_tok": CHOSEN,
    "hidden_act": "silu",
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "torch_dtype": "float32",
}


@dataclass(frozen=True)
class Architecture:
    """``config`` is added to ``COMMON`` in ``config.json``.

    ``centred``: its norms multiply by 1 + weight, but for those of linear attention.
    """

    class_name: str
    model_type: str
    config: dict[str, Any]
    centred: bool = False


ARCHITECTURES = {
    "mixtral": Architecture(
        "MixtralForCausalLM", "mixtral", {"intermediate_size": WIDTH, "num_local_experts": EXPERTS}
    ),
    "olmoe": Architecture(
        "OlmoeForCausalLM",
        "olmoe",
        {
            "intermediate_size": WIDTH,
            "num_experts": EXPERTS,
            "num_experts_per_tok": 3,
            "norm_topk_prob": False,
            "num_key_value_heads": 4,
        },
    ),
    "qwen2-moe": Architecture(
        "Qwen2MoeForCausalLM",
        "qwen2_moe",
        {
            "intermediate_size": 2 * WIDTH,
            "moe_intermediate_size": WIDTH,
            "shared_expert_intermediate_size": 2 * WIDTH,
            "num_experts": EXPERTS,
            "norm_topk_prob": False,
            "decoder_sparse_step": 1,
        },
    ),
    "qwen3-moe": Architecture(
        "Qwen3MoeForCausalLM",
        "qwen3_moe",
        {
            "intermediate_size": 2 * WIDTH,
            "moe_intermediate_size": WIDTH,
            "num_experts": EXPERTS,
            "num_experts_per_tok": 3,
            "norm_topk_prob": True,
            "head_dim": 8,
            "decoder_sparse_step": 1,
        },
    ),
    # As many experts, and as many of them for a token, as the published model has; each is narrow, to keep the file small.
    "qwen3-moe-128": Architecture(
        "Qwen3MoeForCausalLM",
        "qwen3_moe",
        {
            "intermediate_size": 2 * WIDTH,
            "moe_intermediate_size": 4,
            "num_experts": MANY,
            "num_experts_per_tok": 8,
            "norm_topk_prob": True,
            "head_dim": 8,
            "decoder_sparse_step": 1,
        },
    ),
    "granite-moe": Architecture(
        "GraniteMoeForCausalLM",
        "granitemoe",
        {
            "intermediate_size": WIDTH,
            "num_local_experts": EXPERTS,
            # None is 1, as in the published models.
            "attention_multiplier": 0.25,
            "embedding_multiplier": 2.0,
            "logits_scaling": 1.5,
            "residual_multiplier": 0.5,
        },
    ),
    "gpt-oss": Architecture(
        "GptOssForCausalLM",
        "gpt_oss",
        {
            "intermediate_size": 32,  # the block size of MXFP4 and QMoE
            "num_local_experts": EXPERTS,
            "head_dim": 16,
            "sliding_window": 128,
            "layer_types": ["sliding_attention", "full_attention"],
            "max_position_embeddings": 512,
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": 2.0,
                "original_max_position_embeddings": 256,
                "beta_fast": 32.0,
                "beta_slow": 1.0,
                "truncate": False,
            },
        },
    ),
    "deepseek-v3": Architecture(
        "DeepseekV3ForCausalLM",
        "deepseek_v3",
        {
            "intermediate_size": 2 * WIDTH,
            "moe_intermediate_size": WIDTH,
            "n_routed_experts": EXPERTS,
            "n_shared_experts": 1,
            "n_group": 4,
            "topk_group": 2,
            "num_experts_per_tok": 3,
            "norm_topk_prob": True,
            "first_k_dense_replace": 1,
            "num_hidden_layers": 3,
            "num_key_value_heads": 4,
            "kv_lora_rank": 8,
            "q_lora_rank": 8,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
            "routed_scaling_factor": 2.5,
        },
    ),
    "lfm2-moe": Architecture(
        "Lfm2MoeForCausalLM",
        "lfm2_moe",
        {
            # QMoE needs rows of multiples of 32.
            "intermediate_size": 64,
            "moe_intermediate_size": 32,
            "num_experts": EXPERTS,
            "num_hidden_layers": 3,
            "num_dense_layers": 1,
            # onnxruntime's attention needs heads of multiples of 16 if it applies rotary positions itself.
            "num_attention_heads": 2,
            "layer_types": ["conv", "full_attention", "conv"],
            "norm_topk_prob": True,
            "use_expert_bias": True,
            "routed_scaling_factor": 1.0,
        },
    ),
    "phimoe": Architecture("PhimoeForCausalLM", "phimoe", {"intermediate_size": WIDTH, "num_local_experts": EXPERTS}),
    # Two routers per layer: one for attention, one for the MLP.
    "jetmoe": Architecture(
        "JetMoeForCausalLM",
        "jetmoe",
        {
            "intermediate_size": WIDTH,
            "num_local_experts": EXPERTS,
            "kv_channels": 8,
            "activation_function": "silu",
        },
    ),
    # One group with all experts.
    "glm4-moe": Architecture(
        "Glm4MoeForCausalLM",
        "glm4_moe",
        {
            "intermediate_size": WIDTH,
            "moe_intermediate_size": WIDTH,
            "n_routed_experts": EXPERTS,
            "n_shared_experts": 1,
            "n_group": 1,
            "topk_group": 1,
            "num_experts_per_tok": 3,
            "norm_topk_prob": True,
            "first_k_dense_replace": 1,
            "num_hidden_layers": 3,
            "head_dim": 8,
            "routed_scaling_factor": 2.5,
        },
    ),
    # Experts that were trained apart, and can be opted out: the first is the public one.
    "flex-olmo": Architecture(
        "FlexOlmoForCausalLM",
        "flex_olmo",
        {
            "intermediate_size": WIDTH,
            "num_experts": EXPERTS,
            "num_experts_per_tok": 3,
            "norm_topk_prob": False,
            "num_key_value_heads": 4,
            "pad_token_id": 0,
        },
    ),
    # Linear attention, which keeps a state instead of keys, and a shared expert with a gate of its own.
    "qwen3-next": Architecture(
        "Qwen3NextForCausalLM",
        "qwen3_next",
        {
            "intermediate_size": 2 * WIDTH,
            "moe_intermediate_size": WIDTH,
            "shared_expert_intermediate_size": WIDTH,
            "num_experts": EXPERTS,
            "num_experts_per_tok": 3,
            "norm_topk_prob": True,
            "head_dim": 8,
            "decoder_sparse_step": 1,
            "layer_types": ["linear_attention", "full_attention"],
            "linear_num_value_heads": 4,
            "linear_num_key_heads": 2,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
        },
        centred=True,
    ),
    # With k = 1, where exporters omit divisions by k.
    "mixtral-top1": Architecture(
        "MixtralForCausalLM",
        "mixtral",
        {"intermediate_size": WIDTH, "num_local_experts": EXPERTS, "num_experts_per_tok": 1},
    ),
}


def config_of(name: str) -> dict[str, Any]:
    """The ``config.json`` of the model ``name``."""
    architecture = ARCHITECTURES[name]
    return {
        "architectures": [architecture.class_name],
        "model_type": architecture.model_type,
        **COMMON,
        **architecture.config,
    }


def numbers(name: str, tensor: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Random weights of a size that keeps activations near 1 and makes the experts' contribution visible."""
    if "norm" in name and tensor.dim() == 1:
        return 1 + normal(rng, *tensor.shape, std=0.1)
    if tensor.dim() == 1:  # biases, sinks
        return normal(rng, *tensor.shape, std=0.2)
    if name.endswith("embed_tokens.weight"):
        return normal(rng, *tensor.shape, std=1.0)
    if tensor.shape[0] in (EXPERTS, MANY) and tensor.dim() == 2:  # routers and the experts' biases
        return normal(rng, *tensor.shape, std=2 * HIDDEN**-0.5 if name.endswith("weight") else 0.2)
    return normal(rng, *tensor.shape, std=tensor.shape[-1] ** -0.5)


def write_tokenizer(folder: Path) -> None:
    """Write the tiny pool's tokenizer."""
    (folder / "tokenizer.json").write_text(build_tokenizer().to_str(pretty=True) + "\n", encoding="utf-8")
    write_json(
        folder / "tokenizer_config.json",
        {
            "bos_token": END_OF_TEXT,
            "clean_up_tokenization_spaces": False,
            "eos_token": END_OF_TEXT,
            "model_max_length": COMMON["max_position_embeddings"],
            "tokenizer_class": "PreTrainedTokenizerFast",
            "unk_token": END_OF_TEXT,
        },
    )


def write_moe(name: str, folder: Path, seed: int = SEED) -> None:
    """Write a Hugging Face folder of the model ``name``, in F32.

    Random weights are drawn for the file, which has the published models' names, not for the model: versions of
    transformers differ in their parameters and so would draw different weights.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config_of(name))
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).float()
    with quiet():
        model.save_pretrained(folder)
    write_json(folder / "config.json", config_of(name))
    rng = np.random.default_rng([seed, 0])
    weights = load_file(folder / "model.safetensors")
    drawn = {key: numbers(key, weights[key], rng) for key in sorted(weights)}
    if ARCHITECTURES[name].centred:
        drawn |= {key: drawn[key] - 1 for key in drawn if key.endswith("norm.weight") and "linear_attn" not in key}
    save_file(drawn, folder / "model.safetensors", metadata={"format": "pt"})
    write_tokenizer(folder)


def opt_out(folder: Path, expert: int) -> None:
    """Remove an expert from a model, as FlexOlmo opts one out: its weights, and its row in every router."""
    config, file = read_json(folder / "config.json"), folder / "model.safetensors"
    kept = [index for index in range(config["num_experts"]) if index != expert]
    weights = {}
    for name, tensor in load_file(file).items():
        parts = name.split(".")
        if "experts" in parts:
            place = parts.index("experts") + 1
            if int(parts[place]) == expert:
                continue
            parts[place] = str(kept.index(int(parts[place])))
        weights[".".join(parts)] = tensor[kept].contiguous() if name.endswith("mlp.gate.weight") else tensor
    save_file(weights, file, metadata={"format": "pt"})
    write_json(folder / "config.json", {**config, "num_experts": len(kept)})


def add_mxfp4(folder: Path) -> None:
    """Add gpt-oss's experts in the form in which they are published: FP4 (E2M1) codes, and a power of two per 32."""
    file = folder / "model.safetensors"
    weights = load_file(file)
    for name in [name for name in weights if name.endswith(("gate_up_proj", "down_proj"))]:
        blocks = weights[name].mT.unflatten(-1, (-1, 32))  # [experts, out, in / 32, 32]
        exponents = (blocks.abs().amax(-1) / FP4[-1]).log2().ceil()
        steps = blocks / exponents.exp2()[..., None]
        codes = (steps.abs()[..., None] - FP4).abs().argmin(-1) + 8 * (steps < 0)
        weights[f"{name}_blocks"] = pack_nibbles(codes).contiguous()
        weights[f"{name}_scales"] = (exponents + 127).to(torch.uint8).contiguous()
    save_file(weights, file, metadata={"format": "pt"})


def load_moe(folder: Path) -> Any:
    """The model in PyTorch, F32, in eval mode."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).float().eval()
