"""The authors' checkpoint as a pool, and that pool run: held to what their released code wrote (test/fixtures/phatgoose-t5)."""

from __future__ import annotations

import json
import math
import pickle
import shutil
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import PHATGOOSE, PHATGOOSE_NAMES
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import T5Config, T5ForConditionalGeneration

from gander_training import import_phatgoose as importing
from gander_training.base import load_shipped
from gander_training.checkpoint import open_checkpoint
from gander_training.cli import main
from gander_training.encoder_decoder import PARTS, load_pair_source
from gander_training.errors import UserError
from gander_training.import_phatgoose import import_phatgoose
from gander_training.pool import check_pool
from gander_training.routed import Expert, Pool, Router, Strategy, merged_factors, modules_of, read_pool
from gander_training.routed_pair import routed_generation, routed_pair

FIXTURE = PHATGOOSE
BASE, BEST = FIXTURE / "base", FIXTURE / "phatgoose/best.pt"
NAMES = PHATGOOSE_NAMES
BOUND = 2e-5
EPSILON = 1e-6
ARROW_TEMPERATURE = 10  # of the released code, which divides by the root of d_in, too
NEAR = 1e-6  # float32 of another library: arrow's scores lie closer together than that here and there


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return load_file(FIXTURE / "golden.safetensors")


@pytest.fixture(scope="module")
def variants() -> dict[str, Tensor]:
    return load_file(FIXTURE / "variants.safetensors")


@pytest.fixture(scope="module")
def pool(folder: Path) -> Pool:
    return read_pool(folder)


@pytest.fixture(scope="module")
def model(folder: Path) -> nn.Module:
    torch.set_num_threads(1)
    return load_shipped(folder)[0]


# The README's table


def with_vectors(
    pool: Pool, variants: dict[str, Tensor], name: str, change: Callable[[Tensor], Tensor]
) -> list[Expert]:
    """The pool's experts with the vectors that a variant of the fixture routes by."""
    experts = []
    for index, expert in enumerate(pool.experts):
        vectors = {
            path: change(variants[f"{name}.{path}._addons.router.expert_embeddings__{index}"]) for path in expert.lora
        }
        own = Expert(expert.id, expert.name, expert.lora, expert.gate, vectors if name == "avgact" else {})
        if name == "arrow":
            vars(own)["directions"] = vectors
        experts.append(own)
    return experts


def setting(
    pool: Pool, golden: dict[str, Tensor], variants: dict[str, Tensor], name: str, text: int
) -> tuple[list[Expert], Strategy]:
    """The experts and the strategy of one of the fixture's variants, for one of its texts."""
    plain = {
        "phatgoose_top2": Strategy("phatgoose", 2, epsilon=EPSILON),
        "phatgoose_top1": Strategy("phatgoose", 1, epsilon=EPSILON),
        "single": Strategy("single", expert="02-P3Cosmosqa"),
        "base": Strategy("base"),
        "merged_outer": Strategy("merged"),
        "merged_factors": Strategy("merged-factors"),
        "retrieval": Strategy("retrieval", expert=pool.experts[nearest(golden, variants, text)].id),
    }
    if name == "avgact_top2":
        strategy = Strategy("average-activation", 2, epsilon=EPSILON)
        return with_vectors(pool, variants, "avgact", lambda vector: vector), strategy
    if name == "arrow_top2":
        scaled = with_vectors(pool, variants, "arrow", lambda v: v / (ARROW_TEMPERATURE * math.sqrt(len(v))))
        return scaled, Strategy("arrow", 2, epsilon=EPSILON)
    return pool.experts, plain[name]


def nearest(golden: dict[str, Tensor], variants: dict[str, Tensor], text: int) -> int:
    """The expert with the example most like a text's query, by cosine."""
    query = golden[f"retrieval.t{text}.query"].flatten()
    best = []
    for index in range(len(NAMES)):
        examples = variants[f"retrieval.encoder._addons.router.expert_embeddings__{index}"].reshape(-1, len(query))
        best.append(float((nn.functional.normalize(examples, dim=1) @ query).max()))
    return best.index(max(best))


