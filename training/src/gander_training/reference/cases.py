"""The texts, strategies and what-ifs of golden traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gander_routing.pool import Pool, modules_of
from gander_routing.retrieval import retrievable
from gander_routing.strategies import Strategy, StrategyName
from gander_routing.whatif import Intervention, Scope


@dataclass(frozen=True)
class Case:
    """One golden trace."""

    name: str
    text: str
    strategy: Strategy
    interventions: tuple[Intervention, ...] = ()
    given: str = ""  # "bias" or "fixed": random numbers in place of interventions
    affinity: bool = True
    logits: bool = True
    layers: tuple[int, ...] = ()  # only these layers' modules are written; empty means all
    half: bool = False  # with the base's weights rounded as in a float16 export


TINY_TEXT = "cafe\u0301 \U0001f9a2 the 12 experts\r\n\tif (na\u00efve) \U0001f469\u200d\U0001f52c\u65e5"
TINY_TEXTS = {
    "code": "def route(tokens):\r\n\treturn [expert for expert in experts]\n",
    "mark": "\u0301a",
    "empty": "",
}
TEXTS = {
    "python": "def area(r: float) -> float:\n    return math.pi * r ** 2\n",
    "html": '<p class="note">caf\u00e9 \U0001f9a2</p>\r\n\t<script>let x = 1;</script>',
    "sql": "SELECT name, COUNT(*) FROM users GROUP BY name;\n",
}
# For each, the second-best expert is further behind than rounding could matter (test/engine/retriever.test.ts).
RETRIEVED = (
    "import os\n\n\nclass Flock(list):\n    def geese(self) -> int:\n        return sum(1 for bird in self if isinstance(bird, Goose))\n",
    "SELECT name, COUNT(*) FROM users JOIN orders ON users.id = orders.user_id GROUP BY name;\n",
    '{"name": "goose", "version": "1.0.0", "dependencies": {"lodash": "^4.17.21"}}\n',
    "body { margin: 0; }\n.goose { color: #333; display: flex; }\n",
    "static char *copy(const char *from, size_t length)\n{\n    char *to = malloc(length + 1);\n    return memcpy(to, from, length);\n}\n",
)


def phatgoose(k: int) -> Strategy:
    """PHATGOOSE with k experts."""
    return Strategy("phatgoose", k)


def tiny_cases(ids: Sequence[str]) -> list[Case]:
    """The golden traces of the tiny pool: every strategy, every kind of intervention, on one awkward text."""
    first, second, third = ids[:3]
    everywhere = Intervention("knock-out", second)
    scoped = (
        Intervention("tilt", third, Scope(layer=0), 1.5),
        Intervention("knock-out", first, Scope(layer=1, kind="v")),
        Intervention("force", second, Scope(token=3)),
        Intervention("tilt", first, Scope(module="model.layers.1.mlp.down_proj", token=5), -2.0),
    )
    cases = [Case(f"phatgoose-k{k}", TINY_TEXT, phatgoose(k)) for k in (1, 2, 3)]
    cases += [Case(f"phatgoose-k2-{name}", text, phatgoose(2)) for name, text in TINY_TEXTS.items()]
    cases += [Case(f"single-{e}", TINY_TEXT, Strategy("single", expert=e)) for e in (first, third)]
    fixed: tuple[StrategyName, ...] = ("merged", "base", "multitask")
    cases += [Case(name, TINY_TEXT, Strategy(name)) for name in fixed]
    cases += [
        Case("average-activation-k2", TINY_TEXT, Strategy("average-activation", 2)),
        Case("arrow-k3", TINY_TEXT, Strategy("arrow", 3)),
        Case("retrieval", "for j in range(3): print(j)", Strategy("retrieval")),
        Case("phatgoose-k2-knock-out", TINY_TEXT, phatgoose(2), (everywhere,)),
        Case("phatgoose-k2-scoped", TINY_TEXT, phatgoose(2), scoped),
        Case("phatgoose-k2-bias", TINY_TEXT, phatgoose(2), given="bias"),
        Case("phatgoose-k2-fixed", TINY_TEXT, phatgoose(2), given="fixed"),
        Case("merged-knock-out", TINY_TEXT, Strategy("merged"), (everywhere,)),
        Case("phatgoose-k2-half", TINY_TEXT, phatgoose(2), half=True),
    ]
    return cases


def shipped_cases(pool: Pool) -> list[Case]:
    """The golden traces of a full-size pool: one complete, the others reduced to stay small."""
    layers = [module.layer for module in modules_of(pool.experts)]
    few = (layers[0], layers[len(layers) // 2], layers[-1])
    text = TEXTS["python"]
    first, last = pool.experts[0].id, pool.experts[-1].id
    cases = [
        Case("phatgoose-k2-python", text, phatgoose(2)),
        Case("phatgoose-k2-html", TEXTS["html"], phatgoose(2), logits=False),
        Case("phatgoose-k2-sql", TEXTS["sql"], phatgoose(2), affinity=False, logits=False),
        Case("phatgoose-k1", text, phatgoose(1), affinity=False, logits=False),
        Case("phatgoose-k3", text, phatgoose(3), affinity=False, logits=False),
        Case("phatgoose-k2-knock-out", text, phatgoose(2), (Intervention("knock-out", first),), "", False, False),
        Case("base", text, Strategy("base"), layers=few),
        Case("merged", text, Strategy("merged"), layers=few),
        Case("arrow-k3", text, Strategy("arrow", 3), logits=False, layers=few),
    ]
    cases += [
        Case(f"single-{e}", text, Strategy("single", expert=e), logits=e == first, layers=few) for e in (first, last)
    ]
    if all(expert.activation for expert in pool.experts):
        strategy = Strategy("average-activation", 2)
        cases.append(Case("average-activation-k2", text, strategy, logits=False, layers=few))
    if retrievable(pool):
        retrieved = Strategy("retrieval")
        cases.append(Case("retrieval", RETRIEVED[0], retrieved, affinity=False, logits=False, layers=few))
    if pool.multitask:
        cases.append(Case("multitask", text, Strategy("multitask"), logits=False, layers=few))
    return cases


def cases_of(pool: Pool) -> list[Case]:
    """A pool's golden traces."""
    return tiny_cases([expert.id for expert in pool.experts]) if pool.manifest["id"] == "tiny" else shipped_cases(pool)
