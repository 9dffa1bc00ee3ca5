"""The tiny pool's retriever: a sentence encoder with all-MiniLM's structure and random weights, and its examples.

The ONNX file is what optimum exports for feature extraction (``input_ids``, ``attention_mask``, ``token_type_ids`` in,
``last_hidden_state`` out); an embedding is the mean over a text's tokens, special ones included, L2-normalised.
"""

from __future__ import annotations

import shutil
import string
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gander_routing.retrieval import MAX_PIECES
from safetensors.torch import save_file
from torch import Tensor

from gander_training.gates.examples import quantise_rows
from gander_training.quiet import quiet
from gander_training.tiny.numbers import normal

EMBEDDING = 16
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
EXAMPLES = {
    "Zeta": ("the swan swims", "a lake in the evening", "reeds and water"),
    "alpha": ("def area(r): return r * r", "import math", "for i in range(3): print(i)"),
    "beta-10": ("<p>hello</p>", '<a href="#">link</a>', "<ul><li>one</li></ul>"),
    "beta-2": ("SELECT name FROM users", "DROP TABLE x;", "INSERT INTO t VALUES (1)"),
}


def build_tokenizer() -> Any:
    """A WordPiece tokenizer of single characters that truncates a text to the encoder's length."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    letters = string.ascii_lowercase + string.digits
    symbols = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters), *string.punctuation]
    vocabulary = {symbol: index for index, symbol in enumerate(symbols)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.enable_truncation(MAX_PIECES)
    return tokenizer


def build_encoder(seed: int) -> Any:
    """A BERT of one layer with random weights, F32, in eval mode."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=build_tokenizer().get_vocab_size(),
        hidden_size=EMBEDDING,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * EMBEDDING,
        max_position_embeddings=MAX_PIECES,
        attn_implementation="eager",
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    rng = np.random.default_rng([seed, 3])
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if name.endswith("LayerNorm.weight"):
                parameter.fill_(1)
            else:
                parameter.copy_(normal(rng, *parameter.shape, std=0.5))
    return model


def embed(model: Any, tokenizer: Any, text: str) -> Tensor:
    """The sentence embedding of ``text``, [EMBEDDING], unit length."""
    ids = torch.tensor([tokenizer.encode(text).ids])
    with torch.no_grad():
        mean: Tensor = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].mean(0)
    return mean / mean.norm()


def write_retriever(folder: Path, model: Any) -> None:
    """Write the pool's ``retriever/``."""
    from optimum.exporters.onnx import main_export

    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary, quiet():
        source, target = Path(temporary, "hf"), Path(temporary, "onnx")
        model.save_pretrained(source)
        main_export(str(source), str(target), task="feature-extraction", do_validation=False)
        shutil.copyfile(target / "model.onnx", folder / "model.onnx")
    (folder / "tokenizer.json").write_text(build_tokenizer().to_str(pretty=True) + "\n", encoding="utf-8")


def write_examples(path: Path, model: Any, texts: Sequence[str]) -> None:
    """Write ``examples.safetensors``: embeddings [n, EMBEDDING] as I8 with one scale per row."""
    tokenizer = build_tokenizer()
    vectors = torch.stack([embed(model, tokenizer, text) for text in texts])
    save_file(quantise_rows(vectors), path)
