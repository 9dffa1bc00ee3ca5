"""The tiny pool: random weights from a seed, in the layout of the pool that ships.

Everything that reads a pool can be tested on it in milliseconds. The weights mean nothing; shapes, names, data types
and corner cases matter: experts whose code-point order differs from a locale's order and from a natural order, a
rank-stabilised adapter, an adapter with rank and alpha patterns, and tensors in F32, F16 and BF16.

Run ``python -m gander_training.tiny`` to write ``test/fixtures/tiny-pool`` and ``test/fixtures/bases`` again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from gander_training.files import write_json
from gander_training.quiet import quiet
from gander_training.texts.tokens import byte_alphabet
from gander_training.tiny.numbers import normal
from gander_training.tiny.retriever import EXAMPLES, build_encoder, write_examples, write_retriever

SEED = 20240205
LAYERS, HIDDEN, INTERMEDIATE, HEADS, KV_HEADS = 2, 32, 64, 4, 2
CONTEXT = 256
VOCABULARY = 320
END_OF_TEXT = "<|endoftext|>"

PROJECTIONS: dict[str, tuple[str, int, int]] = {
    # kind: (path inside the block, d_in, d_out)
    "q": ("self_attn.q_proj", HIDDEN, HIDDEN),
    "k": ("self_attn.k_proj", HIDDEN, HIDDEN // HEADS * KV_HEADS),
    "v": ("self_attn.v_proj", HIDDEN, HIDDEN // HEADS * KV_HEADS),
    "o": ("self_attn.o_proj", HIDDEN, HIDDEN),
    "gate": ("mlp.gate_proj", HIDDEN, INTERMEDIATE),
    "up": ("mlp.up_proj", HIDDEN, INTERMEDIATE),
    "down": ("mlp.down_proj", INTERMEDIATE, HIDDEN),
}

# The text from which byte pairs are learnt. It contains an emoji and combining marks, so that one character can be one
# token, part of one, or several.
CORPUS = (
    "the model routes each token to the experts that know the text\n"
    "def route(tokens):\n    return [expert for expert in experts]\n"
    "const token = text.at(index);\r\n\treturn token;\r\n"
    "for the token in the text: the experts 🦢 🦢 🦢 cafe\u0301 e\u0301 e\u0301\n"
)


@dataclass(frozen=True)
class TinyExpert:
    """How one expert of the tiny pool differs from the others."""

    name: str
    dtype: torch.dtype
    alpha: int = 8
    rank: int = 4
    rslora: bool = False
    rank_pattern: dict[str, int] = field(default_factory=dict)
    alpha_pattern: dict[str, int] = field(default_factory=dict)

    def rank_alpha(self, path: str) -> tuple[int, int]:
        """The rank and alpha of the module ``path``, patterns honoured (keys are suffixes of the path)."""
        rank = next((r for key, r in self.rank_pattern.items() if path.endswith(key)), self.rank)
        alpha = next((a for key, a in self.alpha_pattern.items() if path.endswith(key)), self.alpha)
        return rank, alpha


# Ids in the order of the expert axis, by code point: a locale's order would put alpha first, a natural order beta-2
# before beta-10.
EXPERTS: dict[str, TinyExpert] = {
    "Zeta": TinyExpert("Zeta", torch.float32),
    "alpha": TinyExpert("Alpha (rank-stabilised)", torch.float16, alpha=4, rslora=True),
    "beta-10": TinyExpert(
        "Beta 10 (patterns)",
        torch.float32,
        rank_pattern={"q_proj": 2, "layers.1.mlp.down_proj": 6},
        alpha_pattern={"k_proj": 16},
    ),
    "beta-2": TinyExpert("Beta 2", torch.bfloat16),
}
MULTITASK = TinyExpert("Multitask", torch.float32)


def module_paths() -> dict[str, tuple[int, int]]:
    """Every adapted module's Hugging Face path, in the order of a trace, with its (d_in, d_out)."""
    return {
        f"model.layers.{layer}.{path}": (d_in, d_out)
        for layer in range(LAYERS)
        for path, d_in, d_out in PROJECTIONS.values()
    }


