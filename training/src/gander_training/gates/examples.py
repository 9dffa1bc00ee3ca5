"""An expert's examples, with which retrieval compares a prompt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from gander_routing.retrieval import Retriever
from torch import Tensor
from transformers import PreTrainedTokenizerFast


def quantise_rows(rows: Tensor) -> dict[str, Tensor]:
    """int8 rows [n, d] and a scale for each, in the form of ``examples.safetensors``."""
    scales = rows.abs().amax(-1).clamp(min=1e-12) / 127
    return {"embeddings": torch.round(rows / scales[:, None]).to(torch.int8), "scales": scales.float()}


def gather_examples(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, retriever: Retriever, count: int, length: int
) -> dict[str, Tensor]:
    """Embeddings of ``count`` snippets of about ``length`` tokens, spread evenly over the training documents."""
    chosen = [texts[i * len(texts) // count] for i in range(count)] if len(texts) > count else texts
    snippets = []
    for text in chosen:
        offsets = tokenizer(text[:4000], add_special_tokens=False, return_offsets_mapping=True).offset_mapping
        snippets.append(text[: offsets[min(len(offsets), length) - 1][1]])
    return quantise_rows(retriever.embed(snippets))
