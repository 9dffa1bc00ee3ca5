"""Adapters and gates learn, follow the formulas, and their runs resume."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForCausalLM

from gander_training.experts.train import Card, ExpertOptions, interleave, train_expert
from gander_training.experts.workbench import ADAPTER, Workbench, input_hooks, open_bench
from gander_training.files import whole_file, whole_folder
from gander_training.fitting.loop import MasterAdamW, batches, fit
from gander_training.fitting.schedule import rate
from gander_training.gates.train import GateOptions, Gates, compact, mean_inputs, train_gate_folder
from gander_training.texts.windows import pack, read_texts, sample, score, separator

OPTIONS = ExpertOptions(steps=30, batch=4, length=32, learning_rate=1e-2)
GATE = GateOptions(steps=8, batch=2, length=32, activation_windows=4)


def bench_on(base: Path, adapter: Path | None = None) -> Workbench:
    return open_bench(base, rank=4, alpha=8, dtype=torch.float32, compiled=False, adapter=adapter)


@pytest.fixture(scope="module")
def expert(small: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experts") / "made"
    bench = bench_on(small)
    figures = train_expert(
        bench, [data], folder, Card("Made", "Made up."), OPTIONS, folder.parent / "runs", {"test": [data]}
    )
    assert figures["test"]["after"].loss < figures["test"]["before"].loss - 0.1
    train_gate_folder(bench, [data], folder, GATE, folder.parent / "runs", None)
    return folder


def test_adapter_loads_with_plain_peft(small: Path, expert: Path) -> None:
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(small), expert)
    ids = torch.arange(12)[None]
    with torch.no_grad():
        adapted = model(input_ids=ids).logits
        with model.disable_adapter():
            plain = model(input_ids=ids).logits
    assert (adapted - plain).abs().max() > 1e-2


def test_folder_has_what_a_pool_needs(expert: Path) -> None:
    front = yaml.safe_load((expert / "README.md").read_text().split("---\n")[1])
    assert front["name"] == "Made"
    assert front["base_model"] == "small-llama"
    assert front["datasets"] == ["made:up@0", "made:up@1"]
    assert str(expert.parent) not in (expert / "adapter_config.json").read_text()
    assert not list(expert.parent.glob(".*")) and not list((expert.parent / "runs").iterdir())
    gate, activation = load_file(expert / "gate.safetensors"), load_file(expert / "activation.safetensors")
    adapter = load_file(expert / "adapter_model.safetensors")
    assert len(gate) == 14 and gate.keys() == activation.keys()
    for path, vector in gate.items():
        assert vector.shape == adapter[f"base_model.model.{path}.lora_A.weight"].shape[1:]
        assert vector.dtype == torch.float32 and vector.any()


def test_gate_scales_only_the_adapter(small: Path, expert: Path) -> None:
    """Compares h = W u + s B A (sigmoid(v . u) u), computed by hand, for one layer."""
    bench = bench_on(small, expert)
    gates = Gates(bench)
    path = "model.layers.0.mlp.up_proj"
    vector = gates.vectors[gates.paths.index(path)]
    with torch.no_grad():
        vector.copy_(torch.randn(vector.shape))
    layer = bench.modules()[path]
    u = torch.randn(1, 5, vector.shape[0])
    a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    wanted = u @ layer.base_layer.weight.T + 2.0 * torch.sigmoid(u @ vector)[..., None] * (u @ a.T @ b.T)
    handles = list(input_hooks(bench, gates.hook, inner=True))
    torch.testing.assert_close(layer(u), wanted)
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(layer(u), u @ layer.base_layer.weight.T + 2.0 * (u @ a.T @ b.T))


def test_gate_training_does_not_change_base_and_adapter(small: Path, expert: Path, data: Path) -> None:
    bench = bench_on(small, expert)
    before = {name: p.clone() for name, p in bench.model.named_parameters()}
    again = train_gate_folder(bench, [data], expert, GATE, expert.parent / "runs", None)
    assert all(torch.equal(before[name], p) for name, p in bench.model.named_parameters())
    assert all(torch.isfinite(v).all() for v in again.values())


def test_mean_inputs_are_means_over_text_tokens(small: Path, expert: Path, data: Path) -> None:
    bench = bench_on(small, expert)
    windows = pack(bench.tokenizer, read_texts(data), 32, 0)[:3]
    path = "model.layers.1.mlp.down_proj"
    seen: list[torch.Tensor] = []
    handle = bench.modules()[path].register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        for row in windows:
            bench.model(input_ids=row[None])
    handle.remove()
    kept = torch.cat([u[0, 1:][row[1:] != 0] for u, row in zip(seen, windows, strict=True)])
    torch.testing.assert_close(mean_inputs(bench, windows, batch=2)[path], kept.mean(0), atol=1e-5, rtol=1e-4)


def test_a_resumed_run_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    def run(stop: int | None) -> torch.Tensor:
        torch.manual_seed(0)
        layer = nn.Linear(4, 1)
        optimiser = MasterAdamW(list(layer.parameters()), 0.1)
        count = 0

        def loss_of(x: torch.Tensor) -> torch.Tensor:
            nonlocal count
            count += 1
            if count == stop:
                raise KeyboardInterrupt
            return layer(x).square().mean()

        fit(loss_of, optimiser, list(torch.arange(160.0).view(40, 1, 4)), tmp_path / "run.pt", "key", "test")
        return layer.weight.detach().clone()

    whole = run(None)
    (tmp_path / "run.pt").unlink()
    with pytest.raises(KeyboardInterrupt):
        run(35)
    assert torch.equal(run(None), whole)


def test_small_steps_are_not_lost_in_bfloat16() -> None:
    weight = nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    optimiser = MasterAdamW([weight], 1e-4)
    for _ in range(200):
        weight.grad = torch.ones(1, dtype=torch.bfloat16)
        optimiser.step(1.0)
    assert weight.item() == pytest.approx(0.98, abs=0.005)


def test_schedule() -> None:
    rates = [rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 6) and max(rates) == rates[6] == 1 and rates[-1] < 0.001
    assert rate(0, 1) == 1


def test_windows_and_batches(small: Path, data: Path) -> None:
    tokenizer = bench_on(small).tokenizer
    assert separator(tokenizer) == [0]
    windows = pack(tokenizer, ["a b c"] * 20, 8, 0)
    assert windows.shape[1] == 8 and (windows == 0).any()
    assert [b.shape for b in batches(windows[:3], 2, 4)] == [(2, 8)] * 4
    mixed = interleave([torch.zeros(3, 2), torch.ones(2, 2)])
    assert mixed[:, 0].tolist() == [0, 1, 0, 1]


def test_bytes_of_a_sample_are_utf8_bytes(small: Path) -> None:
    bench = bench_on(small)
    text = "é日" * 40
    held = sample(bench.tokenizer, [text], 1, 41)
    said = bench.tokenizer.decode(held.ids[0, 1:])
    assert abs(held.size - len(said.encode())) <= 3  # a window may end inside a character
    uniform = score(bench.model, held)
    assert uniform.bits > 0 and uniform.loss > 0


def test_half_precision_only_where_it_fits() -> None:
    assert compact({"a": torch.ones(2)})["a"].dtype == torch.float16
    assert compact({"a": torch.ones(2), "b": torch.full((2,), 7e4)})["a"].dtype == torch.float32


def test_files_are_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "x") as folder:
        (folder / "half").write_text("1")
        raise RuntimeError
    with pytest.raises(RuntimeError), whole_file(tmp_path / "y") as file:
        file.write_text("1")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
