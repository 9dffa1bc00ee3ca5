"""A mixture of experts with its own routers, or a dense model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from gander_trace import Expert, ExpertSet, Router, Site, Source
from gander_trace.trace import layer_experts

from gander_serve.asked import Intervention, Route, Strategy
from gander_serve.errors import ServeError, refused
from gander_serve.frame import Array, Frame
from gander_serve.loading import Loaded
from gander_serve.taps import Scoring, Tap, Taps, taps_of
from gander_serve.whatif import SiteWhatIf

PROBE = 8
"""Tokens in the pass that finds out what can be read from a model's routers."""
ROUTED = ("expert", "router")
"""Parts of names of modules in a model with experts, whatever their form."""


class MoeModel:
    """A transformers model with its own routers. Raises ``ServeError`` if its choices cannot be read."""

    strategies: Sequence[str] = ()
    experts: Sequence[Expert] = ()

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.taps = taps_of(loaded.model, loaded.model.config)
        self.columns: list[frozenset[str]] = []
        if self.taps.routers:
            self._probe()
        elif any(part in path.rpartition(".")[2] for path, _ in loaded.model.named_modules() for part in ROUTED):
            raise ServeError(
                "cannot-serve",
                f"{loaded.name} has experts, but routers in a form that gander-serve cannot read.",
                "README.md lists the models that it can read.",
            )
        self.family: str = "moe" if self.taps.routers else "dense"
        self.warnings: Sequence[Any] = list(self._warnings())
        self.k: int | None = max(
            (int(tap.chosen.shape[1]) for tap in self.taps.routers if tap.chosen is not None), default=None
        )
        self.sites: Sequence[Site] = [
            Site(tap.path, tap.layer, "router", 0, i) for i, tap in enumerate(self.taps.routers)
        ]
        self.expert_sets: Sequence[ExpertSet] = [
            ExpertSet(
                "layer",
                layer_experts(tap.layer, tap.experts),
                [_shared(tap.layer)] if "always_on_weight" in told else [],
            )
            for tap, told in zip(self.taps.routers, self.columns, strict=True)
        ]
        self.blocks = self._blocks()

    def _probe(self) -> None:
        """Runs a few tokens to see which columns the routers give."""
        model = self.loaded.model
        if model.config.is_encoder_decoder:
            raise ServeError(
                "cannot-serve",
                f"{self.loaded.name} is an encoder-decoder with routers, which gander-serve cannot read.",
                "Serve a causal mixture of experts, or a pool of experts on a T5.",
            )
        ids = torch.arange(PROBE, device=model.device)[None] % model.config.get_text_config().vocab_size
        self._pass(ids)
        if self.taps.narrowed():
            self._pass(ids)
        if any(tap.runs for tap in self.taps.routers):
            # The routers of a part that reads pictures do not run.
            self.taps.routers = [tap for tap in self.taps.routers if tap.runs]
        self.taps.learn()
        self.taps.settle()
        for tap in self.taps.routers:
            if tap.score is None or tap.chosen is None:
                raise ServeError(
                    "cannot-serve",
                    f"What {tap.path} of {self.loaded.name} chooses cannot be seen in this version of transformers.",
                    "Install transformers 5 or newer, whose routers return their choices.",
                )
            if tap.runs > 1:
                raise ServeError(
                    "cannot-serve",
                    f"{self.loaded.name} runs {tap.path} {tap.runs} times for each token, which a trace cannot show.",
                    "Serve a model that runs each of its layers once.",
                )
        layers = [tap.layer for tap in self.taps.routers]
        if len(set(layers)) < len(layers):
            raise ServeError(
                "cannot-serve",
                f"{self.loaded.name} has two routers in one layer, whose experts could not be told apart.",
                "Serve a model with one router per layer.",
            )
        self.columns = [frozenset(_told(tap)) for tap in self.taps.routers]

    @torch.no_grad()
    def _pass(self, ids: torch.Tensor) -> None:
        with self.taps.installed():
            self.loaded.model(input_ids=ids, use_cache=False)

    def _warnings(self) -> Any:
        if not self.taps.routers:
            yield {
                "code": "no-routers",
                "text": f"{self.loaded.name} has no routers: traces contain only its tokens and predictions.",
            }
        elif not all("weight" in told for told in self.columns):
            yield {
                "code": "no-weights",
                "text": "This version of transformers does not return the chosen experts' weights; version 5 does.",
            }

    def _blocks(self) -> list[tuple[int, int]]:
        """Runs of neighbouring sites [from, to) whose columns have the same names and shapes."""

        def shape(i: int) -> Any:
            tap = self.taps.routers[i]
            assert tap.chosen is not None
            return tap.experts, tap.chosen.shape[1], sorted(self.columns[i])

        runs = [list(run) for _, run in itertools.groupby(range(len(self.sites)), shape)]
        return [(run[0], run[-1] + 1) for run in runs]

    def scoring(self) -> Scoring | None:
        """What the routers were seen to apply to their scores, if it is the same for all."""
        seen = {tap.scoring for tap in self.taps.routers}
        return seen.pop() if len(seen) == 1 else None

    def begin(self, route: Route, source: Source) -> MoeRun:
        if route.strategy is not None:
            raise ServeError(
                "strategy-unavailable",
                f'This model routes with its own routers; it takes no strategy "{route.strategy.name}".',
                "Leave out the strategy.",
            )
        known = {expert.id for one in self.expert_sets for expert in one.experts}
        for item in route.interventions:
            if item.expert not in known:
                example = (
                    f'such as "{self.expert_sets[0].experts[0].id}"' if self.expert_sets else "but this model has none"
                )
                raise refused(
                    f'The model has no expert "{item.expert}".',
                    f"Experts are named by layer and number, {example}.",
                )
        name = str(self.loaded.model.config.model_type)
        router = Router(name, self.k, self.scoring())
        frame = Frame(
            source, router, self.expert_sets, self.sites, self.blocks, [item.header for item in route.interventions]
        )
        return MoeRun(self.taps, self.columns, frame, route.interventions)

    def settled(self, strategy: Strategy | None, text: str) -> Strategy | None:
        """The strategy with everything that depends on the text filled in."""
        return strategy


