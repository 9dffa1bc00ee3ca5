"""A Mixtral to train on a CPU: the arithmetic of transformers' ``MixtralForCausalLM`` in fewer and larger operations.

Experts are stacked and get their tokens in groups; queries, keys and values are one product; the loss never has the
logits of more than ``CHUNK`` tokens in memory. The router is always float32. Shapes: B windows of T tokens, n = B T,
width d, experts E, chosen k.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import embedding, linear, rms_norm, silu, softmax

CHUNK = 512
GROUP = 64  # rows


@dataclass(frozen=True)
class Shape:
    """Sizes, with the names of transformers' ``MixtralConfig`` if these are short."""

    vocabulary: int = 8192
    width: int = 256
    layers: int = 8
    heads: int = 4
    kv_heads: int = 2
    experts: int = 16
    chosen: int = 2
    intermediate: int = 256
    positions: int = 1024
    rope_theta: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def head(self) -> int:
        return self.width // self.heads

    def config(self) -> dict[str, Any]:
        """The model's ``config.json`` for transformers."""
        return {
            "architectures": ["MixtralForCausalLM"],
            "model_type": "mixtral",
            "vocab_size": self.vocabulary,
            "hidden_size": self.width,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head,
            "num_local_experts": self.experts,
            "num_experts_per_tok": self.chosen,
            "max_position_embeddings": self.positions,
            "rope_theta": self.rope_theta,
            "rms_norm_eps": self.epsilon,
            "hidden_act": "silu",
            "sliding_window": None,
            "tie_word_embeddings": True,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "torch_dtype": "float32",
        }


