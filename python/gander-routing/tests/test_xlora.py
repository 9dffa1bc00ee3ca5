"""X-LoRA compared with PEFT's own numbers, and everything that can be wrong with a classifier."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from gander_routing.base import load_shipped
from gander_routing.errors import UserError
from gander_routing.forward import RoutedResult, routed_forward
from gander_routing.pool import Pool, read_pool
from gander_routing.strategies import Strategy
from gander_routing.whatif import Intervention, Scope
from gander_routing.xlora import (
    Classifier,
    ClassifierError,
    ScaledRouter,
    ScalingConfig,
    pass_scaling,
    read_classifier,
    scalings_of,
)

FIXTURES = Path(__file__).resolve().parents[3] / "test/fixtures/peft"
CASES = sorted((file.parts[-4], file.parts[-2]) for file in FIXTURES.glob("*/xlora/*/golden.safetensors"))
BOUND = 2e-5
X_LORA = Strategy("x-lora")
FIRST = "base_model.internal_xlora_classifier.layers.0.weight"


def case_of(architecture: str, name: str) -> dict[str, Any]:
    with safe_open(FIXTURES / architecture / "xlora" / name / "golden.safetensors", "pt") as file:
        about: dict[str, Any] = json.loads(file.metadata()["case"])
    return about


def write_pool(folder: Path, architecture: str, name: str, *more: str) -> Path:
    """A pool of a fixture's base, its classifier and the experts that this knows, and ``more`` experts."""
    source, case = FIXTURES / architecture, case_of(architecture, name)
    for part in ["base", *(f"experts/{one}" for one in [*case["experts"], *more])]:
        shutil.copytree(source / part, folder / part)
    shutil.copytree(source / "xlora" / name, folder / "xlora")
    entry = {"classifier": "xlora", "experts": case["experts"], "modules": case["modules"]}
    manifest = json.loads((source / "pool.json").read_text())
    (folder / "pool.json").write_text(json.dumps({**manifest, "xlora": entry}))
    return folder


class Opened:
    """A pool with a classifier, ready to run."""

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        self.pool: Pool = read_pool(folder)
        found = read_classifier(self.pool)
        assert found is not None
        self.classifier: Classifier = found
        self.model: nn.Module = load_shipped(folder)[0]
        self.ids = [expert.id for expert in self.pool.experts]

    def run(self, text: str, *interventions: Intervention, strategy: Strategy = X_LORA) -> RoutedResult:
        ids = torch.tensor(Tokenizer.from_file(str(self.pool.path / "base/tokenizer.json")).encode(text).ids)
        return routed_forward(
            self.model, self.pool.experts, ids, strategy, classifier=self.classifier, interventions=interventions
        )


def weights_of(result: RoutedResult) -> Tensor:
    """What each expert was multiplied by, [M, T, N]."""
    slots = torch.zeros(*result.chosen.shape[:2], len(result.experts) + 1)
    # Expert −1 has weight 0, and the last column is thrown away.
    return slots.scatter(-1, result.chosen.long() % slots.shape[-1], result.weight)[..., :-1]


TEXT = "the experts that know the text"


@pytest.mark.parametrize(("architecture", "name"), CASES)
def test_scores_weights_and_predictions_are_pefts(architecture: str, name: str, tmp_path: Path) -> None:
    case, opened = case_of(architecture, name), Opened(write_pool(tmp_path / "pool", architecture, name))
    golden = load_file(tmp_path / "pool/xlora/golden.safetensors")
    result = opened.run(case["text"])
    assert sorted(case["modules"]) == sorted(module.path for module in result.modules)
    rows = torch.tensor([case["modules"].index(module.path) for module in result.modules])
    columns = torch.tensor([case["experts"].index(identifier) for identifier in result.experts])
    score, weight = (golden[column][rows][..., columns] for column in ("affinity", "weight"))
    torch.testing.assert_close(result.affinity, score, atol=BOUND, rtol=0)
    torch.testing.assert_close(result.log_prob[1:], golden["log_prob"], atol=BOUND, rtol=0)
    own = weights_of(result)
    other = ((own == 0) != (weight == 0)).any(-1)
    # Where PEFT chooses another adapter, rounding cannot tell two scores apart.
    best = score.sort(-1, descending=True).values
    assert ((best[..., :-1] - best[..., 1:]).amin(-1)[other] < BOUND).all()
    assert other.sum() < 0.001 * other.numel()
    torch.testing.assert_close(own[~other], weight[~other], atol=BOUND, rtol=0)
    assert result.chosen.shape[-1] == (json.loads(
        (tmp_path / "pool/xlora/adapter_config.json").read_text()
    )["top_k_lora"] or len(case["experts"]))  # fmt: skip


