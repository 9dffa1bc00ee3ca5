"""An X-LoRA classifier learns which expert knows a text, with PEFT's own model, and a pool gets it whole or not at all."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import contents, write_lines
from gander_routing.errors import UserError
from gander_routing.pool import read_pool
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor

from gander_training.bases.source import load_base
from gander_training.cli import main
from gander_training.compatibility.engine import ROOT
from gander_training.experts.train import Card, ExpertOptions, train_expert
from gander_training.experts.workbench import open_bench
from gander_training.fitting.loop import fit
from gander_training.gates.peft_xlora import modules_of, read_config
from gander_training.gates.stacked import Stacked, StackedLinear, check_stacked
from gander_training.gates.xlora import (
    XLoraOptions,
    XLoraShape,
    adapter_folders,
    open_pool,
    say_left,
    skip_zeros,
    token_loss,
    train_xlora,
    trainable,
)
from gander_training.imports.xlora import adapters_of
from gander_training.pools.pool import check_pool
from gander_training.texts.loss import next_token_loss
from gander_training.texts.windows import pack, read_texts

TINY = ROOT / "test" / "fixtures" / "tiny-pool"
BUILT = (ROOT / "dist/cli.cjs").exists()
F32 = torch.float32
KINDS = {"digits": "0123456789", "letters": "abcdefghij"}
SHORT = XLoraOptions(steps=2, batch=4, length=16)


def write_kind(path: Path, seed: int, symbols: str) -> None:
    """Runs up and down a row of symbols: what follows is clear, but only to whom has learnt the row."""
    rng = random.Random(seed)
    row = list(symbols)
    random.Random(0).shuffle(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        for _ in range(40):
            start, step = rng.randrange(len(row)), rng.choice((1, 3))
            text = "".join(row[(start + step * i) % len(row)] for i in range(60))
            out.write(json.dumps({"text": text}) + "\n")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads would wait for each other longer than products of this size take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``pool``: two experts, each of which knows one kind of text, in ``corpora``."""
    folder = tmp_path_factory.mktemp("planted")
    pool = folder / "pool"
    shutil.copytree(TINY, pool)
    shutil.rmtree(pool / "experts")
    bench = open_bench(pool, rank=4, alpha=16, dtype=F32, compiled=False)
    options = ExpertOptions(steps=80, batch=8, length=32, learning_rate=2e-2)
    for place, (name, symbols) in enumerate(KINDS.items()):
        data = folder / "corpora" / name / "train.jsonl"
        write_kind(data, place, symbols)
        write_kind(folder / "corpora" / name / "test.jsonl", place + 7, symbols)
        train_expert(bench, [data], pool / "experts" / name, Card(name, ""), options, folder / "runs", {})
    return folder


@pytest.fixture
def pool(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "pool", tmp_path / "pool")
    return tmp_path / "pool"


def loaded(pool: Path, shape: XLoraShape) -> Any:
    """PEFT's model with the pool's classifier."""
    peft, _, _ = open_pool(pool, read_pool(pool), shape, F32, 0)
    tensors = load_file(pool / "xlora/adapter_model.safetensors")
    report = peft.load_state_dict(tensors, strict=False)
    assert not report.unexpected_keys and tensors
    return peft


def unseen(made: Path, name: str) -> Tensor:
    """Windows of a kind that nothing was trained on."""
    tokenizer = load_base(made / "pool")[1]
    return pack(tokenizer, read_texts(made / "corpora" / name / "test.jsonl"), 32, 0)[:16]


