"""A pool read from disk, and the routed model computed plainly: transformers, PEFT's weights and forward hooks.

It is slow and short on purpose: the engine is checked against it. Formulas, with their sources, are those of
Muqeeth et al., "Learning to Route Among Specialized Experts for Zero-Shot Generalization" (arXiv 2402.05859) and, for
arrow, Ostapenko et al., "Towards Modular LLMs by Building and Reusing a Library of LoRAs" (arXiv 2405.11157).

Axes: M modules, T tokens, N experts, k chosen experts, P predictions, V vocabulary, r rank.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from gander_training.errors import UserError
from gander_training.files import read_json

STACKS = (None, "encoder", "decoder")
KINDS = ("q", "k", "v", "o", "cross-q", "cross-k", "cross-v", "cross-o", "gate", "up", "down")
# By the last step of a module's path, or by the last two.
KIND_OF = (
    {f"{kind}_proj": kind for kind in KINDS}
    | {f"EncDecAttention.{kind}": f"cross-{kind}" for kind in ("q", "k", "v", "o")}
    | {
        f"DenseReluDense.{last}": kind
        for last, kind in (("wi_0", "gate"), ("wi_1", "up"), ("wi", "up"), ("wo", "down"))
    }
)
EPSILON = 1e-5
LORA_KEY = re.compile(r"base_model\.model\.(?P<path>.+)\.lora_(?P<part>[AB])\.weight")
# What PEFT may add to LoRA and this file does not compute.
UNSUPPORTED = {"use_dora": False, "bias": "none", "lora_bias": False, "modules_to_save": None}
# Values of init_lora_weights that change the base's weights first.
OTHER_BASES = ("pissa", "olora", "corda", "lora_ga", "loftq")

StrategyName = Literal[
    "base",
    "single",
    "phatgoose",
    "retrieval",
    "merged",
    "merged-factors",
    "average-activation",
    "arrow",
    "learned",
    "multitask",
]
ROUTED = ("phatgoose", "average-activation", "arrow", "learned")


# What is in a pool


@dataclass(frozen=True)
class Lora:
    """One module's adapter: h += scale · B A u."""

    a: Tensor  # [r, d_in]
    b: Tensor  # [d_out, r]
    scale: float  # lora_alpha / r, or lora_alpha / sqrt(r) when rank-stabilised
    stored: torch.dtype = torch.float32  # of the numbers in the file; a and b are F32

    def delta(self, u: Tensor) -> Tensor:
        """scale · B A u for u [T, d_in]: [T, d_out], in u's data type."""
        return self.scale * (u @ self.a.to(u).T @ self.b.to(u).T)

    def direction(self) -> Tensor:
        """The top right singular vector of B A, unit length, [d_in]; its sign is arbitrary."""
        q_b, r_b = torch.linalg.qr(self.b.double())
        q_a, r_a = torch.linalg.qr(self.a.double().T)
        # B A = q_b (r_b r_aᵀ) q_aᵀ: the r × r matrix in the middle has the same singular values.
        _, _, right = torch.linalg.svd(r_b @ r_a.T)
        return (q_a @ right[0]).float()


@dataclass(frozen=True)
class Expert:
    """One expert; vectors and adapters are F32 and by module path."""

    id: str
    name: str
    lora: dict[str, Lora]
    gate: dict[str, Tensor] = field(default_factory=dict)  # each [d_in]
    activation: dict[str, Tensor] = field(default_factory=dict)  # each [d_in]
    learned: dict[str, Tensor] = field(default_factory=dict)  # rows of the pool's learned router, each [d_in]

    @cached_property
    def directions(self) -> dict[str, Tensor]:
        """Arrow's vectors, each [d_in]."""
        return {path: lora.direction() for path, lora in self.lora.items()}

    def vectors(self, strategy: StrategyName) -> dict[str, Tensor]:
        """What ``strategy`` scores tokens against, each [d_in]; strategies that do not route show the gates."""
        if strategy == "arrow":
            return self.directions
        if strategy == "learned":
            return self.learned
        return self.activation if strategy == "average-activation" else self.gate


