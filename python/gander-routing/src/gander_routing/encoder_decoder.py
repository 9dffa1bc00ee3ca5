"""A pool's T5, read from the three files that optimum exports it to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.fill import fill, linear_modules
from gander_routing.graph import read_weights

# Each key of base.model in pool.json, and the name of the file that optimum writes for it.
PARTS = {
    "encoder": "encoder_model.onnx",
    "decoder": "decoder_model.onnx",
    "decoderWithPast": "decoder_with_past_model.onnx",
}
ARCHITECTURES = ("T5ForConditionalGeneration", "MT5ForConditionalGeneration")
ENCODER = "encoder."
# All names of the embedding. The head has its own weight unless the model ties it.
TABLES = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")


def require_t5(folder: Path) -> None:
    """Refuse a folder whose model is not a T5."""
    names = read_json(folder / "config.json").get("architectures") or []
    if not any(name in ARCHITECTURES for name in names):
        raise UserError(f"{folder / 'config.json'}: not a T5 (architectures: {names})")


def with_scopes(modules: set[str]) -> set[str]:
    """Module paths, and those of the encoder again without its prefix, as its own graph names them."""
    return modules | {name.removeprefix(ENCODER) for name in modules if name.startswith(ENCODER)}


def load_shipped_pair(
    pool: Path, base: Mapping[str, Any], dtype: torch.dtype
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The pool's T5 with its ONNX files' weights, in eval mode, and its tokenizer. ``base`` comes from pool.json."""
    graphs = {part: pool / base["model"].get(part, file) for part, file in PARTS.items()}
    config, tokenizer = pool / base["config"], pool / base["tokenizer"]
    for path in (*graphs.values(), config, tokenizer):
        if not path.is_file():
            raise UserError(f"{path}: no such file")
    require_t5(config.parent)
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.from_pretrained(config.parent)).float()
    linear = with_scopes(set(linear_modules(model)))
    weights = {ENCODER + name: weight for name, weight in read_weights(graphs["encoder"], linear).items()}
    weights |= read_weights(graphs["decoder"], linear)
    weights.setdefault("shared.weight", weights["encoder.embed_tokens.weight"])
    # Read from config.json, with T5's default, because transformers 5 reports every T5 as tied.
    is_tied = read_json(config).get("tie_word_embeddings", True)
    fill(
        model,
        weights,
        graphs["decoder"],
        dict.fromkeys((*TABLES, *(["lm_head.weight"] if is_tied else [])), "shared.weight"),
    )
    if is_scaled(model) != is_tied:
        raise UserError(
            f"{config}: transformers {transformers.__version__} does not compute this head as the pool's graphs do; "
            "transformers 4.57 does"
        )
    return model.to(dtype).eval(), AutoTokenizer.from_pretrained(tokenizer.parent, local_files_only=True)


@torch.no_grad()
def is_scaled(model: PreTrainedModel) -> bool:
    """Whether the decoder's output is scaled down before the head; a tied T5 divides it by √d_model."""
    seen: list[Tensor] = []
    hook = model.get_output_embeddings().register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        one = torch.zeros(1, 1, dtype=torch.long)
        out = model(input_ids=one, decoder_input_ids=one, output_hidden_states=True, use_cache=False)
    finally:
        hook.remove()
    return not torch.equal(seen[0], out.decoder_hidden_states[-1])
