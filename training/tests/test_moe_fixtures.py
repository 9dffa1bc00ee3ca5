"""The tiny mixtures of experts: each exported folder is compared with its golden trace, and that with the formulas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from gander_training.mixtures.fixtures import OTHER_K, names
from gander_training.mixtures.folder import OnnxFolder
from gander_training.tiny.mixtures import ARCHITECTURES, EXPERTS, MANY, config_of, load_moe, write_moe

FIXTURES = Path(__file__).parents[2] / "test/fixtures"
GOLDEN = FIXTURES / "golden/moe"
FOLDERS = [f"{name}-{form}" for name, form in names()]
# With eight-bit weights, QMoE in onnxruntime 1.32 also rounds activations; in 1.30, the extension's, it does not.
BOUNDS = {"lfm2-moe-genai-int8": 0.1}
# The only one that transformers 4, with which the other commands run, lacks; if another is missing, that is a fault.
LATER = {"lfm2-moe"}
NORMALISED = {"mixtral", "mixtral-top1", "qwen3-moe", "granite-moe", "gpt-oss", "jetmoe"}


def golden_of(folder: str) -> dict[str, Tensor]:
    """The golden trace for an exported folder: with its rounded weights, or the model's."""
    own = GOLDEN / f"{folder}.safetensors"
    return load_file(own if own.exists() else GOLDEN / f"{model_of(folder)}.safetensors")


def model_of(folder: str) -> str:
    """The architecture of an exported folder, or of a golden trace."""
    return max((name for name in ARCHITECTURES if folder.startswith(name)), key=len)


def header_of(name: str) -> dict[str, Any]:
    """The header of a golden trace."""
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        header: dict[str, Any] = json.loads(file.metadata()["gander-trace"])
    return header


