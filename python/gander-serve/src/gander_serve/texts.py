"""Texts and their tokens: which part of the text each token covers, also while a text is being generated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from gander_trace import Tokens

from gander_serve.errors import refused

UNFINISHED = "�"
"""What a tokenizer decodes an incomplete character to."""
CONTEXT = 6
"""Tokens before a new one that can affect its text, such as a leading space."""


class Tokenizer:
    """Wraps a transformers tokenizer."""

    def __init__(self, tokenizer: Any, folder: Path | None) -> None:
        self.of_transformers = tokenizer
        self.hash = hash_of(folder / "tokenizer.json") if folder and (folder / "tokenizer.json").is_file() else None
        self.readable = lru_cache(100_000)(self._readable)

    def read(self, text: str) -> Text:
        """A text with the tokens that the model gets for it. Raises ``ServeError`` for a lone surrogate."""
        try:
            text.encode()
        except UnicodeEncodeError:
            raise refused("The text contains half a character (a lone surrogate).", "Send whole characters.") from None
        options = {"return_special_tokens_mask": True, "truncation": False, "verbose": False}
        if not self.of_transformers.is_fast:
            encoding = self.of_transformers(text, **options)
            return Text(self, list(encoding["input_ids"]), None, text)
        encoding = self.of_transformers(text, return_offsets_mapping=True, **options)
        spans = [
            None if special else (int(a), int(b))
            for special, (a, b) in zip(encoding["special_tokens_mask"], encoding["offset_mapping"], strict=True)
        ]
        return Text(self, list(encoding["input_ids"]), spans, text)

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.of_transformers.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _readable(self, token: int) -> str:
        """A token as the extension's engine spells it (src/engine/runtime/tokenizer.ts)."""
        name = self.of_transformers.convert_ids_to_tokens(int(token))
        if name is None:
            return f"<{token}>"
        return spelled_bytes(str(name)) if self._is_byte_level else str(name).replace("▁", " ")

    @cached_property
    def _is_byte_level(self) -> bool:
        backend = getattr(self.of_transformers, "backend_tokenizer", None)
        return backend is not None and '"type":"ByteLevel"' in backend.to_str()


def _byte_symbols() -> Mapping[str, int]:
    """GPT-2's printable stand-ins, one for each byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


BYTES = _byte_symbols()


def spelled_bytes(name: str) -> str:
    """An entry of a byte-level vocabulary as text; incomplete characters as bytes, ``\\xf0``."""
    if any(symbol not in BYTES for symbol in name):  # an added token, in plain text
        return name
    raw = bytes(BYTES[symbol] for symbol in name)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in raw)


class Text:
    """A text's tokens; generated tokens are appended with ``write``."""

    def __init__(
        self, tokenizer: Tokenizer, ids: list[int], spans: list[tuple[int, int] | None] | None, text: str
    ) -> None:
        self.tokenizer, self.ids, self.spans, self.text = tokenizer, ids, spans, text
        # Tokens from `read` on are not in `text` yet; those from `context` on are decoded with them.
        self.read = len(ids)
        self.context = max(0, self.read - CONTEXT)

    def __len__(self) -> int:
        return len(self.ids)

    def write(self, token: int) -> None:
        """Appends a token. Its text may be known only after the next ones, if they share a character."""
        self.ids.append(token)
        before = self.tokenizer.decode(self.ids[self.context : self.read])
        now = self.tokenizer.decode(self.ids[self.context :])
        if not now.endswith(UNFINISHED):
            self._settle(now[len(before) :])

    def end(self) -> None:
        """Ends the text; an incomplete character at its end remains incomplete."""
        if self.read < len(self.ids):
            before = self.tokenizer.decode(self.ids[self.context : self.read])
            self._settle(self.tokenizer.decode(self.ids[self.context :])[len(before) :])

    def _settle(self, piece: str) -> None:
        at = len(self.text)
        self.text += piece
        if self.spans is not None:
            span = (at, len(self.text)) if piece else None
            self.spans += [span] * (len(self.ids) - self.read)
        self.context, self.read = max(0, self.read - CONTEXT), len(self.ids)

    def tokens(self, count: int) -> Tokens:
        """The first ``count`` tokens, in the form of a trace."""
        spelled = [self.tokenizer.readable(token) for token in self.ids[:count]]
        if self.spans is None:
            return Tokens(ids=Tokens.at("", [], ids=self.ids[:count]).ids, spelled=spelled, text=self.text)
        spans = self.spans[:count] + [None] * (min(count, len(self.ids)) - len(self.spans[:count]))
        return Tokens.at(self.text, spans, ids=self.ids[:count], spelled=spelled)


def hash_of(file: Path) -> str:
    """SHA-256 of a file in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
