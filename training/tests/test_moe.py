"""The small mixture of experts equals transformers' Mixtral and learns; a stopped run continues as if never stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_lines
from gander_routing.errors import UserError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from gander_training.fitting.balance import balance
from gander_training.mixtures.mixtral import HeadLoss, Mixtral, Shape, save
from gander_training.mixtures.train import MoeOptions, Run, Stream, finish_moe, rate, train_moe

SHAPE = Shape(vocabulary=300, width=32, layers=2, heads=4, kv_heads=2, experts=4, intermediate=16, positions=64)
OPTIONS = MoeOptions(batch=4, length=32, learning_rate=5e-3, warm_up=2)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    packages = {}
    for seed, kind in enumerate(("made", "other")):
        (folder / kind).mkdir()
        file = write_lines(folder / kind / "train.jsonl", seed)
        lines = [json.loads(line) | {"path": f"{n}"} for n, line in enumerate(file.read_text().splitlines())]
        file.write_text("\n".join(map(json.dumps, lines)))
        packages |= {line["package"]: {"licence": "MIT"} for line in lines}
    (folder / "manifest.json").write_text(json.dumps({"all": {"packages": packages}}))
    return folder


def test_it_computes_what_transformers_mixtral_does(tmp_path: Path) -> None:
    """Logits, the router's logits, the loss and its gradients, on weights large enough for routing to matter."""
    model = Mixtral(SHAPE, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * (0.3 if parameter.ndim > 1 else 1.0))
    save(dict(model.named_parameters()), SHAPE, tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager")
    ids = torch.randint(0, SHAPE.vocabulary, (3, 20))
    hidden, routers = model(ids)
    wanted = theirs(input_ids=ids, labels=ids, output_router_logits=True)
    torch.testing.assert_close(hidden @ model.embedding.T, wanted.logits, rtol=1e-4, atol=1e-4)
    for ours, other in zip(routers, wanted.router_logits, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-4)
    loss = HeadLoss.apply(hidden[:, :-1].flatten(0, 1), model.embedding, ids[:, 1:].flatten())
    plain = torch.nn.functional.cross_entropy(wanted.logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    torch.testing.assert_close(loss, plain, rtol=1e-5, atol=1e-5)
    loss.backward()
    plain.backward()
    torch.testing.assert_close(model.embedding.grad, theirs.get_input_embeddings().weight.grad, rtol=1e-3, atol=1e-4)
    moe = theirs.model.layers[0].block_sparse_moe
    torch.testing.assert_close(model.layers[0].router.grad, moe.gate.weight.grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(model.layers[0].down.grad[2], moe.experts[2].w2.weight.grad, rtol=1e-3, atol=1e-4)


def test_balance_is_transformers_loss_per_layer_and_choice() -> None:
    logits = torch.randn(50, 4)
    torch.testing.assert_close(balance(logits, 2), load_balancing_loss_func((logits,), 4, 2) / 2)
    even = torch.eye(4).repeat(8, 1) * 5
    assert balance(even, 1).item() == pytest.approx(1.0)
    assert balance(torch.tensor([[9.0, 5, 0, 0]] * 8), 2).item() > 1.9


def test_half_keeps_the_routers_in_float32() -> None:
    kinds = {name: parameter.dtype for name, parameter in Mixtral(SHAPE, 0).half().named_parameters()}
    assert kinds["layers.1.router"] == torch.float32
    assert {kind for name, kind in kinds.items() if not name.endswith("router")} == {torch.bfloat16}


def test_a_stream_reads_each_token_once_an_epoch(tmp_path: Path) -> None:
    lengths = [7, 11, 2, 14, 6]
    np.save(tmp_path / "tokens.npy", np.arange(40, dtype=np.uint16))
    np.save(tmp_path / "starts.npy", np.cumsum([0, *lengths]))
    stream = Stream(tmp_path, 3, seed=0)
    assert stream.rows == 13
    first, second = stream.read(0, 13), stream.read(13, 13)
    assert len(set(first[:, :-1].flatten().tolist())) == 39
    assert not torch.equal(first, second)
    torch.testing.assert_close(Stream(tmp_path, 3, seed=0).read(11, 4), torch.cat([first[11:], second[:2]]))
    assert not torch.equal(Stream(tmp_path, 3, seed=1).read(0, 13), first)


def test_the_rate_is_constant_until_a_finish() -> None:
    assert [rate(step, 4, None) for step in (0, 1, 3, 4, 900)] == [0.25, 0.5, 1.0, 1.0, 1.0]
    assert [rate(step, 4, [10, 3]) for step in (9, 10, 11, 12)] == [1.0, 0.75, 0.5, 0.25]


def test_a_stopped_run_continues_as_if_it_was_never_stopped(tmp_path: Path, corpora: Path) -> None:
    whole = Run(tmp_path / "whole", corpora, SHAPE, OPTIONS)
    train_moe(whole, 6)
    train_moe(Run(tmp_path / "cut", corpora, SHAPE, OPTIONS), 3)
    cut = Run(tmp_path / "cut", tmp_path / "no longer needed", SHAPE, OPTIONS)
    train_moe(cut, 6)
    assert cut.losses == whole.losses
    for ours, other in zip(cut.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, other)
    progress = json.loads((tmp_path / "cut" / "checkpoint.json").read_text())
    assert progress["steps"] == 6 and progress["tokens_seen"] == 6 * 4 * 32
    assert [part["from_step"] for part in progress["history"]] == [0]


def test_a_finish_writes_a_model_that_transformers_loads_and_keeps_the_run(tmp_path: Path, corpora: Path) -> None:
    run = Run(tmp_path / "run", corpora, SHAPE, OPTIONS)
    train_moe(run, 30)
    finish_moe(Run(tmp_path / "run", corpora, SHAPE, OPTIONS), 6, tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoint.json", "checkpoint.pt", "data"]
    told = json.loads((tmp_path / "model" / "training.json").read_text())
    assert told["steps"] == 36 and told["history"][-1]["decay"] == [30, 6]
    assert told["data"]["kinds"]["made"]["packages"] == {"made:up@0": "MIT", "made:up@1": "MIT"}
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    text = json.loads((corpora / "made" / "train.jsonl").read_text().splitlines()[0])["text"]
    ids = torch.tensor([tokenizer(text).input_ids[:64]])
    assert tokenizer.decode(ids[0, 1:]) == text[: len(tokenizer.decode(ids[0, 1:]))]
    with torch.no_grad():
        loss = model(input_ids=ids, labels=ids).loss.item()
    assert loss < run.losses[0] - 1.0
    again = Run(tmp_path / "run", corpora, SHAPE, OPTIONS)
    train_moe(again, 31)
    assert len(again.losses) == 31


def test_unsuitable_data_and_options_are_refused(tmp_path: Path, corpora: Path) -> None:
    with pytest.raises(UserError, match="holds no"):
        Run(tmp_path / "run", tmp_path, SHAPE, OPTIONS)
    with pytest.raises(UserError, match="must divide 64"):
        Run(tmp_path / "run", corpora, SHAPE, MoeOptions(length=48))
    train_moe(Run(tmp_path / "run", corpora, SHAPE, OPTIONS), 1)
    with pytest.raises(UserError, match="another shape, seed or text"):
        train_moe(Run(tmp_path / "run", corpora, SHAPE, MoeOptions(batch=4, length=32, seed=1)), 2)