@dataclass(frozen=True)
class Module:
    """One adapted linear layer."""

    path: str
    layer: int
    kind: str
    stack: str | None = None  # of an encoder-decoder
    sequence: int = 0  # whose tokens it sees: 0 the input (or the only one), 1 the output

    @classmethod
    def at(cls, path: str) -> Module:
        """The module at a Hugging Face path; the layer is the path's first number, −1 where there is none."""
        number = re.search(r"\.(\d+)(?:\.|$)", path)
        *_, parent, last = ["", *path.split(".")]
        kind = KIND_OF.get(f"{parent}.{last}") or KIND_OF.get(last, last)
        first = path.partition(".")[0]
        stack = first if first in STACKS else None
        # Cross-attention makes its keys and values of what the encoder gave for the input.
        own = stack == "decoder" and kind not in ("cross-k", "cross-v")
        return cls(path, int(number[1]) if number else -1, kind, stack, int(own))

    def order(self) -> tuple[int, int, int, str]:
        """Stack, then layer, then kind, then path."""
        kind = KINDS.index(self.kind) if self.kind in KINDS else len(KINDS)
        return STACKS.index(self.stack), self.layer, kind, self.path


@dataclass(frozen=True)
class Pool:
    """A pool folder, read; the base model stays on disk."""

    path: Path
    manifest: dict[str, Any]
    experts: list[Expert]  # by id, in code-point order
    multitask: Expert | None


def modules_of(experts: Sequence[Expert]) -> list[Module]:
    """Every module that an expert adapts, in the order of a trace's module axis."""
    paths = {path for expert in experts for path in expert.lora}
    return sorted((Module.at(path) for path in paths), key=Module.order)


def stored_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file as they are, or a UserError that names the file and the tensor."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: {error}") from error
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{path}: {name} holds a number that is not finite")
    return tensors


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The same as F32."""
    return {name: tensor.float() for name, tensor in stored_tensors(path).items()}


def pattern_value(pattern: dict[str, Any] | None, path: str, default: Any) -> Any:
    """PEFT's rule for ``rank_pattern`` and ``alpha_pattern``: the first key that matches the path's end."""
    for key, value in (pattern or {}).items():
        if re.match(rf"(.*\.)?({key})$", path):
            return value
    return default


def read_adapter(folder: Path) -> dict[str, Lora]:
    """PEFT's ``adapter_config.json`` and ``adapter_model.safetensors``, by module path."""
    config = read_json(folder / "adapter_config.json")
    for key, value in UNSUPPORTED.items():
        if config.get(key, value) not in (value, [] if value is None else value):
            raise UserError(f"{folder / 'adapter_config.json'}: {key} = {config[key]!r} is not supported")
    if str(init := config.get("init_lora_weights")).lower().startswith(OTHER_BASES):
        raise UserError(f"{folder / 'adapter_config.json'}: init_lora_weights = {init!r} is of another base")
    file = folder / "adapter_model.safetensors"
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in stored_tensors(file).items():
        match = LORA_KEY.fullmatch(name)
        if match is None:
            raise UserError(f"{file}: {name} is not a LoRA weight")
        parts.setdefault(match["path"], {})[match["part"]] = tensor
    return {path: read_lora(file, config, path, pair) for path, pair in parts.items()}


def read_lora(file: Path, config: dict[str, Any], path: str, pair: dict[str, Tensor]) -> Lora:
    """The adapter of one module, checked against its configuration."""
    if set(pair) != {"A", "B"}:
        raise UserError(f"{file}: {path} has lora_{'A' if 'A' in pair else 'B'} alone")
    rank = pattern_value(config.get("rank_pattern"), path, config["r"])
    alpha = pattern_value(config.get("alpha_pattern"), path, config["lora_alpha"])
    a, b = pair["A"], pair["B"]
    if a.shape[0] != rank or b.shape[1] != rank:
        raise UserError(f"{file}: {path} has rank {a.shape[0]} and {b.shape[1]}, its configuration {rank}")
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return Lora(a.float(), b.float(), scale, torch.promote_types(a.dtype, b.dtype))


