"""A LoRA adapter of PEFT on a mixture of experts: merged as the formula says, or refused with the reason."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from gander_routing.adapted import merge_adapter, require_plain
from gander_routing.errors import UserError
from gander_trace import Trace
from safetensors.torch import load_file, save_file
from torch import Tensor

from gander_training import cli
from gander_training.compatibility.engine import ROOT
from gander_training.mixtures.golden import moe_tensors
from gander_training.quiet import quiet
from gander_training.reference.cases import TINY_TEXT
from gander_training.texts.tokens import Encoded
from gander_training.tiny.adapters import ALPHA, ATTENTION, FUSED, RANK, beside, per_expert, write_adapter
from gander_training.tiny.mixtures import add_mxfp4, load_moe, write_moe

NEWER = int(transformers.__version__.split(".")[0]) >= 5
pytestmark = pytest.mark.skipif(not NEWER, reason="transformers 5 is not installed (the extra moe)")
BUILT = (ROOT / "dist/cli.cjs").exists()
needs_engine = pytest.mark.skipif(not BUILT and "CI" not in os.environ, reason="npm run build was not run")

IDS = torch.arange(3, 60)[None]
SCALE = ALPHA / RANK
TIE = 1e-4  # two router logits that differ by less may change places with the order of a sum
NAMES = {"mixtral": "gate", "olmoe": "gate", "qwen3-moe": "gate", "gpt-oss": "router"}
KINDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "attention": lambda router: {"target_modules": ATTENTION},
    "experts": lambda router: {"target_modules": [], "target_parameters": FUSED},
    "router": lambda router: {"target_modules": [], "target_parameters": [f"{router}.weight"]},
    "all": lambda router: {"target_modules": ATTENTION, "target_parameters": [*FUSED, f"{router}.weight"]},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[Path, Path]]:
    """The folders of a tiny mixture, and of an adapter for it."""
    root = tmp_path_factory.mktemp("adapted")

    def get(name: str, kind: str) -> tuple[Path, Path]:
        base, adapter = root / name, root / f"{name}-{kind}"
        if not base.exists():
            write_moe(name, base)
        if not adapter.exists():
            write_adapter(base, adapter, **KINDS[kind](NAMES[name]))
        return base, adapter

    return get


@pytest.fixture
def olmoe(made: Callable[[str, str], tuple[Path, Path]], tmp_path: Path) -> tuple[Path, Path]:
    """A tiny OLMoE, and a copy of an adapter for its attention, to be changed."""
    base, adapter = made("olmoe", "attention")
    return base, Path(shutil.copytree(adapter, tmp_path / "adapter"))


def log_probs(model: Any) -> Tensor:
    with torch.no_grad():
        result: Tensor = model(input_ids=IDS, use_cache=False).logits[0].log_softmax(-1)
    return result


def change(adapter: Path, **fields: Any) -> Path:
    """Change an adapter's configuration."""
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))
    return adapter


def changes(base: Path, adapter: Path) -> dict[str, Tensor]:
    """What merging adds to each weight."""
    before = load_moe(base).state_dict()
    with quiet():
        after = merge_adapter(load_moe(base), adapter, IDS).model.state_dict()
    assert set(after) == set(before)
    return {name: after[name] - before[name] for name in before if not torch.equal(after[name], before[name])}