VARIANTS = ("phatgoose_top2", "phatgoose_top1", "avgact_top2", "arrow_top2", "single", "base")
VARIANTS += ("merged_outer", "merged_factors", "retrieval")


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_is_what_the_released_code_computed(
    pool: Pool, model: nn.Module, golden: dict[str, Tensor], variants: dict[str, Tensor], name: str
) -> None:
    for text in range(3):
        experts, strategy = setting(pool, golden, variants, name, text)
        ids = golden[f"t{text}.encoder_ids"].long(), golden[f"t{text}.decoder_input_ids"].long()
        result = routed_pair(model, experts, *ids, strategy)
        torch.testing.assert_close(result.logits, golden[f"{name}.t{text}.logits"], atol=BOUND, rtol=0)
        prefix = f"{name}.t{text}."
        traced = [key for key in golden if key.startswith(prefix) and key.endswith(".scores")]
        if name == "phatgoose_top2" or (text == 0 and strategy.k and name.endswith(("top1", "top2"))):
            assert len(traced) == len(result.modules) == 36
        for module, seen in zip(result.modules, result.seen, strict=True):
            if traced:
                expect_same_choice(seen, golden, f"{prefix}{module.path}", NEAR if name == "arrow_top2" else 0)


def expect_same_choice(seen: dict[str, Tensor], golden: dict[str, Tensor], prefix: str, near: float) -> None:
    """Scores and weights in bounds, every index the same; scores nearer than ``near`` may change places."""
    scores, indices = golden[f"{prefix}.scores"], golden[f"{prefix}.indices"].long()
    torch.testing.assert_close(seen["affinity"], scores, atol=BOUND, rtol=0)
    torch.testing.assert_close(seen["weight"], golden[f"{prefix}.weights"], atol=BOUND, rtol=0)
    chosen = seen["chosen"].long()
    gaps = (scores.gather(1, chosen) - scores.gather(1, indices)).abs()
    assert ((chosen == indices) | (gaps < near)).all()


@pytest.mark.parametrize("name", ("phatgoose_top2", "single", "base", "phatgoose_top1", "merged_outer"))
def test_what_is_written_is_the_same(
    pool: Pool, model: nn.Module, golden: dict[str, Tensor], variants: dict[str, Tensor], name: str
) -> None:
    for text in range(3):
        experts, strategy = setting(pool, golden, variants, name, text)
        written = routed_generation(model, experts, golden[f"t{text}.encoder_ids"].long(), strategy)
        assert written == golden[f"{name}.t{text}.generated_ids"].tolist()


def test_each_module_gives_what_theirs_gave_for_the_same_input(
    pool: Pool, model: nn.Module, golden: dict[str, Tensor]
) -> None:
    router = Router(model, pool.experts, Strategy("phatgoose", 2, epsilon=EPSILON), torch.zeros(1, 1, 5), None)
    for index, module in enumerate(router.modules):
        prefix = f"phatgoose_top2.t0.{module.path}"
        u, layer = golden[f"{prefix}.in"], model.get_submodule(module.path)
        with torch.no_grad():
            out = router.hook(index, layer, u[None], layer(u[None]))[0]
        torch.testing.assert_close(out, golden[f"{prefix}.out"], atol=BOUND, rtol=0)


def test_the_retrieval_of_the_fixture_is_the_nearest_example(
    golden: dict[str, Tensor], variants: dict[str, Tensor]
) -> None:
    for text in range(3):
        assert golden[f"retrieval.t{text}.onehot"].flatten().tolist().index(1) == nearest(golden, variants, text)


def test_factors_are_averaged_with_their_rounding(pool: Pool, variants: dict[str, Tensor]) -> None:
    for path, lora in merged_factors(pool.experts).lora.items():
        key = f"merged_factors.{path}._addons.expert_lora"
        assert torch.equal(lora.a, variants[f"{key}.layer1__0"].float().T)
        assert torch.equal(lora.b, variants[f"{key}.layer2__0"].float().T)


def test_arrows_direction_is_theirs_but_for_their_rounding(pool: Pool, variants: dict[str, Tensor]) -> None:
    for index, expert in enumerate(pool.experts):
        for path, own in expert.directions.items():
            theirs = variants[f"arrow.{path}._addons.router.expert_embeddings__{index}"]
            assert abs(float(own @ theirs)) > 0.999


