"""torch.onnx's newer exporter on a T5: three files with optimum's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from gander_routing.encoder_decoder import PARTS
from torch import Tensor, nn

BATCH, READ, NEW, BEFORE = 2, 5, 3, 4  # 0 and 1 would become constants
Arguments = dict[str, Tensor]


class Encoder(nn.Module):
    """The encoder: the input's last hidden states."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder = model.encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Hidden states [B, T, d] for ids [B, T]."""
        states: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return states


class Decoder(nn.Module):
    """The decoder for the output's first tokens: logits, and the keys and values of both attentions."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, encoder_attention_mask: Tensor, input_ids: Tensor, encoder_hidden_states: Tensor) -> Any:
        """Logits [B, U, V], then for each layer the decoder's key and value, then the encoder's."""
        out = self.model(
            attention_mask=encoder_attention_mask,
            decoder_input_ids=input_ids,
            encoder_outputs=(encoder_hidden_states,),
            use_cache=True,
        )
        return (out.logits, *(tensor for layer in out.past_key_values.to_legacy_cache() for tensor in layer))


class DecoderWithPast(nn.Module):
    """The decoder for the tokens after those."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, encoder_attention_mask: Tensor, input_ids: Tensor, past: list[Tensor]) -> Any:
        """Logits and the decoder's keys and values. ``past``: for each layer the decoder's two, then the encoder's."""
        from transformers.cache_utils import EncoderDecoderCache

        layers: Any = tuple(tuple(past[i : i + 4]) for i in range(0, len(past), 4))
        out = self.model(
            attention_mask=encoder_attention_mask,
            decoder_input_ids=input_ids,
            # Only the sizes matter, because the cross-attention's keys and values are given.
            encoder_outputs=(torch.zeros(*encoder_attention_mask.shape, self.model.config.d_model),),
            past_key_values=EncoderDecoderCache.from_legacy_cache(layers),
            use_cache=True,
        )
        return (out.logits, *(tensor for layer in out.past_key_values.to_legacy_cache() for tensor in layer[:2]))


def dynamo(source: Path, target: Path, _: str) -> None:
    """Export each part separately."""
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(source, attn_implementation="eager").eval()
    layers = model.config.num_decoder_layers
    width = model.config.d_kv
    mask, ids = torch.ones(BATCH, READ, dtype=torch.long), torch.ones(BATCH, NEW, dtype=torch.long)
    read = {0: "batch", 1: "read"}
    write = {0: "batch", 1: "sequence"}

    def kept(length: int) -> Tensor:
        return torch.randn(BATCH, model.config.num_heads, length, width)

    def named(head: str, which: tuple[str, ...]) -> list[str]:
        return [f"{head}.{i}.{stack}.{part}" for i in range(layers) for stack in which for part in ("key", "value")]

    both = ("decoder", "encoder")
    past = [kept(length) for _ in range(layers) for length in (BEFORE, BEFORE, READ, READ)]
    axes = [{0: "batch", 2: name} for _ in range(layers) for name in ("past", "past", "read", "read")]
    states = torch.randn(BATCH, READ, model.config.d_model)
    parts: dict[str, tuple[nn.Module, tuple[Any, ...], tuple[Any, ...], list[str], list[str]]] = {
        "encoder": (
            Encoder(model),
            (torch.ones(BATCH, READ, dtype=torch.long), mask),
            (read, read),
            ["input_ids", "attention_mask"],
            ["last_hidden_state"],
        ),
        "decoder": (
            Decoder(model),
            (mask, ids, states),
            (read, write, read),
            ["encoder_attention_mask", "input_ids", "encoder_hidden_states"],
            ["logits", *named("present", both)],
        ),
        "decoderWithPast": (
            DecoderWithPast(model),
            (mask, ids, past),
            (read, write, axes),
            ["encoder_attention_mask", "input_ids", *named("past_key_values", both)],
            ["logits", *named("present", ("decoder",))],
        ),
    }
    for part, (module, arguments, shapes, inputs, outputs) in parts.items():
        program = torch.onnx.export(
            module.eval(),
            arguments,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=inputs,
            output_names=outputs,
            external_data=False,
            verbose=False,
        )
        assert program is not None
        program.save(str(target / PARTS[part]))
