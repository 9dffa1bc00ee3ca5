"""X-LoRA: a classifier reads the base's last hidden state and scales every adapter for each token.

Buehler, Buehler (arXiv 2402.07148), as PEFT's ``XLoraModel`` computes it, without PEFT (docs/strategies.md, "X-LoRA").
A text is read twice: in the first pass all adapters have one scaling, and the classifier reads what the head reads there.

Axes: M modules, T tokens, N experts of the pool, C classes (the experts that the classifier knows), d the hidden size.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.pool import Expert, Pool, index_of
from gander_routing.router import Router, Steering
from gander_routing.strategies import Strategy, listed

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LAYER = "base_model.internal_xlora_classifier.layers"
MOST_BYTES = 2**30  # as in src/checks/limits.ts
STORED = {torch.float32, torch.float16, torch.bfloat16}
NO_HEAD = "The base does not show what its head reads, which an X-LoRA classifier reads, too."
RESTORE = "Restore the file, or fetch the pool again."
AGAIN = (
    "Import it again with gander-training import-xlora, train it again with gander-training xlora, or remove "
    '"xlora" from pool.json.'
)


class ClassifierError(UserError):
    """A classifier that cannot be used, in the engine's words (src/pool/xlora.ts); ``remedy`` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True)
class ScalingConfig:
    """How logits become scalings."""

    softmax: bool
    temperature: float
    top_k: int | None  # None: all adapters are used
    softmax_of_top_k: bool
    weight: float  # a factor on all scalings
    pass_value: float  # the scaling of all adapters in the pass that the classifier reads

    def header(self) -> dict[str, Any]:
        """The router in a trace's header; a distribution is shown only where it is that of the scalings."""
        top_k = {} if self.top_k is None else {"topK": self.top_k}
        params = {
            "affinities": "x-lora",
            "softmax": self.softmax,
            "temperature": self.temperature,
            **top_k,
            "softmaxOfTopK": self.softmax_of_top_k,
            "globalWeight": self.weight,
            "passValue": self.pass_value,
        }
        scoring = "softmax" if self.softmax and self.temperature == 1 else None
        return {"name": "x-lora", "scoring": scoring, "params": params}


@dataclass(frozen=True)
class Classifier:
    """A pool's classifier. ``layers``: weight [d_out, d_in] and bias [d_out] in F32; ReLU is between them."""

    experts: tuple[str, ...]  # ids, by class
    modules: tuple[str, ...]  # paths, in PEFT's order
    layerwise: bool  # whether each module has scalings of its own; if not, all have the same
    layers: tuple[tuple[Tensor, Tensor], ...]
    config: ScalingConfig

    @property
    def width(self) -> int:
        """The most experts with a scaling other than 0 at one module."""
        return min(self.config.top_k or len(self.experts), len(self.experts))

    def starts(self) -> dict[str, int]:
        """For each module's path, the number of its first logit."""
        return {path: len(self.experts) * i * self.layerwise for i, path in enumerate(self.modules)}

    def logits(self, hidden: Tensor) -> Tensor:
        """F32 logits [T, C], or if layerwise [T, modules · C], for hidden states [T, d] of any type."""
        last = len(self.layers) - 1
        for index, (weight, bias) in enumerate(self.layers):
            made = nn.functional.linear(hidden.to(weight), weight, bias)
            hidden = made if index == last else made.relu()
        return hidden

    def to(self, device: torch.device) -> Classifier:
        """The classifier with its weights on a device."""
        return replace(self, layers=tuple((weight.to(device), bias.to(device)) for weight, bias in self.layers))


def pass_scaling(config: ScalingConfig, classes: int) -> float:
    """What each adapter's output is multiplied by in the first pass, where all scalings are equal."""
    equal = 1 / classes if config.softmax_of_top_k and config.pass_value else config.pass_value
    return equal * config.weight