def card_name(folder: Path) -> str:
    """The name in a model card's front matter, or the folder's own."""
    card = folder / "README.md"
    match = re.match(r"---\r?\n(.*?)\r?\n---\r?\n", card.read_text(encoding="utf-8"), re.S) if card.exists() else None
    front = yaml.safe_load(match[1]) if match else None
    return str(front.get("name", folder.name)) if isinstance(front, dict) else folder.name


def read_expert(folder: Path, *, gated: bool = True) -> Expert:
    """One expert's folder; ``gated`` says that a gate has to be there (the multitask adapter has none)."""
    lora = read_adapter(folder)
    gate_file, activation_file = folder / "gate.safetensors", folder / "activation.safetensors"
    gate = read_tensors(gate_file) if gated else {}
    activation = read_tensors(activation_file) if activation_file.exists() else {}
    for file, vectors in ((gate_file, gate), (activation_file, activation)):
        for path, vector in vectors.items():
            d_in = lora[path].a.shape[1] if path in lora else None
            if vector.shape != (d_in,):
                raise UserError(f"{file}: {path} is {list(vector.shape)}, the adapter's input {d_in}")
    return Expert(folder.name, card_name(folder), lora, gate, activation)


def with_learned(experts: Sequence[Expert], pool: Path, router: dict[str, Any]) -> list[Expert]:
    """The experts with their rows of a router that was learned for them together: one matrix [experts, d_in] a module."""
    matrices = read_tensors(pool / router["weights"])
    rows = {identifier: row for row, identifier in enumerate(router["experts"])}
    for path, matrix in matrices.items():
        if matrix.ndim != 2 or len(matrix) != len(rows):
            raise UserError(f"{router['weights']}: {path} is {list(matrix.shape)}, for {len(rows)} experts")
    return [
        replace(expert, learned={path: matrix[rows[expert.id]] for path, matrix in matrices.items()})
        if expert.id in rows
        else expert
        for expert in experts
    ]


def read_pool(path: Path) -> Pool:
    """Read a pool folder (docs/pool-format.md) but for its base model."""
    manifest = read_json(path / "pool.json")
    if manifest.get("format") != "gander-pool" or manifest.get("version") != 1:
        raise UserError(f"{path / 'pool.json'}: not a pool of version 1")
    folder = path / str(manifest["experts"])
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    # A leading dot marks a folder that is still being written.
    entries = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    folders = sorted(entries, key=lambda entry: entry.name)
    multitask = path / str(manifest.get("multitask", "multitask"))
    experts = [read_expert(entry) for entry in folders]
    if "router" in manifest:
        experts = with_learned(experts, path, manifest["router"])
    return Pool(
        path,
        manifest,
        experts,
        read_expert(multitask, gated=False) if "multitask" in manifest and multitask.is_dir() else None,
    )


# How tokens are routed


@dataclass(frozen=True)
class Strategy:
    """How affinities become routing weights. ``k`` and ``epsilon`` (``choose``) matter to the routed ones, ``expert`` to
    single and retrieval."""

    name: StrategyName
    k: int = 2
    expert: str | None = None
    epsilon: float = 0  # the pool's weightEpsilon

    def header(self) -> dict[str, Any]:
        """As a trace's header writes it."""
        if self.name in ROUTED:
            return {"name": self.name, "k": self.k}
        return {"name": self.name, "expert": self.expert} if self.expert else {"name": self.name}


