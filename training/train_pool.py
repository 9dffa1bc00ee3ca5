"""Train the shipped pool: an adapter and a gate for each domain, then the multitask adapter. Resumable.

Does the same as ``gander-training expert`` and ``gate`` for every domain, but in one process, so that the base is
loaded (and compiled) only once. Finished folders are skipped.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from pathlib import Path

import torch
from gander_routing.retrieval import Retriever

from gander_training.experts.train import Card, ExpertOptions, train_expert
from gander_training.experts.workbench import open_bench
from gander_training.gates.train import GateOptions, train_gate_folder

HERE = Path(__file__).resolve().parent
DOMAINS = {
    "python": "Python",
    "typescript": "TypeScript",
    "rust": "Rust",
    "go": "Go",
    "java": "Java",
    "c": "C",
    "html": "HTML",
    "css": "CSS",
    "sql": "SQL",
    "shell": "Shell",
    "json": "JSON",
    "prose": "Technical prose",
}
DESCRIPTIONS = {
    "python": "Python modules from packages on PyPI.",
    "typescript": "TypeScript sources and declarations from packages on npm.",
    "rust": "Rust sources from crates.",
    "go": "Go sources from modules.",
    "java": "Java sources from Maven artifacts.",
    "c": "C sources and headers.",
    "html": "HTML pages of packaged documentation.",
    "css": "Style sheets from packages on npm.",
    "sql": "SQL scripts: schemas, migrations, queries and test suites.",
    "shell": "Shell scripts.",
    "json": "JSON documents: configuration, schemas, data.",
    "prose": "English technical prose from packaged documentation.",
}


def commit(folder: Path, message: str) -> None:
    """Commit one finished folder; retries for a while, because another commit may hold the index lock."""
    for _ in range(30):
        add = subprocess.run(["git", "add", str(folder)], cwd=HERE, capture_output=True, text=True)
        if add.returncode == 0:
            done = subprocess.run(
                ["git", "commit", "-q", "-m", message, "--", str(folder)], cwd=HERE, capture_output=True, text=True
            )
            if done.returncode == 0:
                return
        time.sleep(2)
    print(f"{folder}: not committed", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, default=HERE.parent / "models" / "smollm2-135m")
    parser.add_argument("--corpora", type=Path, default=HERE / ".corpora")
    parser.add_argument("--runs", type=Path, default=HERE / ".runs")
    parser.add_argument("--domains", nargs="*", default=list(DOMAINS), help="default: all twelve")
    parser.add_argument("--steps", type=int, default=120, help="steps per adapter")
    parser.add_argument("--gate-steps", type=int, default=100)
    parser.add_argument("--multitask-steps", type=int, default=0, help="0 for no multitask adapter")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--commit", action="store_true", help="git commit each finished folder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bench = open_bench(options.pool, rank=8, alpha=16, dtype=torch.bfloat16, compiled=options.compile)
    retriever = Retriever(options.pool / "retriever")
    training = ExpertOptions(steps=options.steps, learning_rate=options.learning_rate)
    for domain in options.domains:
        folder = options.pool / "experts" / domain
        data = [options.corpora / domain / "train.jsonl"]
        held_out = {split: [options.corpora / domain / f"{split}.jsonl"] for split in ("validation", "test")}
        start = time.monotonic()
        if not (folder / "adapter_model.safetensors").exists():
            figures = train_expert(
                bench, data, folder, Card(DOMAINS[domain], DESCRIPTIONS[domain]), training, options.runs, held_out
            )
            print(f"{domain}: {time.monotonic() - start:.0f} s {figures}", flush=True)
        elif not (folder / "gate.safetensors").exists():
            bench.load(folder)
        start = time.monotonic()
        if not (folder / "gate.safetensors").exists():
            gate = train_gate_folder(
                bench, data, folder, GateOptions(steps=options.gate_steps), options.runs, retriever
            )
            norm = sum(float(v.norm()) for v in gate.values()) / len(gate)
            print(f"{domain}: gate {time.monotonic() - start:.0f} s, mean length {norm:.3f}", flush=True)
            if options.commit:
                commit(folder, f"Expert {domain}: adapter, gate, mean activations, retrieval examples")
    folder = options.pool / "multitask"
    if options.multitask_steps and not folder.exists():
        train_expert(
            bench,
            [options.corpora / domain / "train.jsonl" for domain in options.domains],
            folder,
            Card("Multitask", "One adapter trained on all twelve domains together, in equal shares."),
            ExpertOptions(steps=options.multitask_steps, learning_rate=options.learning_rate),
            options.runs,
            {
                split: [options.corpora / domain / f"{split}.jsonl" for domain in options.domains]
                for split in ("validation", "test")
            },
        )
        if options.commit:
            commit(folder, "Multitask adapter over all twelve domains")


if __name__ == "__main__":
    main()