def config(**more: Any) -> ScalingConfig:
    given: dict[str, Any] = {"softmax": True, "temperature": 1, "top_k": None, "softmax_of_top_k": False}
    return ScalingConfig(**{**given, "weight": 1, "pass_value": 0, **more})


@pytest.mark.parametrize(
    ("given", "logits", "wanted"),
    [
        ({"temperature": 2}, [math.log(4), 0, 0], [0.5, 0.25, 0.25]),
        ({"softmax": False}, [0.5, -2, 1], [0.5, -2, 1]),
        ({"softmax": False, "top_k": 2}, [-1, -3, -2], [-1, 0, -2]),
        # Of equals the first.
        ({"softmax": False, "top_k": 1}, [1, 2, 2], [0, 2, 0]),
        ({"top_k": 1}, [math.log(3), 0, -math.inf], [0.75, 0, 0]),
        ({"softmax": False, "top_k": 2, "softmax_of_top_k": True}, [math.log(3), 0, -9], [1, 0, 0]),
        ({"softmax": False, "softmax_of_top_k": True}, [2, -math.inf, 2], [0.5, 0, 0.5]),
        ({}, [-math.inf] * 3, [0, 0, 0]),
        ({"temperature": -1}, [0, -math.inf, 0], [0.5, 0, 0.5]),
        ({"temperature": 1e-30}, [1e30, 0, -1e30], [1, 0, 0]),
    ],
)
def test_logits_become_scalings_in_pefts_order(given: dict[str, Any], logits: list[float], wanted: list[float]) -> None:
    told = scalings_of(torch.tensor([logits]), config(**given))
    torch.testing.assert_close(told, torch.tensor([wanted]).double(), atol=1e-7, rtol=0)


def test_the_scaling_pass_has_equal_scalings() -> None:
    assert pass_scaling(config(pass_value=0.5, weight=3), 4) == 1.5
    assert pass_scaling(config(pass_value=0.5, weight=3, softmax_of_top_k=True), 4) == 0.75
    assert pass_scaling(config(softmax_of_top_k=True), 4) == 0


@pytest.mark.parametrize("name", ["plain", "layerwise-top2", "few"])
def test_a_knocked_out_expert_is_never_used_and_its_part_is_shared_out(name: str, tmp_path: Path) -> None:
    opened = Opened(write_pool(tmp_path / "pool", "llama", name))
    plain, changed = opened.run(TEXT), opened.run(TEXT, Intervention("knock-out", "first"))
    assert not weights_of(changed)[..., opened.ids.index("first")].any()
    # The classifier reads the base, which no what-if changes.
    torch.testing.assert_close(changed.affinity, plain.affinity, atol=BOUND, rtol=0)
    if name == "plain":
        torch.testing.assert_close(weights_of(changed).sum(-1), torch.ones(changed.chosen.shape[:2]))


def test_a_logit_bias_is_added_before_the_softmax_in_its_scope(tmp_path: Path) -> None:
    opened = Opened(write_pool(tmp_path / "pool", "llama", "plain"))
    scope = Scope(module="model.layers.1.mlp.up_proj", token=3)
    plain, changed = opened.run(TEXT), opened.run(TEXT, Intervention("tilt", "second", scope, 1.5))
    row = next(index for index, module in enumerate(plain.modules) if module.path == scope.module)
    wanted = plain.affinity[row, 3].clone()
    wanted[opened.ids.index("second")] += 1.5
    own, before = weights_of(changed), weights_of(plain)
    torch.testing.assert_close(own[row, 3], wanted.softmax(-1), atol=1e-6, rtol=0)
    assert ((own - before).abs() > 1e-3).sum() == 3
    out, back = Intervention("knock-out", "second", scope), Intervention("tilt", "second", scope, 0)
    torch.testing.assert_close(weights_of(opened.run(TEXT, out, back)), before, atol=1e-6, rtol=0)


def test_a_forced_expert_has_weight_1(tmp_path: Path) -> None:
    opened = Opened(write_pool(tmp_path / "pool", "phi", "softmax-topk", "few"))
    for expert in ("third", "few"):
        forced = opened.run(TEXT, Intervention("force", expert))
        adapts = torch.tensor([
            module.path in opened.pool.experts[opened.ids.index(expert)].lora for module in forced.modules
        ])  # fmt: skip
        wanted = torch.eye(4)[opened.ids.index(expert)]
        assert torch.equal(weights_of(forced), (adapts[:, None, None] * wanted).expand(-1, forced.chosen.shape[1], -1))
        alone = opened.run(TEXT, strategy=Strategy("single", expert=expert))
        torch.testing.assert_close(forced.log_prob[1:], alone.log_prob[1:], atol=BOUND, rtol=0)


