"""Texts as tokens with their offsets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gander_routing.files import read_json


@dataclass(frozen=True)
class Encoded:
    """A text's tokens, with offsets in UTF-16 code units; −1 for a special token."""

    text: str
    ids: list[int]
    start: list[int]
    end: list[int]
    tokens: list[str]


def utf16_offsets(text: str) -> list[int]:
    """The UTF-16 offset of each code point of ``text``, and of its end."""
    offsets = [0]
    for character in text:
        offsets.append(offsets[-1] + (2 if ord(character) > 0xFFFF else 1))
    return offsets


def byte_alphabet() -> dict[int, str]:
    """GPT-2's printable stand-in for every byte, as ByteLevel uses them."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in kept]
    return {**{byte: chr(byte) for byte in kept}, **{byte: chr(256 + i) for i, byte in enumerate(moved)}}


def readable(token: str) -> str:
    """A byte-level token as text if its bytes are whole characters, otherwise as the vocabulary spells it."""
    byte_of = {symbol: byte for byte, symbol in byte_alphabet().items()}
    try:
        return bytes(byte_of[symbol] for symbol in token).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return token


def load_tokenizer(pool: Path) -> Any:
    """The pool's tokenizer."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(pool / read_json(pool / "pool.json")["base"]["tokenizer"]))


def encode(tokenizer: Any, text: str) -> Encoded:
    """Tokenize ``text`` as a model's input, special tokens included."""
    encoding = tokenizer.encode(text)
    at = utf16_offsets(text)
    special = encoding.special_tokens_mask
    spans = [(-1, -1) if s else (at[a], at[b]) for s, (a, b) in zip(special, encoding.offsets, strict=True)]
    return Encoded(
        text,
        encoding.ids,
        [start for start, _ in spans],
        [end for _, end in spans],
        [readable(token) for token in encoding.tokens],
    )
