"""Weights in 4 and 8 bits, as ONNX Runtime's MatMulNBits stores them.

A weight [out, in] is divided into blocks along ``in``; w = scale * (code - zero), with an integer zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Quantised:
    """codes [out, in] in 0..2^bits-1; scales and zeros [out, in / block]."""

    codes: Tensor
    scales: Tensor
    zeros: Tensor
    block: int
    bits: int

    def weight(self) -> Tensor:
        """The weight that the runtime computes with: [out, in] float32."""
        rows, columns = self.codes.shape
        codes = self.codes.view(rows, -1, self.block).float()
        return ((codes - self.zeros[..., None]) * self.scales[..., None]).view(rows, columns)


def pack_nibbles(codes: Tensor) -> Tensor:
    """Two 4-bit values per byte along the last axis, the first in the low half; an odd length is padded with 0."""
    codes = codes.to(torch.uint8)
    if codes.shape[-1] % 2:
        codes = torch.nn.functional.pad(codes, (0, 1))
    return codes[..., 0::2] | (codes[..., 1::2] << 4)


def unpack_nibbles(packed: Tensor, length: int) -> Tensor:
    """The inverse of ``pack_nibbles`` for a last axis of ``length``."""
    return torch.stack([packed & 15, packed >> 4], -1).flatten(-2)[..., :length]