def test_an_expert_that_the_classifier_does_not_know_has_no_score_and_no_weight(tmp_path: Path) -> None:
    own = Opened(write_pool(tmp_path / "own", "phi", "no-softmax"))
    more = Opened(write_pool(tmp_path / "more", "phi", "no-softmax", "few"))
    without, beside = own.run(TEXT), more.run(TEXT)
    torch.testing.assert_close(beside.log_prob, without.log_prob, atol=BOUND, rtol=0, equal_nan=True)
    few = more.ids.index("few")
    assert beside.affinity[..., few].isnan().all() and not (beside.chosen == few).any()
    assert beside.chosen.shape[-1] == 3


def test_the_strategy_needs_a_classifier(tmp_path: Path) -> None:
    opened = Opened(write_pool(tmp_path / "pool", "llama", "plain"))
    with pytest.raises(UserError, match="no X-LoRA classifier"):
        routed_forward(opened.model, opened.pool.experts, torch.arange(3), X_LORA)


def test_the_scaling_pass_predicts_nothing_but_after_the_last_token(tmp_path: Path) -> None:
    opened = Opened(write_pool(tmp_path / "pool", "llama", "plain"))
    seen: list[int] = []
    head: Any = opened.model.get_output_embeddings()  # type: ignore[operator]
    handle = head.register_forward_hook(lambda _, inputs, out: seen.append(out.shape[1]))
    count = opened.run(TEXT).chosen.shape[1]
    handle.remove()
    assert seen == [1, count]


def test_logits_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    opened = Opened(write_pool(tmp_path / "pool", "llama", "plain"))
    with torch.no_grad():
        opened.model.get_submodule("model.norm").weight[0] = math.inf  # type: ignore[index]
    with pytest.raises(UserError, match=r"not finite \(logit of the X-LoRA classifier\)"):
        opened.run(TEXT)


def test_a_base_with_another_width_is_refused(tmp_path: Path) -> None:
    opened = Opened(write_pool(tmp_path / "pool", "llama", "plain"))
    (weight, bias) = opened.classifier.layers[0]
    narrow = Classifier(
        opened.classifier.experts, opened.classifier.modules, False, ((weight[:, :16], bias),), opened.classifier.config
    )
    with pytest.raises(ClassifierError, match="reads 16 numbers of a token, and the base's head 32") as refused:
        ScaledRouter(opened.model, opened.pool.experts, narrow)
    assert "Import it again" in refused.value.remedy


class Damaged:
    """A pool with a classifier, to be spoilt."""

    def __init__(self, folder: Path) -> None:
        self.folder = write_pool(folder, "llama", "layerwise-top2")
        self.weights = folder / "xlora/adapter_model.safetensors"
        self.case = case_of("llama", "layerwise-top2")

    def name(self, **change: Any) -> None:
        manifest = json.loads((self.folder / "pool.json").read_text())
        manifest["xlora"] |= change
        (self.folder / "pool.json").write_text(json.dumps(manifest))

    def configure(self, **change: Any) -> None:
        file = self.folder / "xlora/adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))

    def rewrite(self, change: Callable[[dict[str, Tensor]], object]) -> None:
        tensors = load_file(self.weights)
        change(tensors)
        save_file(tensors, self.weights)

    def remove(self, part: str) -> None:
        target = self.folder / part
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    def read(self) -> Classifier | None:
        return read_classifier(read_pool(self.folder))


@pytest.fixture
def damaged(tmp_path: Path) -> Damaged:
    return Damaged(tmp_path / "pool")


def test_a_classifier_is_read_as_peft_saved_it(damaged: Damaged) -> None:
    read = damaged.read()
    assert read is not None and read.layerwise and list(read.experts) == ["first", "second", "third"]
    assert [list(weight.shape) for weight, _ in read.layers] == [[16, 32], [16, 16], [42, 16]]
    assert read.config == config(temperature=0.7, top_k=2)
    assert read.config.header() == {
        "name": "x-lora",
        "scoring": None,
        "params": {
            "affinities": "x-lora", "softmax": True, "temperature": 0.7, "topK": 2, "softmaxOfTopK": False,
            "globalWeight": 1, "passValue": 0,
        },
    }  # fmt: skip
    manifest = json.loads((damaged.folder / "pool.json").read_text())
    del manifest["xlora"]
    (damaged.folder / "pool.json").write_text(json.dumps(manifest))
    assert damaged.read() is None


def put(tensors: dict[str, Tensor], name: str, index: tuple[int, ...], value: float) -> None:
    tensors[name][index] = value


