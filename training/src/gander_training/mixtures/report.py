"""Measures a trained mixture of experts: loss on held-out text, load and specialisation; writes its model card.

Everything is counted per document, because intervals come from resampling documents. A choice is one of a token's k
experts in one layer; the separator that opens a document is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from gander_routing.errors import UserError
from gander_routing.files import read_json
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from gander_training.corpora.recipe import HELDOUT
from gander_training.files import whole_file
from gander_training.texts.windows import Sample, Score, read_texts, sample, score

FREQUENT = 255  # most frequent tokens, each of which is a label
PARTS = 8  # parts of a window, each of which is a label for position
DEAD = 0.01  # share of an even load below which an expert counts as dead
Counts = NDArray[np.float64]


@dataclass(frozen=True)
class ReportOptions:
    """The first ``length`` tokens of ``windows`` documents of each kind; ``draws`` of the bootstrap."""

    windows: int = 16
    length: int = 512
    draws: int = 400
    seed: int = 0


@dataclass(frozen=True)
class Load:
    """A layer's load: CV, effective number of experts, dead experts (below 1 % of an even share), least and most."""

    cv: float
    effective: float
    dead: int
    least: float
    most: float


@dataclass(frozen=True)
class Told:
    """Share of a layer's entropy of choice that a label predicts, with a 95 % interval; ``chance``: labels shuffled."""

    share: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True)
class Holding:
    """Share of an expert's choices with ``label``, with a 95 % interval; ``overall``: of all the layer's choices."""

    layer: int
    expert: int
    label: str
    share: float
    low: float
    high: float
    overall: float


def token_class(text: str) -> str:
    """The class of a token by its text, as a reader would call it, not a parser."""
    body = text.strip()
    if not body:
        return "whitespace"
    if body.isdigit():
        return "digit"
    if "\ufffd" in body or not body.isascii():
        return "not ASCII"
    if not any(character.isalnum() for character in body):
        return "punctuation"
    return "word after a space" if text[0].isspace() else "word or piece of one"


def held_out(corpora: Path) -> dict[str, Path]:
    """Files of held-out text by kind: the test split of each domain, then kinds without any training text."""
    files = {path.parent.name: path for path in sorted(corpora.glob("*/test.jsonl"))}
    files |= {f"{path.stem}*": path for path in sorted((corpora / HELDOUT).glob("*.jsonl"))}
    if not files:
        raise UserError(f"{corpora}: holds no */test.jsonl (run gander-training corpora first)")
    return files


@torch.no_grad()
def choices(model: PreTrainedModel, ids: Tensor) -> Tensor:
    """The experts chosen for ``ids`` [n, T] by the model's router logits: [n, T, layers, k]."""
    k = model.config.num_experts_per_tok
    rows = []
    for part in ids.split(4):
        routers = model(input_ids=part, use_cache=False, output_router_logits=True).router_logits
        rows.append(torch.stack([logits.topk(k, -1).indices.view(*part.shape, k) for logits in routers], 2))
    return torch.cat(rows)


def count(chosen: Tensor, labels: Tensor, experts: int, names: int) -> Counts:
    """How often each document's tokens of a label chose an expert: from [n, ...] to [n, experts, names]."""
    documents = torch.arange(len(chosen)).view(-1, *[1] * (chosen.ndim - 1)).expand_as(chosen)
    flat = (documents * experts + chosen) * names + labels
    counts = flat.flatten().bincount(minlength=len(chosen) * experts * names)
    return counts.view(len(chosen), experts, names).double().numpy()


def load_of(shares: Counts) -> Load:
    """The load of one layer; shares [E] sum to 1."""
    experts = len(shares)
    some = shares[shares > 0]
    return Load(
        cv=float(shares.std() / shares.mean()),
        effective=float(np.exp(-(some * np.log(some)).sum())),
        dead=int((shares < DEAD / experts).sum()),
        least=float(shares.min()),
        most=float(shares.max()),
    )


