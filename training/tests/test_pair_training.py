"""Experts and gates of an encoder-decoder learn, ignore padding, and fit into a pool."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
import yaml
from conftest import PHATGOOSE
from gander_routing.errors import UserError
from gander_routing.pool import Module
from safetensors.torch import load_file

from gander_training.cli import _parser, main
from gander_training.experts.workbench import ADAPTER, Workbench, open_pair_bench
from gander_training.fitting.loop import fit
from gander_training.fitting.schedule import steady
from gander_training.pairs.data import Pair, Pairs, read_pairs, score_pairs
from gander_training.pairs.train import PairOptions, begin, load_pairs, mean_pair_inputs

BASE = PHATGOOSE / "base"
RETRIEVER = PHATGOOSE.parent / "tiny-pool/retriever"
WORDS = "the farmer counts sheep near old mill every morning river bridge crosses slow water under tall trees".split()
SETTINGS = ["--dtype", "float32", "--batch", "16", "--part", "4", "--length", "24", "--threads", "1"]


def write_pairs(path: Path, seed: int, count: int = 64) -> Path:
    """Write a jsonl file in which the target is the input's first and last word."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8") as out:
        for _ in range(count):
            words = rng.choices(WORDS, k=rng.randint(2, 7))
            out.write(json.dumps({"input": " ".join(words), "target": f"{words[0]} {words[-1]}"}) + "\n")
    return path


def bench_on(base: Path = BASE, adapter: Path | None = None) -> Workbench:
    return open_pair_bench(base, rank=4, alpha=1, dtype=torch.float32, compiled=False, adapter=adapter)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs") / "train.jsonl", 1)