@dataclass(frozen=True)
class Scope:
    """Where an intervention holds; None means everywhere on that axis."""

    layer: int | None = None
    kind: str | None = None
    module: str | None = None
    token: int | None = None
    stack: str | None = None
    sequence: int | None = None
    tokens: tuple[tuple[int, int], ...] | None = None  # each from the first to past the last

    def columns(self, tokens: int) -> Tensor:
        """Indices of those of so many tokens that are inside, ascending."""
        here = torch.arange(tokens)
        inside = torch.ones(tokens, dtype=torch.bool) if self.token is None else here == self.token
        if self.tokens is not None:
            spans = [(here >= first) & (here < last) for first, last in self.tokens]
            inside = inside & torch.stack(spans).any(0)
        return here[inside]

    def modules(self, modules: Sequence[Module]) -> list[int]:
        """Indices of the modules inside."""
        wanted = (
            (self.layer, "layer"),
            (self.kind, "kind"),
            (self.module, "path"),
            (self.stack, "stack"),
            (self.sequence, "sequence"),
        )
        return [
            index
            for index, module in enumerate(modules)
            if all(value is None or getattr(module, key) == value for value, key in wanted)
        ]

    def header(self) -> dict[str, Any]:
        """As a trace's header writes it."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Intervention:
    """A what-if: an expert out (affinity −∞), an expert alone (weight 1), or an amount added to its affinity."""

    action: Literal["knock-out", "force", "tilt"]
    expert: str
    scope: Scope = Scope()
    amount: float = 0.0

    def header(self) -> dict[str, Any]:
        """As a trace's header writes it."""
        amount = {"amount": self.amount} if self.action == "tilt" else {}
        return {"action": self.action, "expert": self.expert, **amount, "scope": self.scope.header()}


@dataclass
class RoutedResult:
    """What one run reveals. Tensors are on the CPU."""

    modules: list[Module]
    experts: list[str]
    affinity: Tensor  # [M, T, N] F32, before any bias; NaN where an expert has no vector
    chosen: Tensor  # [M, T, k] I16, best first; −1: none
    weight: Tensor  # [M, T, k] F32
    contribution: Tensor  # [M, T, k] F32, ‖w s B A u‖ ÷ ‖W u‖
    log_prob: Tensor  # [T] F32, natural; NaN for the first
    top_ids: Tensor  # [T, P] I32, likeliest after token t
    top_log_prob: Tensor  # [T, P] F32
    last_logits: Tensor  # [V] F32


def layer_norm(x: Tensor) -> Tensor:
    """LN over the last axis: biased variance, eps 1e-5, no affine."""
    return functional.layer_norm(x, x.shape[-1:], eps=EPSILON)


def affinities(u: Tensor, vectors: Tensor, strategy: StrategyName) -> Tensor:
    """Scores [T, N] of activations u [T, d_in] against raw vectors [N, d_in], in F32."""
    u = u.float()
    if strategy == "arrow":
        return (u @ vectors.T).abs()
    if strategy == "learned":  # a linear layer, on inputs of one size
        return u @ vectors.T * (u.var(-1, correction=0, keepdim=True) + EPSILON).rsqrt()
    return layer_norm(u) @ layer_norm(vectors).T / math.sqrt(u.shape[-1])


def choose(scores: Tensor, k: int, epsilon: float = 0) -> tuple[Tensor, Tensor]:
    """The k best of scores [T, N] and their weights: experts [T, k] and weights [T, k].

    p = softmax over all N, w = p / (sum of the chosen p + epsilon): without epsilon the softmax over the chosen. The
    authors' code has 1e-6 there, which makes a weight smaller by a share of at most 1e-6 · N / k.

    −inf never takes part: −1 and weight 0. Ties go to the lower index, which a stable sort keeps first.
    """
    best, order = scores.sort(dim=-1, descending=True, stable=True)
    best, order = best[:, :k], order[:, :k]
    taken = best > -math.inf
    share = (best.logsumexp(-1, keepdim=True) - scores.logsumexp(-1, keepdim=True)).exp()
    weight = torch.softmax(best, dim=-1) * (share / (share + epsilon))
    return order.where(taken, torch.tensor(-1).to(order)), weight.where(taken, torch.zeros(()).to(best))


