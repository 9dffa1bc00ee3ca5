"""Models whose adapters PEFT routes by itself, with its results: Arrow with general knowledge subtraction, and X-LoRA.

``python -m gander_training.compatibility.peft_routers --out test/fixtures/peft`` writes them again. For each architecture
there is a ``base``, adapters as PEFT saves them (``experts``, ``general``), and for each case what PEFT computes:

============= ========== ==================================================================================
``log_prob``  [T − 1]    of each token but the first
``affinity``  [M, T, N]  what the router scored: Arrow's |u · v|, or the logits of X-LoRA's classifier
``weight``    [M, T, N]  what each adapter's output was multiplied by; 0 if it has none at the module
``scalings``  [M, T, N]  X-LoRA's ``get_latest_scalings()``
============= ========== ==================================================================================

The file's metadata has the case, and the modules in PEFT's order.
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from gander_routing.pool import read_adapter
from safetensors.torch import save_file
from torch import Tensor, nn

from gander_training.compatibility import exporters
from gander_training.compatibility.architectures import LLAMA, UNGROUPED, Architecture, build, seed_of
from gander_training.compatibility.pool import write_manifest, write_source
from gander_training.files import whole_folder, write_json
from gander_training.quiet import quiet
from gander_training.tiny.numbers import normal
from gander_training.tiny.pool import CORPUS, build_tokenizer

SMALL = {"hidden_size": 32, "intermediate_size": 64}
ARCHITECTURES = {
    "llama": Architecture("llama", {**LLAMA, **SMALL}, note="small"),
    # X-LoRA in PEFT 0.21 loads adapters only of models whose layers are in a module named "model", so not GPT-2's.
    "phi": Architecture("phi", {**UNGROUPED, **SMALL, "tie_word_embeddings": False}, note="small"),
    "qwen3": Architecture("qwen3", {**LLAMA, **SMALL, "head_dim": 8}, note="small"),
}
# PEFT's Arrow needs one rank and the same modules for all; scales may differ.
EXPERTS: dict[str, dict[str, Any]] = {
    "first": {"r": 4, "lora_alpha": 8},
    "second": {"r": 4, "lora_alpha": 4, "use_rslora": True},
    "third": {"r": 4, "lora_alpha": 6},
}
GENERAL: dict[str, dict[str, Any]] = {"one": {"r": 4, "lora_alpha": 8}, "two": {"r": 4, "lora_alpha": 16}}
# X-LoRA takes any adapters: this one has another rank, and none for most modules.
FEW: dict[str, dict[str, Any]] = {"few": {"r": 2, "lora_alpha": 4, "exclude_modules": r".*\.0\..*"}}


@dataclass(frozen=True)
class ArrowCase:
    """PEFT's ArrowConfig, and which general adapters are subtracted."""

    architecture: str
    name: str
    k: int
    general: tuple[str, ...]


@dataclass(frozen=True)
class XLoraCase:
    """PEFT's XLoraConfig."""

    architecture: str
    name: str
    config: dict[str, Any] = field(default_factory=dict)
    experts: tuple[str, ...] = ("first", "second", "third")


ARROW = [
    ArrowCase("llama", "k1-two", 1, ("one", "two")),
    ArrowCase("llama", "k3-one", 3, ("two",)),
    ArrowCase("phi", "k2-two", 2, ("one", "two")),
    ArrowCase("qwen3", "k2-one", 2, ("one",)),
]
LAYERWISE = {"layerwise_scalings": True}
DEEP = {"xlora_depth": 3, "xlora_size": 16}
XLORA = [
    XLoraCase("llama", "plain"),
    XLoraCase("llama", "layerwise-top2", {**LAYERWISE, **DEEP, "softmax_temperature": 0.7, "top_k_lora": 2}),
    XLoraCase("llama", "few", {**LAYERWISE, "top_k_lora": 2, "enable_softmax_topk": True}, ("third", "few", "first")),
    XLoraCase(
        "phi",
        "softmax-topk",
        {
            **LAYERWISE,
            "xlora_depth": 2,
            "xlora_size": 24,
            "enable_softmax": False,
            "enable_softmax_topk": True,
            "top_k_lora": 2,
            "global_scaling_weight": 1.5,
        },
    ),
    XLoraCase("phi", "no-softmax", {**DEEP, "enable_softmax": False, "xlora_dropout_p": 0.0}),
    XLoraCase(
        "phi", "softmax-of-all", {"enable_softmax": False, "enable_softmax_topk": True, "scaling_pass_value": 0.3}
    ),
    XLoraCase("qwen3", "scaling-pass", {**LAYERWISE, "xlora_depth": 4, "xlora_size": 16, "scaling_pass_value": 0.5}),
    XLoraCase(
        "qwen3",
        "top1",
        {"top_k_lora": 1, "softmax_temperature": 2.0, "global_scaling_weight": 0.5},
        ("second", "first"),
    ),
]


