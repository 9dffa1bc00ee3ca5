"""The tokens of a text, and where they are in it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gander_trace.arrays import Short, as_array
from gander_trace.columns import Array
from gander_trace.errors import TraceError


@dataclass(frozen=True, repr=False)
class Tokens(Short):
    """What is known about a text's tokens. Everything may be absent, except one of ``ids`` and ``spelled``."""

    ids: Array | None = None
    """[T]"""
    spelled: Sequence[str] | None = None
    """[T] as the vocabulary spells them, but readable."""
    text: str | None = None
    """The text, exactly as it was given to the tokenizer."""
    start: Array | None = None
    """[T] offsets into ``text`` in UTF-16 code units, as an editor counts; −1 for a token without text."""
    end: Array | None = None
    special: Array | None = None
    """[T] 1 for a token that is not part of the text: begin, end, padding."""

    def __len__(self) -> int:
        known = self.ids if self.ids is not None else self.spelled
        if known is None:
            raise TraceError("nothing is known about the tokens: give ids or spelled")
        return len(known)

    def kept(self, mask: Array) -> Tokens:
        """The tokens for which ``mask`` [T] is true; the text stays whole."""

        def part(column: Array | None) -> Array | None:
            return None if column is None else column[mask]

        spelled = None if self.spelled is None else list(itertools.compress(self.spelled, mask.tolist()))
        return replace(
            self,
            ids=part(self.ids),
            spelled=spelled,
            start=part(self.start),
            end=part(self.end),
            special=part(self.special),
        )

    @classmethod
    def of(cls, tokenizer: Any, text: str) -> Tokens:
        """The tokens that a fast transformers tokenizer makes of ``text``, special tokens included."""
        encoding = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
        special = [bool(mask) for mask in encoding["special_tokens_mask"]]
        spans = [(int(a), int(b)) for a, b in encoding["offset_mapping"]]
        names = tokenizer.convert_ids_to_tokens(encoding["input_ids"])
        return cls.at(
            text,
            [None if s else span for s, span in zip(special, spans, strict=True)],
            ids=encoding["input_ids"],
            spelled=[text[a:b] or name for (a, b), name in zip(spans, names, strict=True)],
        )

    @classmethod
    def at(
        cls,
        text: str,
        spans: Sequence[tuple[int, int] | None],
        *,
        ids: Any = None,
        spelled: Sequence[str] | None = None,
    ) -> Tokens:
        """Tokens by their spans in Python characters; ``None`` for a token without text.

        Raises ``TraceError`` for a span outside the text.
        """
        units = utf16_offsets(text)
        try:
            pairs = [(-1, -1) if span is None else (units[span[0]], units[span[1]]) for span in spans]
        except IndexError as error:
            raise TraceError(f"a token lies outside the text of {len(text)} characters") from error
        return cls(
            ids=None if ids is None else as_array(ids).reshape(-1).astype(np.int32),
            spelled=spelled,
            text=text,
            start=np.array([a for a, _ in pairs], np.int32),
            end=np.array([b for _, b in pairs], np.int32),
            special=np.array([a < 0 for a, _ in pairs], np.uint8),
        )


def utf16_offsets(text: str) -> list[int]:
    """The UTF-16 offset of each character, and of the end."""
    return list(itertools.accumulate((2 if ord(c) > 0xFFFF else 1 for c in text), initial=0))