def share_told(counts: Counts) -> Counts:
    """Mutual information of expert and label ÷ the expert's entropy: counts [..., E, labels] to [...]."""
    joint = counts / counts.sum((-2, -1), keepdims=True)

    def entropy(p: Counts) -> Counts:
        return -(p * np.log(np.where(p > 0, p, 1.0))).sum(-1)

    expert = entropy(joint.sum(-1))
    both = entropy(joint.reshape(*joint.shape[:-2], -1))
    return (expert + entropy(joint.sum(-2)) - both) / np.where(expert > 0, expert, 1.0)


def resampled(counts: Counts, draws: int, rng: np.random.Generator) -> Counts:
    """Sums over documents resampled with replacement: [documents, E, labels] to [draws, E, labels]."""
    weights = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=draws)
    return np.tensordot(weights.astype(float), counts, 1)


def told(counts: Counts, shuffled: Counts, draws: int, rng: np.random.Generator) -> Told:
    """What labels predict in one layer: its counts [documents, E, labels], and those with labels shuffled."""
    share = float(share_told(counts.sum(0)))
    drawn = share_told(resampled(counts, draws, rng))
    # Resampling adds the estimator's upward bias once more, so the interval is centred on the estimate.
    low, high = np.quantile(drawn - drawn.mean() + share, (0.025, 0.975))
    return Told(share, max(0.0, float(low)), float(high), float(share_told(shuffled.sum(0))))


def strongest(layer: int, counts: Counts, names: Sequence[str], draws: int, rng: np.random.Generator) -> Holding:
    """The most closely related expert and label, found on every other document and measured on the rest."""
    seen, kept = counts[::2].sum(0), counts[1::2]
    experts = seen.sum(-1)
    gain = seen / np.maximum(experts, 1)[:, None] - seen.sum(0) / experts.sum()
    gain[experts < experts.sum() / len(experts) / 4] = -1  # too few choices
    expert, label = np.unravel_index(gain.argmax(), gain.shape)
    each = resampled(kept, draws, rng)[:, expert]
    low, high = np.quantile(each[:, label] / np.maximum(each.sum(-1), 1), (0.025, 0.975))
    total = kept.sum(0)
    return Holding(
        layer,
        int(expert),
        names[label],
        float(total[expert, label] / max(1, total[expert].sum())),
        float(low),
        float(high),
        float(total[:, label].sum() / total.sum()),
    )


@dataclass(frozen=True)
class Report:
    """All results; ``told`` and ``holdings`` by kind of label, with one entry per layer."""

    scores: dict[str, Score]
    loads: list[Load]
    told: dict[str, list[Told]]
    holdings: dict[str, list[Holding]]
    documents: int
    tokens: int


def labels_of(tokenizer: PreTrainedTokenizerFast, samples: Mapping[str, Sample]) -> dict[str, tuple[Tensor, list[str]]]:
    """Labels [n, T] of all tokens but the separator, with their names: by kind of text, class, token and position."""
    ids = torch.cat([data.ids for data in samples.values()])[:, 1:]
    kinds = torch.arange(len(samples)).repeat_interleave(torch.tensor([len(data.ids) for data in samples.values()]))
    texts = [tokenizer.decode([token]) for token in range(len(tokenizer))]
    classes = sorted({token_class(text) for text in texts})
    class_of = torch.tensor([classes.index(token_class(text)) for text in texts])
    common = ids.flatten().bincount().topk(min(FREQUENT, len(tokenizer))).indices
    label_of = torch.full((len(tokenizer),), len(common))
    label_of[common] = torch.arange(len(common))
    place = torch.arange(ids.shape[1]) * PARTS // ids.shape[1]
    return {
        "kind of text": (kinds[:, None].expand_as(ids), list(samples)),
        "class of token": (class_of[ids], classes),
        "token": (label_of[ids], [repr(texts[token]) for token in common.tolist()] + ["any rarer"]),
        "position": (place.expand_as(ids), [f"part {part + 1} of {PARTS}" for part in range(PARTS)]),
    }