def scalings_of(logits: Tensor, config: ScalingConfig) -> Tensor:
    """Scalings [T, C] of one module's adapters, in the order in which PEFT computes them, in F64.

    A logit of −∞ is that of an adapter that is knocked out: its scaling is 0.
    """
    logits = logits.double()
    out = logits == -math.inf
    scalings = logits.masked_fill(out, 0)
    if config.softmax:
        scalings = _softmax(scalings / config.temperature, ~out)
    if config.top_k is not None:
        order = scalings.masked_fill(out, -math.inf).sort(dim=-1, descending=True, stable=True).indices
        kept = torch.zeros_like(out).scatter(-1, order[..., : config.top_k], True)
        scalings = scalings.where(kept, 0)
    # A scaling that single precision rounds to 0 is 0 in PEFT.
    return _softmax(scalings, scalings.float() != 0) if config.softmax_of_top_k else scalings


def _softmax(values: Tensor, among: Tensor) -> Tensor:
    """Softmax over those of the last axis that are ``among``; 0 for the others, and where there is none."""
    return values.masked_fill(~among, -math.inf).softmax(-1).nan_to_num(0)


class ScaledRouter(Router):
    """Routes one run by a classifier; what it reads must run inside ``first_pass`` before each pass that is recorded.

    ``bias`` is added to the logits, −∞ knocks an adapter out, and ``fixed`` gives the weights wherever it is not NaN.
    """

    def __init__(
        self,
        model: nn.Module,
        experts: Sequence[Expert],
        classifier: Classifier,
        bias: Steering | None = None,
        fixed: Steering | None = None,
    ) -> None:
        """Raises ``UserError`` if the base's head does not read what the classifier reads."""
        nothing = torch.zeros(1, 1, len(experts))
        super().__init__(model, experts, Strategy("x-lora"), nothing if bias is None else bias, fixed)
        self.classifier = classifier
        self.width = max(self.width, classifier.width)
        self.starts = classifier.starts()
        self.classes = torch.tensor([index_of(experts, identifier) for identifier in classifier.experts])
        self.in_first_pass = pass_scaling(classifier.config, len(classifier.experts))
        self.is_first = False
        self.logits: Tensor | None = None
        self.head = head_of(model)
        d_in, wanted = self.head.weight.shape[-1], classifier.layers[0][0].shape[1]
        if d_in != wanted:
            raise ClassifierError(
                f"The X-LoRA classifier reads {wanted} numbers of a token, and the base's head {d_in}.",
                "Import it again with the base that it was trained with.",
            )

    @contextlib.contextmanager
    def first_pass(self) -> Iterator[None]:
        """The classifier reads what runs through the model in this context, which must be inside ``installed``.

        Raises ``UserError`` if its logits are not finite. The model's own logits there are only those of the last token.
        """
        read: list[Tensor] = []

        def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            read.append(inputs[0])
            # Nobody asks what this pass predicts, and the head is large.
            return inputs[0][..., -1:, :], *inputs[1:]

        handle = self.head.register_forward_pre_hook(see)
        self.is_first = True
        try:
            yield
        finally:
            handle.remove()
            self.is_first = False
        if len(read) != 1:
            raise UserError(NO_HEAD)
        (hidden,) = read
        # On the CPU, because not every device has F64.
        self.logits = self.classifier.logits(hidden.reshape(-1, hidden.shape[-1])).cpu()
        if not bool(self.logits.isfinite().all()):
            raise UserError("The model gives numbers that are not finite (logit of the X-LoRA classifier).")

    def known(self, path: str) -> Tensor | None:
        """The logits [T, C] for a module, or None if the classifier knows no such module."""
        assert self.logits is not None, "the first pass has not run"
        start = self.starts.get(path)
        return None if start is None else self.logits[:, start : start + len(self.classes)]

    def score(self, path: str, u: Tensor) -> Tensor:
        """Logits [T, N] before any bias; NaN for an expert that the classifier does not know."""
        scores = torch.full((u.shape[0], len(self.experts)), math.nan)
        if (logits := self.known(path)) is not None:
            scores[:, self.classes] = logits
        return scores.to(u.device)

    def decide(self, module: int, affinity: Tensor) -> tuple[Tensor, Tensor]:
        tokens, path = affinity.shape[0], self.modules[module].path
        weights = torch.zeros(tokens, len(self.experts))
        if (logits := self.known(path)) is not None:
            bias = self.part(self.bias, module, tokens).cpu()[:, self.classes]
            scalings = scalings_of(logits + bias.double(), self.classifier.config)
            weights[:, self.classes] = (scalings * self.classifier.config.weight).float()
        if self.fixed is not None:
            fixed = self.part(self.fixed, module, tokens).cpu()
            weights = weights.where(fixed.isnan().any(-1, keepdim=True), fixed)
        absent = torch.tensor([path not in expert.lora for expert in self.experts])
        experts, weight = listed(weights.masked_fill(absent, 0), self.width)
        return experts.to(affinity.device), weight.to(affinity.device)

    def hook(self, index: int, module: nn.Module, u: Tensor, out: Tensor) -> Tensor:
        if not self.is_first:
            return super().hook(index, module, u, out)
        path = self.modules[index].path
        if not self.in_first_pass or path not in self.starts:
            return out
        for expert in self.classes.tolist():
            if lora := self.experts[expert].lora.get(path):
                out = out + self.in_first_pass * lora.delta(u)
        return out