class MoeRun:
    """One request's run."""

    def __init__(
        self, taps: Taps, columns: Sequence[frozenset[str]], frame: Frame, interventions: Sequence[Intervention]
    ) -> None:
        self.taps, self.columns, self.frame = taps, columns, frame
        self.what_if = [
            SiteWhatIf(interventions, site, [expert.id for expert in frame.expert_sets[site.expert_set].experts])
            for site in frame.sites
        ]

    def watching(self) -> AbstractContextManager[Any]:
        return self.taps.installed()

    def expect(self, spans: Mapping[int, tuple[int, int]]) -> None:
        for tap, what_if in zip(self.taps.routers, self.what_if, strict=True):
            tap.bias = what_if.bias(*spans[0])

    def before(self, run: Callable[[Any], Any]) -> None:
        pass

    def seen(self) -> Sequence[Mapping[str, Array] | None]:
        self.taps.settle()
        return [
            {name: value for name, value in _told(tap).items() if name in told}
            for tap, told in zip(self.taps.routers, self.columns, strict=True)
        ]


def _told(tap: Tap) -> dict[str, Array]:
    """A router's columns in a trace."""
    columns = {
        "chosen": tap.chosen,
        "score": tap.score,
        "weight": tap.weight,
        "selection": tap.compared if tap.orders else None,
        "always_on_weight": tap.always_on,
    }
    return {
        name: (value if name == "chosen" else value.float()).cpu().numpy()
        for name, value in columns.items()
        if value is not None
    }


def _shared(layer: int) -> Expert:
    return Expert(f"{layer}.shared", f"Layer {layer} shared expert")