def listed(fixed: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Given weights [T, N] as experts [T, width] and weights [T, width], largest first, without those that are 0."""
    ranked = fixed.where(fixed != 0, torch.tensor(-math.inf).to(fixed))
    order = ranked.sort(dim=-1, descending=True, stable=True).indices[:, :width]
    weight = fixed.gather(1, order)
    return order.where(weight != 0, torch.tensor(-1).to(order)), weight


def fixed_weights(strategy: Strategy, experts: Sequence[Expert]) -> Tensor | None:
    """The weights [1, 1, N] of a strategy that does not route, or None."""
    count = len(experts)
    if strategy.name in ROUTED:
        return None
    if strategy.name == "merged":
        return torch.full((1, 1, count), 1 / count)
    weights = torch.zeros(1, 1, count)
    if strategy.name in ("single", "retrieval"):
        weights[..., index_of(experts, strategy.expert)] = 1
    return weights


def mean_as_stored(parts: Sequence[Tensor], stored: torch.dtype) -> Tensor:
    """The mean of F32 tensors, padded with zeros to the largest; each sum is rounded to the type they were stored in."""
    shape = [max(sizes) for sizes in zip(*(part.shape for part in parts), strict=True)]
    total = torch.zeros(shape, dtype=stored)
    for part in parts:
        total = total + functional.pad(part, (0, shape[1] - part.shape[1], 0, shape[0] - part.shape[0])).to(stored)
    return (total / len(parts)).float()


def merged_factors(experts: Sequence[Expert]) -> Expert:
    """One adapter of the mean A, the mean B and the mean scale: what the authors' ``average_lora_weights`` makes.

    An expert without a matrix somewhere counts as one of zeros. Theirs adds up in the checkpoint's own bfloat16, expert
    after expert: so does this, as the rounding shows in the third digit of a weight.
    """
    lora = {}
    for module in modules_of(experts):
        parts = [part for expert in experts if (part := expert.lora.get(module.path))]
        stored = functools.reduce(torch.promote_types, (part.stored for part in parts))
        absent = [torch.zeros(1, 1)] * (len(experts) - len(parts))
        lora[module.path] = Lora(
            mean_as_stored([*(part.a for part in parts), *absent], stored),
            mean_as_stored([*(part.b for part in parts), *absent], stored),
            sum(part.scale for part in parts) / len(parts),
            stored,
        )
    return Expert("merged-factors", "merged-factors", lora)


def whole_adapter(strategy: Strategy, experts: Sequence[Expert], multitask: Expert | None) -> Expert | None:
    """The adapter that every token goes through under ``strategy``, unweighted, if there is one."""
    if strategy.name == "merged-factors":
        return merged_factors(experts)
    if strategy.name != "multitask":
        return None
    if multitask is None:
        raise UserError("the pool has no multitask adapter")
    return multitask


def index_of(experts: Sequence[Expert], identifier: str | None) -> int:
    """An expert's place on the expert axis."""
    ids = [expert.id for expert in experts]
    if identifier not in ids:
        raise UserError(f"no expert is called {identifier!r}; there are: {', '.join(ids)}")
    return ids.index(identifier)


def apply_interventions(
    interventions: Sequence[Intervention], modules: Sequence[Module], experts: Sequence[Expert], tokens: int
) -> tuple[Tensor, Tensor]:
    """A bias [M, T, N] on affinities, and fixed weights [M, T, N] that are NaN where the router decides.

    A later intervention replaces an earlier one on the same expert, module and token; a forced expert stays forced
    until it is itself named again or another is forced.
    """
    bias = torch.zeros(len(modules), tokens, len(experts))
    fixed = torch.full_like(bias, math.nan)
    for item in interventions:
        expert = index_of(experts, item.expert)
        rows = torch.tensor(item.scope.modules(modules), dtype=torch.long)
        columns = item.scope.columns(tokens)
        place = (rows[:, None], columns[None, :])
        if item.action == "force":
            alone = torch.zeros(len(experts))
            alone[expert] = 1
            fixed[place] = alone
            bias[*place, expert] = 0
        else:
            forced = fixed[place]
            forced[forced[..., expert] == 1] = math.nan
            fixed[place] = forced
            bias[*place, expert] = -math.inf if item.action == "knock-out" else item.amount
    return bias, fixed


# Numbers for each module, or for all of them at once: each broadcasts to [T, N], of the tokens that the module sees.
Steering = Tensor | Sequence[Tensor]


class Router:
    """Routes one run: hooks on every adapted module, and what they saw."""

    def __init__(
        self,
        model: nn.Module,
        experts: Sequence[Expert],
        strategy: Strategy,
        bias: Steering,
        fixed: Steering | None,
        whole: Expert | None = None,
    ) -> None:
        """``fixed`` is NaN where the router decides; ``whole`` is an adapter that every token goes through."""
        self.experts = experts
        self.strategy = strategy
        self.whole = whole
        self.modules = modules_of([*experts, *([whole] if whole else [])])
        self.bias, self.fixed = bias, fixed
        self.width = min(strategy.k, len(experts)) if strategy.name in ROUTED else 1
        for given in fixed if fixed is not None else ():
            if given.numel():
                self.width = max(self.width, int((given.nan_to_num() != 0).sum(-1).max()))
        self.seen: list[dict[str, Tensor]] = [{} for _ in self.modules]
        for module in self.modules:
            self.check(model, module.path)

    def check(self, model: nn.Module, path: str) -> None:
        """Refuse an adapter that was made for another base."""
        try:
            layer = model.get_submodule(path)
            weight = layer.weight
        except AttributeError:
            raise UserError(f"the base has no linear layer {path}") from None
        assert isinstance(weight, Tensor)
        # GPT-2's Conv1D is a linear layer that keeps its weight transposed; PEFT's matrices are the same for both.
        d_out, d_in = weight.shape if isinstance(layer, nn.Linear) else weight.T.shape
        for expert in [*self.experts, *([self.whole] if self.whole else [])]:
            lora = expert.lora.get(path)
            if lora and (lora.a.shape[1], lora.b.shape[0]) != (d_in, d_out):
                made = f"{lora.a.shape[1]} → {lora.b.shape[0]}"
                raise UserError(f"expert {expert.id}: {path} is {made} in the adapter, {d_in} → {d_out} in the base")

    def part(self, steering: Steering, module: int, tokens: int) -> Tensor:
        """What is given for module ``module``: [T, N]."""
        row = steering[module if len(steering) > 1 else 0]
        return row.expand(tokens, len(self.experts))

    def score(self, path: str, u: Tensor) -> Tensor:
        """Affinities [T, N] at a module; NaN for an expert that has no vector there."""
        vectors = [expert.vectors(self.strategy.name).get(path) for expert in self.experts]
        known = [vector for vector in vectors if vector is not None]
        scores = torch.full((u.shape[0], len(vectors)), math.nan, device=u.device)
        if known:
            present = torch.tensor([vector is not None for vector in vectors], device=u.device)
            scores[:, present] = affinities(u, torch.stack(known).to(u.device), self.strategy.name)
        return scores

    def decide(self, module: int, affinity: Tensor) -> tuple[Tensor, Tensor]:
        """Experts [T, width] and weights [T, width] for one module's affinities [T, N]."""
        tokens = affinity.shape[0]
        path = self.modules[module].path
        absent = torch.tensor([path not in expert.lora for expert in self.experts], device=affinity.device)
        bias = self.part(self.bias, module, tokens).to(affinity)
        out = absent | (bias == -math.inf)
        scores = (affinity + bias).masked_fill(out | affinity.isnan(), -math.inf)
        chosen, weight = choose(scores, min(self.strategy.k, len(self.experts)), self.strategy.epsilon)
        missing = self.width - chosen.shape[1]
        chosen = functional.pad(chosen, (0, missing), value=-1)[:, : self.width]
        weight = functional.pad(weight, (0, missing))[:, : self.width]
        if self.fixed is None:
            return chosen, weight
        fixed = self.part(self.fixed, module, tokens).to(affinity)
        given = ~fixed.isnan().any(-1, keepdim=True)
        experts, weights = listed(fixed.nan_to_num().masked_fill(out, 0), self.width)
        return experts.where(given, chosen), weights.where(given, weight)

    def hook(self, index: int, module: nn.Module, u: Tensor, out: Tensor) -> Tensor:
        """The routed output, shaped as ``out``, for input u [1, T, d_in] and the base's output.

        Some models, OPT for one, give a layer their tokens as [T, d_in].
        """
        u, base = u.reshape(-1, u.shape[-1]), out.reshape(-1, out.shape[-1])
        affinity = self.score(self.modules[index].path, u)
        chosen, weight = self.decide(index, affinity)
        bias = getattr(module, "bias", None)
        plain = base if bias is None else base - bias
        length = plain.float().norm(dim=-1)
        contribution = torch.zeros_like(weight)
        result = base.clone()
        for expert, column in enumerate(self.experts):
            rows, slots = (chosen == expert).nonzero(as_tuple=True)
            if len(rows):
                delta = weight[rows, slots, None].to(u) * column.lora[self.modules[index].path].delta(u[rows])
                result[rows] += delta
                contribution[rows, slots] = (delta.float().norm(dim=-1) / length[rows]).nan_to_num(0, 0)
        if self.whole and self.modules[index].path in self.whole.lora:
            result += self.whole.lora[self.modules[index].path].delta(u)
        self.seen[index] = {
            "affinity": affinity,
            "chosen": chosen.to(torch.int16),
            "weight": weight,
            "contribution": contribution,
        }
        return result.reshape(out.shape)

    @contextlib.contextmanager
    def installed(self, model: nn.Module) -> Iterator[None]:
        """Route whatever runs through ``model`` inside."""

        def bound(index: int) -> Any:
            return lambda module, inputs, out: self.hook(index, module, inputs[0], out)

        handles = [
            model.get_submodule(module.path).register_forward_hook(bound(index))
            for index, module in enumerate(self.modules)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def stacked(self, name: str) -> Tensor:
        """What every module saw, [M, T, …]."""
        return torch.stack([seen[name] for seen in self.seen]).cpu()


@torch.no_grad()
def routed_forward(
    model: nn.Module,
    experts: Sequence[Expert],
    input_ids: Tensor,
    strategy: Strategy,
    *,
    multitask: Expert | None = None,
    interventions: Sequence[Intervention] = (),
    bias: Tensor | None = None,
    fixed: Tensor | None = None,
    predictions: int = 5,
) -> RoutedResult:
    """Run one sequence through the routed model.

    ``input_ids`` is [T] or [1, T], without padding. ``bias`` [M or 1, T or 1, N] is added to the affinities before the
    choice and replaces ``interventions``' own; ``fixed`` [M or 1, T or 1, N] stands in for the router wherever it
    is not NaN. ``model`` is any transformers causal LM, of any data type and on any device; scores are F32.
    """
    ids = input_ids.reshape(1, -1)
    whole = whole_adapter(strategy, experts, multitask)
    everything = [*experts, *([whole] if whole else [])]
    of_strategy = fixed_weights(strategy, experts)
    if interventions:
        asked, forced = apply_interventions(interventions, modules_of(everything), experts, ids.shape[1])
        bias = asked if bias is None else bias
        fixed = forced if fixed is None else fixed
    if of_strategy is not None:
        fixed = of_strategy if fixed is None else torch.where(fixed.isnan(), of_strategy, fixed)
    zero = torch.zeros(1, 1, len(experts))
    router = Router(model, experts, strategy, zero if bias is None else bias, fixed, whole)
    with router.installed(model):
        logits = model(input_ids=ids, use_cache=False).logits[0].float()
    log_probs = logits.log_softmax(-1)
    top = log_probs.topk(predictions, dim=-1)
    log_prob = torch.full((ids.shape[1],), math.nan)
    log_prob[1:] = log_probs[:-1].gather(1, ids[0, 1:, None])[:, 0].cpu()
    return RoutedResult(
        modules=router.modules,
        experts=[expert.id for expert in experts],
        affinity=router.stacked("affinity"),
        chosen=router.stacked("chosen"),
        weight=router.stacked("weight"),
        contribution=router.stacked("contribution"),
        log_prob=log_prob,
        top_ids=top.indices.to(torch.int32).cpu(),
        top_log_prob=top.values.cpu(),
        last_logits=logits[-1].cpu(),
    )