def test_every_folder_that_the_command_writes_exists() -> None:
    assert sorted(FOLDERS) == sorted(folder.name for folder in (FIXTURES / "moe").iterdir() if folder.is_dir())
    goldens = {file.stem for file in GOLDEN.iterdir()}
    assert set(ARCHITECTURES) <= goldens
    other = {
        f"{golden}-k{k}" for name, ks in OTHER_K.items() for k in ks for golden in goldens if model_of(golden) == name
    }
    assert other == {file.stem for file in (FIXTURES / "golden/moe-k").iterdir()}
    readme = (FIXTURES / "moe/README.md").read_text(encoding="utf-8")
    assert all(f"`{folder}`" in readme for folder in FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_computes_its_golden_trace_in_one_step_and_in_three(folder: str) -> None:
    golden = golden_of(folder)
    ids = golden["sequence.0.ids"].tolist()
    model = OnnxFolder(FIXTURES / "moe" / folder)
    once = model.step(ids)
    model.restart()
    parts = np.concatenate([model.step(part) for part in (ids[:20], ids[20:21], ids[21:])])
    for logits in (once, parts):
        log_probs = torch.from_numpy(logits).log_softmax(-1)
        got = log_probs[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
        assert (got - golden["sequence.0.log_prob"][1:]).abs().max() < BOUNDS.get(folder, 1e-5)


@pytest.mark.parametrize("name", [file.stem for file in sorted(GOLDEN.glob("*.safetensors"))])
def test_the_chosen_are_the_best_by_what_was_compared(name: str) -> None:
    golden = load_file(GOLDEN / f"{name}.safetensors")
    ranked = golden.get("block.0.selection", golden["block.0.score"])
    chosen = golden["block.0.chosen"].long()
    best = ranked.sort(dim=-1, descending=True)
    k = chosen.shape[-1]
    assert torch.equal(best.indices[..., :k], chosen)
    if name in ARCHITECTURES:  # no choice depends on the order of sums; with rounded weights that cannot be arranged
        least = 1e-4 if name == "qwen3-moe-128" else 1e-3  # 128 logits are nearer to one another than eight
        assert (best.values[..., :k] - best.values[..., 1 : k + 1]).min() > least


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_follow_the_published_formula(name: str) -> None:
    golden, config = golden_of(name), config_of(name)
    score, chosen, weight = golden["block.0.score"], golden["block.0.chosen"].long(), golden["block.0.weight"]
    if name == "phimoe":
        assert torch.allclose(sparse_mixer(score, chosen), weight, atol=1e-6)
        return
    spread = score.sigmoid() if name in {"deepseek-v3", "lfm2-moe", "glm4-moe"} else score.softmax(-1)
    wanted = spread.gather(-1, chosen)
    if name in NORMALISED or config.get("norm_topk_prob"):
        wanted = wanted / wanted.sum(-1, keepdim=True)
    assert torch.allclose(wanted * config.get("routed_scaling_factor", 1.0), weight, atol=2e-6)


def sparse_mixer(score: Tensor, chosen: Tensor, jitter: float = 0.01) -> Tensor:
    """Phi-3.5-MoE: the weight of each choice is a softmax over the scores close to the best remaining one."""
    left, weights = score.clone(), []
    for slot in range(chosen.shape[-1]):
        best = left.max(-1, keepdim=True).values
        far = (best - score) / score.abs().maximum(best) > 2 * jitter
        weights.append(left.masked_fill(far, -torch.inf).softmax(-1).gather(-1, chosen[..., slot : slot + 1]))
        left = left.scatter(-1, chosen[..., slot : slot + 1], -torch.inf)
    return torch.cat(weights, -1)


def test_a_selection_score_is_recorded_if_it_differs_from_the_score() -> None:
    told = {name for name in ARCHITECTURES if "block.0.selection" in golden_of(name)}
    assert told == {"deepseek-v3", "lfm2-moe", "glm4-moe"}
    groups = golden_of("deepseek-v3")["block.0.selection"].view(-1, 4, 2).isinf()
    assert torch.equal(groups[..., 0], groups[..., 1]) and (groups[..., 0].sum(-1) == 2).all()
    shared = {name for name in ARCHITECTURES if "block.0.always_on_weight" in golden_of(name)}
    assert shared == {"qwen2-moe", "qwen3-next", "deepseek-v3", "glm4-moe"}
    assert shared == {name for name in ARCHITECTURES if "alwaysOn" in header_of(name)["expertSets"][0]}


class LinearOutputs(TorchFunctionMode):
    """Records the outputs of linear layers with given weights, in order."""

    def __init__(self, weights: list[Tensor]) -> None:
        super().__init__()
        self.pointers = {weight.data_ptr() for weight in weights}
        self.outputs: list[Tensor] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function is nn.functional.linear and args[1].data_ptr() in self.pointers:
            self.outputs.append(result.detach())
        return result


@contextmanager
def router_outputs(model: nn.Module) -> Iterator[list[Tensor]]:
    """The routers' raw logits, whatever the structure of their code."""
    weights = [
        weight.detach()
        for name, weight in model.named_parameters()
        if weight.dim() == 2
        and len(weight) in (EXPERTS, MANY)
        and ("gate" in name or "router" in name)
        and "proj" not in name
    ]
    with LinearOutputs(weights) as seen:
        yield seen.outputs


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_older_and_newer_transformers_give_the_golden_trace(name: str, tmp_path: Path) -> None:
    if name in LATER and ARCHITECTURES[name].model_type not in CONFIG_MAPPING:
        pytest.skip(f"transformers {transformers.__version__} does not have {name}")
    write_moe(name, tmp_path)
    golden = golden_of(name)
    ids = golden["sequence.0.ids"].long()[None]
    model = load_moe(tmp_path)
    with torch.no_grad(), router_outputs(model) as routers:
        logits = model(input_ids=ids, use_cache=False).logits[0]
    assert (logits[-1] - golden["last_logits"]).abs().max() < 1e-5
    assert len(routers) == len(golden["block.0.score"])
    for got, wanted in zip(routers, golden["block.0.score"], strict=True):
        assert (got.flatten(0, -2) - wanted).abs().max() < 1e-5