def token_ids() -> Tensor:
    """The text's tokens [1, T]."""
    return torch.tensor([build_tokenizer().encode(CORPUS).ids])


def log_probs(logits: Tensor) -> Tensor:
    """Log-probabilities [T − 1] of all tokens but the first."""
    return logits[0, :-1].float().log_softmax(-1).gather(1, token_ids()[0, 1:, None])[:, 0]


def write_adapter(
    architecture: Architecture, model: nn.Module, folder: Path, index: int, options: dict[str, Any]
) -> None:
    """Write an adapter with random weights of which one direction dominates, so that PEFT's power iteration converges."""
    from peft import LoraConfig, TaskType, get_peft_model

    with quiet():
        config = LoraConfig(task_type=TaskType.CAUSAL_LM, target_modules="all-linear", **options)
        peft = get_peft_model(copy.deepcopy(model), config)  # type: ignore[arg-type]
    rng = seed_of(architecture, 2, index)
    decay = 0.12 ** torch.arange(options["r"])
    with torch.no_grad():
        for name, parameter in sorted(peft.named_parameters()):
            if ".lora_A." in name:
                parameter.copy_(normal(rng, *parameter.shape, std=parameter.shape[1] ** -0.5) * decay[:, None])
            elif ".lora_B." in name:
                parameter.copy_(normal(rng, *parameter.shape, std=0.15))
    peft.save_pretrained(str(folder))


def arrow_results(model: Any, folder: Path, case: ArrowCase) -> dict[str, Tensor]:
    """What PEFT's Arrow computes; the modules' results are in the order of ``modules``."""
    from peft.tuners.lora.arrow import ArrowLoraLinearLayer, create_arrow_model
    from peft.tuners.lora.config import ArrowConfig

    with quiet():
        config = ArrowConfig(top_k=case.k, router_temperature=1.0, use_gks=True, rng_seed=0)
        peft = create_arrow_model(
            copy.deepcopy(model),
            [str(folder / "experts" / name) for name in EXPERTS],
            config,
            [str(folder / "general" / name) for name in case.general],
        ).eval()
    seen: list[tuple[Tensor, Tensor]] = []

    def watch(layer: Any, inputs: tuple[Tensor, ...], options: dict[str, Any], _: Tensor) -> None:
        u = inputs[0].reshape(-1, inputs[0].shape[-1])
        score = (u @ layer.prototypes.T).abs()
        best, chosen = score.topk(layer.top_k, dim=1)
        seen.append((score, torch.zeros_like(score).scatter(1, chosen, best.softmax(1))))
        for name, vector in zip(layer.task_adapter_names, layer.prototypes, strict=True):
            change = options["lora_B"][name].weight.double() @ options["lora_A"][name].weight.double()
            top = torch.linalg.svd(change)[2][0]
            assert min((top - vector).norm(), (top + vector).norm()) < 1e-5, "PEFT's power iteration did not converge"

    for layer in peft.modules():
        if isinstance(layer, ArrowLoraLinearLayer):
            layer.register_forward_hook(watch, with_kwargs=True)
    logits = peft(input_ids=token_ids(), use_cache=False).logits
    affinity, weight = (torch.stack(part) for part in zip(*seen, strict=True))
    return {"log_prob": log_probs(logits), "affinity": affinity, "weight": weight}