# The words are those of the engine (test/unit/pool/xlora.test.ts).
@pytest.mark.parametrize(
    ("message", "spoil"),
    [
        ('it must not have "gating"', lambda one: one.configure(gating="new")),
        ('"peft_type" must be "XLORA"', lambda one: one.configure(peft_type="LORA")),
        ('"hidden_size" must be a number', lambda one: one.configure(hidden_size=None)),
        ('"xlora_depth" must be a whole number', lambda one: one.configure(xlora_depth=1.5)),
        ('"xlora_depth" must be at most 100', lambda one: one.configure(xlora_depth=101)),
        ('"enable_softmax" must be true or false', lambda one: one.configure(enable_softmax=1)),
        ('"global_scaling_weight" must be a number', lambda one: one.configure(global_scaling_weight=math.nan)),
        ('"softmax_temperature" is a divisor', lambda one: one.configure(softmax_temperature=0)),
        ('"top_k_lora" is 4, more than its 3', lambda one: one.configure(top_k_lora=4)),
        ('"scaling_pass_value" must be 0', lambda one: one.configure(scaling_pass_value=0.5)),
        ("trained with 1 adapters", lambda one: one.configure(adapters={"0": "first"})),
        ("adapter_config.json: it must be an object", lambda one: (one.folder / "xlora/adapter_config.json").write_text("[]")),
        ("adapter_config.json is not JSON", lambda one: (one.folder / "xlora/adapter_config.json").write_text("{")),
        (r"adapter_config\.json. is missing", lambda one: one.remove("xlora/adapter_config.json")),
        (r"adapter_model\.safetensors. is missing", lambda one: one.weights.unlink()),
        (r"adapter_model\.safetensors", lambda one: one.weights.write_text("nonsense")),
        (r'has no ".*layers\.0\.weight"; save_pretrained', lambda one: one.rewrite(lambda all: all.pop(FIRST))),
        ('"more" is no part of such a classifier', lambda one: one.rewrite(lambda all: all.update(more=torch.ones(1)))),
        (r'layers\.0\.weight" is \[16, 32\], not \[16, 16\]', lambda one: one.configure(hidden_size=16)),
        (r'layers\.6\.weight" is \[42, 16\], not \[16, 16\]', lambda one: one.configure(xlora_depth=4)),
        (r"is torch\.int8; F32", lambda one: one.rewrite(lambda all: all.update({FIRST: all[FIRST].to(torch.int8)}))),
        ('its adapter "second" is missing', lambda one: one.remove("experts/second")),
        (r'"xlora\.experts" names one twice', lambda one: one.name(experts=["first", "first", "third"])),
        ("must list the modules that its adapters adapt", lambda one: one.name(modules=one.case["modules"][1:])),
        ("nowhere is in only one", lambda one: one.name(modules=[*one.case["modules"], "nowhere"])),
        ("leads upwards", lambda one: one.name(classifier="../xlora")),
        ("is absolute", lambda one: one.name(classifier="/xlora")),
        (r"layers\.0\.weight\" contains a number that is not finite", lambda one: one.rewrite(lambda all: put(all, FIRST, (0, 3), math.nan))),
        (r"layers\.6\.bias\" contains a number that is not finite", lambda one: one.rewrite(lambda all: put(all, FIRST.replace("0.weight", "6.bias"), (41,), -math.inf))),
    ],
)  # fmt: skip
def test_a_damaged_classifier_is_refused(damaged: Damaged, message: str, spoil: Callable[[Damaged], object]) -> None:
    spoil(damaged)
    with pytest.raises(ClassifierError, match=message) as refused:
        damaged.read()
    assert refused.value.remedy and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ('"xlora" must not have "order"', {"order": 1}),
        (r'"xlora\.experts" must be a list of names', {"experts": []}),
        (r'"xlora\.modules" must be a list of names', {"modules": [1]}),
        (r'"xlora\.classifier" must be a text', {"classifier": None}),
    ],
)
def test_an_entry_with_another_form_is_an_error_of_the_pool(
    damaged: Damaged, message: str, change: dict[str, Any]
) -> None:
    damaged.name(**change)
    with pytest.raises(UserError, match=message) as refused:
        damaged.read()
    assert not isinstance(refused.value, ClassifierError)


def test_a_link_that_leads_out_of_the_pool_is_refused(damaged: Damaged, tmp_path: Path) -> None:
    shutil.move(damaged.folder / "xlora", tmp_path / "elsewhere")
    (damaged.folder / "xlora").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ClassifierError, match="leads out of its folder"):
        damaged.read()


def test_an_encoder_decoder_has_no_classifier(damaged: Damaged) -> None:
    manifest = json.loads((damaged.folder / "pool.json").read_text())
    manifest["base"]["model"] = {"encoder": "a", "decoder": "b", "decoderWithPast": "c"}
    (damaged.folder / "pool.json").write_text(json.dumps(manifest))
    with pytest.raises(ClassifierError, match="PEFT has no X-LoRA for encoder-decoders"):
        damaged.read()
