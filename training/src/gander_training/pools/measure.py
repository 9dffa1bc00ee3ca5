"""Measures what a pool's README reports: experts on domains, PHATGOOSE's load, the cost of quantisation."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.forward import routed_forward
from gander_routing.pool import Expert, read_pool
from gander_routing.strategies import Strategy
from torch import Tensor, nn
from tqdm import tqdm

from gander_training.bases.source import load_base, load_source
from gander_training.experts.workbench import open_bench
from gander_training.files import whole_file
from gander_training.pools.pool import manifest_of
from gander_training.texts.windows import Sample, read_texts, sample, score, second_half

START, END = "<!-- measured -->", "<!-- /measured -->"


@dataclass(frozen=True)
class MeasureOptions:
    """``windows`` windows of ``length`` tokens per domain; routing is measured on the first ``routed`` of them."""

    windows: int = 16
    length: int = 256
    routed: int = 8
    k: int = 2


def domain_samples(tokenizer: Any, corpora: Path, domains: Sequence[str], options: MeasureOptions) -> dict[str, Sample]:
    """A sample from the second halves of each domain's test documents."""
    return {
        domain: sample(
            tokenizer,
            [second_half(text) for text in read_texts(corpora / domain / "test.jsonl")],
            options.windows,
            options.length,
        )
        for domain in domains
    }


class Kept:
    """Measurements on disk, under a key with everything that they depend on, so that a run can be resumed."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.values: dict[str, Any] = read_json(file) if file.is_file() else {}

    def get(self, key: str, measure: Callable[[], Any]) -> Any:
        """The value stored under ``key``; if there is none, the result of ``measure``, which is then stored."""
        if key not in self.values:
            self.values[key] = measure()
            with whole_file(self.file) as path:
                path.write_text(json.dumps(self.values), encoding="utf-8")
        return self.values[key]


def digest(*files: Path) -> str:
    """A short hash of the contents of ``files``."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()[:16]


def expert_table(
    pool: Path, samples: dict[str, Sample], folders: dict[str, Path], kept: Kept, about: str
) -> dict[str, dict[str, float]]:
    """Bits per byte in bfloat16: row ``base`` and a row for each adapter folder, a column for each sample."""
    first = next(iter(folders.values()))
    bench = open_bench(pool, rank=0, alpha=0, dtype=torch.bfloat16, compiled=False, adapter=first)
    bench.model.eval()

    def row() -> dict[str, float]:
        return {domain: score(bench.model, data).bits for domain, data in samples.items()}

    def base_row() -> dict[str, float]:
        with bench.model.disable_adapter():
            return row()

    def adapted_row(folder: Path) -> dict[str, float]:
        bench.load(folder)
        return row()

    table = {"base": kept.get(f"bits base {about}", base_row)}
    for name, folder in tqdm(folders.items(), desc="experts x domains"):
        key = f"bits {name} {digest(folder / 'adapter_model.safetensors')} {about}"
        table[name] = kept.get(key, partial(adapted_row, folder))
    return table


def usage(model: nn.Module, experts: Sequence[Expert], data: Sample, options: MeasureOptions) -> list[float]:
    """Each expert's share of PHATGOOSE's choices on a sample.

    A choice is one of a token's k at a module; the separator at the start of a window is left out.
    """
    counts = torch.zeros(len(experts))
    for ids in data.ids[: options.routed]:
        result = routed_forward(model, experts, ids, Strategy("phatgoose", options.k))
        counts += torch.bincount(result.chosen[:, 1:].flatten().long(), minlength=len(experts))
    return (counts / counts.sum()).tolist()


@torch.no_grad()
def quantisation_cost(source: Path, pool: Path, data: Sample) -> tuple[float, float]:
    """Bits per byte of the published weights (PyTorch, float32) and of the shipped graph (ONNX Runtime)."""
    model, _ = load_source(source)
    published = score(model, data).bits
    return published, float(_graph_nats(pool, data.ids).sum()) / math.log(2) / data.size


def _graph_nats(pool: Path, ids: Tensor) -> Tensor:
    """Negative log-probabilities [n, length - 1] from the pool's own graph."""
    import numpy as np
    import onnxruntime

    path = pool / manifest_of(pool)["base"]["model"]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rows = []
    for row in ids:
        tokens = row[None].numpy()
        feed: dict[str, Any] = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
        for entry in session.get_inputs():
            if entry.name == "position_ids":
                feed[entry.name] = np.arange(tokens.shape[1])[None]
            elif entry.name.startswith("past_key_values"):
                heads, size = entry.shape[1], entry.shape[3]
                feed[entry.name] = np.zeros((1, heads, 0, size), np.float32)
        logits = torch.from_numpy(session.run(["logits"], feed)[0])[0, :-1]
        rows.append(nn.functional.cross_entropy(logits, row[1:], reduction="none"))
    return torch.stack(rows)


