"""Fixtures: a random Llama of a few thousand weights with a byte-level tokenizer, training text, imported pools."""

from __future__ import annotations

import json
import random
import shutil
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import gander_training  # noqa: F401 (must come before onnxruntime, whose telemetry it switches off)

PHATGOOSE = Path(__file__).resolve().parents[2] / "test/fixtures/phatgoose-t5"
PHATGOOSE_NAMES = ["P3Agnews", "P3Amazonpolarity", "P3Cosmosqa", "P3Samsum", "P3Quartz"]
WORDS = "let fn if else return while for in map list tree node key value true false null open close read write".split()


def write_lines(path: Path, seed: int, documents: int = 30) -> Path:
    """A jsonl file of made-up code."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8") as out:
        for number in range(documents):
            text = "".join(f"{' '.join(rng.choices(WORDS, k=6))} é{number};\n" for _ in range(20))
            out.write(json.dumps({"text": text, "package": f"made:up@{number % 2}"}) + "\n")
    return path


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Hugging Face folder."""
    folder = tmp_path_factory.mktemp("base") / "small-llama"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.15,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training text."""
    return write_lines(tmp_path_factory.mktemp("data") / "train.jsonl", 1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixtures' checkpoint from the authors' code, imported as a user does: a pool on an encoder-decoder."""
    from gander_training.cli import main

    folder = tmp_path_factory.mktemp("imported")
    (folder / "names.txt").write_text("\n".join(PHATGOOSE_NAMES) + "\n")
    options = ["--base", str(PHATGOOSE / "base"), "--out", str(folder / "t5"), "--names", str(folder / "names.txt")]
    assert main(["import-phatgoose", str(PHATGOOSE / "phatgoose/best.pt"), *options, "--name", "Five"]) == 0
    return folder / "t5"


@pytest.fixture
def exported(folder: Path, tmp_path: Path) -> Path:
    """A pool's folder that already contains a base, so that a test need not export one."""
    shutil.copytree(folder / "base", tmp_path / "pool/base")
    return tmp_path / "pool"


@pytest.fixture(scope="session")
def golden() -> dict[str, torch.Tensor]:
    """Results of the authors' code."""
    from safetensors.torch import load_file

    return load_file(PHATGOOSE / "golden.safetensors")


def made(path: Path, change: Callable[[OrderedDict[str, Any]], None], count: int = 5) -> Path:
    """Write the fixture's checkpoint, changed, with ``count`` experts; those after the fifth repeat them, flipped."""
    best = torch.load(PHATGOOSE / "phatgoose/best.pt", weights_only=True)
    for key in [key for key in best if "__" in key]:
        stem, index = key.split("__")
        for other in range(int(index) + 5, count, 5):
            best[f"{stem}__{other}"] = best[key].flip(-1) * (1 + other / 8)
        if int(index) >= count:
            del best[key]
    change(best)
    torch.save(best, path)
    return path


def unchanged(_: OrderedDict[str, Any]) -> None:
    """Change nothing."""


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """The contents and modification time of each file in a folder."""
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }
