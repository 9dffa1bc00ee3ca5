"""A pool of LoRA experts on its base, routed by PHATGOOSE and the other strategies.

The routing is gander_routing's, against which the extension's engine is checked; here it runs in chunks, on any device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from gander_routing import router as routing
from gander_routing import strategies, whatif
from gander_routing.base import load_shipped
from gander_routing.errors import UserError
from gander_routing.pool import Expert as Adapter
from gander_routing.pool import Module, Pool, blocks_of, modules_of, read_pool
from gander_routing.retrieval import retrievable, retrieve
from gander_routing.xlora import Classifier, ClassifierError, ScaledRouter, head_of, read_classifier
from gander_trace import Expert, ExpertSet, Router, Site, Source
from torch import Tensor

from gander_serve.asked import Intervention, Route, Strategy
from gander_serve.errors import ServeError, refused
from gander_serve.frame import Array, Frame
from gander_serve.loading import Loaded, Where, load_model, load_tokenizer
from gander_serve.texts import Tokenizer, hash_of

ARROW_K = 3


class PoolModel:
    """A pool folder (docs/pool-format.md) on its own base, or on the same base as a transformers folder."""

    family = "pool"

    def __init__(self, folder: Path, where: Where, base: str | None = None) -> None:
        try:
            pool = read_pool(folder)
            # Before the base, which takes long to load.
            classifier, self.warnings = _classifier(pool)
            self.loaded = _loaded(pool, where, base)
            self.adapters = [_placed(expert, self.loaded.model) for expert in pool.experts]
            self.modules = modules_of(self.adapters)
            # Router refuses experts that were made for another base.
            nothing = torch.zeros(1, 1, 1)
            routing.Router(self.loaded.model, self.adapters, strategies.Strategy("base"), nothing, None)
            self.classifier = classifier and _beside_head(classifier, self.loaded.model)
            if self.classifier is not None:
                ScaledRouter(self.loaded.model, self.adapters, self.classifier)
        except (UserError, OSError) as error:
            remedy = getattr(error, "remedy", "Check it with gander-training pool check.")
            raise ServeError("cannot-serve", f"{folder} cannot be served: {error}", remedy) from error
        self.pool = pool
        self.wholes: dict[str, Adapter | None] = {}
        self.top_k = int(pool.manifest.get("topK", 2))
        self.k: int | None = self.top_k
        self.epsilon = float(pool.manifest.get("weightEpsilon", 0))
        self.experts: Sequence[Expert] = [Expert(expert.id, expert.name) for expert in self.adapters]
        self.strategies: Sequence[str] = self._strategies()
        self.expert_sets: Sequence[ExpertSet] = [ExpertSet("pool", self.experts)]
        self.sites, self.blocks = self._places(self.modules)

    def _strategies(self) -> Sequence[str]:
        """The strategies for which the pool has the files; the default first."""
        given = ["arrow", "single", "merged", "merged-factors", "base"]
        if self.classifier is not None:
            given.insert(0, "x-lora")
        if any(expert.gate for expert in self.adapters):
            given.insert(0, "phatgoose")
        if all(expert.activation for expert in self.adapters):
            given.append("average-activation")
        if any(expert.router_rows for expert in self.adapters):
            given.append("jointly-trained")
        if retrievable(self.pool):
            given.append("retrieval")
        return [*given, "multitask"] if self.pool.multitask is not None else given

    def _places(self, modules: Sequence[Module]) -> tuple[Sequence[Site], list[tuple[int, int]]]:
        sites = [Site(one.path, one.layer, one.kind, one.sequence, 0, one.stack) for one in modules]
        return sites, blocks_of(modules)

    def settled(self, strategy: Strategy | None, text: str) -> Strategy:
        """The strategy with k or retrieval's expert filled in. Raises ``ServeError`` if the pool lacks it."""
        asked = strategy or Strategy(self.strategies[0])
        if asked.name not in self.strategies:
            raise ServeError(
                "strategy-unavailable",
                f'This pool has no strategy "{asked.name}".',
                f"Choose one of: {', '.join(self.strategies)}.",
            )
        if asked.name == "single" and asked.expert is None:
            raise refused("The strategy single names no expert.", "Name one of the pool's experts.")
        if asked.expert is not None:
            self.known(asked.expert)
        if asked.name in strategies.ROUTED:
            k = asked.k or (ARROW_K if asked.name == "arrow" else self.top_k)
            return Strategy(asked.name, min(k, len(self.experts)))
        if asked.name == "retrieval" and asked.expert is None:
            return Strategy("retrieval", expert=retrieve(self.pool, text))
        return Strategy(asked.name, expert=asked.expert)

    def known(self, expert: str) -> None:
        if all(expert != one.id for one in self.experts):
            raise refused(f'There is no expert "{expert}" in the pool.', "Choose one of the pool's experts.")

    def whole(self, strategy: strategies.Strategy) -> Adapter | None:
        """The adapter that every token goes through, if the strategy has one; merged only once."""
        if strategy.name not in self.wholes:
            whole = strategies.whole_adapter(strategy, self.pool.experts, self.pool.multitask)
            self.wholes[strategy.name] = None if whole is None else _placed(whole, self.loaded.model)
        return self.wholes[strategy.name]

    def begin(self, route: Route, source: Source) -> PoolRun:
        for item in route.interventions:
            self.known(item.expert)
        settled = self.settled(route.strategy, route.text)
        if settled.name == "x-lora":
            return self._begin_scaled(route, source)
        strategy = strategies.Strategy(
            cast(strategies.StrategyName, settled.name), settled.k or 1, settled.expert, self.epsilon
        )
        zero = torch.zeros(1, 1, len(self.experts))
        whole = self.whole(strategy)
        given = strategies.fixed_weights(strategy, self.adapters)
        router = routing.Router(self.loaded.model, self.adapters, strategy, zero, given, whole)
        header = strategies.router_of(strategy)
        told = Router(header["name"], header.get("k"), header["scoring"], header.get("params"))
        return PoolRun(self, router, given, self._frame(route, source, told, router), route.interventions)

    def _begin_scaled(self, route: Route, source: Source) -> ScaledRun:
        assert self.classifier is not None, "settled refuses x-lora without a classifier"
        router = ScaledRouter(self.loaded.model, self.adapters, self.classifier)
        told = Router(**self.classifier.config.header())
        return ScaledRun(self, router, None, self._frame(route, source, told, router), route.interventions)

    def _frame(self, route: Route, source: Source, told: Router, router: routing.Router) -> Frame:
        sites, blocks = self._places(router.modules)
        return Frame(source, told, self.expert_sets, sites, blocks, [item.header for item in route.interventions])


class PoolRun:
    """One request's run."""

    def __init__(
        self,
        model: PoolModel,
        router: routing.Router,
        given: Tensor | None,
        frame: Frame,
        interventions: Sequence[Intervention],
    ) -> None:
        self.model, self.router, self.given, self.frame = model, router, given, frame
        self.interventions = interventions
        self.by_token = any(item.scope.spans() is not None for item in interventions)

    def watching(self) -> AbstractContextManager[Any]:
        return self.router.installed(self.model.loaded.model)

    def expect(self, spans: Mapping[int, tuple[int, int]]) -> None:
        self.router.seen = [{} for _ in self.router.modules]
        if not self.interventions:
            return
        steering = {sequence: self._steering(sequence, *span) for sequence, span in spans.items()}
        self.router.bias = [steering[site.sequence][0][i] for i, site in enumerate(self.frame.sites)]
        self.router.fixed = [steering[site.sequence][1][i] for i, site in enumerate(self.frame.sites)]

    def before(self, run: Callable[[Any], Any]) -> None:
        pass

    def _steering(self, sequence: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        """For tokens [first, last), the bias on scores and the weights that replace the router's: [M, T or 1, N]."""
        whole = last - first if self.by_token else 1
        asked = []
        for item in self.interventions:
            scope = item.scope
            spans = scope.spans()
            if spans is not None:
                spans = tuple((max(a, first) - first, min(b, last) - first) for a, b in spans if a < last and b > first)
                if not spans:
                    continue
            inside = whatif.Scope(scope.layer, scope.kind, scope.module, None, scope.stack, scope.of_sequence(), spans)
            asked.append(whatif.Intervention(item.action, item.expert, inside, item.amount))
        bias, fixed = whatif.apply_interventions(asked, self.router.modules, self.model.adapters, whole)
        return bias, fixed if self.given is None else torch.where(fixed.isnan(), self.given, fixed)

    def seen(self) -> Sequence[Mapping[str, Array] | None]:
        names = {"affinity": "score"}
        return [
            {names.get(name, name): value.cpu().numpy() for name, value in seen.items()} if seen else None
            for seen in self.router.seen
        ]


class ScaledRun(PoolRun):
    """A run of x-lora, whose first pass has keys and values of its own, so that a token's scalings never change."""

    past: Any = None

    def before(self, run: Callable[[Any], Any]) -> None:
        assert isinstance(self.router, ScaledRouter)
        try:
            with self.router.first_pass():
                self.past = run(self.past)
        except UserError as error:
            raise ServeError(
                "base-invalid",
                str(error),
                "Look for weights that are not finite, or too large for their type, in the base and the experts.",
            ) from error


def _classifier(pool: Pool) -> tuple[Classifier | None, Sequence[Any]]:
    """The pool's X-LoRA classifier, and warnings: a pool with gates does without one that cannot be used."""
    try:
        return read_classifier(pool), []
    except ClassifierError as error:
        if not any(expert.gate for expert in pool.experts):
            raise
        text = f"The X-LoRA classifier is left out: {error} {error.remedy}"
        return None, [{"code": "part-left-out", "text": text}]


def _beside_head(classifier: Classifier, model: Any) -> Classifier:
    device = head_of(model).weight.device
    return classifier if device.type == "meta" else classifier.to(device)


def _loaded(pool: Pool, where: Where, base: str | None) -> Loaded:
    file = pool.path / pool.manifest["base"]["tokenizer"]
    if base is None:
        if not isinstance(where.device, str) or where.device == "auto":
            raise ServeError(
                "cannot-serve",
                "A pool's own base cannot be spread over several devices.",
                "Name the same base as a transformers folder: --base FOLDER.",
            )
        model, _ = load_shipped(pool.path, where.dtype or torch.float32)
    else:
        try:
            model = load_model(base, where)
        except (OSError, ValueError) as error:
            first = next(iter(str(error).splitlines()), "")
            raise ServeError(
                "cannot-serve",
                f"{base} cannot be loaded: {first}",
                "Name the pool's base as a transformers folder.",
            ) from error
    tokenizer = Tokenizer(_tokenizer(file), None)
    tokenizer.hash = hash_of(file)
    return Loaded(where.put(model), tokenizer, str(pool.manifest["name"]), pool.path)


def _tokenizer(file: Path) -> Any:
    """A pool's tokenizer, which need not have a configuration beside it."""
    if (file.parent / "tokenizer_config.json").is_file():
        return load_tokenizer(file.parent)
    # By the model's type alone, transformers takes Llama's class, which adds tokens that the model does not have.
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_file=str(file))  # type: ignore[no-untyped-call]


def _placed(expert: Adapter, model: Any) -> Adapter:
    """The expert with its tensors on the devices of its modules, so that no pass has to move them."""

    def beside(path: str, tensor: Tensor) -> Tensor:
        try:
            device = model.get_submodule(path).weight.device
        except AttributeError:  # refused later, with an error that says so
            return tensor
        return tensor if device.type == "meta" else tensor.to(device)

    def vectors(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {path: beside(path, vector) for path, vector in given.items()}

    lora = {path: replace(one, a=beside(path, one.a), b=beside(path, one.b)) for path, one in expert.lora.items()}
    return replace(expert, lora=lora, gate=vectors(expert.gate), activation=vectors(expert.activation))