@pytest.mark.parametrize(
    "shape",
    (
        XLoraShape(),
        XLoraShape(layerwise=True, depth=2, size=16, temperature=0.5),
        XLoraShape(softmax="none", layerwise=True, dropout=0),
        XLoraShape(top_k=1),
    ),
    ids=("plain", "deep", "no softmax", "top 1"),
)
@torch.no_grad()
def test_it_learns_which_expert_knows_a_text(made: Path, pool: Path, tmp_path: Path, shape: XLoraShape) -> None:
    options = XLoraOptions(steps=80, batch=8, length=32, learning_rate=3e-2, part=8, shape=shape)
    with torch.enable_grad():
        told = train_xlora(pool, made / "corpora", options, tmp_path / "runs", dtype=F32)
    assert told["last"] < told["first"]
    trained, uniform = loaded(pool, shape), loaded(pool, shape)
    for parameter in uniform.base_model.internal_xlora_classifier.parameters():
        parameter.zero_()
    if shape.softmax == "none":
        uniform.base_model.internal_xlora_classifier.layers[-1].bias.fill_(0.5)
    for own, name in enumerate(KINDS):
        rows = unseen(made, name)
        loss, even = (float(token_loss(peft, rows)) for peft in (trained, uniform))
        # An even choice of one is always the first.
        if not (shape.top_k and own == 0):
            assert loss < even - 0.1
        scalings = trained.base_model.get_latest_scalings()[:, 4:]
        assert (scalings.argmax(-1) == own).float().mean() > 0.6
        assert (scalings[..., own] - scalings[..., 1 - own]).mean() > 0.15
    assert not list((tmp_path / "runs").iterdir())