def shuffle(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Shuffle labels [n, T]: among documents if each document has only one label, otherwise among tokens."""
    if (labels == labels[:, :1]).all():
        return labels[torch.randperm(len(labels), generator=generator)]
    return labels.flatten()[torch.randperm(labels.numel(), generator=generator)].view_as(labels)


def measure(folder: Path, corpora: Path, options: ReportOptions) -> Report:
    """Measure a Hugging Face folder of a model with routers on the held-out text in ``corpora``."""
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    samples = {
        kind: sample(tokenizer, read_texts(path), options.windows, options.length)
        for kind, path in held_out(corpora).items()
    }
    scores = {kind: score(model, data) for kind, data in samples.items()}
    chosen = torch.cat([choices(model, data.ids) for data in samples.values()])[:, 1:]
    experts = getattr(model.config, "num_local_experts", None) or model.config.num_experts
    rng = np.random.default_rng(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    layers = range(chosen.shape[2])
    shares = [chosen[:, :, layer].flatten().bincount(minlength=experts).double().numpy() for layer in layers]
    report = Report(
        scores, [load_of(each / each.sum()) for each in shares], {}, {}, len(chosen), chosen[:, :, 0, 0].numel()
    )
    for asked, (labels, names) in labels_of(tokenizer, samples).items():
        dealt = shuffle(labels, generator)
        counts = [
            [count(chosen[:, :, layer], each[..., None], experts, len(names)) for each in (labels, dealt)]
            for layer in layers
        ]
        report.told[asked] = [told(ours, chance, options.draws, rng) for ours, chance in counts]
        report.holdings[asked] = [
            strongest(layer, ours, names, options.draws, rng) for layer, (ours, _) in enumerate(counts)
        ]
    return report


def _rows(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def card(name: str, run: dict[str, Any], report: Report, options: ReportOptions) -> str:
    """The model card, from the run's record (``training.json``) and the results."""
    shape, kinds = run["shape"], run["data"]["kinds"]
    packages = {label: licence for kind in kinds.values() for label, licence in kind["packages"].items()}
    front = {
        "name": name,
        "license": "apache-2.0",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "datasets": sorted(packages),
    }
    intervals = "95 % intervals from resampling documents."
    rates = "; ".join(
        f"from step {part['from_step']}: {part['batch']} windows of {part['length']} tokens, "
        + (
            f"from {part['learning_rate']:g} linearly to 0 in {part['decay'][1]} steps"
            if part["decay"]
            else f"learning rate {part['learning_rate']:g} after {part['warm_up']} steps of warm-up"
        )
        for part in run["history"]
    )
    sections = [
        f"# {name}",
        f"A mixture of experts of {run['parameters'] / 1e6:.1f} million parameters, trained from scratch with `gander-training "
        "train-moe` so that jointly trained routing can be explored without a download. Its text is poor, because it is very small "
        "and has seen little. Its routing is real: routers and experts were trained together, with a standard architecture and loss.",
        _rows(
            ["", ""],
            [
                ["architecture", "MixtralForCausalLM, embedding and head share one matrix"],
                ["layers, width", f"{shape['layers']}, {shape['width']}"],
                ["experts a layer", f"{shape['experts']} of {shape['intermediate']}, {shape['chosen']} a token"],
                ["attention heads", f"{shape['heads']}, {shape['kv_heads']} for keys and values"],
                [
                    "vocabulary",
                    f"{shape['vocabulary']}, byte-level BPE trained on the training text, each digit a token of its own",
                ],
                ["tokens seen", f"{run['tokens_seen']:,} ({run['epochs']:.2f} times {run['tokens_distinct']:,})"],
                ["steps", f"{run['steps']}: {rates}"],
                [
                    "optimiser",
                    "AdamW, betas 0.9 and 0.95, no weight decay, clip 1.0; bfloat16, float32 copies and routers",
                ],
                [
                    "load balancing",
                    f"Switch loss of each layer over a step's tokens, mean of layers, times {run['history'][-1]['balance']:g}",
                ],
                ["seed", run["history"][0]["seed"]],
                ["training loss at the end", f"{run['loss']:.3f} nats a token"],
                ["time", f"{run['hours']:.1f} h on a shared processor"],
            ],
        ),
        "## Training text",
        "Public packages, by kind; their names are in the front matter, versions and licences in `training.json`.",
        _rows(
            ["kind", "packages", "documents", "MB", "tokens"],
            [
                [kind, len(e["packages"]), e["documents"], f"{e['bytes'] / 1e6:.1f}", f"{e['tokens']:,}"]
                for kind, e in kinds.items()
            ],
        ),
        "## Loss on unseen text",
        f"The first {options.length} tokens of at most {options.windows} documents of each kind, from packages that are not in the "
        "training text. The model was not trained on the kinds with a star at all.",
        _rows(
            ["kind", "bits per byte", "nats a token"],
            [[kind, f"{s.bits:.3f}", f"{s.loss:.3f}"] for kind, s in report.scores.items()],
        ),
        "## Load",
        f"On the same {report.tokens:,} tokens of {report.documents} documents. CV: standard deviation of the experts' shares "
        "divided by their mean. Effective: exp of the entropy of the shares. Dead: less than 1 % of an even share.",
        _rows(
            ["layer", "CV", "effective", "dead", "least", "most"],
            [
                [i, f"{e.cv:.2f}", f"{e.effective:.1f}", e.dead, _percent(e.least), _percent(e.most)]
                for i, e in enumerate(report.loads)
            ],
        ),
        "## What predicts which expert is chosen",
        "Mutual information of the expert and a property of the token, as a share of the entropy of the choice: at 0 % the property "
        "says nothing about the choice, at 100 % it determines it. In brackets: its interval; then the value with the property "
        f"shuffled, which is what chance gives. {intervals}",
        _rows(
            ["layer", *report.told],
            [
                [
                    i,
                    *(
                        f"{_percent(t.share)} ({100 * t.low:.1f} to {100 * t.high:.1f}); chance {_percent(t.chance)}"
                        for t in (layers[i] for layers in report.told.values())
                    ),
                ]
                for i in range(len(report.loads))
            ],
        ),
        "## What single experts specialise in",
        "For each layer, the expert and the property that are most closely related, found on every other document and measured on "
        f"the rest: the property's share of that expert's tokens, and of all tokens (what chance gives). {intervals}",
    ]
    for asked, holdings in report.holdings.items():
        sections += [
            f"### By {asked}",
            _rows(
                ["layer", "expert", asked, "of its tokens", "of all tokens"],
                [
                    [
                        h.layer,
                        h.expert,
                        h.label if asked != "token" else f"`{h.label}`",
                        f"{_percent(h.share)} ({100 * h.low:.1f} to {100 * h.high:.1f})",
                        _percent(h.overall),
                    ]
                    for h in holdings
                ],
            ),
        ]
    return (
        "---\n"
        + yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)
        + "---\n\n"
        + "\n\n".join(sections)
        + "\n"
    )


def write_card(folder: Path, corpora: Path, name: str, options: ReportOptions) -> Report:
    """Measure ``folder`` and write its ``README.md`` and ``measured.json``."""
    run = read_json(folder / "training.json")
    report = measure(folder, corpora, options)
    with whole_file(folder / "measured.json") as path:
        path.write_text(json.dumps({"options": asdict(options), **asdict(report)}, indent=1), encoding="utf-8")
    with whole_file(folder / "README.md") as path:
        path.write_text(card(name, run, report, options), encoding="utf-8")
    return report
