"""Train one router for all experts of a pool together, to compare PHATGOOSE's independent gates with.

Each adapted linear layer gets a linear router over the pool's experts, as in a mixture of experts: logits W u / std(u),
softmax over the k largest. Base and experts are frozen; the routers learn from all experts' text at once, which
PHATGOOSE does not need. Shapes: n tokens in a step, N experts, r rank, k chosen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.pool import Expert, read_pool
from gander_routing.strategies import EPSILON
from safetensors.torch import save_file
from torch import Tensor, nn

from gander_training.bases.source import load_base
from gander_training.files import whole_file
from gander_training.fitting.balance import balance
from gander_training.fitting.loop import MasterAdamW, fit
from gander_training.texts.windows import pack, read_texts

FILE = "router.safetensors"


@dataclass(frozen=True)
class RouterOptions:
    """``steps`` updates on ``batch`` windows of ``length`` tokens.

    By default as many tokens as all twelve gates of the shipped pool saw together: 12 × 100 steps of 2 windows of 256.
    ``balance`` is the factor on Switch's load-balancing loss, so that every expert is tried (arXiv:2101.03961, eq. 4).
    """

    steps: int = 600
    batch: int = 4
    length: int = 256
    learning_rate: float = 1e-3
    balance: float = 0.01
    spread: float = 0.02  # standard deviation of the initial weights
    k: int = 2
    seed: int = 2


class Batches(Protocol):
    """How many windows are drawn, and in which order."""

    @property
    def steps(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def seed(self) -> int: ...


class Scaled:
    """Divides an input by its standard deviation, float32 [n, d_in], only once for queries, keys and values."""

    def __init__(self) -> None:
        self.source: Tensor | None = None
        self.value = torch.empty(0)

    def of(self, u: Tensor, flat: Tensor) -> Tensor:
        if self.source is not u:
            wide = flat.float()
            variance = wide.square().mean(-1, keepdim=True) - wide.mean(-1, keepdim=True).square()
            self.source, self.value = u, wide * (variance + EPSILON).rsqrt()
        return self.value


class RoutedLinear(nn.Module):
    """A frozen linear layer, the frozen adapters of all experts, and a router that chooses k of them for each token."""

    a: Tensor
    b: Tensor
    able: Tensor

    def __init__(
        self,
        layer: nn.Module,
        experts: Sequence[Expert],
        path: str,
        options: RouterOptions,
        draw: torch.Generator,
        scaled: Scaled,
    ) -> None:
        super().__init__()
        self.layer, self.k, self.scaled = layer, options.k, scaled
        dtype = next(layer.parameters()).dtype
        loras = [expert.lora.get(path) for expert in experts]
        some = next(lora for lora in loras if lora is not None)
        rank = max(lora.a.shape[0] for lora in loras if lora is not None)
        self.rank = rank
        d_in, d_out = some.a.shape[1], some.b.shape[0]
        a, b = torch.zeros(len(loras), rank, d_in), torch.zeros(len(loras), d_out, rank)
        for e, lora in enumerate(loras):
            if lora is not None:
                a[e, : lora.a.shape[0]], b[e, :, : lora.a.shape[0]] = lora.a, lora.scale * lora.b
        self.register_buffer("a", a.flatten(0, 1).to(dtype))  # [N r, d_in]
        self.register_buffer("b", b.transpose(0, 1).flatten(1).to(dtype))  # [d_out, N r]
        self.register_buffer("able", torch.tensor([lora is not None for lora in loras]))
        self.router = nn.Parameter(torch.randn(len(loras), d_in, generator=draw) * options.spread)
        self.logits = torch.empty(0)  # from the last run, [n, N]

    def forward(self, u: Tensor) -> Tensor:
        flat = u.reshape(-1, u.shape[-1])
        logits = (self.scaled.of(u, flat) @ self.router.T).masked_fill(~self.able, -torch.inf)
        self.logits = logits
        best, chosen = logits.topk(self.k, -1)
        weights = torch.zeros_like(logits).scatter(1, chosen, best.softmax(-1)).to(u.dtype)
        hidden = (flat @ self.a.T).unflatten(-1, (-1, self.rank)) * weights[..., None]
        return self.layer(u) + (hidden.flatten(1) @ self.b.T).view(*u.shape[:-1], -1)  # type: ignore[no-any-return]


def with_routers(model: nn.Module, experts: Sequence[Expert], options: RouterOptions) -> dict[str, RoutedLinear]:
    """Add a router, in place, to each linear layer that an expert adapts; returns them by path, in code-point order."""
    model.requires_grad_(False)
    draw = torch.Generator().manual_seed(options.seed)
    routed, scaled = {}, Scaled()
    for path in sorted({path for expert in experts for path in expert.lora}):
        parent, _, name = path.rpartition(".")
        owner = model.get_submodule(parent)
        routed[path] = RoutedLinear(getattr(owner, name), experts, path, options, draw, scaled)
        setattr(owner, name, routed[path])
    return routed


def mixed(windows: Sequence[Tensor], options: Batches) -> list[Tensor]:
    """Batches [batch, length] with the same number of windows of each kind, in random order."""
    each = -(-options.steps * options.batch // len(windows))
    rows = torch.cat([part.repeat(-(-each // len(part)), 1)[:each] for part in windows])
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(options.seed))
    return list(rows[order[: options.steps * options.batch]].split(options.batch))


def train_router(pool_folder: Path, corpora: Path, options: RouterOptions, runs: Path) -> dict[str, float]:
    """Write ``router.safetensors`` into the pool and name it in ``pool.json``; returns the first and the last loss.

    The file has one tensor [N, d_in] per module; ``pool.json`` gives the expert id of each row. The text is each
    expert's ``<id>/train.jsonl`` in ``corpora``.
    """
    pool = read_pool(pool_folder)
    if len(pool.experts) < options.k:
        raise UserError(f"{pool_folder}: has {len(pool.experts)} experts, but k is {options.k}")
    model, tokenizer = load_base(pool_folder, torch.bfloat16)
    windows = [
        pack(tokenizer, read_texts(corpora / expert.id / "train.jsonl"), options.length, options.seed)
        for expert in pool.experts
    ]
    routed = with_routers(model, pool.experts, options)
    optimiser = MasterAdamW([module.router for module in routed.values()], options.learning_rate)
    runs.mkdir(parents=True, exist_ok=True)
    checkpoint = runs / "router.pt"
    ids = [expert.id for expert in pool.experts]
    model.eval()  # no dropout

    def loss_of(rows: Tensor) -> Tensor:
        loss = model(input_ids=rows, labels=rows, use_cache=False).loss
        balances = torch.stack([balance(module.logits, options.k) for module in routed.values()])
        return loss + options.balance * balances.mean()  # type: ignore[no-any-return]

    key = json.dumps([asdict(options), ids, str(corpora)])
    losses = fit(loss_of, optimiser, mixed(windows, options), checkpoint, key, "router")
    tensors = {path: module.router.detach().half().contiguous() for path, module in routed.items()}
    with whole_file(pool_folder / FILE) as path:
        save_file(tensors, path)
    manifest = read_json(pool_folder / "pool.json") | {"router": {"weights": FILE, "experts": ids}}
    with whole_file(pool_folder / "pool.json") as path:
        path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    checkpoint.unlink(missing_ok=True)
    few = max(1, len(losses) // 20)
    return {"first": sum(losses[:few]) / few, "last": sum(losses[-few:]) / few}