def head_of(model: nn.Module) -> Any:
    """The layer that makes a model's logits. Raises ``UserError`` if there is none."""
    find: Any = getattr(model, "get_output_embeddings", None)
    head = find and find()
    if head is None:
        raise UserError(NO_HEAD)
    return head


def read_classifier(pool: Pool) -> Classifier | None:
    """The classifier that ``pool.json`` names, or None if it names none.

    Raises ``ClassifierError`` for one that cannot be used, ``UserError`` for an entry with another form.
    """
    if pool.manifest.get("xlora") is None:
        return None
    entry = _entry(pool)
    if isinstance(pool.manifest["base"].get("model"), dict):
        raise ClassifierError(
            "PEFT has no X-LoRA for encoder-decoders, so this pool cannot have a classifier.",
            'Remove "xlora" from pool.json.',
        )
    described, weights = (str(PurePosixPath(entry["classifier"], name)) for name in (CONFIG, WEIGHTS))
    config = _config(_inside(pool.path, described), described)
    experts, modules = entry["experts"], entry["modules"]
    _check_adapters(entry, pool.experts, config["adapters"] or {})
    scaling = _scaling(config, len(experts), described)
    layerwise = config["layerwise_scalings"]
    columns = len(experts) * (len(modules) if layerwise else 1)
    widths = [config["hidden_size"], *[config["xlora_size"]] * (config["xlora_depth"] - 1), columns]
    layers = _layers(_inside(pool.path, weights), weights, widths, config["xlora_dropout_p"] > 0)
    return Classifier(tuple(experts), tuple(modules), layerwise, layers, scaling)


def _invalid(message: str) -> ClassifierError:
    return ClassifierError(f"The X-LoRA classifier cannot be used: {message}.", AGAIN)


def _entry(pool: Pool) -> dict[str, Any]:
    """``xlora`` in ``pool.json``: classifier, experts and modules."""
    entry, file = pool.manifest["xlora"], pool.path / "pool.json"
    if not isinstance(entry, dict):
        raise UserError(f'{file}: "xlora" must be an object')
    if not isinstance(entry.get("classifier"), str) or not entry["classifier"]:
        raise UserError(f'{file}: "xlora.classifier" must be a text')
    for key in ("experts", "modules"):
        names = entry.get(key)
        if not isinstance(names, list) or not names or not all(isinstance(one, str) and one for one in names):
            raise UserError(f'{file}: "xlora.{key}" must be a list of names')
    if unknown := [key for key in entry if key not in ("classifier", "experts", "modules")]:
        raise UserError(f'{file}: "xlora" must not have "{unknown[0][:40]}"')
    return entry