@pytest.mark.parametrize("name", NAMES)
def test_merged_weights_are_those_of_the_formula(made: Callable[[str, str], tuple[Path, Path]], name: str) -> None:
    """W + (alpha / r) B A, computed here from the file, expert by expert: rows of A by expert, columns of B by rank."""
    base, adapter = made(name, "all")
    file, added = load_file(adapter / "adapter_model.safetensors"), changes(base, adapter)
    wanted = {}
    for key in [key for key in file if key.endswith("lora_A.weight")]:
        path = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
        a, b = file[key], file[key.replace("lora_A", "lora_B")]
        if ".experts" in path:
            # Of two parameters of one module, PEFT calls the first ``base_layer``.
            path = path.replace(".experts.base_layer", ".experts.gate_up_proj")
            path = path.replace(".experts", ".experts.down_proj") if path.endswith(".experts") else path
            count = len(a) // RANK
            products = [b[:, expert::count] @ a[expert * RANK : (expert + 1) * RANK] for expert in range(count)]
            wanted[path] = SCALE * torch.stack(products)
            if name == "gpt-oss":  # its experts are [N, d_in, d_out], and A is of d_in there, too
                wanted[path] = wanted[path].mT
        else:
            wanted[f"{path}.weight"] = SCALE * b @ a
    assert set(added) == set(wanted) and len(wanted) == 2 * (4 + 2 + 1)
    for path, value in wanted.items():
        torch.testing.assert_close(added[path], value, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("name", "names", "where"),
    [
        ("mixtral", ("w1", "w3", "w2"), "block_sparse_moe.experts"),
        ("olmoe", ("gate_proj", "up_proj", "down_proj"), "mlp.experts"),
        ("qwen3-moe", ("gate_proj", "up_proj", "down_proj"), "mlp.experts"),
    ],
)
def test_an_adapter_of_transformers_4_is_put_on_the_fused_experts(
    made: Callable[[str, str], tuple[Path, Path]], tmp_path: Path, name: str, names: tuple[str, str, str], where: str
) -> None:
    base, _ = made(name, "attention")
    weights = per_expert(base, names, where)
    save_file(weights, tmp_path / "adapter_model.safetensors", {"format": "pt"})
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.05}
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "target_modules": list(names)}))

    def of(layer: int, expert: int, own: str) -> Tensor:
        path = f"base_model.model.model.layers.{layer}.{where}.{expert}.{own}"
        return SCALE * weights[f"{path}.lora_B.weight"] @ weights[f"{path}.lora_A.weight"]

    added = changes(base, tmp_path)
    assert len(added) == 4
    gate, up, down = names
    for layer in range(2):
        path = f"model.layers.{layer}.mlp.experts"
        first = torch.stack([torch.cat([of(layer, expert, gate), of(layer, expert, up)]) for expert in range(8)])
        torch.testing.assert_close(added[f"{path}.gate_up_proj"], first, atol=1e-6, rtol=0)
        second = torch.stack([of(layer, expert, down) for expert in range(8)])
        torch.testing.assert_close(added[f"{path}.down_proj"], second, atol=1e-6, rtol=0)

    # PEFT would scale gate and up by sqrt(2) too much.
    for fields in ({"use_rslora": True}, {"alpha_pattern": {gate: 3}}, {"rank_pattern": {down: 2}}):
        with pytest.raises(UserError, match=f"{next(iter(fields))} is set for experts of transformers 4"):
            merge_adapter(load_moe(base), change(Path(shutil.copytree(tmp_path, tmp_path / "other")), **fields), IDS)
        shutil.rmtree(tmp_path / "other")
    # A pattern that is not about the experts changes nothing.
    change(tmp_path, alpha_pattern={"q_proj": 3})
    assert len(changes(base, tmp_path)) == 4


@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": ATTENTION, "use_dora": True},
        {"target_modules": ATTENTION, "use_rslora": True, "lora_dropout": 0.1},
        {"target_modules": ATTENTION, "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 3}},
        {"target_modules": ATTENTION, "modules_to_save": ["gate", "lm_head"]},
        {"target_modules": ["q_proj"], "trainable_token_indices": [5, 9]},
        {"target_modules": "all-linear"},
        {
            "target_modules": ["lm_head", "embed_tokens"],
            "target_parameters": ["1.mlp.experts.down_proj"],
            "use_rslora": True,
        },
    ],
    ids=["dora", "rslora", "patterns", "modules-to-save", "tokens", "all-linear", "head"],
)
def test_what_peft_can_merge_computes_what_peft_computes(
    made: Callable[[str, str], tuple[Path, Path]], tmp_path: Path, options: dict[str, Any]
) -> None:
    base, _ = made("olmoe", "attention")
    write_adapter(base, tmp_path, **options)
    with quiet():
        result = merge_adapter(load_moe(base), tmp_path, IDS)
    wanted = log_probs(beside(base, tmp_path))
    assert (log_probs(result.model) - wanted).abs().max() < 2e-5 and result.apart < 2e-5
    assert (
        result.moved == pytest.approx(float((wanted - log_probs(load_moe(base))).abs().max()), abs=1e-4)
        and result.moved > 0.1
    )
    assert not any("lora" in name or "base_layer" in name for name, _ in result.model.named_modules())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"peft_type": "IA3"}, "peft_type is IA3, and only LORA is merged"),
        ({"alora_invocation_tokens": [1, 2]}, "alora_invocation_tokens is set: aLoRA acts only after certain tokens"),
        ({"arrow_config": {"top_k": 2}}, "arrow_config is set: it is itself routed, by Arrow"),
        ({"use_qalora": True}, "use_qalora is set: QA-LoRA"),
        ({"layer_replication": [[0, 2]]}, "layer_replication is set"),
        ({"init_lora_weights": "pissa_niter_4"}, "changes the base before training; PEFT converts it to plain LoRA"),
        ({"init_lora_weights": "loftq"}, "changes the base before training; it fits only the base as it was quantised"),
        ({"use_zoro": True}, "use_zoro is set, which PEFT .* does not know"),
        ({"target_modules": ["w1", "w2"]}, "cannot put it on OlmoeForCausalLM"),
        ({"target_modules": ["q_proj", "k_proj"]}, "the base has no place for base_model.*[ov]_proj.lora_[AB]"),
        ({"target_modules": [*ATTENTION, "lm_head"]}, "it has no base_model.model.lm_head.lora_A.weight"),
        ({"target_modules": ["up_proj"]}, "without also targeting gate_proj"),
        ({"r": 2}, r"lora_A.default.weight is \[4, 32\], where it takes \[2, 32\]"),
        ({"target_parameters": FUSED, "use_dora": True}, "does not work with use_dora=True"),
    ],
)
def test_what_cannot_be_merged_is_refused_with_the_reason(
    olmoe: tuple[Path, Path], fields: dict[str, Any], said: str
) -> None:
    base, adapter = olmoe
    with pytest.raises(UserError, match=said), quiet():
        merge_adapter(load_moe(base), change(adapter, **fields), IDS)


