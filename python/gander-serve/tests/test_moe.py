"""Mixtures of experts over HTTP, in chunks, compared with golden traces from transformers' pass over the whole text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from conftest import CHUNK, FIXTURES, Served, assert_spelled
from gander_trace import Trace
from gander_training.tiny.mixtures import ARCHITECTURES, write_tokenizer
from torch import Tensor, nn
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from gander_serve.errors import ServeError
from gander_serve.loading import Where, load_hugging_face
from gander_serve.moe import MoeModel
from gander_serve.taps import Tap, Watch

OLD = int(transformers.__version__.split(".")[0]) < 5
TEXT = "def route(tokens): return experts[0]"
LONG = f"{TEXT} {TEXT}"
Getter = Callable[[str], Served]


def golden_of(name: str) -> Trace:
    return Trace.load(FIXTURES / "golden/moe" / f"{name}.safetensors")


def named() -> list[str]:
    """Architectures of this version of transformers whose choices and weights can be read, with one router per layer."""
    hidden = {"jetmoe", "phimoe", "qwen3-next"} if OLD else {"jetmoe"}
    return [name for name, one in ARCHITECTURES.items() if one.model_type in CONFIG_MAPPING and name not in hidden]


@pytest.mark.skipif("jetmoe" not in CONFIG_MAPPING, reason="this version of transformers does not have it")
def test_two_routers_in_one_layer_are_refused(folder_of: Callable[[str], Path]) -> None:
    with pytest.raises(ServeError, match="two routers in one layer|cannot be seen"):
        MoeModel(load_hugging_face(str(folder_of("jetmoe")), Where()))


@pytest.mark.parametrize("name", named())
def test_a_trace_equals_the_golden_trace(moe: Getter, name: str) -> None:
    golden = golden_of(name)
    sequence, block = golden.sequences[0], golden.blocks[0]
    assert sequence.text is not None and sequence.count > 2 * CHUNK
    trace = moe(name).trace("route", text=sequence.text)
    told = trace.sequences[0]
    for column in ("ids", "start", "end", "special"):
        np.testing.assert_array_equal(getattr(told, column), getattr(sequence, column))
    assert told.text == sequence.text
    assert_spelled(told.tokens, sequence.tokens)
    np.testing.assert_allclose(told.log_prob, sequence.log_prob, atol=1e-5)
    assert told.top_ids is not None and sequence.top_ids is not None and told.top_tokens is not None
    np.testing.assert_array_equal(told.top_ids[:, :5], sequence.top_ids)
    for row, wanted in zip(told.top_tokens, sequence.top_tokens or [], strict=True):
        assert_spelled(row[:5], wanted)
    assert [site.layer for site in trace.sites] == [site.layer for site in golden.sites]
    (own,) = trace.blocks
    np.testing.assert_array_equal(own.chosen, block.chosen)
    for column in ("score", "weight", "always_on_weight"):
        given, wanted = getattr(own, column), getattr(block, column)
        assert (given is None) == (wanted is None), column
        if wanted is not None:
            np.testing.assert_allclose(given, wanted, atol=1e-5, err_msg=column)
    assert (own.selection is None) == (block.selection is None)
    if own.selection is not None and block.selection is not None:
        # Older code compares 0 in the groups that it excludes.
        kept = np.isfinite(block.selection)
        np.testing.assert_allclose(own.selection[kept], block.selection[kept], atol=1e-5)
    assert trace.router.name == golden.router.name and trace.router.k == golden.router.k
    assert trace.source.kind == "server" and trace.source.tokenizer == golden.source.tokenizer


def in_half() -> list[str]:
    """Those that torch runs in half precision: it multiplies by groups only where a row of weights has a multiple of 16 bytes."""
    return [name for name in named() if OLD or name != "qwen3-moe-128"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", in_half())
def test_in_half_precision_the_best_are_chosen_and_knocked_out_experts_are_not(
    folder_of: Callable[[str], Path], server: Callable[..., Served], name: str, dtype: torch.dtype
) -> None:
    served = server(MoeModel(load_hugging_face(str(folder_of(name)), Where(dtype=dtype))))
    layer = served.service.engine.model.sites[0].layer
    for items in (
        [],
        [
            {"action": "knock-out", "expert": f"{layer}.4"},
            {"action": "force", "expert": f"{layer}.1", "scope": {"tokens": [[2, 3], [90, 99]]}},
        ],
    ):
        block = served.trace("route", text=TEXT, interventions=items).blocks[0]
        assert block.score is not None and block.weight is not None
        ranked = (block.score if block.selection is None else block.selection)[0].copy()
        assert np.isfinite(block.score).all() and np.isfinite(block.weight).all()
        if items:
            assert block.chosen[0, 2].tolist() == [1] + [-1] * (block.k - 1)
            ranked[:, 4] = -np.inf
        rows = np.arange(len(ranked)) != 2 if items else slice(None)
        best = -np.sort(-ranked[rows])[:, : block.k]
        # Half precision has many equal scores, and torch decides which of them it takes.
        np.testing.assert_array_equal(np.take_along_axis(ranked[rows], block.chosen[0][rows].astype(int), 1), best)


@pytest.mark.skipif("qwen3_next" not in CONFIG_MAPPING, reason="this version of transformers does not have it")
@pytest.mark.skipif(
    not OLD, reason="transformers 5 returns the weights; there it is compared with its golden trace above"
)
def test_a_model_that_hides_its_weights_says_so_and_its_choices_are_exact(moe: Getter) -> None:
    golden = golden_of("qwen3-next")
    served = moe("qwen3-next")
    (own,), (block,) = served.trace("route", text=golden.sequences[0].text).blocks, golden.blocks
    assert served.client.get("/v1/info").json()["warnings"][0]["code"] == "no-weights" and own.weight is None
    np.testing.assert_array_equal(own.chosen, block.chosen)
    assert own.score is not None and block.score is not None
    np.testing.assert_allclose(own.score, block.score, atol=1e-5)


@pytest.mark.parametrize("scale", [lambda logits: logits * 0.25, lambda logits: logits / 4])
def test_logits_that_the_model_scales_are_read_and_tilted_as_scaled(scale: Callable[[Tensor], Tensor]) -> None:
    gate, bias = nn.Linear(8, 4), torch.tensor([[0.0, 1, 0, 0]])
    tap = Tap("layers.0.gate", gate, gate, None, rows=4, experts=4, bias=bias)
    tokens = torch.randn(3, 8)
    wanted = scale(gate(tokens))
    with Watch() as watch:
        watch.tap = tap
        used = scale(gate(tokens))
    assert tap.score is not None and tap.steered is not None
    torch.testing.assert_close(tap.score, wanted)
    torch.testing.assert_close(used, wanted + bias)
    torch.testing.assert_close(tap.steered, wanted + bias)


@pytest.mark.skipif(not OLD, reason="transformers 5 hides none; there Phi is compared with its golden trace above")
def test_a_model_that_hides_its_choices_is_refused(folder_of: Callable[[str], Path]) -> None:
    with pytest.raises(ServeError, match="cannot be seen in this version"):
        MoeModel(load_hugging_face(str(folder_of("phimoe")), Where()))


def test_a_model_with_unreadable_routers_is_not_taken_for_a_dense_one(tmp_path: Path) -> None:
    from transformers import SwitchTransformersConfig, SwitchTransformersForConditionalGeneration

    config = SwitchTransformersConfig(
        vocab_size=320, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_decoder_layers=2, num_heads=2, num_experts=4,
        num_sparse_encoder_layers=1, num_sparse_decoder_layers=1, decoder_start_token_id=0, pad_token_id=0,
    )  # fmt: skip
    SwitchTransformersForConditionalGeneration(config).save_pretrained(tmp_path, safe_serialization=False)
    write_tokenizer(tmp_path)
    with pytest.raises(ServeError, match="an encoder-decoder with routers"):
        MoeModel(load_hugging_face(str(tmp_path), Where()))


@pytest.mark.skipif("doge" not in CONFIG_MAPPING, reason="this version of transformers does not have it")
def test_a_model_without_a_router_beside_its_experts_is_not_taken_for_a_dense_one(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    config = CONFIG_MAPPING["doge"](
        vocab_size=320, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, is_moe=True,
        num_experts=16, num_experts_per_tok=2, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    with pytest.raises(ServeError, match="in a form that gander-serve cannot read"):
        MoeModel(load_hugging_face(str(tmp_path), Where()))


def test_info_describes_the_model(moe: Getter) -> None:
    info = moe("qwen2-moe").client.get("/v1/info").json()
    assert (info["server"], info["protocol"], info["family"], info["model"]) == ("gander-serve", 1, "moe", "qwen2_moe")
    assert (
        info["limits"] == {"tokens": 256, "together": 16, "k": 2}
        and info["strategies"] == []
        and info["warnings"] == []
    )
    assert info["can"] == {
        "generate": True,
        "whatIf": True,
        "attribute": True,
        "score": True,
        "stream": True,
        "target": False,
    }
    assert [site["layer"] for site in info["sites"]] == [0, 1]
    assert info["expertSets"][1]["experts"][3] == {"id": "1.3", "name": "Layer 1 expert 3"}
    assert info["expertSets"][1]["alwaysOn"] == [{"id": "1.shared", "name": "Layer 1 shared expert"}]


@pytest.mark.parametrize("name", named())
def test_a_knocked_out_expert_is_never_chosen_and_has_no_weight(moe: Getter, name: str) -> None:
    plain = moe(name).trace("route", text=TEXT)
    block = plain.blocks[0]
    first = int(np.bincount(block.chosen[0].ravel().astype(int)).argmax())
    out = {"action": "knock-out", "expert": plain.expert_sets[0].experts[first].id, "scope": {}}
    trace = moe(name).trace("route", text=TEXT, interventions=[out])
    own = trace.blocks[0]
    assert not (own.chosen[0] == first).any() and (own.chosen >= 0).all()
    assert own.score is not None and block.score is not None and own.weight is not None
    # The first layer's input is the same; later layers change with its choices.
    np.testing.assert_allclose(own.score[0], block.score[0], atol=1e-6)
    changed = (block.chosen[0] == first).any(-1)
    assert changed.any() and not np.allclose(own.score[1][changed], block.score[1][changed], atol=1e-4)
    assert (own.weight > 0).all() and list(trace.interventions) == [out]


@pytest.mark.parametrize("name", named())
def test_a_forced_expert_is_the_only_one_and_a_tilt_adds_to_its_score(moe: Getter, name: str) -> None:
    plain = moe(name).trace("route", text=TEXT)
    layer = plain.sites[0].layer
    force = {"action": "force", "expert": f"{layer}.5", "scope": {"token": 9}}
    tilt = {"action": "tilt", "expert": f"{layer}.2", "amount": 1e4, "scope": {"layer": layer}}
    block = moe(name).trace("route", text=TEXT, interventions=[tilt, force]).blocks[0]
    assert block.weight is not None
    assert block.chosen[0, 9].tolist() == [5] + [-1] * (block.k - 1)
    assert block.weight[0, 9, 0] > 0 and (block.weight[0, 9, 1:] == 0).all()
    others = np.arange(len(block.chosen[0])) != 9
    if block.selection is None or plain.blocks[0].selection is None:
        assert (block.chosen[0][others] == 2).any(-1).all()
    else:
        # A sigmoid is at most 1, and a correction bias or groups may exclude even that.
        compared = [one[0, others, 2] for one in (plain.blocks[0].selection, block.selection)]
        kept = (compared[0] > 0) & (compared[1] > 0)
        assert kept.any() and (compared[1][kept] > compared[0][kept]).all()


def test_with_a_forced_expert_the_output_is_that_experts_own(moe: Getter) -> None:
    """Compared with the block's own experts: with one forced, the output is that expert's, with weight 1."""
    served = moe("mixtral")
    model = served.service.engine.loaded.model
    block = next(module for module in model.modules() if type(module).__name__ == "MixtralSparseMoeBlock")
    outputs, inputs = [], []

    def watch(_module: torch.nn.Module, given: tuple[torch.Tensor, ...], output: object) -> None:
        inputs.append(given[0].flatten(0, -2))
        outputs.append((output[0] if isinstance(output, tuple) else output).flatten(0, -2))  # type: ignore[attr-defined]

    handle = block.register_forward_hook(watch)
    try:
        served.trace("route", text=TEXT, interventions=[{"action": "force", "expert": "0.3", "scope": {}}])
    finally:
        handle.remove()
    u = torch.cat(inputs)
    with torch.no_grad():
        if OLD:
            alone = block.experts[3](u)
        else:
            up, down = block.experts.gate_up_proj[3], block.experts.down_proj[3]
            gate, rest = (u @ up.T).chunk(2, dim=-1)
            alone = (torch.nn.functional.silu(gate) * rest) @ down.T
    torch.testing.assert_close(torch.cat(outputs), alone, atol=1e-5, rtol=0)


def test_a_generated_text_equals_that_of_transformers(moe: Getter) -> None:
    served = moe("olmoe")
    loaded = served.service.engine.loaded
    ids = torch.tensor([loaded.tokenizer.read(TEXT).ids])
    wanted = loaded.model.generate(ids, max_new_tokens=20, do_sample=False)[0].tolist()
    trace = served.trace("generate", text=TEXT, maxTokens=20)
    told = trace.sequences[0]
    assert told.ids is not None and told.text is not None and told.start is not None and told.end is not None
    assert told.ids.tolist() == [one for one in wanted if one not in loaded.ends or one == wanted[0]]
    assert told.text.startswith(TEXT) and told.count > ids.shape[1]
    again = served.trace("route", text=TEXT)
    assert trace.blocks[0].chosen.shape[1] == told.count
    np.testing.assert_array_equal(trace.blocks[0].chosen[:, : ids.shape[1]], again.blocks[0].chosen)
    # Generated tokens have the log-probabilities that the same tokens have when they are read.
    with torch.no_grad():
        logits = loaded.model(torch.tensor([told.ids.tolist()])).logits[0].log_softmax(-1)
    said = logits[:-1].gather(1, torch.tensor(told.ids.tolist())[1:, None])[:, 0]
    np.testing.assert_allclose(told.log_prob[1:], said, atol=1e-4)  # type: ignore[index]


@pytest.mark.skipif("flex_olmo" not in CONFIG_MAPPING, reason="this version of transformers does not have it")
def test_a_knocked_out_expert_is_opted_out_as_flex_olmo_does_it(moe: Getter) -> None:
    golden, expert = Trace.load(FIXTURES / "golden/moe-opted-out/flex-olmo-2.safetensors"), 2
    out = [{"action": "knock-out", "expert": f"{site.layer}.{expert}"} for site in golden.sites]
    trace = moe("flex-olmo").trace("route", text=golden.sequences[0].text, interventions=out)
    own, block = trace.blocks[0], golden.blocks[0]
    # Without its row in the routers, later experts have the number before theirs.
    np.testing.assert_array_equal(own.chosen, block.chosen + (block.chosen >= expert))
    np.testing.assert_allclose(own.weight, block.weight, atol=1e-5)  # type: ignore[arg-type]
    np.testing.assert_allclose(trace.sequences[0].log_prob, golden.sequences[0].log_prob, atol=1e-5)  # type: ignore[arg-type]


def test_the_same_seed_draws_the_same_text_and_another_seed_a_different_one(moe: Getter) -> None:
    def drawn(seed: int) -> list[int]:
        asked = {"text": TEXT, "maxTokens": 12, "temperature": 1.5, "topP": 0.9, "seed": seed}
        ids = moe("mixtral").trace("generate", **asked).sequences[0].ids
        assert ids is not None
        return ids.tolist()  # type: ignore[no-any-return]

    assert drawn(1) == drawn(1) != drawn(2)


def test_an_attribution_is_the_difference_of_two_runs(moe: Getter) -> None:
    served = moe("qwen3-moe")
    plain = served.trace("route", text=TEXT)
    told = served.post("attribute", text=TEXT, layer=1, most=3).json()
    counts = np.bincount(plain.blocks[0].chosen[1, 1:].ravel().astype(int), minlength=8)
    assert len(told["experts"]) == 3 and all(one["id"].startswith("1.") for one in told["experts"])
    assert told["experts"][0]["id"] == f"1.{counts.argmax()}"
    assert told["logProb"][0] is None and told["change"][0] == [None] * 3
    for i, expert in enumerate(told["experts"]):
        out = {"action": "knock-out", "expert": expert["id"], "scope": {}}
        without = served.trace("route", text=TEXT, interventions=[out]).sequences[0].log_prob
        change = np.array([row[i] for row in told["change"][1:]])
        np.testing.assert_allclose(change, (without - plain.sequences[0].log_prob)[1:], atol=1e-6)  # type: ignore[operator]
        assert np.abs(change).max() > 1e-3


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({"text": ""}, 400, "text-empty", "no text"),
        ({}, 400, "request-invalid", 'no "text"'),
        ({"text": 7}, 400, "request-invalid", "type str"),
        ({"text": "a\ud800"}, 400, "request-invalid", "surrogate"),
        ({"text": "a", "interventionz": []}, 400, "request-invalid", "interventionz"),
        ({"text": "a", "target": "b"}, 400, "request-invalid", "no target"),
        ({"text": "a", "strategy": {"name": "phatgoose"}}, 400, "strategy-unavailable", "its own routers"),
        ({"text": "a", "interventions": [{"action": "melt", "expert": "0.1"}]}, 400, "request-invalid", "melt"),
        ({"text": "a", "interventions": [{"action": "force", "expert": "7.1"}]}, 400, "request-invalid", '"7.1"'),
        (
            {"text": "a", "interventions": [{"action": "tilt", "expert": "0.1"}]},
            400,
            "request-invalid",
            "without an amount",
        ),
        (
            {"text": "a", "interventions": [{"action": "knock-out", "expert": f"0.{e}"} for e in range(8)]},
            400,
            "request-invalid",
            "No expert is left",
        ),
        *(
            (
                {"text": "a", "interventions": [{"action": "tilt", "expert": "0.1", "amount": amount}]},
                400,
                "request-invalid",
                "tilt",
            )
            for amount in (1e308, -1e308)
        ),
        (
            {"text": "a", "interventions": [{"action": "tilt", "expert": "0.1", "amount": 10**399}]},
            400,
            "request-invalid",
            "not a finite number",
        ),
        (
            {"text": "a", "interventions": [{"action": "force", "expert": "0.1", "scope": {"token": 10**399}}]},
            400,
            "request-invalid",
            "more than",
        ),
        (
            {"text": "a", "interventions": [{"action": "force", "expert": "0.1", "scope": {"tokens": [[0, 10**399]]}}]},
            400,
            "request-invalid",
            "range",
        ),
        (
            {"text": "a", "interventions": [{"action": "force", "expert": "\ud800"}]},
            400,
            "request-invalid",
            "no expert",
        ),
        ({"text": "a", "\ud800": 1}, 400, "request-invalid", "unknown field"),
        ({"text": "a", "z" * 5000: 1}, 400, "request-invalid", "zzz"),
        ({"text": "word " * 400}, 413, "text-too-long", "256 tokens"),
        ({"text": "a" * 20_000}, 413, "text-too-long", "20000 characters"),
    ],
)
def test_requests_that_cannot_be_run_are_refused_with_a_reason(
    moe: Getter, body: dict[str, object], status: int, code: str, message: str
) -> None:
    told = moe("mixtral").refused("route", **body)
    assert told[:2] == (status, code) and message in told[2]


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 1e-320},
        {"temperature": 1e308},
        {"temperature": 1, "topP": 1e-300},
        {"temperature": 5e-324, "topP": 5e-324},
    ],
)
def test_extreme_doubles_are_accepted(moe: Getter, more: dict[str, float]) -> None:
    greedy = moe("mixtral").trace("generate", text=TEXT, maxTokens=3).sequences[0].ids
    drawn = moe("mixtral").trace("generate", text=TEXT, maxTokens=3, **more).sequences[0].ids
    assert greedy is not None and drawn is not None
    if more != {"temperature": 1e308}:
        np.testing.assert_array_equal(drawn, greedy)
    for amount in (1e30, -1e30):
        tilt = {"action": "tilt", "expert": "0.1", "amount": amount}
        block = moe("mixtral").trace("route", text=TEXT, interventions=[tilt]).blocks[0]
        assert (block.chosen[0] == 1).any(-1).all() == (amount > 0) and np.isfinite(block.weight).all()  # type: ignore[arg-type]


def test_a_dense_model_returns_only_its_tokens(server: Callable[..., Served], tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=320, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    served = server(MoeModel(load_hugging_face(str(tmp_path), Where())))
    info = served.client.get("/v1/info").json()
    assert info["family"] == "dense" and info["warnings"][0]["code"] == "no-routers"
    trace = served.trace("route", text=TEXT)
    assert trace.sites == [] and trace.sequences[0].log_prob is not None


def test_a_model_spread_over_devices_gives_the_same_trace(
    folder_of: Callable[[str], Path], server: Callable[..., Served], tmp_path: Path
) -> None:
    """accelerate spreads the model over the CPU and a disk, from which weights are loaded when they are needed."""
    golden = golden_of("mixtral")
    spread = {"model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.layers.1": "disk", "model.norm": "cpu"}
    where = Where({**spread, "model.rotary_emb": "cpu", "lm_head": "cpu"}, torch.float32, offload=tmp_path)
    served = server(MoeModel(load_hugging_face(str(folder_of("mixtral")), where)))
    trace = served.trace("route", text=golden.sequences[0].text)
    np.testing.assert_array_equal(trace.blocks[0].chosen, golden.blocks[0].chosen)
    np.testing.assert_allclose(trace.blocks[0].score, golden.blocks[0].score, atol=1e-5)  # type: ignore[arg-type]


@dataclass
class Family:
    """The smallest configuration of a kind of model, and what is known of its router."""

    scoring: str
    is_shared: bool
    config: dict[str, Any]
    is_hybrid: bool = False
    """Whether some layers keep no keys, among them the first."""


QWEN_NEXT = {
    "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16, "head_dim": 16, "linear_num_value_heads": 4,
    "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"] * 2,
}  # fmt: skip
FAMILIES = {
    "minimax": Family(
        "softmax", False, {"head_dim": 8, "layer_types": ["linear_attention", "full_attention"] * 2, "num_local_experts": 8}, True
    ),
    "granitemoehybrid": Family("softmax", True, {
        "num_local_experts": 8, "shared_intermediate_size": 16, "layers_block_type": ["mamba", "attention"] * 2,
        "layer_types": ["mamba", "attention"] * 2, "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 16,
        "mamba_chunk_size": 16, "position_embedding_type": "rope",
    }, True),
    "qwen3_next": Family("softmax", True, QWEN_NEXT | {"num_experts": 8}, True),
    "lfm2_moe": Family("sigmoid", False, {
        "num_experts": 8, "moe_intermediate_size": 16, "num_dense_layers": 1, "layer_types": ["conv", "full_attention"] * 2,
    }, True),
    "ernie4_5_moe": Family("softmax", True, {
        "moe_num_experts": 8, "moe_k": 2, "moe_num_shared_experts": 1, "moe_intermediate_size": 16,
        "moe_layer_start_index": 1, "moe_layer_end_index": 3,
    }),
    "longcat_flash": Family("softmax", False, {
        "num_layers": 2, "ffn_hidden_size": 32, "expert_ffn_hidden_size": 16, "n_routed_experts": 8, "zero_expert_num": 2,
        "moe_topk": 3, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8,
        "head_dim": 8, "num_key_value_heads": 4, "num_hidden_layers": None,
    }),
    "flex_olmo": Family("softmax", False, {"num_experts": 8}),
    "granitemoeshared": Family("softmax", True, {"num_local_experts": 8, "shared_intermediate_size": 16}),
    "llama4_text": Family("sigmoid", True, {
        "num_local_experts": 8, "num_experts_per_tok": 1, "intermediate_size_mlp": 32, "head_dim": 8,
        "interleave_moe_layer_step": 1,
    }),
    "dbrx": Family("softmax", False, {
        "d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 256,
        "ffn_config": {"ffn_hidden_size": 16, "moe_num_experts": 8, "moe_top_k": 2} | ({} if OLD else {"hidden_size": 32}),
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        **dict.fromkeys(("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size")),
        "num_experts_per_tok": None, "max_position_embeddings": None,
    }),
    "hunyuan_v1_moe": Family("softmax", True, {"num_experts": 8, "moe_topk": 2, "head_dim": 8}),
    "afmoe": Family("sigmoid", True, {
        "num_experts": 8, "num_shared_experts": 1, "moe_intermediate_size": 16, "num_dense_layers": 1, "head_dim": 8,
    }),
}  # fmt: skip


def write_family(kind: str, folder: Path) -> None:
    """Writes a random model with weights large enough that a wrong position shows."""
    from transformers import AutoModelForCausalLM

    common = {
        "vocab_size": 320, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "num_experts_per_tok": 2, "max_position_embeddings": 256, "bos_token_id": 0,
        "eos_token_id": 0, "pad_token_id": 0,
    }  # fmt: skip
    config = {name: value for name, value in (common | FAMILIES[kind].config).items() if value is not None}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**config)).float()
    with torch.no_grad():
        for parameter in model.parameters():
            wide = parameter.dim() > 1
            parameter.copy_(torch.randn_like(parameter) * (parameter.shape[-1] ** -0.5 if wide else 0.2) + (not wide))
    model.save_pretrained(folder)
    write_tokenizer(folder)


@pytest.mark.parametrize("kind", [kind for kind in FAMILIES if kind in CONFIG_MAPPING])
def test_each_familys_routers_are_read_and_chunks_give_what_one_pass_gives(
    server: Callable[..., Served], tmp_path: Path, kind: str
) -> None:
    write_family(kind, tmp_path)
    loaded, family = load_hugging_face(str(tmp_path), Where()), FAMILIES[kind]
    served = server(MoeModel(loaded))
    trace, info = served.trace("route", text=LONG), served.client.get("/v1/info").json()
    assert trace.router.scoring == family.scoring and trace.blocks
    assert any("alwaysOn" in one for one in info["expertSets"]) == family.is_shared
    for block in trace.blocks:
        assert block.score is not None and (block.chosen >= 0).all()
        if block.weight is None:
            assert OLD and info["warnings"][0]["code"] == "no-weights"
            continue
        score = torch.from_numpy(np.take_along_axis(block.score, block.chosen.astype(int), -1)).double()
        share = (score.exp() if family.scoring == "softmax" else score.sigmoid()).numpy()
        # Weights may be renormalised or scaled, but keep the ratios of the scores' softmax or sigmoid.
        np.testing.assert_allclose(block.weight / block.weight[..., :1], share / share[..., :1], rtol=1e-4)
    if info["can"]["generate"]:
        written = served.trace("generate", text=LONG, maxTokens=3)
    else:  # in transformers 4 a client cannot create this model's past
        assert OLD and kind == "granitemoehybrid"
        assert served.refused("generate", text=LONG, maxTokens=3)[1] == "request-invalid"
        written = trace
    for told in (trace, written):
        sequence = told.sequences[0]
        assert sequence.ids is not None and sequence.log_prob is not None and sequence.count > 2 * CHUNK
        ids = torch.from_numpy(sequence.ids).long()[None]
        with torch.no_grad():
            said = loaded.model(input_ids=ids, use_cache=False).logits[0, :-1].log_softmax(-1)
        wanted = said.gather(1, ids[0, 1:, None])[:, 0].numpy()
        np.testing.assert_allclose(sequence.log_prob[1:], wanted, atol=1e-4)
    force = {"action": "force", "expert": trace.expert_sets[0].experts[5].id, "scope": {"token": 9}}
    forced = served.trace("route", text=LONG, interventions=[force]).blocks[0]
    assert forced.chosen[0, 9].tolist() == [5] + [-1] * (forced.k - 1)


def test_in_half_precision_a_model_with_layers_without_keys_does_not_run_in_chunks(
    server: Callable[..., Served], folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    half = Where(dtype=torch.bfloat16)
    hybrid = next(kind for kind in ("minimax", "qwen3_next") if kind in CONFIG_MAPPING)
    write_family(hybrid, tmp_path)
    for folder, can in ((tmp_path, False), (folder_of("mixtral"), True)):
        served = server(MoeModel(load_hugging_face(str(folder), half)))
        assert served.client.get("/v1/info").json()["can"]["stream"] == can
