"""What an import writes, in which order and in how much memory; existing experts stay as they are."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import PHATGOOSE, PHATGOOSE_NAMES, contents, made, unchanged
from gander_routing.base import load_shipped
from gander_routing.encoder_decoder import PARTS
from gander_routing.errors import UserError
from gander_routing.forward_pair import routed_pair
from gander_routing.pool import Pool, read_pool
from gander_routing.strategies import Strategy
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import T5Config, T5ForConditionalGeneration

from gander_training.bases.source import load_pair_source
from gander_training.cli import main
from gander_training.imports import phatgoose as importing
from gander_training.imports.phatgoose import import_phatgoose
from gander_training.pools.pool import check_pool

BASE, BEST = PHATGOOSE / "base", PHATGOOSE / "phatgoose/best.pt"
BOUND = 2e-5
EPSILON = 1e-6


@pytest.fixture(scope="module")
def pool(folder: Path) -> Pool:
    return read_pool(folder)


@pytest.fixture(scope="module")
def model(folder: Path) -> nn.Module:
    torch.set_num_threads(1)
    return load_shipped(folder)[0]


def test_the_pool_has_the_checkpoints_own_values(folder: Path) -> None:
    best = torch.load(BEST, weights_only=True)
    assert [entry.name for entry in sorted((folder / "experts").iterdir())] == [
        f"0{index}-{name}" for index, name in enumerate(PHATGOOSE_NAMES)
    ]
    for index, name in enumerate(PHATGOOSE_NAMES):
        expert = folder / "experts" / f"0{index}-{name}"
        adapter, gate = load_file(expert / "adapter_model.safetensors"), load_file(expert / "gate.safetensors")
        assert len(adapter) == 72 and len(gate) == 36
        for path, vector in gate.items():
            keys = f"base_model.model.{path}.lora_A.weight", f"base_model.model.{path}.lora_B.weight"
            for key, layer in zip(keys, ("layer1", "layer2"), strict=True):
                assert adapter[key].dtype == torch.bfloat16
                assert torch.equal(adapter[key].T, best[f"{path}._addons.expert_lora.{layer}__{index}"])
            assert torch.equal(vector, best[f"{path}._addons.router.expert_embeddings__{index}"])
    config = json.loads((folder / "experts/00-P3Agnews/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["task_type"]) == (4, 1, "SEQ_2_SEQ_LM")
    assert config["target_modules"] == ["k", "o", "q", "v", "wi_0", "wi_1", "wo"]


def test_the_pool_is_sound_and_describes_itself(folder: Path, pool: Pool) -> None:
    assert len(check_pool(folder)) == 6
    manifest = json.loads((folder / "pool.json").read_text())
    assert manifest["base"]["model"] == {part: f"base/{file}" for part, file in PARTS.items()}
    assert (manifest["name"], manifest["weightEpsilon"]) == ("Five", EPSILON)
    assert [expert.name for expert in pool.experts] == PHATGOOSE_NAMES


def test_peft_loads_an_imported_expert(folder: Path, golden: dict[str, Tensor]) -> None:
    plain = PeftModel.from_pretrained(load_pair_source(BASE)[0], folder / "experts/02-P3Cosmosqa")
    with torch.no_grad():
        logits = plain(
            input_ids=golden["t0.encoder_ids"].long()[None],
            decoder_input_ids=golden["t0.decoder_input_ids"].long()[None],
        ).logits[0]
    torch.testing.assert_close(logits, golden["single.t0.logits"], atol=BOUND, rtol=0)


def their_logits(model: nn.Module, best: dict[str, Tensor], count: int, k: int, ids: Tensor, written: Tensor) -> Tensor:
    """The formula from the fixture's README, computed from the checkpoint's own keys without the package."""

    def hook(path: str) -> Any:
        def run(_layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
            def of(part: str) -> Tensor:
                return torch.stack([best[f"{path}._addons.{part}__{i}"].float() for i in range(count)])

            u, first, second = inputs[0], of("expert_lora.layer1"), of("expert_lora.layer2")
            gates = of("router.expert_embeddings")
            norm = nn.LayerNorm(u.shape[-1], elementwise_affine=False)
            p = (norm(u) @ norm(gates).T / math.sqrt(u.shape[-1])).softmax(-1)
            top = p.topk(k, dim=-1)
            w = torch.zeros_like(p).scatter(-1, top.indices, top.values / (top.values.sum(-1, keepdim=True) + 1e-6))
            each = torch.einsum("btd,ndr,nro->btno", u, first, second) / first.shape[2]
            return out + (w[..., None] * each).sum(2)

        return run

    paths = {key.split("._addons")[0] for key in best if "._addons" in key}
    handles = [model.get_submodule(path).register_forward_hook(hook(path)) for path in paths]
    try:
        with torch.no_grad():
            return model(input_ids=ids[None], decoder_input_ids=written[None]).logits[0]  # type: ignore[no-any-return]
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("k", (1, 2))
def test_eleven_experts_stay_in_the_order_of_their_numbers(
    exported: Path, model: nn.Module, golden: dict[str, Tensor], tmp_path: Path, k: int
) -> None:
    path = made(tmp_path / "eleven.pt", unchanged, 11)
    ids = import_phatgoose(path, BASE, exported)
    assert ids == [f"expert-{index:02}" for index in range(11)]
    pool, best = read_pool(exported), torch.load(path, weights_only=True)
    key = "encoder.block.0.layer.0.SelfAttention.q"
    assert torch.equal(pool.experts[10].gate[key], best[f"{key}._addons.router.expert_embeddings__10"])
    texts = golden["t0.encoder_ids"].long(), golden["t0.decoder_input_ids"].long()
    result = routed_pair(model, pool.experts, *texts, Strategy("phatgoose", k, epsilon=EPSILON))
    torch.testing.assert_close(result.logits, their_logits(model, best, 11, k, *texts), atol=BOUND, rtol=0)


def test_single_experts_keep_their_numbers(exported: Path, tmp_path: Path) -> None:
    path = made(tmp_path / "eleven.pt", unchanged, 11)
    assert main(["import-phatgoose", str(path), "--base", str(BASE), "--out", str(exported), "--experts", "7,3"]) == 0
    assert [expert.id for expert in read_pool(exported).experts] == ["expert-03", "expert-07"]
    with pytest.raises(UserError, match="there is no expert 11"):
        import_phatgoose(path, BASE, exported, chosen=[11])


def test_safetensors_give_the_same_files(folder: Path, exported: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(PHATGOOSE_NAMES))
    import_phatgoose(PHATGOOSE / "phatgoose/best.safetensors", BASE, exported, names=tmp_path / "names.txt")
    for file in (folder / "experts").rglob("*.safetensors"):
        assert file.read_bytes() == (exported / file.relative_to(folder)).read_bytes()


def test_a_stopped_run_continues(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = importing.gates_of

    def stop(*args: Any) -> dict[str, Tensor]:
        if args[2] == 2:
            raise KeyboardInterrupt
        return kept(*args)

    monkeypatch.setattr(importing, "gates_of", stop)
    with pytest.raises(KeyboardInterrupt):
        import_phatgoose(BEST, BASE, exported)
    assert sorted(entry.name for entry in (exported / "experts").iterdir()) == ["expert-00", "expert-01"]
    assert not (exported / "pool.json").exists()
    before = contents(exported)
    monkeypatch.setattr(importing, "gates_of", kept)
    assert len(import_phatgoose(BEST, BASE, exported)) == 5
    after = contents(exported)
    assert before.items() <= after.items() and len(read_pool(exported).experts) == 5


def test_an_existing_expert_with_other_values_or_another_name_is_not_touched(exported: Path, tmp_path: Path) -> None:
    import_phatgoose(BEST, BASE, exported, chosen=[1])
    before = contents(exported)

    def change(best: OrderedDict[str, Any]) -> None:
        best["encoder.block.0.layer.0.SelfAttention.q._addons.router.expert_embeddings__1"][0] += 1

    with pytest.raises(UserError, match="expert-01: already exists with other values"):
        import_phatgoose(made(tmp_path / "other.pt", change), BASE, exported, chosen=[1])
    (tmp_path / "names.txt").write_text("\n".join(PHATGOOSE_NAMES))
    with pytest.raises(UserError, match="expert-01: expert 1 already exists under another name"):
        import_phatgoose(BEST, BASE, exported, names=tmp_path / "names.txt")
    assert contents(exported) == before


def test_the_checkpoints_embedding_replaces_the_bases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(best: OrderedDict[str, Any]) -> None:
        table = best["encoder.embed_tokens.weight"]
        table[7] += 1
        best["decoder.embed_tokens.weight"] = table.clone()

    path = made(tmp_path / "best.pt", change, 1)
    import_phatgoose(path, BASE, tmp_path / "pool")
    said = capsys.readouterr().out
    assert "differs from the base's in 1 of 300 rows" in said and "is this the right base?" in said
    table = load_shipped(tmp_path / "pool")[0].get_input_embeddings().weight
    assert isinstance(table, Tensor)
    assert torch.equal(table, torch.load(path, weights_only=True)["encoder.embed_tokens.weight"].float())
    with pytest.raises(UserError, match="base: its embedding is not that of .*best.pt"):
        import_phatgoose(BEST, BASE, tmp_path / "pool")


WIDE = T5Config(
    vocab_size=32, d_model=512, d_kv=64, num_heads=8, d_ff=1024, num_layers=1, feed_forward_proj="gated-gelu",
    decoder_start_token_id=0, architectures=["T5ForConditionalGeneration"],
)  # fmt: skip

MEASURED = """
import sys, threading, time
from pathlib import Path
from gander_training.imports.phatgoose import *