def markdown_table(table: dict[str, dict[str, float]]) -> str:
    """A table with adapters as rows and domains as columns; the best of a column is bold."""
    domains = list(next(iter(table.values())))
    best = {domain: min(row[domain] for name, row in table.items() if name != "multitask") for domain in domains}
    lines = ["| | " + " | ".join(domains) + " |", "| --- |" + " --- |" * len(domains)]
    for name, row in table.items():
        cells = (f"**{row[d]:.3f}**" if row[d] == best[d] and name != "multitask" else f"{row[d]:.3f}" for d in domains)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def diagonal_text(table: dict[str, dict[str, float]]) -> str:
    """Says where an expert is not the best on its own domain, and where it does not beat the base."""
    own = [name for name in table if name in table["base"]]
    lines = []
    for domain in own:
        rows = {name: row[domain] for name, row in table.items() if name in own}
        best = min(rows, key=lambda name: rows[name])
        if best != domain:
            lines.append(f"- {domain}: the {best} expert does better ({rows[best]:.3f} against {rows[domain]:.3f}).")
        if rows[domain] >= table["base"][domain]:
            lines.append(
                f"- {domain}: its expert does not beat the base ({rows[domain]:.3f} against {table['base'][domain]:.3f})."
            )
    won = len(own) - sum("does better" in line for line in lines)
    head = (
        f"The expert of a domain is the best of all experts on that domain's test text in {won} of {len(own)} domains."
    )
    return "\n".join([head, *([""] + lines if lines else [])])


def usage_text(shares: dict[str, list[float]], experts: Sequence[str]) -> str:
    """A table of shares of choices in percent, with the matching expert's rank in the last column."""
    lines = [
        "| text | " + " | ".join(experts) + " | rank of its own |",
        "| --- |" + " --- |" * (len(experts) + 1),
    ]
    among = []
    for domain, row in shares.items():
        order = sorted(range(len(row)), key=lambda i: -row[i])
        rank = order.index(list(experts).index(domain)) + 1 if domain in experts else None
        among += [domain] if rank is not None and rank <= 2 else []
        cells = (f"**{100 * v:.1f}**" if experts[i] == domain else f"{100 * v:.1f}" for i, v in enumerate(row))
        lines.append(f"| {domain} | " + " | ".join(cells) + f" | {rank or ''} |")
    own = [domain for domain in shares if domain in experts]
    lines += ["", f"The matching expert is among the two most used in {len(among)} of {len(own)} domains."]
    return "\n".join(lines)


def report(pool: Path, corpora: Path, source: Path | None, runs: Path, options: MeasureOptions) -> str:
    """All measurements of a pool as Markdown; finished ones are kept in ``runs``."""
    manifest = manifest_of(pool)
    contents = read_pool(pool)
    if not contents.experts:
        raise UserError(f"{pool / manifest['experts']}: holds no expert")
    model, tokenizer = load_base(pool)
    names = [expert.id for expert in contents.experts]
    domains = [name for name in names if (corpora / name / "test.jsonl").is_file()]
    if not domains:
        raise UserError(f"{corpora}: no <expert>/test.jsonl for any expert of the pool")
    samples = domain_samples(tokenizer, corpora, domains, options)
    folders = {name: pool / manifest["experts"] / name for name in names}
    if contents.multitask is not None:
        folders["multitask"] = pool / manifest["multitask"]
    data_files = [corpora / domain / "test.jsonl" for domain in domains]
    graph = pool / manifest["base"]["model"]
    about = f"{options} {digest(*data_files)} {digest(graph, *graph.parent.glob('*.bin'))}"
    kept = Kept(runs / f"{manifest.get('id', 'pool')}.measured.json")
    table = expert_table(pool, samples, folders, kept, about)
    gates = digest(*(folders[name] / "gate.safetensors" for name in names))
    shares = {
        domain: kept.get(f"usage {domain} {gates} {about}", partial(usage, model, contents.experts, data, options))
        for domain, data in tqdm(samples.items(), desc="routing")
    }
    size = sum(path.stat().st_size for path in pool.rglob("*") if path.is_file())
    parts = [
        "### Experts and domains",
        f"Bits per byte on test text (lower is better): up to {options.windows} windows of {options.length} tokens a "
        "domain, one a document, from the second half of the document (its head is often a licence). bfloat16 "
        "arithmetic. Bold: the best of base and experts in a column.",
        markdown_table(table),
        diagonal_text(table),
        "### Who is used",
        f"PHATGOOSE, k = {options.k}: percent of all choices (a token at a module, k each) that went to an expert, on up to "
        f"{options.routed} of the same windows; chance is {100 / len(names):.1f}. float32 arithmetic.",
        usage_text(shares, names),
        "### Size",
        f"{size / 1e6:.1f} MB in all; the largest file has "
        f"{max(p.stat().st_size for p in pool.rglob('*') if p.is_file()) / 1e6:.1f} MB.",
    ]
    if source is not None:
        texts = [second_half(t) for domain in domains for t in read_texts(corpora / domain / "test.jsonl")]
        data = sample(tokenizer, texts, 3 * len(domains), 2 * options.length)
        published, shipped = kept.get(f"cost {digest(source)} {about}", partial(quantisation_cost, source, pool, data))
        parts += [
            "### What quantisation costs",
            f"Bits per byte on {len(data.ids)} test windows of {2 * options.length} tokens over the same domains: published "
            f"weights {published:.4f} (PyTorch, float32), the shipped graph {shipped:.4f} (ONNX Runtime): "
            f"{100 * (shipped / published - 1):+.2f} %. The scales were fitted on training text of these domains, so other "
            "text may lose more.",
        ]
    return "\n\n".join(parts)


def write_report(readme: Path, text: str) -> None:
    """Put ``text`` between the markers in ``readme``, which is created if missing; the rest stays as it is."""
    old = readme.read_text(encoding="utf-8") if readme.is_file() else f"{START}\n{END}\n"
    block = f"{START}\n\n{text}\n\n{END}"
    new, count = re.subn(f"{re.escape(START)}.*?{re.escape(END)}", lambda _: block, old, flags=re.S)
    if not count:
        new = f"{old.rstrip()}\n\n{block}\n"
    with whole_file(readme) as path:
        path.write_text(new, encoding="utf-8")
