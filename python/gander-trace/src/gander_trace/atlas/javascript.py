"""What the extension computes with, to the last bit: its hash, its random numbers, its order of texts and its offsets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gander_trace.columns import Array

_BITS = np.uint64(0xFFFFFFFF)


def _times(a: Array, b: int | Array) -> Array:
    return np.asarray((a * np.asarray(b, np.uint64)) & _BITS, np.uint64)


def _shifted(a: Array, by: int) -> Array:
    return np.asarray(a >> np.uint64(by), np.uint64)


def mixed(*words: int | Array) -> Array:
    """src/statistics/hash.ts, over arrays."""
    value: Array = np.zeros((), np.uint64)
    for word in words:
        value = _times(value ^ np.asarray(word, np.uint64), 0x85EBCA6B)
        value = _times(value ^ _shifted(value, 13), 0xC2B2AE35) ^ np.uint64(len(words))
        value = value ^ _shifted(value, 16)
    return value


class Random:
    """src/statistics/random.ts: mulberry32, whose states are an arithmetic series and can be had many at a time."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def take(self, count: int) -> Array:
        steps = np.arange(1, count + 1, dtype=np.uint64)
        state = (np.uint64(self._state & 0xFFFFFFFF) + _times(steps, 0x6D2B79F5)) & _BITS
        self._state += count * 0x6D2B79F5
        x = _times(state ^ _shifted(state, 15), state | np.uint64(1))
        x = ((x + _times(x ^ _shifted(x, 7), x | np.uint64(61))) & _BITS) ^ x
        return np.asarray((x ^ _shifted(x, 14)) / 2.0**32)

    def shuffles(self, values: Array, count: int) -> Iterator[Array]:
        """src/statistics/shuffled.ts: each shuffles what the one before left."""
        order = values.tolist()
        tops = range(len(order) - 1, 0, -1)
        for _ in range(count):
            for i, x in zip(tops, self.take(len(order) - 1).tolist(), strict=True):
                j = int(x * (i + 1))
                order[i], order[j] = order[j], order[i]
            yield np.array(order)


def text_order(text: str) -> bytes:
    """JavaScript compares texts by their UTF-16 code units."""
    return text.encode("utf-16-be", "surrogatepass")


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def part(units: bytes, start: int, end: int) -> str:
    """Of ``utf16`` of a text. Half a character at an end is replaced."""
    return units[2 * max(0, start) : 2 * end].decode("utf-16-le", "replace")
