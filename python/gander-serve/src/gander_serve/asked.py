"""Parses requests and checks them before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from gander_serve.errors import ServeError, refused

MOST_INTERVENTIONS = 10_000
MOST_NAME = 500
MOST_SPANS = 10_000
MOST_WHOLE = 2**53 - 1
"""The largest integer that a double represents exactly; many programs that read a trace's header have only doubles."""
MOST_TILT = 1e30
"""The size of whatif.NEVER. Much larger numbers become infinite in float32."""

Json = Mapping[str, Any]
Action = Literal["knock-out", "force", "tilt"]
Span = tuple[int, int]
"""Tokens [from, to)."""


@dataclass(frozen=True)
class Scope:
    """Where an intervention applies; ``None`` means everywhere on that axis."""

    stack: str | None = None
    layer: int | None = None
    kind: str | None = None
    module: str | None = None
    sequence: int | None = None
    token: int | None = None
    tokens: tuple[Span, ...] | None = None

    def spans(self) -> tuple[Span, ...] | None:
        """The tokens in scope, as spans [from, to); ``None`` means all."""
        if self.token is None:
            return self.tokens
        inside = self.tokens is None or any(first <= self.token < last for first, last in self.tokens)
        return ((self.token, self.token + 1),) if inside else ()

    def holds_at(self, token: int) -> bool:
        spans = self.spans()
        return spans is None or any(first <= token < last for first, last in spans)

    def of_sequence(self) -> int | None:
        """The sequence in scope; a scope with token indices but no sequence refers to the first."""
        return 0 if self.sequence is None and self.spans() is not None else self.sequence


@dataclass(frozen=True)
class Intervention:
    """A what-if (docs/strategies.md); ``header`` is the form in a trace's header."""

    action: Action
    expert: str
    scope: Scope
    amount: float
    header: Json


@dataclass(frozen=True)
class Strategy:
    name: str
    k: int | None = None
    expert: str | None = None


@dataclass(frozen=True)
class Route:
    """``target``: for an encoder-decoder, the output to assume."""

    text: str
    target: str | None = None
    strategy: Strategy | None = None
    interventions: Sequence[Intervention] = ()


@dataclass(frozen=True)
class Generate:
    route: Route
    tokens: int
    """The most to generate, not counting the text."""
    temperature: float = 0
    """0 always takes the likeliest token."""
    top_p: float = 1
    seed: int = 0


@dataclass(frozen=True)
class Attribute:
    """``layer`` and ``most`` limit the experts if each layer has its own."""

    route: Route
    layer: int | None = None
    most: int = 16


class Fields:
    """An object of the request, from which known fields are taken; any that remain are unknown."""

    def __init__(self, given: Any, what: str) -> None:
        if not isinstance(given, dict):
            raise refused(f"{what} is not an object.")
        self.given, self.what = dict(given), what

    def take(self, name: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        value = self.given.pop(name, None)
        if value is None:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and bool not in _kinds(kind)):
            kinds = " or ".join(one.__name__ for one in _kinds(kind))
            raise refused(f'"{name}" of {self.what} must be of type {kinds}.')
        return value

    def text(self, name: str) -> str:
        value = self.take(name, str)
        if value is None:
            raise refused(f'{self.what} has no "{name}".')
        return str(value)

    def name(self, name: str) -> str | None:
        value = self.take(name, str)
        if value is not None and not 0 < len(value) <= MOST_NAME:
            raise refused(f'"{name}" of {self.what} has {len(value)} characters; it must have 1 to {MOST_NAME}.')
        return None if value is None else str(value)

    def whole(self, name: str, least: int, default: int | None = None) -> int | None:
        value = self.take(name, int, default)
        if value is not None and value < least:
            raise refused(f'"{name}" of {self.what} is {value}; it must be at least {least}.')
        if value is not None and value > MOST_WHOLE:
            raise refused(f'"{name}" of {self.what} is more than {MOST_WHOLE}.')
        return None if value is None else int(value)

    def number(self, name: str, default: float) -> float:
        try:
            value = float(self.take(name, (int, float), default))
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise refused(f'"{name}" of {self.what} is not a finite number.')
        return value

    def nothing_more(self) -> None:
        if self.given:
            raise refused(f'{self.what} has an unknown field "{next(iter(self.given))}".')