def _inside(root: Path, name: str) -> Path:
    """An ordinary file inside a pool's folder, as src/pool/paths.ts finds it."""

    def unsafe(why: str) -> ClassifierError:
        return ClassifierError(f'The path "{name[:80]}" {why}.', "Use only paths inside the pool folder.")

    windows = PureWindowsPath(name)
    if windows.drive or windows.root or name.startswith("/"):
        raise unsafe("is absolute")
    if ".." in windows.parts:
        raise unsafe("leads upwards")
    try:
        real = (root / name).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise ClassifierError(f'"{name}" is missing or cannot be read in the pool folder.', RESTORE) from None
    if not real.is_relative_to(root.resolve()):
        raise unsafe("is a link that leads out of its folder")
    if not real.is_file():
        raise ClassifierError(f'"{name}" is not a file.', RESTORE)
    return root / name


# A check of a value: what it must be, or None if it is that.
Check = Callable[[Any], str | None]


def _number(value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return None if is_number else "must be a number"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _between(least: float, most: float, check: Check) -> Check:
    def within(value: Any) -> str | None:
        if told := check(value):
            return told
        if value > most:
            return f"must be at most {most:g}"
        return f"must be at least {least:g}" if value < least else None

    return within


def _whole(value: Any) -> str | None:
    return _number(value) or (None if value == int(value) else "must be a whole number")


def _divisor(value: Any) -> str | None:
    return _number(value) or (None if value else "is a divisor, so it cannot be 0")


def _names(value: Any) -> str | None:
    is_names = isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    return None if is_names else "must be an object"


def _or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


SIZE = _between(1, 1_000_000, _whole)
MISSING = object()
# PEFT's XLoraConfig: checks and defaults. A field that is not here may change what is computed, so it is refused.
FIELDS: Mapping[str, tuple[Check, Any]] = {
    "peft_type": (lambda value: None if value == "XLORA" else 'must be "XLORA"', None),
    "hidden_size": (SIZE, MISSING),
    "adapters": (_or_null(_names), None),
    "enable_softmax": (_flag, True),
    "enable_softmax_topk": (_flag, False),
    "layerwise_scalings": (_flag, False),
    "xlora_depth": (_between(1, 100, _whole), 1),
    "xlora_size": (SIZE, 2048),
    # Only its presence counts, in the numbers of the layers: nothing is dropped outside training.
    "xlora_dropout_p": (_between(0, 1, _number), 0.2),
    "softmax_temperature": (_divisor, 1),
    "top_k_lora": (_or_null(_between(1, math.inf, _whole)), None),
    "scaling_pass_value": (_number, 0),
    "global_scaling_weight": (_number, 1),
    "use_trainable_adapters": (_or_null(_flag), None),
}
# These affect neither the classifier nor the adapters.
IGNORED = {
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "peft_version",
    "revision",
    "task_type",
}


def _config(file: Path, name: str) -> dict[str, Any]:
    """PEFT's configuration, with defaults filled in."""
    try:
        given = read_json(file)
    except UserError:
        raise ClassifierError(f"{name} is not JSON.", "Restore the file from where it came from.") from None
    if not isinstance(given, dict):
        raise _invalid(f"{name}: it must be an object")
    config = {}
    for field, (check, default) in FIELDS.items():
        value = given.get(field, default)
        if value is MISSING:
            raise _invalid(f'{name}: "{field}" is missing')
        if told := check(value):
            raise _invalid(f'{name}: "{field}" {told}')
        config[field] = int(value) if isinstance(value, float) and value.is_integer() else value
    if unknown := [field for field in given if field not in FIELDS and field not in IGNORED]:
        raise _invalid(f"{name}: it must not have " + ", ".join(f'"{field[:40]}"' for field in unknown))
    return config


def _scaling(config: Mapping[str, Any], classes: int, name: str) -> ScalingConfig:
    top_k, pass_value = config["top_k_lora"], config["scaling_pass_value"]
    if top_k is not None and top_k > classes:
        raise _invalid(f'{name}: "top_k_lora" is {top_k}, more than its {classes} adapters')
    if top_k is not None and top_k < classes and pass_value:
        raise _invalid(
            f'{name}: with "top_k_lora", "scaling_pass_value" must be 0: which of equal scalings PEFT keeps is chance'
        )
    return ScalingConfig(
        config["enable_softmax"],
        config["softmax_temperature"],
        top_k,
        config["enable_softmax_topk"],
        config["global_scaling_weight"],
        pass_value,
    )


def _check_adapters(entry: Mapping[str, Any], experts: Sequence[Expert], configured: Mapping[str, str]) -> None:
    """Refuse axes that are not exactly the pool's adapters and the modules that they adapt."""
    names, modules = entry["experts"], entry["modules"]
    for key in ("experts", "modules"):
        if len(set(entry[key])) < len(entry[key]):
            raise _invalid(f'pool.json: "xlora.{key}" names one twice')
    if configured and len(configured) != len(names):
        raise _invalid(
            f'it was trained with {len(configured)} adapters, and "xlora.experts" in pool.json names {len(names)}'
        )
    by_id = {expert.id: expert for expert in experts}
    adapted: dict[str, None] = {}
    for identifier in names:
        if identifier not in by_id:
            raise _invalid(f'its adapter "{identifier}" is missing, or cannot be used')
        adapted |= dict.fromkeys(by_id[identifier].lora)
    stray = [path for path in modules if path not in adapted] + [path for path in adapted if path not in set(modules)]
    if stray:
        raise _invalid(
            '"xlora.modules" in pool.json must list the modules that its adapters adapt, in PEFT\'s order; '
            f"{stray[0][:120]} is in only one of both"
        )


def _layers(file: Path, name: str, widths: Sequence[int], drops: bool) -> tuple[tuple[Tensor, Tensor], ...]:
    if (size := file.stat().st_size) > MOST_BYTES:
        raise _invalid(f"{name}: it has {size / 2**30:.1f} GiB; at most 1 GiB are read")
    try:
        left: dict[str, Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise _invalid(f"{name}: {error}") from error

    def take(tensor: str, *shape: int) -> Tensor:
        found = left.pop(tensor, None)
        if found is None:
            # PEFT drops every tensor with an adapter's name between dots, and X-LoRA's adapters are named 0, 1, ….
            raise ClassifierError(
                f'{name}: the X-LoRA classifier has no "{tensor}"; save_pretrained of PEFT 0.21 leaves it out.',
                "Save it from the model in memory: safetensors.torch.save_file of those entries of model.state_dict() "
                "that have internal_xlora_classifier in their names.",
            )
        if found.shape != shape:
            raise _invalid(f'{name}: "{tensor}" is {list(found.shape)}, not {list(shape)}')
        if found.dtype not in STORED:
            raise _invalid(f'{name}: "{tensor}" is {found.dtype}; F32, F16 and BF16 are supported')
        return found.float()

    layers = []
    for index, (d_in, d_out) in enumerate(zip(widths, widths[1:], strict=False)):
        # Each layer is followed by ReLU, and in training by dropout, which have numbers, too.
        layer = f"{LAYER}.{index * (3 if drops else 2)}"
        layers.append((layer, take(f"{layer}.weight", d_out, d_in), take(f"{layer}.bias", d_out)))
    if left:
        raise _invalid(f'{name}: "{next(iter(left))[:120]}" is no part of such a classifier')
    for layer, weight, bias in layers:
        for part, tensor in (("weight", weight), ("bias", bias)):
            if not bool(tensor.isfinite().all()):
                raise _invalid(f'{name}: "{layer}.{part}" contains a number that is not finite')
    return tuple((weight, bias) for _, weight, bias in layers)