def test_a_seed_gives_the_same_classifier_and_another_seed_another(made: Path, pool: Path, tmp_path: Path) -> None:
    def trained(name: str, seed: int) -> dict[str, Tensor]:
        shutil.copytree(pool, tmp_path / name)
        options = XLoraOptions(steps=6, batch=4, length=16, seed=seed, shape=XLoraShape(depth=2, size=8))
        train_xlora(tmp_path / name, made / "corpora", options, tmp_path / "runs", dtype=F32)
        return load_file(tmp_path / name / "xlora/adapter_model.safetensors")

    one, again, other = trained("one", 3), trained("again", 3), trained("other", 4)
    assert one.keys() == again.keys() and all(torch.equal(one[name], again[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_it_continues_where_it_was_stopped(
    made: Path, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    shutil.copytree(pool, other)
    monkeypatch.setattr("gander_training.fitting.loop.CHECKPOINT_EVERY", 3)
    # With dropout, whose randomness must be the same again.
    options = XLoraOptions(steps=8, batch=4, length=16, shape=XLoraShape(depth=2, size=8))
    train_xlora(pool, made / "corpora", options, tmp_path / "runs", dtype=F32)

    class Stopped(Exception):
        pass

    real, calls = torch.optim.AdamW.step, iter(range(100))

    def stops(self: torch.optim.AdamW) -> None:
        if next(calls) == 5:
            raise Stopped
        real(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", stops)
    with pytest.raises(Stopped):
        train_xlora(other, made / "corpora", options, tmp_path / "runs", dtype=F32)
    assert not (other / "xlora").exists() and "xlora" not in json.loads((other / "pool.json").read_text())
    monkeypatch.setattr(torch.optim.AdamW, "step", real)
    train_xlora(other, made / "corpora", options, tmp_path / "runs", dtype=F32)
    again = load_file(other / "xlora/adapter_model.safetensors")
    for name, tensor in load_file(pool / "xlora/adapter_model.safetensors").items():
        assert torch.equal(tensor, again[name])


@pytest.mark.parametrize("shape", (XLoraShape(), XLoraShape(softmax="chosen", top_k=1), XLoraShape(pass_value=0.5)))
def test_adapters_left_out_of_the_first_pass_change_no_number(made: Path, pool: Path, shape: XLoraShape) -> None:
    rows = unseen(made, "digits")
    results = []
    for change in (lambda _: None, skip_zeros):
        peft, _, _ = open_pool(pool, read_pool(pool), shape, F32, 0)
        change(peft)
        loss = token_loss(peft, rows)
        loss.backward()
        gradients = [p.grad for p in peft.base_model.internal_xlora_classifier.parameters()]
        results.append((loss, peft.base_model.get_latest_scalings(), *gradients))
    for plain, skipped in zip(*results, strict=True):
        assert torch.equal(plain, skipped)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A pool of five random adapters, of several ranks and scales, of which the last adapts only some modules."""
    pool = tmp_path / "mixed"
    shutil.copytree(TINY, pool)
    last = pool / "experts/zz-fewer"
    shutil.copytree(pool / "experts/alpha", last)
    kept = ["down_proj", "q_proj"]
    config = json.loads((last / "adapter_config.json").read_text())
    (last / "adapter_config.json").write_text(json.dumps(config | {"target_modules": kept}))
    tensors = load_file(last / "adapter_model.safetensors")
    fewer = {name: tensor for name, tensor in tensors.items() if any(module in name for module in kept)}
    save_file(fewer, last / "adapter_model.safetensors", metadata={"format": "pt"})
    for name in ("gate.safetensors", "activation.safetensors", "examples.safetensors"):
        (last / name).unlink(missing_ok=True)
    return pool


SHAPES = {
    "all": XLoraShape(temperature=0.5),
    "layerwise, chosen": XLoraShape(layerwise=True, softmax="chosen", top_k=2),
    "layerwise, deep, top 2 of all": XLoraShape(layerwise=True, depth=3, size=16, dropout=0.3, top_k=2),
    "no softmax, weight": XLoraShape(softmax="none", weight=0.7),
    "first pass adapted": XLoraShape(layerwise=True, depth=2, size=16, pass_value=0.5, weight=1.5),
    "first pass adapted, chosen": XLoraShape(softmax="chosen", top_k=5, pass_value=0.25),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_stacked_adapters_give_the_logits_and_gradients_of_peft(mixed: Path, shape: XLoraShape) -> None:
    pool = read_pool(mixed)
    assert len(pool.experts) == 5
    peft, _, modules = open_pool(mixed, pool, shape, F32, 0)
    skip_zeros(peft)
    classifier = trainable(peft)
    stacked = Stacked(peft)
    assert stacked.left == {} and len(modules) == 14
    rows = torch.randint(0, 100, (3, 24), generator=torch.Generator().manual_seed(1))
    found = []
    for context in (nullcontext(), stacked):
        with context:
            torch.manual_seed(4)
            logits = peft(input_ids=rows, use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten())
            classifier.zero_grad()
            loss.backward()
            found.append([logits.detach(), *(p.grad for p in classifier.parameters())])
    base = peft.base_model.lora_model.model
    with torch.no_grad(), peft.disable_adapter():
        assert (base(rows).logits - found[0][0]).abs().max() > 0.01  # the adapters do matter
    for own, quick in zip(*found, strict=True):
        assert own.abs().max() > 1e-6
        torch.testing.assert_close(quick, own, rtol=1e-4, atol=1e-5 * float(own.abs().max()))


def test_stacked_adapters_are_not_run_one_by_one_and_peft_is_itself_again(mixed: Path) -> None:
    peft, _, modules = open_pool(mixed, read_pool(mixed), XLoraShape(pass_value=0.5), F32, 0)
    runs, heads = [], []
    for name, module in peft.named_modules():
        if name.endswith(("lora_A.0", "lora_B.4")):
            module.register_forward_hook(lambda *_: runs.append(1))
    peft.get_output_embeddings().register_forward_pre_hook(lambda _, inputs: heads.append(inputs[0].shape[1]))
    rows = torch.arange(12)[None]
    before = {name: module.__dict__.get("forward") for name, module in peft.named_modules()}
    with pytest.raises(ZeroDivisionError), Stacked(peft):
        peft(input_ids=rows, use_cache=False)
        assert runs == [] and heads == [1, 12]
        raise ZeroDivisionError
    assert {name: module.__dict__.get("forward") for name, module in peft.named_modules()} == before
    peft(input_ids=rows, use_cache=False)
    # All 14 modules have adapter 0, and 4 have adapter 4, in two passes.
    assert len(runs) == 2 * (14 + 4) and heads == [1, 12, 12, 12]


def test_a_seeded_run_has_the_losses_that_it_has_with_pefts_own_layers(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, expert in enumerate(read_pool(mixed).experts):
        (tmp_path / "corpora" / expert.id).mkdir(parents=True)
        write_lines(tmp_path / "corpora" / expert.id / "train.jsonl", place)
    shape = XLoraShape(layerwise=True, depth=2, size=16)
    options = XLoraOptions(steps=12, batch=4, length=16, learning_rate=1e-2, shape=shape)
    runs: list[list[float]] = []

    def recorded(*args: Any, **kwargs: Any) -> list[float]:
        runs.append(fit(*args, **kwargs))
        return runs[-1]

    monkeypatch.setattr("gander_training.gates.xlora.fit", recorded)
    train_xlora(mixed, tmp_path / "corpora", options, tmp_path / "runs", dtype=F32)
    monkeypatch.setattr(Stacked, "__enter__", lambda self: self)
    monkeypatch.setattr(Stacked, "__exit__", lambda *_: None)
    train_xlora(mixed, tmp_path / "corpora", options, tmp_path / "runs", dtype=F32, overwrite=True)
    quick, own = runs
    assert quick == pytest.approx(own, abs=1e-5) and len(own) == 12 and own[-1] < own[0]


def test_stacked_adapters_that_differ_from_pefts_are_refused(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for expert in read_pool(mixed).experts:
        (tmp_path / "corpora" / expert.id).mkdir(parents=True)
        write_lines(tmp_path / "corpora" / expert.id / "train.jsonl", 0)
    made = StackedLinear.__init__

    def spoilt(self: StackedLinear, layer: Any, scalings: Any) -> None:
        made(self, layer, scalings)
        self.spread[0] *= 1.05

    monkeypatch.setattr(StackedLinear, "__init__", spoilt)
    before = contents(mixed)
    with pytest.raises(UserError, match="all adapters at once differ from PEFT's one by one"):
        train_xlora(mixed, tmp_path / "corpora", SHORT, tmp_path / "runs", dtype=F32)
    assert contents(mixed) == before


def test_what_cannot_be_stacked_stays_pefts_and_is_named(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peft, _, _ = open_pool(mixed, read_pool(mixed), XLoraShape(), F32, 0)
    layers = peft.base_model.lora_model.model.model.layers
    for layer in layers:
        up = layer.mlp.up_proj.lora_B["0"]
        up.bias = torch.nn.Parameter(torch.ones(up.out_features), requires_grad=False)
    layers[0].self_attn.q_proj.use_dora["1"] = True
    stacked = Stacked(peft)
    say_left(mixed, stacked)
    dora, bias = capsys.readouterr().err.splitlines()
    assert "model.layers.0.self_attn.q_proj has DoRA, so" in dora
    assert "model.layers.0.mlp.up_proj (as 1 more) has an adapter with a bias, so" in bias
    layers[0].self_attn.q_proj.use_dora["1"] = False
    assert check_stacked(mixed, peft, stacked, torch.arange(12)[None]) < 1e-5


@pytest.mark.parametrize(("dtype", "near"), ((F32, 1e-6), (torch.bfloat16, 1e-2)))
def test_the_loss_in_place_is_the_cross_entropy_and_has_its_gradient(dtype: torch.dtype, near: float) -> None:
    torch.manual_seed(0)
    # More rows than are worked on at once, and logits that overflow without their maximum.
    logits = (torch.randn(3, 41, 50) * 8 + 100).to(dtype)
    rows = torch.randint(0, 50, (3, 41))
    found = []
    for loss_of in (
        lambda z: torch.nn.functional.cross_entropy(z[:, :-1].float().flatten(0, 1), rows[:, 1:].flatten()),
        lambda z: next_token_loss(z, rows),
    ):
        leaf = logits.clone().requires_grad_()
        loss = loss_of(leaf * 1)
        (loss * 0.5).backward()
        assert leaf.grad is not None and loss.dtype == F32
        found.append((loss.item(), leaf.grad))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    torch.testing.assert_close(found[1][1], found[0][1], rtol=near, atol=near / 100)


def test_parts_of_a_batch_give_what_the_whole_gives(made: Path, pool: Path, tmp_path: Path) -> None:
    losses = []
    for part in (1, 4):
        options = XLoraOptions(steps=3, batch=4, length=16, learning_rate=1e-2, part=part)
        told = train_xlora(pool, made / "corpora", options, tmp_path / "runs", dtype=F32, overwrite=True)
        losses.append(told["last"])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_pool_gets_what_the_importer_takes_and_nothing_else_changes(made: Path, pool: Path, tmp_path: Path) -> None:
    before = contents(pool)
    shape = XLoraShape(layerwise=True, depth=2, size=8, top_k=1)
    train_xlora(pool, made / "corpora", XLoraOptions(steps=1, batch=2, length=16, shape=shape), tmp_path / "runs")
    files = ["xlora/adapter_config.json", "xlora/adapter_model.safetensors"]
    after = contents(pool)
    assert sorted(after.keys() - before.keys()) == files
    assert all(after[name] == before[name] for name in before if name != "pool.json")
    manifest = json.loads((pool / "pool.json").read_text())
    entry = manifest.pop("xlora")
    assert manifest == json.loads(before["pool.json"][0])
    assert entry["classifier"] == "xlora" and entry["experts"] == ["digits", "letters"]
    config = read_config(pool / "xlora")
    assert config["base_model_name_or_path"] == "Tiny Llama"
    assert config["adapters"] == {"0": "../experts/digits", "1": "../experts/letters"}
    adapters = adapters_of(pool / "xlora", config, {})
    assert [path.resolve() for path in adapters] == [path.resolve() for path in adapter_folders(pool, read_pool(pool))]
    assert modules_of(pool / "xlora", adapters, load_base(pool)[0]) == entry["modules"]
    assert len(entry["modules"]) == 14
    assert check_pool(pool)[-1] == "X-LoRA classifier: digits, letters"
    edit(pool, lambda m: m["xlora"]["modules"].reverse())
    with pytest.raises(UserError, match="not the modules that PEFT scales"):
        check_pool(pool)
    edit(pool, lambda m: m["xlora"].update(modules=entry["modules"], experts=["digits"]))
    with pytest.raises(UserError, match="has 2 adapters, and pool.json names 1"):
        check_pool(pool)
    edit(pool, lambda m: m["xlora"].update(classifier="../xlora"))
    with pytest.raises(UserError, match=r'"xlora.classifier" leaves the pool'):
        check_pool(pool)


def test_what_fails_while_it_is_written_leaves_the_pool_as_it_was(
    made: Path, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise UserError("no")

    for overwrite in (False, True):
        before = contents(pool)
        with monkeypatch.context() as patched:
            patched.setattr("gander_training.gates.xlora.verify", fails)
            with pytest.raises(UserError, match="no"):
                train_xlora(pool, made / "corpora", SHORT, tmp_path / "runs", dtype=F32, overwrite=overwrite)
        assert contents(pool) == before
        train_xlora(pool, made / "corpora", SHORT, tmp_path / "runs", dtype=F32, overwrite=overwrite)


def edit(pool: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((pool / "pool.json").read_text())
    change(manifest)
    (pool / "pool.json").write_text(json.dumps(manifest))


def poison(pool: Path) -> None:
    """An adapter for another base."""
    shutil.rmtree(pool / "experts/letters")
    shutil.copytree(ROOT / "models/smollm2-135m/experts/python", pool / "experts/letters")
    for name in ("gate.safetensors", "activation.safetensors", "examples.safetensors"):
        (pool / "experts/letters" / name).unlink()


BAD: list[tuple[Callable[[Path], object], list[str], str]] = [
    (lambda p: shutil.rmtree(p / "experts/digits"), [], "has 1 experts; a classifier needs two"),
    (lambda p: edit(p, lambda m: m.update(xlora={})), [], "has an X-LoRA classifier already (use --overwrite"),
    (lambda p: (p / "xlora").mkdir(), [], "has an X-LoRA classifier already (use --overwrite"),
    (poison, [], "has shape ["),
    (lambda p: None, ["--data", "nowhere"], "nowhere/digits/train.jsonl: no such file"),
    (lambda p: None, ["--length", "100000"], "fewer than one window of 100000"),
    (lambda p: None, ["--top-k", "3"], "top_k_lora is 3, for 2 adapters"),
    (lambda p: None, ["--top-k", "1", "--pass-value", "0.5"], "is chance"),
    (lambda p: None, ["--softmax", "chosen"], "needs top_k"),
    (lambda p: None, ["--depth", "0"], "both must be at least 1"),
    (lambda p: None, ["--dropout", "1"], "dropout is 1; it must be"),
    (lambda p: None, ["--temperature", "0"], "temperature is 0; it must be above 0"),
    (lambda p: None, ["--steps", "0"], "--steps must be at least 1"),
    (lambda p: None, ["--part", "0"], "--part must be at least 1"),
]


@pytest.mark.parametrize(("spoil", "more", "told"), BAD)
def test_what_cannot_be_trained_is_refused_in_one_line(
    made: Path,
    pool: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], object],
    more: list[str],
    told: str,
) -> None:
    spoil(pool)
    before = contents(pool)
    options = ["--data", str(made / "corpora"), "--runs", str(tmp_path / "runs"), "--dtype", "float32", *more]
    assert main(["xlora", str(pool), "--steps", "1", "--batch", "2", "--length", "16", *options]) == 1
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert contents(pool) == before


def test_general_adapters_are_refused(made: Path, pool: Path, tmp_path: Path) -> None:
    shutil.copytree(pool / "experts/digits", pool / "general/one")
    edit(pool, lambda m: m.update(general="general"))
    with pytest.raises(UserError, match="general adapters are subtracted"):
        train_xlora(pool, made / "corpora", SHORT, tmp_path / "runs", dtype=F32)


@pytest.mark.skipif(not BUILT and "CI" not in os.environ, reason="npm run build was not run")
def test_the_engine_computes_what_was_trained_and_still_routes_by_gates(tmp_path: Path) -> None:
    pool, corpora = tmp_path / "pool", tmp_path / "corpora"
    shutil.copytree(TINY, pool)
    for place, expert in enumerate(read_pool(pool).experts):
        (corpora / expert.id).mkdir(parents=True)
        write_lines(corpora / expert.id / "train.jsonl", place)
    text = "def route(tokens):\n    return experts\n"

    def route(strategy: str) -> dict[str, Any]:
        out = tmp_path / "trace.safetensors"
        command = ["node", str(ROOT / "dist/cli.cjs"), "route", text, "--pool", str(pool), "--strategy", strategy]
        command += ["--cache", str(tmp_path / "cache"), "--trace", str(out)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, "")
        return dict(load_arrays(out))

    before = route("phatgoose:2")
    shape = XLoraShape(layerwise=True, depth=2, size=16)
    options = XLoraOptions(steps=20, batch=4, length=16, learning_rate=2e-2, shape=shape)
    train_xlora(pool, corpora, options, tmp_path / "runs", dtype=F32)
    after, own = route("phatgoose:2"), route("x-lora")
    np.testing.assert_array_equal(after["block.0.chosen"], before["block.0.chosen"])
    np.testing.assert_allclose(after["sequence.0.log_prob"], before["sequence.0.log_prob"], atol=1e-5, rtol=0)
    peft = loaded(pool, shape)
    ids = load_base(pool)[1](text, return_tensors="pt").input_ids
    with torch.no_grad():
        logits = peft(input_ids=ids, use_cache=False).logits
    wanted = logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
    np.testing.assert_allclose(own["sequence.0.log_prob"][1:], wanted.numpy(), atol=2e-5, rtol=0)
    assert np.abs(own["sequence.0.log_prob"][1:] - after["sequence.0.log_prob"][1:]).max() > 1e-3