def learn_merges(words: Counter[tuple[str, ...]], count: int) -> list[tuple[str, str]]:
    """The first ``count`` byte-pair merges of ``words``; on a tie the pair that sorts first wins."""
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:], strict=False):
                pairs[pair] += times
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = Counter({merge_word(word, best): times for word, times in words.items()})
    return merges


def merge_word(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """``word`` with each occurrence of ``pair``, from the left, merged into one symbol."""
    out: list[str] = []
    for symbol in word:
        if out and (out[-1], symbol) == pair:
            out[-1] += symbol
        else:
            out.append(symbol)
    return tuple(out)


def build_tokenizer() -> Any:
    """A byte-level BPE tokenizer like the shipped pool's: single digits, and a leading special token by template."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    def pieces() -> Any:
        return pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )

    alphabet = [symbol for _, symbol in sorted(byte_alphabet().items())]
    words = Counter(tuple(piece) for piece, _ in pieces().pre_tokenize_str(CORPUS))
    merges = learn_merges(words, VOCABULARY - 1 - len(alphabet))
    symbols = [END_OF_TEXT, *alphabet, *(a + b for a, b in merges)]
    vocabulary = {symbol: index for index, symbol in enumerate(symbols)}
    if len(vocabulary) != VOCABULARY:
        raise ValueError(f"two merges give the same symbol: {len(vocabulary)} of {VOCABULARY} differ")
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pieces()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, special=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A",
        pair=f"{END_OF_TEXT} $A {END_OF_TEXT} $B:1",
        special_tokens=[(END_OF_TEXT, 0)],
    )
    return tokenizer


def build_model(seed: int = SEED) -> Any:
    """The tiny base in PyTorch: a Llama with tied embeddings, F32, in eval mode."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=INTERMEDIATE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
        torch_dtype="float32",
    )
    model = LlamaForCausalLM(config).eval()
    rng = np.random.default_rng([seed, 0])
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if name.endswith("norm.weight"):
                parameter.copy_(1 + normal(rng, *parameter.shape, std=0.1))
            elif name.endswith("embed_tokens.weight"):
                parameter.copy_(normal(rng, *parameter.shape, std=0.5))
            else:
                parameter.copy_(normal(rng, *parameter.shape, std=parameter.shape[-1] ** -0.5))
    return model


def export_base(model: Any, folder: Path) -> None:
    """Write ``model.onnx`` and ``config.json`` with optimum's exporter, including past keys and values."""
    from optimum.exporters.onnx import main_export

    with tempfile.TemporaryDirectory() as temporary, quiet():
        source, target = Path(temporary, "hf"), Path(temporary, "onnx")
        model.save_pretrained(source)
        main_export(str(source), str(target), task="text-generation-with-past", do_validation=False)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(target / "model.onnx", folder / "model.onnx")
        config = json.loads((source / "config.json").read_text())
    write_json(folder / "config.json", dict(sorted(config.items())))


def write_base(folder: Path, seed: int = SEED) -> None:
    """Write the pool's ``base/``: model, config, tokenizer."""
    export_base(build_model(seed), folder)
    (folder / "tokenizer.json").write_text(build_tokenizer().to_str(pretty=True) + "\n", encoding="utf-8")
    write_json(
        folder / "tokenizer_config.json",
        {
            "bos_token": END_OF_TEXT,
            "clean_up_tokenization_spaces": False,
            "eos_token": END_OF_TEXT,
            "model_max_length": CONTEXT,
            "tokenizer_class": "PreTrainedTokenizerFast",
            "unk_token": END_OF_TEXT,
        },
    )


