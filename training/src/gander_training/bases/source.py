"""Loads models to export or to train on: Hugging Face folders, GGUF files, the bases of pools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from gander_routing.base import load_shipped, require_causal
from gander_routing.encoder_decoder import load_shipped_pair, require_t5
from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.fill import require_finite
from safetensors import SafetensorError
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)


def _repair_gguf_tokenizer(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """Add SmolLM's pre-tokenizer, which transformers does not restore from a GGUF, and a leading document separator.

    The separator is what the first token of a text is predicted from, and it absorbs the attention that models of this
    kind pay to the first position.
    """
    inner = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    state = json.loads(inner.to_str())
    state["model"]["byte_fallback"] = False
    inner = Tokenizer.from_str(json.dumps(state))
    lead = "<|endoftext|>"
    inner.post_processor = processors.TemplateProcessing(
        single=f"{lead} $A", pair=f"{lead} $A $B", special_tokens=[(lead, inner.token_to_id(lead))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=lead,
        eos_token="<|im_end|>",
        unk_token=lead,
        pad_token="<|im_end|>",
        chat_template=tokenizer.chat_template,
        model_max_length=8192,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def load_source(source: Path, dtype: torch.dtype = torch.float32) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A causal language model and its fast tokenizer from a Hugging Face directory or a GGUF file."""
    if source.suffix == ".gguf":
        if not source.is_file():
            raise UserError(f"{source}: no such file")
        try:
            model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=dtype)
            tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        except (OSError, ValueError) as error:
            raise UserError(f"{source}: cannot be loaded ({str(error).splitlines()[0]})") from None
        if _is_smollm_gguf(source):
            tokenizer = _repair_gguf_tokenizer(tokenizer)
        return model.eval(), tokenizer
    require_causal(source)
    return load_folder(AutoModelForCausalLM, source, dtype)


def load_folder(auto: Any, source: Path, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A model of transformers' class ``auto`` and its fast tokenizer from a Hugging Face directory."""
    try:
        loaded: Any = auto.from_pretrained(source, dtype=dtype, local_files_only=True, output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{source}: cannot be loaded ({str(error).splitlines()[0]})") from None
    model, report = loaded
    if report["missing_keys"]:
        raise UserError(f"{source}: the checkpoint has no weight {sorted(report['missing_keys'])[0]}")
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError(f"{source}: has no fast tokenizer (tokenizer.json)")
    require_finite(source, model)
    return model.eval(), tokenizer


def _is_smollm_gguf(source: Path) -> bool:
    from gguf import GGUFReader

    field = GGUFReader(source).fields.get("tokenizer.ggml.pre")
    return field is not None and field.contents() == "smollm"


def load_base(path: Path, dtype: torch.dtype = torch.float32) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The base to train on: that of a pool, as shipped, or any Hugging Face directory or GGUF file."""
    if not (path / "pool.json").is_file():
        return load_source(path, dtype)
    model, tokenizer = load_shipped(path, dtype)
    if model.config.is_encoder_decoder:
        raise UserError(f"{path}: its base is an encoder-decoder, which this command does not support")
    return model, tokenizer


def is_encoder_decoder(source: Path) -> bool:
    """Whether a Hugging Face folder contains an encoder-decoder."""
    file = source / "config.json"
    return file.is_file() and bool(read_json(file).get("is_encoder_decoder"))


def load_pair_source(source: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A T5 in float32 and its fast tokenizer from a Hugging Face folder."""
    require_t5(source)
    return load_folder(AutoModelForSeq2SeqLM, source, torch.float32)


def is_pair_base(path: Path) -> bool:
    """Whether a pool's base, or a Hugging Face folder, is an encoder-decoder."""
    if (path / "pool.json").is_file():
        return isinstance(read_json(path / "pool.json").get("base", {}).get("model"), dict)
    return is_encoder_decoder(path)


def load_pair_base(path: Path, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The T5 to train on: that of a pool, as shipped, or of a Hugging Face folder."""
    if (path / "pool.json").is_file():
        return load_shipped_pair(path, read_json(path / "pool.json")["base"], dtype)
    require_t5(path)
    return load_folder(AutoModelForSeq2SeqLM, path, dtype)