def test_the_modules_and_their_sequences(pool: Pool) -> None:
    from safetensors import safe_open

    modules = modules_of(pool.experts)
    with safe_open(FIXTURE / "golden.safetensors", "pt") as file:
        assert [module.path for module in modules] == json.loads(file.metadata()["modules"])
    assert [module.sequence for module in modules[14:25]] == [1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1]
    kinds = ["q", "k", "v", "o", "cross-q", "cross-k", "cross-v", "cross-o", "gate", "up", "down"]
    assert [module.kind for module in modules[14:25]] == kinds
    assert {(module.stack, module.sequence) for module in modules[:14]} == {("encoder", 0)}


# What is in the pool


def test_the_pool_holds_the_checkpoints_own_numbers(folder: Path) -> None:
    best = torch.load(BEST, weights_only=True)
    assert [entry.name for entry in sorted((folder / "experts").iterdir())] == [
        f"0{index}-{name}" for index, name in enumerate(NAMES)
    ]
    for index, name in enumerate(NAMES):
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


def test_the_pool_is_sound_and_says_what_it_is(folder: Path, pool: Pool) -> None:
    assert len(check_pool(folder)) == 6
    manifest = json.loads((folder / "pool.json").read_text())
    assert manifest["base"]["model"] == {part: f"base/{file}" for part, file in PARTS.items()}
    assert (manifest["name"], manifest["weightEpsilon"]) == ("Five", EPSILON)
    assert [expert.name for expert in pool.experts] == NAMES


def test_peft_loads_an_imported_expert(folder: Path, golden: dict[str, Tensor]) -> None:
    plain = PeftModel.from_pretrained(load_pair_source(BASE)[0], folder / "experts/02-P3Cosmosqa")
    with torch.no_grad():
        logits = plain(
            input_ids=golden["t0.encoder_ids"].long()[None],
            decoder_input_ids=golden["t0.decoder_input_ids"].long()[None],
        ).logits[0]
    torch.testing.assert_close(logits, golden["single.t0.logits"], atol=BOUND, rtol=0)


def run_graphs(folder: Path, ids: Any, written: Any) -> tuple[Any, Any]:
    """Logits by onnxruntime: of ``decoder`` for all that is written, and of ``decoderWithPast`` for the last three tokens at once."""
    sessions = {part: onnxruntime.InferenceSession(str(folder / "base" / file)) for part, file in PARTS.items()}
    mask = np.ones_like(ids)
    (hidden,) = sessions["encoder"].run(None, {"input_ids": ids, "attention_mask": mask})
    feeds = {"encoder_attention_mask": mask, "encoder_hidden_states": hidden}
    logits = sessions["decoder"].run(["logits"], {**feeds, "input_ids": written})[0]
    names = [output.name for output in sessions["decoder"].get_outputs()]
    before = dict(zip(names, sessions["decoder"].run(names, {**feeds, "input_ids": written[:, :-3]}), strict=True))
    past = {name.replace("present", "past_key_values"): value for name, value in before.items() if name != "logits"}
    step = {"input_ids": written[:, -3:], "encoder_attention_mask": mask, **past}
    return logits, sessions["decoderWithPast"].run(["logits"], step)[0]


def test_the_exported_graphs_compute_the_base(folder: Path, golden: dict[str, Tensor]) -> None:
    ids = golden["t0.encoder_ids"].long().numpy()[None]
    logits, last = run_graphs(folder, ids, golden["t0.decoder_input_ids"].long().numpy()[None])
    np.testing.assert_allclose(logits[0], golden["base.t0.logits"].numpy(), atol=BOUND)
    np.testing.assert_allclose(last[0], golden["base.t0.logits"].numpy()[-3:], atol=BOUND)


def test_each_weight_is_stored_once(folder: Path) -> None:
    model = load_pair_source(BASE)[0]
    numbers = sum(parameter.numel() for parameter in model.parameters())
    assert (folder / "base/model.data").stat().st_size < 4 * numbers + 64 * 60
    assert all((folder / "base" / file).stat().st_size < 100_000 for file in PARTS.values())


# Other checkpoints