def write_adapter(folder: Path, expert: TinyExpert, rng: np.random.Generator) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors`` as PEFT does, but with B not zero."""
    from peft import LoraConfig, TaskType

    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        base_model_name_or_path="gander-tiny",
        inference_mode=True,
        r=expert.rank,
        lora_alpha=expert.alpha,
        lora_dropout=0.0,
        use_rslora=expert.rslora,
        rank_pattern=expert.rank_pattern,
        alpha_pattern=expert.alpha_pattern,
        target_modules=sorted(path.rpartition(".")[2] for path, _, _ in PROJECTIONS.values()),
    )
    config.save_pretrained(str(folder))
    saved = json.loads((folder / "adapter_config.json").read_text())
    saved["target_modules"] = sorted(saved["target_modules"])  # PEFT writes a set, whose order is not fixed
    write_json(folder / "adapter_config.json", saved)
    tensors: dict[str, torch.Tensor] = {}
    for path, (d_in, d_out) in module_paths().items():
        rank, _ = expert.rank_alpha(path)
        prefix = f"base_model.model.{path}"
        tensors[f"{prefix}.lora_A.weight"] = normal(rng, rank, d_in, std=d_in**-0.5)
        # Scaled so that s B A u is about 0.6 of W u, because choices must be visible in the logits.
        tensors[f"{prefix}.lora_B.weight"] = normal(rng, d_out, rank, std=0.3 * rank**-0.5)
    save(folder / "adapter_model.safetensors", tensors, expert.dtype)


def save(path: Path, tensors: dict[str, torch.Tensor], dtype: torch.dtype) -> None:
    """Write a safetensors file of ``tensors``, cast to ``dtype``."""
    save_file({k: v.to(dtype).contiguous() for k, v in tensors.items()}, path, metadata={"format": "pt"})


def write_vectors(path: Path, rng: np.random.Generator, dtype: torch.dtype, std: float) -> None:
    """Write one vector [d_in] per module: a gate or a mean activation. Its mean is not 0, which LN must remove."""
    vectors = {name: normal(rng, d_in, std=std) + std / 4 for name, (d_in, _) in module_paths().items()}
    save(path, vectors, dtype)


def card(name: str, description: str) -> str:
    """A model card: YAML front matter and one line of text."""
    return (
        "---\n"
        f'name: "{name}"\n'
        "license: apache-2.0\n"
        "datasets:\n  - none\n"
        f'description: "{description}"\n'
        "---\n\n"
        f"# {name}\n\nRandom weights for tests; made by `python -m gander_training.tiny`.\n"
    )


def write_expert(folder: Path, expert: TinyExpert, seed: list[int]) -> None:
    """Write one folder of ``experts/``."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    write_adapter(folder, expert, rng)
    write_vectors(folder / "gate.safetensors", rng, expert.dtype, std=0.02)
    write_vectors(folder / "activation.safetensors", rng, expert.dtype, std=0.5)
    (folder / "README.md").write_text(card(expert.name, "random weights"), encoding="utf-8")


def write_multitask(folder: Path, seed: list[int]) -> None:
    """Write the pool's ``multitask/``."""
    folder.mkdir(parents=True)
    write_adapter(folder, MULTITASK, np.random.default_rng(seed))
    (folder / "README.md").write_text(card(MULTITASK.name, "random weights"), encoding="utf-8")


def write_pool(folder: Path, seed: int = SEED) -> None:
    """Write the whole tiny pool into ``folder``, which must not contain one yet."""
    write_base(folder / "base", seed)
    encoder = build_encoder(seed)
    write_retriever(folder / "retriever", encoder)
    for index, (identifier, expert) in enumerate(EXPERTS.items()):
        write_expert(folder / "experts" / identifier, expert, [seed, 1, index])
        write_examples(folder / "experts" / identifier / "examples.safetensors", encoder, EXAMPLES[identifier])
    write_multitask(folder / "multitask", [seed, 2])
    write_json(
        folder / "pool.json",
        {
            "format": "gander-pool",
            "version": 1,
            "id": "tiny",
            "name": "Tiny pool with random weights",
            "description": "Two layers and four experts with random weights, for tests.",
            "license": "Apache-2.0",
            "base": {
                "name": "Tiny Llama",
                "model": "base/model.onnx",
                "tokenizer": "base/tokenizer.json",
                "config": "base/config.json",
            },
            "experts": "experts",
            "multitask": "multitask",
            "retriever": {"model": "retriever/model.onnx", "tokenizer": "retriever/tokenizer.json"},
            "topK": 2,
        },
    )