@pytest.fixture(scope="module")
def expert(data: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An expert trained with the commands on the pool's base as shipped."""
    made = tmp_path_factory.mktemp("experts") / "ends"
    common = ["--base", str(folder), "--data", str(data), "--runs", str(made.parent / "runs"), *SETTINGS]
    out = ["--out", str(made), "--name", "Ends", "--rank", "4", "--test", str(data)]
    assert main(["expert", *common, "--steps", "25", *out]) == 0
    assert main(["gate", *common, "--steps", "5", "--expert", str(made), "--retriever", str(RETRIEVER)]) == 0
    return made


def test_the_papers_settings_are_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    for command, more in (("expert", ["--out", "x"]), ("gate", ["--expert", "x"])):
        args = _parser().parse_args([command, "--base", str(BASE), "--data", "d", *more])
        steps = 1000 if command == "expert" else 100
        assert args.pair["steps"] == steps and args.usual["steps"] == (120 if command == "expert" else 100)
        assert (args.pair["batch"], args.pair["length"], args.pair["learning_rate"]) == (1024, 512, 5e-3)
    assert [steady(step, 100) for step in (0, 2, 5, 6, 99)] == pytest.approx([1 / 6, 0.5, 1, 1, 1])


def test_an_expert_learns_and_its_folder_fits_a_pool(expert: Path, folder: Path) -> None:
    card = (expert / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["name"] == "Ends" and "| rank, alpha | 4, 1 |" in card and "25 of 16 examples" in card
    cells = next(line for line in card.splitlines() if line.startswith("| test |")).split("|")
    before, after = float(cells[2]), float(cells[3])
    assert after < before - 0.5
    gate, activation = load_file(expert / "gate.safetensors"), load_file(expert / "activation.safetensors")
    adapter = load_file(expert / "adapter_model.safetensors")
    assert len(gate) == 36 and gate.keys() == activation.keys()
    kinds = {Module.at(path).kind for path in gate}
    assert {"cross-q", "cross-k", "cross-v", "cross-o", "gate", "up", "down"} <= kinds
    for path, vector in gate.items():
        assert vector.any() and vector.shape == adapter[f"base_model.model.{path}.lora_A.weight"].shape[1:]
    examples = load_file(expert / "examples.safetensors")
    assert len(examples["embeddings"]) == len(examples["scales"]) == 64  # one per input
    config = json.loads((expert / "adapter_config.json").read_text())
    assert config["task_type"] == "SEQ_2_SEQ_LM" and "lm_head" not in config["target_modules"]
    assert not list((expert.parent / "runs").iterdir())
    assert str(expert.parent) not in (expert / "adapter_config.json").read_text()


def test_it_is_routed_together_with_imported_experts(expert: Path, folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "pool")
    assert main(["pool", "add", str(tmp_path / "pool"), str(expert)]) == 0
    assert main(["pool", "check", str(tmp_path / "pool")]) == 0
    out = tmp_path / "out.safetensors"
    asked = ["--text", "the farmer counts sheep", "--target", "the sheep", "--strategy", "single", "--expert", "ends"]
    assert main(["reference", "--pool", str(tmp_path / "pool"), *asked, "--out", str(out)]) == 0
    assert (load_file(out)["block.0.contribution"] > 0).all()


def test_an_adapter_starts_as_in_the_authors_code() -> None:
    bench = bench_on()
    begin(bench, 0)
    for layer in bench.modules().values():
        assert not layer.lora_B[ADAPTER].weight.any() and layer.scaling[ADAPTER] == 1 / 4
    a = torch.cat([layer.lora_A[ADAPTER].weight.flatten() for layer in bench.modules().values()])
    assert a.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(("has", "dtype"), [("avx512_bf16", torch.bfloat16), ("avx2", torch.float32)])
def test_training_in_bfloat16_where_the_processor_multiplies_in_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: str, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {has: True, "architecture": "x86_64"})
    common = [
        "--base",
        str(BASE),
        "--data",
        str(data),
        "--runs",
        str(tmp_path / "runs"),
        "--batch",
        "4",
        "--length",
        "16",
    ]
    assert main(["expert", *common, "--steps", "2", "--out", str(tmp_path / "made")]) == 0
    assert main(["gate", *common, "--steps", "2", "--expert", str(tmp_path / "made")]) == 0
    adapter = load_file(tmp_path / "made/adapter_model.safetensors")
    assert {tensor.dtype for tensor in adapter.values()} == {dtype}
    assert next(tensor for name, tensor in adapter.items() if "lora_A" in name).shape[0] == 16
    assert all(vector.any() for vector in load_file(tmp_path / "made/gate.safetensors").values())


def test_padding_does_not_count() -> None:
    bench = bench_on()
    texts = [Pair("the farmer counts sheep near the mill", "the mill"), Pair("water", "slow water under tall trees")]
    pairs = Pairs.of(bench.tokenizer, texts, 24)
    together = pairs.batch(torch.tensor([0, 1]))
    assert together["attention_mask"].sum(1).tolist() == [len(ids) for ids in pairs.inputs]
    with torch.no_grad():
        logits = bench.model(**together).logits
        for row in range(2):
            alone = bench.model(**pairs.batch(torch.tensor([row]))).logits[0]
            torch.testing.assert_close(logits[row, : len(alone)], alone, atol=1e-5, rtol=1e-4)
    scores = [score_pairs(bench.model, pairs, part) for part in (1, 2)]
    assert scores[0].loss == pytest.approx(scores[1].loss, rel=1e-5) and scores[0].bits > 0


def test_means_are_over_each_modules_own_sequence(expert: Path, data: Path, folder: Path) -> None:
    bench = bench_on(folder, expert)
    pairs = Pairs.of(bench.tokenizer, read_pairs(data)[:5], 24)
    means = mean_pair_inputs(bench, pairs, torch.arange(5), part=3)
    for path in ("encoder.block.1.layer.1.DenseReluDense.wo", "decoder.block.1.layer.1.EncDecAttention.k",
                 "decoder.block.1.layer.1.EncDecAttention.q"):  # fmt: skip
        seen: list[torch.Tensor] = []
        handle = bench.modules()[path].register_forward_pre_hook(
            lambda _m, inputs, seen=seen: seen.append(inputs[0][0])
        )
        with torch.no_grad():
            for row in range(5):
                bench.model(**pairs.batch(torch.tensor([row])))
        handle.remove()
        lengths = [len(ids) for ids in (pairs.targets if path.endswith(".q") else pairs.inputs)]
        assert [len(u) for u in seen] == lengths
        torch.testing.assert_close(means[path], torch.cat(seen).mean(0), atol=1e-5, rtol=1e-4)


def test_a_batch_in_parts_gives_the_same_as_the_whole_batch(tmp_path: Path) -> None:
    def run(part: int | None) -> tuple[list[float], torch.Tensor]:
        from gander_training.fitting.loop import MasterAdamW

        torch.manual_seed(0)
        layer = torch.nn.Linear(4, 1)
        optimiser = MasterAdamW(list(layer.parameters()), 0.1)
        rows = list(torch.arange(96.0).sin().view(3, 8, 4))
        losses = fit(lambda x: layer(x).square().mean(), optimiser, rows, tmp_path / "x", "key", "test", part=part)
        return losses, layer.weight.detach()

    (whole, weight), (parts, other) = run(None), run(3)
    assert parts == pytest.approx(whole, rel=1e-5)
    torch.testing.assert_close(weight, other)


def test_files_contribute_in_equal_shares(data: Path, tmp_path: Path) -> None:
    other = write_pairs(tmp_path / "other.jsonl", 2, count=10)
    texts, pairs, rows = load_pairs(bench_on(), [data, other], PairOptions(steps=2, batch=10, length=24))
    assert len(texts) == len(pairs.targets) == 74
    first = torch.cat(rows).flatten()
    assert int((first >= 64).sum()) == 10 and len(first.unique()) == 20


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"text": "a"}', 'an "input" and a "target"'),
        ('{"input": "a", "target": 3}', "not a string"),
        ('{"input": "a", "target": ""}', "holds no pair"),
        ("[", 'an "input" and a "target"'),
    ],
)
def test_a_line_that_is_not_a_pair_is_reported_in_one_line(
    tmp_path: Path, line: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "data.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(UserError, match=why):
        read_pairs(file)
    assert main(["expert", "--base", str(BASE), "--data", str(file), "--out", str(tmp_path / "x"), *SETTINGS]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len([one for one in told if one.startswith("gander-training: ")]) == 1 and not (tmp_path / "x").exists()
