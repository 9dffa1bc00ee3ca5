"""Writes the tiny mixtures of experts with every exporter that supports them, and their golden traces.

``python -m gander_training.mixtures.fixtures`` writes ``test/fixtures/moe`` and ``test/fixtures/golden/moe`` again. The
exporters do not share one environment: ``--other`` is the Python of an environment with the exporters missing here.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gander_routing.errors import UserError
from gander_routing.files import read_json
from packaging.requirements import Requirement
from torch import Tensor

from gander_training.compatibility.exporters import genai as build_genai
from gander_training.compatibility.exporters import optimum as build_optimum
from gander_training.files import whole_folder, write_json
from gander_training.mixtures.rounded import GPT_OSS, LFM2, rounded_weights
from gander_training.quiet import quiet
from gander_training.tiny.mixtures import ARCHITECTURES, add_mxfp4, load_moe, opt_out, write_moe

# Copied from the source if an exporter does not write them.
BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json")


Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Form:
    """``write(source, target)`` exports a Hugging Face folder and returns the weights that it rounded, by parameter.

    ``packages`` are the packages that it needs, the exporter first.
    """

    write: Callable[[Path, Path], Weights | None]
    packages: tuple[str, ...]
    architectures: tuple[str, ...]

    def installed(self) -> bool:
        """Whether this environment has the exporter, in a version that supports these models."""
        requirements = [Requirement(package) for package in self.packages]
        try:
            return all(version(requirement.name) in requirement.specifier for requirement in requirements)
        except PackageNotFoundError:
            return False


def transformers(source: Path, target: Path) -> None:
    """transformers' own exporter."""
    from gander_training.mixtures.export import write_float32

    write_float32(load_moe(source), target)


def transformers_int4(source: Path, target: Path) -> Weights:
    """As ``gander-training export-moe --precision int4`` writes it."""
    from gander_training.mixtures.export import write_float32
    from gander_training.mixtures.int4 import write_int4

    model = load_moe(source)
    write_float32(model, target)
    return write_int4(target, model)


def optimum(source: Path, target: Path) -> None:
    """optimum-onnx, with its defaults."""
    build_optimum(source, target, "fp32")


# Two defaults of onnxruntime-genai's builder are changed: a layer with a sliding window would require a past as long as
# the window before the first token, and products in 8 bits (accuracy level 4) would make the tests less precise.
GENAI = ("windowed_kv_cache=false", "accuracy_level=0")


def genai(source: Path, target: Path) -> None:
    """onnxruntime-genai's builder in float32."""
    build_genai(source, target, "fp32", GENAI)


def genai_int4(source: Path, target: Path) -> Weights:
    """onnxruntime-genai's builder in four bits."""
    return rounded_genai(source, target, "int4")


def genai_int8(source: Path, target: Path) -> Weights:
    """onnxruntime-genai's builder in eight bits."""
    return rounded_genai(source, target, "int8")


def rounded_genai(source: Path, target: Path, precision: str) -> Weights:
    """onnxruntime-genai's builder in ``precision``; gpt-oss is exported from MXFP4, in which it is published."""
    gpt_oss = source.name == "gpt-oss"
    if gpt_oss:
        add_mxfp4(source)
    build_genai(source, target, precision, (*GENAI, f"moe_quant_type={precision}"))
    return rounded_weights(target, GPT_OSS if gpt_oss else LFM2)


def mobius(source: Path, target: Path) -> None:
    """mobius, as from its command line."""
    import mobius as package

    package.build(str(source), dtype="f32").save(str(target))


NEWER = "transformers>=5"
FORMS = {
    "transformers": Form(transformers, ("onnxscript", NEWER), tuple(ARCHITECTURES)),
    "transformers-int4": Form(transformers_int4, ("onnxscript", NEWER), ("mixtral",)),
    "optimum": Form(optimum, ("optimum-onnx",), ("qwen3-moe", "gpt-oss", "deepseek-v3")),
    "genai": Form(genai, ("onnxruntime-genai", NEWER), ("gpt-oss", "lfm2-moe")),
    "genai-int4": Form(genai_int4, ("onnxruntime-genai", NEWER), ("gpt-oss", "lfm2-moe")),
    "genai-int8": Form(genai_int8, ("onnxruntime-genai", NEWER), ("lfm2-moe",)),
    "mobius": Form(mobius, ("mobius-onnx", NEWER), ("mixtral", "qwen2-moe")),
}


# Values of k other than the model's own, with which Gander can run an exported graph. A router that chooses within
# groups (deepseek-v3) gets no larger k than its own, because the groups may not contain enough experts.
OTHER_K: dict[str, tuple[int, ...]] = {
    "mixtral": (1, 3),
    "olmoe": (4,),
    "qwen2-moe": (1, 3),
    "qwen3-moe": (4,),
    "granite-moe": (3,),
    "gpt-oss": (1, 3),
    "deepseek-v3": (2,),
    "lfm2-moe": (3,),
    "glm4-moe": (1, 5),
    "mixtral-top1": (2, 3),
}