@pytest.mark.parametrize(
    ("name", "version", "refused"),
    [
        ("olmoe", "0.18.1", True),
        ("olmoe", "0.19.0", True),
        ("olmoe", None, True),
        ("olmoe", "0.19.1", False),
        ("gpt-oss", "0.18.1", False),
        ("gpt-oss", "0.19.0", True),
    ],
)
def test_factors_that_an_older_peft_has_the_other_way_round_are_refused(
    made: Callable[[str, str], tuple[Path, Path]], tmp_path: Path, name: str, version: str | None, refused: bool
) -> None:
    """OLMoE's gate_up_proj is square, so the shapes would fit."""
    base, adapter = made(name, "experts")
    copied = change(Path(shutil.copytree(adapter, tmp_path / "adapter")), peft_version=version)
    if refused:
        with pytest.raises(UserError, match=f"made by PEFT {version or 'older than 0.18'}, which has the factors"):
            merge_adapter(load_moe(base), copied, IDS)
    else:
        merge_adapter(load_moe(base), copied, IDS)


def test_numbers_that_are_not_finite_are_refused(olmoe: tuple[Path, Path]) -> None:
    base, adapter = olmoe
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    first = next(iter(weights))
    weights[first][0, 0] = torch.nan
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(UserError, match=f"{first} contains a number that is not finite"):
        merge_adapter(load_moe(base), adapter, IDS)
    file.unlink()
    with pytest.raises(UserError, match="no such file .an adapter_model.bin is a pickle"):
        merge_adapter(load_moe(base), adapter, IDS)


def test_a_quantised_base_is_refused(olmoe: tuple[Path, Path]) -> None:
    base, adapter = olmoe
    with pytest.raises(UserError, match=r"config.json: its weights are quantised .gptq"):
        require_plain("config.json", {"quantization_config": {"quant_method": "gptq", "bits": 4}})
    require_plain("config.json", {"quantization_config": {"quant_method": "mxfp4"}})
    require_plain("config.json", {})
    model = load_moe(base)
    model.model.layers[0].mlp.experts.down_proj.data = model.model.layers[0].mlp.experts.down_proj.to(
        torch.float8_e4m3fn
    )
    with pytest.raises(UserError, match="down_proj is quantised .torch.float8_e4m3fn"):
        merge_adapter(model, adapter, IDS)
    model = load_moe(base)
    model.hf_quantizer = object()
    with pytest.raises(UserError, match="OlmoeForCausalLM: its weights are quantised"):
        merge_adapter(model, adapter, IDS)
    with pytest.raises(UserError, match="is not in memory"):
        merge_adapter(load_moe(base).to("meta"), adapter, IDS)


def test_a_base_in_mxfp4_is_dequantised_and_then_merged(tmp_path: Path) -> None:
    """As gpt-oss is published; on a CPU, transformers dequantises it."""
    base, adapter = tmp_path / "gpt-oss", tmp_path / "adapter"
    write_moe("gpt-oss", base)
    write_adapter(base, adapter, **KINDS["all"]("router"))
    add_mxfp4(base)
    weights = load_file(base / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.endswith(("gate_up_proj", "down_proj"))}
    save_file(kept, base / "model.safetensors", {"format": "pt"})
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "quantization_config": {"quant_method": "mxfp4"}}))
    model = load_moe(base)
    before = model.model.layers[1].mlp.experts.down_proj.clone()
    with quiet():
        result = merge_adapter(model, adapter, IDS)
    assert result.apart < 2e-5 and not torch.equal(result.model.model.layers[1].mlp.experts.down_proj, before)