def made(path: Path, change: Callable[[OrderedDict[str, Any]], None], count: int = 5) -> Path:
    """The fixture's checkpoint with ``count`` experts, changed; the sixth is the first with its matrices turned about."""
    best = torch.load(BEST, weights_only=True)
    for key in [key for key in best if "__" in key]:
        stem, index = key.split("__")
        for other in range(int(index) + 5, count, 5):
            best[f"{stem}__{other}"] = best[key].flip(-1) * (1 + other / 8)
        if int(index) >= count:
            del best[key]
    change(best)
    torch.save(best, path)
    return path


def unchanged(_: OrderedDict[str, Any]) -> None:
    pass


@pytest.fixture
def exported(folder: Path, tmp_path: Path) -> Path:
    """A pool's folder with a base in it, so that a test need not export one."""
    shutil.copytree(folder / "base", tmp_path / "pool/base")
    return tmp_path / "pool"


def their_logits(model: nn.Module, best: dict[str, Tensor], count: int, k: int, ids: Tensor, written: Tensor) -> Tensor:
    """The README's one line, from the checkpoint's own keys and with nothing of the package."""

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


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_safetensors_give_the_same_files(folder: Path, exported: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    import_phatgoose(FIXTURE / "phatgoose/best.safetensors", BASE, exported, names=tmp_path / "names.txt")
    for file in (folder / "experts").rglob("*.safetensors"):
        assert file.read_bytes() == (exported / file.relative_to(folder)).read_bytes()


def test_a_run_that_was_stopped_goes_on(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_what_is_there_with_other_numbers_or_another_name_is_not_touched(exported: Path, tmp_path: Path) -> None:
    import_phatgoose(BEST, BASE, exported, chosen=[1])
    before = contents(exported)

    def change(best: OrderedDict[str, Any]) -> None:
        best["encoder.block.0.layer.0.SelfAttention.q._addons.router.expert_embeddings__1"][0] += 1

    with pytest.raises(UserError, match="expert-01: already there, with other numbers"):
        import_phatgoose(made(tmp_path / "other.pt", change), BASE, exported, chosen=[1])
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    with pytest.raises(UserError, match="expert-01: expert 1 is there under another name"):
        import_phatgoose(BEST, BASE, exported, names=tmp_path / "names.txt")
    assert contents(exported) == before


def test_the_checkpoints_embedding_stands_in_for_the_bases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(best: OrderedDict[str, Any]) -> None:
        table = best["encoder.embed_tokens.weight"]
        table[7] += 1
        best["decoder.embed_tokens.weight"] = table.clone()

    path = made(tmp_path / "best.pt", change, 1)
    import_phatgoose(path, BASE, tmp_path / "pool")
    said = capsys.readouterr().out
    assert "differs from the base's in 1 of 300 rows" in said and "is it this base?" in said
    table = load_shipped(tmp_path / "pool")[0].get_input_embeddings().weight
    assert isinstance(table, Tensor)
    assert torch.equal(table, torch.load(path, weights_only=True)["encoder.embed_tokens.weight"].float())
    with pytest.raises(UserError, match="base: has another embedding than .*best.pt"):
        import_phatgoose(BEST, BASE, tmp_path / "pool")


# Bad input

Q = "encoder.block.0.layer.0.SelfAttention.q._addons"


def without_expert(best: OrderedDict[str, Any]) -> None:
    for key in [key for key in best if key.endswith("__3")]:
        del best[key]


def without_matrix(best: OrderedDict[str, Any]) -> None:
    del best[f"{Q}.expert_lora.layer2__3"]


def other_rank(best: OrderedDict[str, Any]) -> None:
    for layer, shape in (("layer1", (32, 8)), ("layer2", (8, 32))):
        best[f"{Q}.expert_lora.{layer}__2"] = torch.ones(shape, dtype=torch.bfloat16)


def half_a_rank(best: OrderedDict[str, Any]) -> None:
    best[f"{Q}.expert_lora.layer1__2"] = torch.ones(32, 8, dtype=torch.bfloat16)


def not_finite(best: OrderedDict[str, Any]) -> None:
    best[f"{Q}.expert_lora.layer1__0"][0, 0] = math.inf


def other_key(best: OrderedDict[str, Any]) -> None:
    best["encoder.block.0.layer.0.SelfAttention.q.weight"] = torch.ones(2)


def no_tensor(best: OrderedDict[str, Any]) -> None:
    best[f"{Q}.expert_lora.layer1__0"] = [1.0, 2.0]


def two_tables(best: OrderedDict[str, Any]) -> None:
    best["decoder.embed_tokens.weight"] = best["decoder.embed_tokens.weight"] + 1


def long_table(best: OrderedDict[str, Any]) -> None:
    best["encoder.embed_tokens.weight"] = torch.ones(301, 32)


BAD = [
    (without_expert, "expert 3 is missing (the last is 4)"),
    (without_matrix, f"{Q}.expert_lora.layer2__3 is missing"),
    (other_rank, f"expert 2 has rank 8 at {Q.removesuffix('._addons')}, others have 4"),
    (half_a_rank, "which do not go together"),
    (not_finite, "holds something other than finite numbers"),
    (other_key, "SelfAttention.q.weight is no part of an expert and no embedding"),
    (no_tensor, "layer1__0 is a list, not a tensor"),
    (two_tables, "differ, and a T5 has one embedding"),
    (long_table, "its embedding is [300, 32], encoder.embed_tokens.weight is [301, 32]"),
    (lambda best: best.clear(), "holds no expert of PHATGOOSE's released code"),
]


def refused(capsys: pytest.CaptureFixture[str], path: Path, base: Path, pool: Path) -> str:
    """The one line that importing ends with; nothing is written."""
    assert main(["import-phatgoose", str(path), "--base", str(base), "--out", str(pool)]) == 1
    assert not [file for file in pool.rglob("*") if file.is_file() and "base" not in file.parts]
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gander-training: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(("change", "told"), BAD)
def test_a_bad_checkpoint_is_told_in_one_line(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Any], None], told: str
) -> None:
    path = made(tmp_path / "bad.pt", change)
    line = refused(capsys, path, BASE, exported)
    assert told in line and "bad.pt" in line or "base" in line


