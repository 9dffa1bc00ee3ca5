"""Packing two codes into a byte, and unpacking them."""

from __future__ import annotations

import torch

from gander_routing.quantised import pack_nibbles, unpack_nibbles


def test_nibbles_round_trip() -> None:
    codes = torch.randint(0, 16, (3, 7), dtype=torch.uint8)
    packed = pack_nibbles(codes)
    assert packed.shape == (3, 4) and packed[0, 0] == codes[0, 0] + 16 * codes[0, 1]
    assert torch.equal(unpack_nibbles(packed, 7), codes)
