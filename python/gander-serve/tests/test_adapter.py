"""A mixture served with a LoRA adapter of PEFT merged into it, compared with PEFT's own pass with the adapter beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
import transformers
from conftest import FIXTURES, HANGS, Served
from gander_training.mixtures.golden import moe_tensors
from gander_training.texts.tokens import Encoded
from gander_training.tiny.adapters import ATTENTION, FUSED, beside, write_adapter
from test_command import command, started

from gander_serve.cli import main
from gander_serve.errors import ServeError
from gander_serve.loading import Where, load_adapted
from gander_serve.moe import MoeModel

OLD = int(transformers.__version__.split(".")[0]) < 5
needs_fused = pytest.mark.skipif(OLD, reason="experts are fused, and routers parameters, in transformers 5")
TEXT = "def route(tokens): return experts[0]"
TIE = 1e-4
KINDS: dict[str, dict[str, Any]] = {
    "attention": {"target_modules": ATTENTION},
    "experts": {"target_modules": [], "target_parameters": FUSED},
    "router": {"target_modules": [], "target_parameters": ["gate.weight"]},
    "all": {"target_modules": ATTENTION, "target_parameters": [*FUSED, "gate.weight"]},
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "attention" else needs_fused) for kind in KINDS]
)
@pytest.mark.parametrize("name", ["mixtral", "olmoe", "qwen3-moe"])
def test_a_trace_equals_pefts_own_pass(
    server: Callable[..., Served], folder_of: Callable[[str], Path], tmp_path: Path, name: str, kind: str
) -> None:
    base, adapter = folder_of(name), tmp_path / "mine"
    write_adapter(base, adapter, **KINDS[kind])
    loaded, said = load_adapted(str(base), Where(), adapter)
    assert said == f"mine is merged into {dict(attention=8, experts=4, router=2, all=14)[kind]} weights of {name}"
    served = server(MoeModel(loaded))
    assert served.client.get("/v1/info").json()["name"] == f"{name} + mine"
    trace = served.trace("route", text=TEXT)
    sequence, block = trace.sequences[0], trace.blocks[0]
    ids = np.asarray(sequence.ids).tolist()
    if OLD:  # its routers do not return what the golden traces are made of
        with torch.no_grad():
            wanted = beside(base, adapter)(input_ids=torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1)
        told = wanted[:-1].gather(1, torch.tensor(ids)[1:, None])[:, 0]
        np.testing.assert_allclose(sequence.log_prob[1:], told, atol=2e-5, rtol=0)
        return
    nothing = [0] * len(ids)
    tensors, _ = moe_tensors(beside(base, adapter), Encoded(TEXT, ids, nothing, nothing, [""] * len(ids)))
    np.testing.assert_allclose(sequence.log_prob, tensors["sequence.0.log_prob"], atol=2e-5, rtol=0)
    score, chosen = tensors["block.0.score"].numpy(), tensors["block.0.chosen"].numpy()
    assert block.score is not None and block.weight is not None
    np.testing.assert_allclose(block.score, score, atol=2e-5, rtol=0)
    ranked, k = -np.sort(-score, axis=-1), chosen.shape[-1]
    near = (ranked[..., :k] - ranked[..., 1 : k + 1]).min(-1) < TIE
    assert near.sum() == 0, f"{near.sum()} near ties"
    np.testing.assert_array_equal(block.chosen, chosen)
    np.testing.assert_allclose(block.weight, tensors["block.0.weight"], atol=2e-5, rtol=0)


def test_what_if_and_the_command_work_on_it(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    base, adapter, token = folder_of("olmoe"), tmp_path / "mine", "0123456789abcdef"
    write_adapter(base, adapter, target_modules=ATTENTION)
    with started(base, "--adapter", adapter, GANDER_SERVE_TOKEN=token) as (process, address):
        headers = {"authorization": f"Bearer {token}"}
        info = httpx.get(f"{address}/v1/info", headers=headers, timeout=HANGS).json()
        assert (info["name"], info["family"], info["can"]["whatIf"]) == ("olmoe + mine", "moe", True)
        out = [{"action": "knock-out", "expert": "0.3", "scope": {}}]
        asked = {"text": TEXT, "interventions": out}
        assert httpx.post(f"{address}/v1/route", headers=headers, json=asked, timeout=HANGS).status_code == 200
        process.terminate()
        told = process.communicate(timeout=HANGS)[1].splitlines()
    assert told[-1] == "gander-serve: mine is merged into 8 weights of olmoe"


def test_in_half_precision_it_is_merged_too(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    base, adapter = folder_of("olmoe"), tmp_path / "mine"
    write_adapter(base, adapter, target_modules=ATTENTION)
    loaded, _ = load_adapted(str(base), Where(dtype=torch.bfloat16), adapter)
    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.bfloat16}
    MoeModel(loaded)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"peft_type": "LOHA"}, "peft_type is LOHA, and only LORA is merged"),
        ({"use_qalora": True}, "use_qalora is set"),
        ({"r": 2}, "where it takes"),
    ],
)
def test_an_adapter_that_cannot_be_merged_is_refused(
    folder_of: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    said: str,
) -> None:
    base, adapter = folder_of("olmoe"), tmp_path / "mine"
    write_adapter(base, adapter, target_modules=ATTENTION)
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    capsys.readouterr()
    assert main([str(base), "--adapter", str(adapter), "--port", "0"]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gander-serve: ")]
    assert said in line and "docs/routers.md" in line


def test_what_it_is_for_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert main([str(FIXTURES / "tiny-pool"), "--adapter", str(tmp_path), "--port", "0"]) == 1
    assert "is a pool, whose adapters are its experts" in capsys.readouterr().err
    assert main([str(FIXTURES / "tiny-pool/experts/alpha"), "--port", "0"]) == 1
    assert (
        "alpha is a PEFT adapter, not a model. Name its base, and the adapter with --adapter."
        in capsys.readouterr().err
    )
    monkeypatch.setitem(sys.modules, "gander_routing.adapted", None)
    with pytest.raises(ServeError) as error:
        load_adapted("model", Where(), tmp_path)
    assert error.value.remedy == "pip install gander-serve[adapter]"
    assert "--adapter FOLDER" in subprocess.run(**command("--help"), timeout=HANGS).stdout
