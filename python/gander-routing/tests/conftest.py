"""The tiny pool of the fixtures, its base and a text that is awkward to tokenize."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from gander_routing.base import load_shipped
from gander_routing.pool import Pool, read_pool

POOL = Path(__file__).resolve().parents[3] / "test/fixtures/tiny-pool"
TEXT = "cafe\u0301 \U0001f9a2 the 12 experts\r\n\tif (na\u00efve) \U0001f469\u200d\U0001f52c\u65e5"


def base() -> nn.Module:
    """A fresh copy of the pool's base."""
    return load_shipped(POOL)[0]


@pytest.fixture(scope="session")
def pool() -> Pool:
    return read_pool(POOL)


@pytest.fixture(scope="session")
def model() -> nn.Module:
    torch.set_num_threads(1)
    return base()


@pytest.fixture(scope="session")
def ids() -> Tensor:
    return torch.tensor(Tokenizer.from_file(str(POOL / "base/tokenizer.json")).encode(TEXT).ids)