def test_a_merge_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    """With one matrix for both, an adapter of the head changes the embedding, too."""
    base = tmp_path / "olmoe"
    write_moe("olmoe", base)
    (base / "config.json").write_text(
        json.dumps({**json.loads((base / "config.json").read_text()), "tie_word_embeddings": True})
    )
    weights = load_file(base / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    write_adapter(base, tmp_path / "adapter", target_modules=["lm_head"])
    with pytest.raises(UserError, match="its head and embedding are one weight. it computes something else"), quiet():
        merge_adapter(load_moe(base), tmp_path / "adapter", IDS)


def expect_peft(trace: Trace, base: Path, adapter: Path) -> None:
    """A trace equals PEFT's own pass, with the adapter beside the weights: within 2e-5, choices but for near ties."""
    sequence, block = trace.sequences[0], trace.blocks[0]
    ids = np.asarray(sequence.ids).tolist()
    nothing = [0] * len(ids)
    tensors, _ = moe_tensors(beside(base, adapter), Encoded(TINY_TEXT, ids, nothing, nothing, [""] * len(ids)))
    np.testing.assert_allclose(sequence.log_prob, tensors["sequence.0.log_prob"], atol=2e-5, rtol=0)
    score, chosen = tensors["block.0.score"].numpy(), tensors["block.0.chosen"].numpy()
    assert block.score is not None and block.weight is not None
    np.testing.assert_allclose(block.score, score, atol=2e-5, rtol=0)
    ranked = -np.sort(-score, axis=-1)
    k = chosen.shape[-1]
    near = (ranked[..., :k] - ranked[..., 1 : k + 1]).min(-1) < TIE
    assert near.sum() == 0, f"{near.sum()} near ties"
    np.testing.assert_array_equal(block.chosen, chosen)
    np.testing.assert_allclose(block.weight, tensors["block.0.weight"], atol=2e-5, rtol=0)


@needs_engine
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("olmoe", "attention"),
        ("olmoe", "experts"),
        ("olmoe", "router"),
        ("olmoe", "all"),
        ("mixtral", "all"),
        ("qwen3-moe", "all"),
    ],
)
def test_the_engine_routes_an_exported_mixture_as_peft_does(
    made: Callable[[str, str], tuple[Path, Path]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    kind: str,
) -> None:
    base, adapter = made(name, kind)
    assert cli.main(["export-moe", str(base), str(tmp_path / "out"), "--adapter", str(adapter)]) == 0
    weights = {"attention": 8, "experts": 4, "router": 2, "all": 14}[kind]
    assert f"adapter: {name}-{kind}, made for {base}, merged into {weights} weights: off by" in capsys.readouterr().out
    command = ["node", str(ROOT / "dist/cli.cjs"), "route", TINY_TEXT, "--model", str(tmp_path / "out")]
    file = tmp_path / "run.safetensors"
    ran = subprocess.run(
        [*command, "--trace", str(file), "--cache", str(tmp_path / "cache")], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    expect_peft(Trace.load(file), base, adapter)


def test_four_bits_round_the_merged_weights(
    made: Callable[[str, str], tuple[Path, Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, adapter = made("mixtral", "all")
    options = ["--precision", "int4", "--adapter", str(adapter)]
    assert cli.main(["export-moe", str(base), str(tmp_path / "out"), *options]) == 0
    told = capsys.readouterr().out
    assert "adapter: mixtral-all" in told and "nats from the model with the same rounded weights" in told


def test_a_refused_adapter_is_one_line_and_nothing_is_written(
    olmoe: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, adapter = olmoe
    for fields, said in (
        ({"use_qalora": True}, "adapter_config.json: use_qalora is set: QA-LoRA takes the mean"),
        ({"use_qalora": False, "r": 2}, " cannot put it on OlmoeForCausalLM (base_model.model.model.layers.0."),
    ):
        capsys.readouterr()
        change(adapter, **fields)
        assert cli.main(["export-moe", str(base), str(tmp_path / "out"), "--adapter", str(adapter)]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and said in error
        assert not (tmp_path / "out").exists()
    assert cli.main(["export-moe", str(adapter), str(tmp_path / "out")]) == 1
    assert f"{adapter} is a PEFT adapter for {base}: name that model" in capsys.readouterr().err