# Experts that are opted out of a model in a golden trace of its own.
OPTED_OUT: dict[str, tuple[int, ...]] = {"flex-olmo": (2,)}


def names(forms: Iterable[str] = FORMS, architectures: Iterable[str] = ARCHITECTURES) -> list[tuple[str, str]]:
    """All pairs of architecture and form to write."""
    return [(name, form) for form in forms for name in FORMS[form].architectures if name in set(architectures)]


def write_fixture(name: str, form: str, out: Path) -> None:
    """Write ``moe/<architecture>-<form>`` in ``out``, and if the form rounds weights, the golden trace with these."""
    with tempfile.TemporaryDirectory() as scratch, whole_folder(out / "moe" / f"{name}-{form}") as folder:
        source, made = Path(scratch, name), Path(scratch, "made")
        write_moe(name, source)
        made.mkdir()
        with quiet():
            rounded = FORMS[form].write(source, made)
        for file in (*made.iterdir(), *(source / beside for beside in BESIDE if not (made / beside).exists())):
            shutil.copy(file, folder)
        if rounded is not None:
            write_goldens(f"{name}-{form}", source, out, rounded)


def write_goldens(name: str, source: Path, out: Path, weights: Weights | None = None) -> None:
    """Write ``golden/moe/<name>.safetensors`` in ``out``, and others.

    These are ``golden/moe-k/<name>-k<k>.safetensors`` for ``OTHER_K``, and for ``OPTED_OUT``
    ``golden/moe-opted-out/<name>-<expert>.safetensors``. They are computed by transformers in float32, with ``weights`` if given.
    """
    write_golden(out / "golden/moe" / f"{name}.safetensors", source, weights)
    for k in OTHER_K.get(source.name, ()):
        config = read_json(source / "config.json")
        write_json(source / "config.json", {**config, "num_experts_per_tok": k})
        write_golden(out / "golden/moe-k" / f"{name}-k{k}.safetensors", source, weights)
        write_json(source / "config.json", config)
    for expert in OPTED_OUT.get(source.name, ()):
        with tempfile.TemporaryDirectory() as scratch:
            without = Path(shutil.copytree(source, Path(scratch, source.name)))
            opt_out(without, expert)
            write_golden(out / "golden/moe-opted-out" / f"{name}-{expert}.safetensors", without, weights)


def write_golden(file: Path, source: Path, weights: Weights | None) -> None:
    """Write the golden trace of one model."""
    from gander_training.mixtures.golden import moe_trace
    from gander_training.reference.cases import TINY_TEXT
    from gander_training.reference.trace import write_trace

    model = load_moe(source)
    model.load_state_dict(weights or {}, strict=False)
    file.parent.mkdir(exist_ok=True)
    write_trace(file, *moe_trace(model, source, TINY_TEXT))


def other_forms(forms: list[str], args: argparse.Namespace) -> None:
    """Write the forms that this environment cannot write, using another one."""
    if args.other is None:
        raise UserError(
            f"not installed here: {', '.join(forms)}; name a Python that has them with --other, or omit them in --forms"
        )
    command = [args.other, "-m", "gander_training.mixtures.fixtures", "--out", args.out, "--no-goldens"]
    command += ["--architectures", *args.architectures, "--forms", *forms]
    if subprocess.run([str(part) for part in command], check=False).returncode:
        raise UserError(f"{args.other}: could not write {', '.join(forms)}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``mixtures.fixtures``."""
    parser.add_argument("--out", type=Path, default=Path("test/fixtures"), help="folder of the fixtures")
    parser.add_argument("--forms", nargs="+", choices=tuple(FORMS), default=list(FORMS), help="only these")
    parser.add_argument("--architectures", nargs="+", choices=tuple(ARCHITECTURES), default=list(ARCHITECTURES))
    parser.add_argument(
        "--other", type=Path, help="the Python of an environment with the exporters that are missing here"
    )
    parser.add_argument(
        "--no-goldens", dest="goldens", action="store_false", help="no golden traces of the float32 models"
    )


def run(args: argparse.Namespace) -> int:
    """Write the fixtures."""
    missing = [form for form in args.forms if not FORMS[form].installed()]
    if missing:
        other_forms(missing, args)
    for name, form in names([form for form in args.forms if form not in missing], args.architectures):
        write_fixture(name, form, args.out)
        print(f"{name}-{form}", file=sys.stderr, flush=True)
    if args.goldens:
        for name in args.architectures:
            with tempfile.TemporaryDirectory() as scratch:
                write_moe(name, Path(scratch, name))
                write_goldens(name, Path(scratch, name), args.out)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.mixtures.fixtures``."""
    parser = argparse.ArgumentParser(prog="gander_training.mixtures.fixtures", description=__doc__)
    add_arguments(parser)
    try:
        return run(parser.parse_args(argv))
    except UserError as error:
        print(f"fixtures: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