def _kinds(kind: type | tuple[type, ...]) -> tuple[type, ...]:
    return kind if isinstance(kind, tuple) else (kind,)


def _route(fields: Fields) -> Route:
    text = fields.text("text")
    if not text:
        raise ServeError("text-empty", "There is no text to route.", "Send some text.")
    asked = fields.take("interventions", list, [])
    if len(asked) > MOST_INTERVENTIONS:
        raise refused(f"There are {len(asked)} interventions; at most {MOST_INTERVENTIONS} are allowed.")
    strategy = fields.take("strategy", dict)
    return Route(
        text,
        fields.take("target", str),
        None if strategy is None else _strategy(Fields(strategy, "the strategy")),
        [_intervention(one, f"intervention {i}") for i, one in enumerate(asked)],
    )


def _strategy(fields: Fields) -> Strategy:
    strategy = Strategy(fields.name("name") or "", fields.whole("k", 1), fields.name("expert"))
    fields.nothing_more()
    return strategy


def _intervention(given: Any, what: str) -> Intervention:
    fields = Fields(given, what)
    action, expert = fields.text("action"), fields.name("expert")
    if action not in ("knock-out", "force", "tilt"):
        raise refused(f'{what} has the action "{action}"; it must be knock-out, force or tilt.')
    if expert is None:
        raise refused(f"{what} names no expert.")
    if action == "tilt" and "amount" not in fields.given:
        raise refused(f"{what} is a tilt without an amount.")
    amount = fields.number("amount", 0) if action == "tilt" else 0.0
    if abs(amount) > MOST_TILT:
        raise refused(f"{what} tilts by {amount}; the amount must be from {-MOST_TILT:g} to {MOST_TILT:g}.")
    inside = Fields(fields.take("scope", dict, {}), f"the scope of {what}")
    scope = Scope(
        inside.name("stack"),
        inside.whole("layer", 0),
        inside.name("kind"),
        inside.name("module"),
        inside.whole("sequence", 0),
        inside.whole("token", 0),
        _spans(inside),
    )
    inside.nothing_more()
    fields.nothing_more()
    header = {"action": action, "expert": expert, "scope": given.get("scope") or {}}
    return Intervention(
        cast(Action, action), expert, scope, amount, header | ({"amount": amount} if action == "tilt" else {})
    )


def _spans(scope: Fields) -> tuple[Span, ...] | None:
    asked = scope.take("tokens", list)
    if asked is None:
        return None
    if not 0 < len(asked) <= MOST_SPANS:
        raise refused(f'"tokens" of {scope.what} has {len(asked)} ranges; it must have 1 to {MOST_SPANS}.')
    for one in asked:
        is_range = isinstance(one, list) and [type(edge) for edge in one] == [int, int]
        if not (is_range and 0 <= one[0] < one[1] <= MOST_WHOLE):
            raise refused(
                f'"tokens" of {scope.what} has an invalid range; give its first token and the token after its last.'
            )
    return tuple((first, last) for first, last in asked)


def read_route(given: Any) -> Route:
    fields = Fields(given, "the request")
    route = _route(fields)
    fields.nothing_more()
    return route


def read_generate(given: Any) -> Generate:
    fields = Fields(given, "the request")
    route = _route(fields)
    tokens = fields.whole("maxTokens", 0)
    if tokens is None:
        raise refused('The request has no "maxTokens".')
    asked = Generate(
        route, tokens, fields.number("temperature", 0), fields.number("topP", 1), fields.whole("seed", 0, 0) or 0
    )
    fields.nothing_more()
    if asked.temperature < 0 or not 0 < asked.top_p <= 1:
        raise refused("temperature must be at least 0; topP must be above 0 and at most 1.")
    return asked


def read_attribute(given: Any) -> Attribute:
    fields = Fields(given, "the request")
    asked = Attribute(_route(fields), fields.whole("layer", 0), fields.whole("most", 1, 16) or 16)
    fields.nothing_more()
    return asked