class Made:
    """Something that a pickle could hold."""


def old_format(path: Path) -> None:
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)


FILES: list[tuple[Callable[[Path], object], str]] = [
    (lambda path: torch.save({"a": Made()}, path), "holds an object that is no tensor"),
    (lambda path: torch.save([torch.ones(2)], path), "holds a list, not tensors by name"),
    (old_format, "format from before 1.6"),
    (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "format from before 1.6"),
    (lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "not a whole PyTorch checkpoint"),
    (lambda path: path.write_text("not a checkpoint"), "neither a PyTorch checkpoint nor a safetensors file"),
    (lambda path: path.write_bytes(b""), "neither a PyTorch checkpoint nor a safetensors file"),
    (lambda path: path.write_bytes(BEST.read_bytes()[:9000]), "not a whole PyTorch checkpoint"),
    (lambda path: save_file({"a": torch.ones(2)}, path), "a is no part of an expert"),
    (lambda path: None, "no such file"),
]


@pytest.mark.parametrize(("write", "told"), FILES)
def test_a_file_that_is_no_checkpoint_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Callable[[Path], object], told: str
) -> None:
    write(tmp_path / "bad.pt")
    line = refused(capsys, tmp_path / "bad.pt", BASE, tmp_path / "pool")
    assert "bad.pt" in line and told in line and not (tmp_path / "pool").exists()


def test_no_code_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    class Run:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "run",)

    torch.save({"a": Run()}, tmp_path / "bad.pt")
    with pytest.raises(UserError):
        open_checkpoint(tmp_path / "bad.pt")
    assert not (tmp_path / "run").exists()