def write_classifier(model: Any, experts: Sequence[Path], config: dict[str, Any], folder: Path, index: int) -> None:
    """Write an X-LoRA classifier with random weights, with the files and names of ``save_pretrained``.

    PEFT 0.21's own ``save_pretrained`` leaves out every tensor with an adapter's name, such as ``.0.``, in its name,
    which is at least the classifier's first layer. So the tensors are written here.
    """
    from peft import TaskType, XLoraConfig, get_peft_model

    asked = XLoraConfig(
        task_type=TaskType.CAUSAL_LM,
        hidden_size=model.config.hidden_size,
        adapters={str(i): str(path) for i, path in enumerate(experts)},
        **config,
    )
    with quiet():
        peft: Any = get_peft_model(copy.deepcopy(model), asked)
    rng = seed_of(ARCHITECTURES["llama"], 3, index)
    tensors = {}
    for name, value in sorted(peft.state_dict().items()):
        if "internal_xlora_classifier" in name:
            std = value.shape[1] ** -0.5 if value.ndim > 1 else 0.2
            tensors[name] = normal(rng, *value.shape, std=std)
    folder.mkdir(parents=True)
    asked.save_pretrained(str(folder))
    saved = json.loads((folder / "adapter_config.json").read_text())
    saved["adapters"] = {str(i): path.name for i, path in enumerate(experts)}
    write_json(folder / "adapter_config.json", saved)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def xlora_results(model: Any, experts: Sequence[Path], folder: Path) -> tuple[dict[str, Tensor], list[str]]:
    """What PEFT computes with the classifier in ``folder``, and its modules in order."""
    from peft import PeftModel, XLoraConfig
    from peft.tuners import lora
    from peft.tuners.xlora.layer import XLoraLayer

    with quiet():
        config = XLoraConfig.from_pretrained(str(folder))
        config.adapters = {str(i): str(path) for i, path in enumerate(experts)}
        peft: Any = PeftModel.from_pretrained(copy.deepcopy(model), str(folder), config=config).eval()
    xlora = peft.base_model
    modules = [name for name, layer in xlora.lora_model.model.named_modules() if isinstance(layer, lora.Linear)]
    seen: dict[str, Any] = {"weight": {}}
    plain = XLoraLayer.get_maybe_topk_scalings
    layers = xlora.internal_xlora_classifier.layers
    layers[0].register_forward_pre_hook(lambda _, inputs: seen.update(hidden=inputs[0]))
    layers[-1].register_forward_hook(lambda _m, _i, out: seen.update(logits=out))
    hidden = []
    peft.get_output_embeddings().register_forward_pre_hook(lambda _, inputs: hidden.append(inputs[0]))

    def watched(layer: Any, scalings: Tensor) -> Tensor:
        applied: Tensor = plain(layer, scalings)
        adapts = torch.tensor([name in layer.target.lora_A for name in layer.target.active_adapters])
        # The second pass comes last.
        seen["weight"][layer.layer_number] = (applied[0] * layer.config.global_scaling_weight).masked_fill(~adapts, 0)
        return applied

    XLoraLayer.get_maybe_topk_scalings = watched  # type: ignore[method-assign, assignment]
    try:
        logits = peft(input_ids=token_ids(), use_cache=False).logits
    finally:
        XLoraLayer.get_maybe_topk_scalings = plain  # type: ignore[method-assign]
    assert torch.equal(hidden[0], seen["hidden"]), "the classifier does not read what the head reads"
    own = seen["logits"].reshape(len(token_ids()[0]), -1, len(experts)).expand(-1, len(modules), -1)
    return {
        "log_prob": log_probs(logits),
        "affinity": own.transpose(0, 1),
        "weight": torch.stack([seen["weight"][index] for index in range(len(modules))]),
        "scalings": xlora.get_latest_scalings()[0].transpose(0, 1),
    }, modules


def save(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write a case's results."""
    path.parent.mkdir(exist_ok=True)
    kept = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    save_file(kept, path, metadata={"case": json.dumps({**about, "text": CORPUS}, ensure_ascii=False)})
    path.chmod(0o644)


@torch.no_grad()
def write_architecture(name: str, folder: Path) -> None:
    """Write an architecture's base, adapters and cases."""
    architecture = ARCHITECTURES[name]
    model = build(architecture)
    model.config.use_cache = False  # X-LoRA asks for it
    folder.mkdir()
    write_manifest(architecture, folder)
    adapters = [("experts", item) for item in {**EXPERTS, **FEW}.items()] + [
        ("general", item) for item in GENERAL.items()
    ]
    for index, (room, (identifier, options)) in enumerate(adapters):
        write_adapter(architecture, model, folder / room / identifier, index, options)
        (folder / room / identifier / "README.md").unlink()
    with tempfile.TemporaryDirectory() as temporary:
        source, exported = Path(temporary, "source"), Path(temporary, "exported")
        write_source(model, source)
        exporters.export(exporters.named("TorchScript"), source, exported)
        (folder / "base").mkdir()
        shutil.copyfile(exported / "model.onnx", folder / "base/model.onnx")
        for file in ("config.json", "tokenizer.json"):
            shutil.copyfile(source / file, folder / "base" / file)
    modules = sorted_as_used(model, list(read_adapter(folder / "experts/first")))
    for arrow in ARROW:
        if arrow.architecture == name:
            about = {"strategy": {"name": "arrow", "k": arrow.k}, "general": arrow.general, "modules": modules}
            save(folder / "arrow" / f"{arrow.name}.safetensors", arrow_results(model, folder, arrow), about)
    for index, case in enumerate(XLORA):
        if case.architecture == name:
            experts = [folder / "experts" / expert for expert in case.experts]
            classifier = folder / "xlora" / case.name
            write_classifier(model, experts, case.config, classifier, index)
            results, own = xlora_results(model, experts, classifier)
            save(classifier / "golden.safetensors", results, {"experts": case.experts, "modules": own})


def sorted_as_used(model: nn.Module, modules: Sequence[str]) -> list[str]:
    """The modules in the order in which a run uses them, which is the order of hooks."""
    used: list[str] = []
    handles = [
        model.get_submodule(path).register_forward_hook(lambda *_, path=path: used.append(path)) for path in modules
    ]
    model(token_ids(), use_cache=False)
    for handle in handles:
        handle.remove()
    return used


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.compatibility.peft_routers``."""
    parser = argparse.ArgumentParser(prog="gander_training.compatibility.peft_routers", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("test/fixtures/peft"))
    args = parser.parse_args(argv)
    with whole_folder(args.out) as folder:
        for name in ARCHITECTURES:
            write_architecture(name, folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