class Layer(nn.Module):
    """Attention and routed experts, each after its norm and added to the residual stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        d, f, e = shape.width, shape.intermediate, shape.experts
        self.attention_norm = nn.Parameter(torch.ones(d))
        self.qkv = nn.Parameter(torch.empty((shape.heads + 2 * shape.kv_heads) * shape.head, d))
        self.out = nn.Parameter(torch.empty(d, d))
        self.experts_norm = nn.Parameter(torch.ones(d))
        self.router = nn.Parameter(torch.empty(e, d))
        self.gate_up = nn.Parameter(torch.empty(e, 2 * f, d))
        self.down = nn.Parameter(torch.empty(e, d, f))

    def forward(self, stream: Tensor, rope: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """From the residual stream [B, T, d] to the next one and the router logits [n, E]."""
        d, epsilon = self.shape.width, self.shape.epsilon
        stream = stream + self.attend(rms_norm(stream, (d,), self.attention_norm, epsilon), rope)
        inputs = rms_norm(stream, (d,), self.experts_norm, epsilon).view(-1, d)
        logits = linear(inputs.float(), self.router)
        return stream + self.mix(inputs, logits).view_as(stream), logits

    def attend(self, inputs: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        shape = self.shape
        mixed = linear(inputs, self.qkv).unflatten(-1, (-1, shape.head)).transpose(1, 2)
        query, key, value = mixed.split([shape.heads, shape.kv_heads, shape.kv_heads], 1)
        each = shape.heads // shape.kv_heads
        key, value = (part.repeat_interleave(each, 1) for part in (rotate(key, rope), value))
        # For such short windows this takes half the time of scaled_dot_product_attention in bfloat16 on a CPU.
        later = torch.full((inputs.shape[1],) * 2, -torch.inf, dtype=inputs.dtype).triu(1)
        taken = softmax(rotate(query, rope) * shape.head**-0.5 @ key.transpose(-1, -2) + later, -1) @ value
        return linear(taken.transpose(1, 2).flatten(2), self.out)

    def mix(self, inputs: Tensor, logits: Tensor) -> Tensor:
        """Each token's k experts, weighted by the softmax over them: inputs [n, d], logits [n, E]."""
        k = self.shape.chosen
        weights, chosen = softmax(logits, -1).topk(k, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        flat = chosen.flatten()
        order = flat.argsort()
        counts = flat.bincount(minlength=self.shape.experts)
        # Each expert's group is padded with zero rows, so that products have few sizes: oneDNN compiles for every new
        # size, which took two thirds of a step.
        room = (counts + GROUP - 1) // GROUP * GROUP
        before = (room.cumsum(0) - room) - (counts.cumsum(0) - counts)
        row = torch.arange(len(order)) + before[flat[order]]
        total = int(room.sum())
        grouped = inputs.new_zeros(total, inputs.shape[-1]).index_copy(0, row, inputs.index_select(0, order // k))
        parts = []
        for rows, gate_up, down in zip(
            grouped.split(room.tolist()), self.gate_up.unbind(), self.down.unbind(), strict=True
        ):
            gate, up = linear(rows, gate_up).chunk(2, -1)
            parts.append(linear(silu(gate) * up, down))
        place = torch.empty_like(order).scatter_(0, order, row)
        outputs = torch.cat(parts).index_select(0, place).view(-1, k, inputs.shape[-1])
        return (outputs * weights.to(outputs.dtype)[..., None]).sum(1)


def rotate(part: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions on [B, heads, T, head], with halves paired as in Llama."""
    cosine, sine = rope
    first, second = part.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


class Mixtral(nn.Module):
    """The model, with embedding and head tied."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, shape: Shape, seed: int) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.empty(shape.vocabulary, shape.width))
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.Parameter(torch.ones(shape.width))
        frequency = shape.rope_theta ** -(torch.arange(0, shape.head, 2) / shape.head)
        angle = torch.arange(shape.positions)[:, None] * frequency
        self.register_buffer("cosine", angle.cos(), persistent=False)
        self.register_buffer("sine", angle.sin(), persistent=False)
        draw = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                # Additions to the residual stream are scaled down with depth, as in GPT-2.
                scale = (2 * shape.layers) ** -0.5 if name.endswith((".out", ".down")) else 1.0
                nn.init.normal_(parameter, std=0.02 * scale, generator=draw)

    def half(self) -> Mixtral:
        """Convert all but the routers to bfloat16."""
        self.bfloat16()
        for layer in self.layers:
            layer.router.data = layer.router.data.float()
        return self

    def forward(self, ids: Tensor) -> tuple[Tensor, list[Tensor]]:
        """From ids [B, T] to the head's input [B, T, d] and each layer's router logits [n, E]."""
        stream = embedding(ids, self.embedding)
        rope = (self.cosine[: ids.shape[1]].to(stream.dtype), self.sine[: ids.shape[1]].to(stream.dtype))
        routers = []
        for layer in self.layers:
            stream, logits = layer(stream, rope)
            routers.append(logits)
        return rms_norm(stream, (self.shape.width,), self.norm, self.shape.epsilon), routers


class HeadLoss(torch.autograd.Function):
    """Mean cross-entropy of ``hidden`` [n, d] @ ``head``.T [d, V] and ``targets`` [n]; also computes the gradients."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        total = torch.zeros(())
        hidden_grad, head_grad = torch.empty_like(hidden), torch.zeros(head.shape)
        for start in range(0, len(hidden), CHUNK):
            part = slice(start, start + CHUNK)
            rows, wanted = hidden[part], targets[part, None]
            log = torch.log_softmax(linear(rows, head).float(), -1)
            total -= log.gather(1, wanted).sum()
            slope = log.exp_().scatter_add_(1, wanted, log.new_full(wanted.shape, -1.0)).to(head.dtype)
            hidden_grad[part] = slope @ head
            head_grad += slope.T @ rows
        ctx.save_for_backward(hidden_grad / len(hidden), (head_grad / len(hidden)).to(head.dtype))
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        hidden_grad, head_grad = ctx.saved_tensors
        return hidden_grad * grads[0], head_grad * grads[0], None


def save(weights: Mapping[str, Tensor], shape: Shape, folder: Path) -> None:
    """Write a ``Mixtral``'s parameters in transformers' form: ``model.safetensors`` and ``config.json``."""
    heads = [shape.heads * shape.head, shape.kv_heads * shape.head, shape.kv_heads * shape.head]
    named = {"model.embed_tokens.weight": weights["embedding"], "model.norm.weight": weights["norm"]}
    for layer in range(shape.layers):
        ours, theirs = f"layers.{layer}", f"model.layers.{layer}"
        query, key, value = weights[f"{ours}.qkv"].split(heads)
        named |= {
            f"{theirs}.input_layernorm.weight": weights[f"{ours}.attention_norm"],
            f"{theirs}.self_attn.q_proj.weight": query,
            f"{theirs}.self_attn.k_proj.weight": key,
            f"{theirs}.self_attn.v_proj.weight": value,
            f"{theirs}.self_attn.o_proj.weight": weights[f"{ours}.out"],
            f"{theirs}.post_attention_layernorm.weight": weights[f"{ours}.experts_norm"],
            f"{theirs}.block_sparse_moe.gate.weight": weights[f"{ours}.router"],
        }
        for expert in range(shape.experts):
            gate, up = weights[f"{ours}.gate_up"][expert].chunk(2)
            place = f"{theirs}.block_sparse_moe.experts.{expert}"
            named |= {
                f"{place}.w1.weight": gate,
                f"{place}.w2.weight": weights[f"{ours}.down"][expert],
                f"{place}.w3.weight": up,
            }
    copies = {name: tensor.detach().float().clone().contiguous() for name, tensor in named.items()}
    save_file(copies, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(shape.config(), indent=2), encoding="utf-8")