def changed_base(folder: Path, **config: Any) -> Path:
    shutil.copytree(BASE, folder)
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**told, **config}))
    return folder


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"d_ff": 96}, "DenseReluDense.wi_0 is 32 → 96"),
        ({"num_decoder_layers": 1}, "has no linear layer decoder.block.1"),
        ({"vocab_size": 320}, "its embedding is [320, 32]"),
        (
            {"architectures": ["BartForConditionalGeneration"]},
            "not a T5 (architectures: ['BartForConditionalGeneration'])",
        ),
    ],
)
def test_another_base_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: dict[str, Any], told: str
) -> None:
    base = changed_base(tmp_path / "other", **config)
    assert told in refused(capsys, BEST, base, tmp_path / "pool") and not (tmp_path / "pool").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [("a\nb\n", "2 names, the checkpoint has 5 experts"), ("a\nb\nc\nd\na\n", "a stands there twice")],
)
def test_names_are_as_many_as_experts(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(UserError, match=told):
        import_phatgoose(BEST, BASE, tmp_path / "pool", names=tmp_path / "names.txt")
    assert not (tmp_path / "pool").exists()


def test_experts_are_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--base", str(BASE), "--out", str(tmp_path / "pool"), "--experts", "3-7"]
    assert main(["import-phatgoose", str(BEST), *options]) == 1
    assert "'3-7' is not a list of numbers" in capsys.readouterr().err


# A base in four bits


@pytest.fixture(scope="module")
def rounded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool on the same base in four bits, exported first and kept by the import."""
    folder = tmp_path_factory.mktemp("rounded")
    assert main(["export-base", str(BASE), str(folder / "base")]) == 0
    before = contents(folder / "base")
    import_phatgoose(BEST, BASE, folder, chosen=[0])
    assert contents(folder / "base") == before
    return folder


def test_a_base_in_four_bits_is_what_its_graphs_compute(rounded: Path, folder: Path, golden: dict[str, Tensor]) -> None:
    assert len(check_pool(rounded)) == 2
    assert (rounded / "base/model.data").stat().st_size < 0.6 * (folder / "base/model.data").stat().st_size
    ids, written = golden["t0.encoder_ids"].long()[None], golden["t0.decoder_input_ids"].long()[None]
    with torch.no_grad():
        wanted = load_shipped(rounded)[0](input_ids=ids, decoder_input_ids=written).logits.numpy()
    np.testing.assert_allclose(run_graphs(rounded, ids.numpy(), written.numpy())[0], wanted, atol=1e-4)
    assert np.abs(wanted[0] - golden["base.t0.logits"].numpy()).max() > 1e-2


def test_a_t5_takes_no_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n')
    options = [str(BASE), str(tmp_path / "base"), "--calibration", str(tmp_path / "data.jsonl")]
    assert main(["export-base", *options]) == 1
    assert "rounded without --calibration" in capsys.readouterr().err and not (tmp_path / "base").exists()


def test_a_base_that_differs_by_rounding_is_kept_and_said(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, pool = tmp_path / "finer", tmp_path / "other"
    shutil.copytree(BASE, base)
    weights = load_file(base / "model.safetensors")
    weights["shared.weight"][5] *= 1 + 2**-12
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    assert main(["export-base", str(base), str(pool / "base"), "--float"]) == 0
    import_phatgoose(BEST, base, pool, chosen=[0])
    assert "with its own embedding: the checkpoint's is rounded to bfloat16" in capsys.readouterr().out
    import_phatgoose(BEST, base, tmp_path / "new", chosen=[0])
    said = capsys.readouterr().out
    assert "differs from the base's in 1 of 300 rows" in said and "by rounding to bfloat16" in said


# Memory

WIDE = T5Config(
    vocab_size=32, d_model=512, d_kv=64, num_heads=8, d_ff=1024, num_layers=1, feed_forward_proj="gated-gelu",
    decoder_start_token_id=0, architectures=["T5ForConditionalGeneration"],
)  # fmt: skip

MEASURED = """
import sys, threading, time
from pathlib import Path
from gander_training.import_phatgoose import *

def private():  # kB that are this process's own: what a file is mapped to can be dropped at any time
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
    """A checkpoint's keys for ``WIDE``."""
    with torch.device("meta"):
        model = T5ForConditionalGeneration(WIDE)
    for index in range(count):
        for path, layer in model.named_modules():
            if isinstance(layer, nn.Linear) and path != "lm_head":
                d_out, d_in = layer.weight.shape
                yield f"{path}._addons.router.expert_embeddings__{index}", torch.ones(d_in)
                yield f"{path}._addons.expert_lora.layer1__{index}", torch.ones(d_in, rank, dtype=torch.bfloat16)
                yield f"{path}._addons.expert_lora.layer2__{index}", torch.ones(rank, d_out, dtype=torch.bfloat16)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own count")
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
    # An expert and its copy while it is written, and what the libraries take; all of them are ten.
    assert int(run.stdout) < 4 * one, f"{int(run.stdout) / one:.1f} experts in memory"
