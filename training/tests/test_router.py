"""The jointly trained router computes what the reference does, learns, resumes, and changes nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_lines
from gander_routing.errors import UserError
from gander_routing.forward import routed_forward
from gander_routing.pool import read_pool
from gander_routing.strategies import Strategy
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file

from gander_training.bases.source import load_base
from gander_training.compatibility.engine import ROOT
from gander_training.gates.router import RouterOptions, mixed, train_router, with_routers
from gander_training.reference.command import main as reference

TINY = ROOT / "test" / "fixtures" / "tiny-pool"
SHIPPED = ROOT / "models" / "smollm2-135m"
BUILT = (ROOT / "dist/cli.cjs").exists()
OPTIONS = RouterOptions(steps=20, batch=4, length=16, learning_rate=2e-2, spread=0.2)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    shutil.copytree(TINY, tmp_path / "pool")
    return tmp_path / "pool"


@pytest.fixture
def corpora(tmp_path: Path, pool: Path) -> Path:
    for place, expert in enumerate(read_pool(pool).experts):
        folder = tmp_path / "corpora" / expert.id
        folder.mkdir(parents=True)
        write_lines(folder / "train.jsonl", place)
    return tmp_path / "corpora"


def test_it_computes_what_the_reference_does(pool: Path, corpora: Path, tmp_path: Path) -> None:
    train_router(pool, corpora, RouterOptions(**{**vars(OPTIONS), "steps": 2}), tmp_path / "runs")
    read = read_pool(pool)
    ids = torch.arange(12)
    wanted = routed_forward(load_base(pool)[0], read.experts, ids, Strategy("jointly-trained", 2))
    model, _ = load_base(pool)
    routed = with_routers(model, read.experts, OPTIONS)
    for path, matrix in load_file(pool / "router.safetensors").items():
        routed[path].router.data = matrix.float()
    with torch.no_grad():
        logits = model(input_ids=ids[None]).logits[0]
    torch.testing.assert_close(logits[-1], wanted.last_logits, atol=1e-4, rtol=1e-4)
    place = [module.path for module in wanted.modules].index("model.layers.1.mlp.down_proj")
    torch.testing.assert_close(
        routed["model.layers.1.mlp.down_proj"].logits, wanted.affinity[place], atol=1e-4, rtol=1e-4
    )


@pytest.mark.skipif(not BUILT and "CI" not in os.environ, reason="npm run build was not run")
@pytest.mark.parametrize(("name", "near"), (("tiny", 1e-4), ("shipped", 1e-2)))
def test_the_engine_computes_what_the_reference_does(
    name: str, near: float, pool: Path, corpora: Path, tmp_path: Path
) -> None:
    if name == "tiny":
        train_router(pool, corpora, RouterOptions(**{**vars(OPTIONS), "steps": 2}), tmp_path / "runs")
    else:
        pool = SHIPPED
    text, wanted, got = (
        "def route(tokens):\n    return experts\n",
        tmp_path / "wanted.safetensors",
        tmp_path / "got.safetensors",
    )
    asked = ["--text", text, "--strategy", "jointly-trained", "--k", "2", "--out", str(wanted)]
    assert reference(["--pool", str(pool), *asked]) == 0
    command = [
        "node",
        str(ROOT / "dist/cli.cjs"),
        "route",
        text,
        "--pool",
        str(pool),
        "--strategy",
        "jointly-trained:2",
    ]
    command += ["--cache", str(tmp_path / "cache"), "--trace", str(got)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    reference_says, engine_says = load_arrays(wanted), load_arrays(got)
    chosen, wanted_chosen = engine_says["block.0.chosen"], reference_says["chosen"]
    # Sums in another order may turn a tie around.
    assert (chosen != wanted_chosen).mean() < 0.001
    affinity = reference_says["affinity"]
    np.testing.assert_allclose(
        *(np.take_along_axis(affinity, which, axis=-1) for which in (chosen, wanted_chosen)), atol=1e-5, rtol=0
    )
    np.testing.assert_allclose(engine_says["block.0.score"], affinity, atol=near, rtol=0)
    np.testing.assert_allclose(engine_says["block.0.weight"], reference_says["weight"], atol=near, rtol=0)
    np.testing.assert_allclose(engine_says["sequence.0.log_prob"], reference_says["log_prob"], atol=near, rtol=0)


def test_it_learns_and_continues_where_it_was_stopped(
    pool: Path, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    shutil.copytree(pool, other)
    monkeypatch.setattr("gander_training.fitting.loop.CHECKPOINT_EVERY", 5)
    told = train_router(pool, corpora, OPTIONS, tmp_path / "runs")
    assert told["last"] < told["first"]
    assert not list((tmp_path / "runs").iterdir())

    class Stopped(Exception):
        pass

    def stop(*_args: object) -> None:
        raise Stopped

    real = torch.optim.AdamW.step
    calls = iter(range(100))
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: stop() if next(calls) == 12 else real(self))
    with pytest.raises(Stopped):
        train_router(other, corpora, OPTIONS, tmp_path / "runs")
    monkeypatch.setattr(torch.optim.AdamW, "step", real)
    train_router(other, corpora, OPTIONS, tmp_path / "runs")
    again = load_file(other / "router.safetensors")
    for path, matrix in load_file(pool / "router.safetensors").items():
        assert torch.equal(matrix, again[path])


def test_experts_and_base_stay_as_they_are_and_the_pool_names_the_rows(
    pool: Path, corpora: Path, tmp_path: Path
) -> None:
    def kept() -> dict[str, bytes]:
        files = (path for path in pool.rglob("*") if path.is_file())
        return {
            path.relative_to(pool).as_posix(): path.read_bytes()
            for path in files
            if path.name not in ("pool.json", "router.safetensors")
        }

    before = kept()
    train_router(pool, corpora, RouterOptions(**{**vars(OPTIONS), "steps": 1}), tmp_path / "runs")
    assert kept() == before
    manifest = json.loads((pool / "pool.json").read_text())
    assert manifest["router"] == {
        "weights": "router.safetensors",
        "experts": [expert.id for expert in read_pool(pool).experts],
    }


def test_batches_have_as_much_of_every_kind() -> None:
    kinds = [torch.full((rows, 3), kind) for kind, rows in enumerate((2, 50, 7))]
    rows = torch.cat(mixed(kinds, RouterOptions(steps=15, batch=4)))
    assert rows.shape == (60, 3)
    assert rows[:, 0].bincount().tolist() == [20, 20, 20]


def test_a_pool_with_one_expert_is_refused(pool: Path, corpora: Path, tmp_path: Path) -> None:
    for folder in sorted((pool / "experts").iterdir())[1:]:
        shutil.rmtree(folder)
    with pytest.raises(UserError, match="has 1 experts, but k is 2"):
        train_router(pool, corpora, OPTIONS, tmp_path / "runs")