def private():  # kB without mapped files, which can be dropped at any time
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))

path, base, pool = map(Path, sys.argv[1:])
config = LoraConfig(r=1, lora_alpha=1, target_modules=["q"])
before, peak = private(), 0

def watch():
    global peak
    while True:
        peak = max(peak, private())
        time.sleep(0.001)

threading.Thread(target=watch, daemon=True).start()
checkpoint = open_checkpoint(path)
layout = layout_of(checkpoint)
write_experts(pool, checkpoint, layout, experts_of(layout.count, None, None), config)
write_experts(pool, checkpoint, layout, experts_of(layout.count, None, None), config)
print((peak - before) * 1024)
"""


def wide_experts(count: int, rank: int) -> Iterator[tuple[str, Tensor]]:
    """A checkpoint's keys and tensors for ``WIDE``."""
    with torch.device("meta"):
        model = T5ForConditionalGeneration(WIDE)
    for index in range(count):
        for path, layer in model.named_modules():
            if isinstance(layer, nn.Linear) and path != "lm_head":
                d_out, d_in = layer.weight.shape
                yield f"{path}._addons.router.expert_embeddings__{index}", torch.ones(d_in)
                yield f"{path}._addons.expert_lora.layer1__{index}", torch.ones(d_in, rank, dtype=torch.bfloat16)
                yield f"{path}._addons.expert_lora.layer2__{index}", torch.ones(rank, d_out, dtype=torch.bfloat16)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("kind", ("pt", "safetensors"))
def test_memory_is_bounded_by_one_expert(tmp_path: Path, kind: str) -> None:
    count, tensors = 10, OrderedDict(wide_experts(10, 128))
    path = tmp_path / f"wide.{kind}"
    if kind == "pt":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)
    one = path.stat().st_size / count
    WIDE.save_pretrained(tmp_path / "base")
    command = [sys.executable, "-c", MEASURED, str(path), str(tmp_path / "base"), str(tmp_path / "experts")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    # One expert, its copy while it is written, and the libraries' overhead; the file has ten.
    assert int(run.stdout) < 4 * one, f"{int(run.stdout) / one:.1f} experts in memory"
