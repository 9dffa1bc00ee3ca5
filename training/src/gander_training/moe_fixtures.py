"""The tiny mixtures of experts by every exporter that writes them, and their golden traces.

``python -m gander_training.moe_fixtures`` writes ``test/fixtures/moe`` and ``test/fixtures/golden/moe`` again. Not all
exporters share an environment: what the running one lacks is made by ``--other``, the Python of another.
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

from gander_training.compatibility.exporters import genai as build_genai
from gander_training.compatibility.exporters import optimum as build_optimum
from gander_training.errors import UserError
from gander_training.files import whole_folder
from gander_training.fixtures import quiet
from gander_training.tiny_moe import ARCHITECTURES, load_moe, write_moe

# As a person has them beside the graph when an exporter does not write them.
BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Form:
    """``write(source, target)`` exports a Hugging Face folder; ``packages`` is what that takes, the exporter first."""

    write: Callable[[Path, Path], None]
    packages: tuple[str, ...]
    architectures: tuple[str, ...]

    def installed(self) -> bool:
        """Whether this environment has the exporter, in a version that takes these models."""
        try:
            return all(version(name.partition(">")[0]) for name in self.packages) and (
                "transformers>=5" not in self.packages or int(version("transformers").split(".")[0]) >= 5
            )
        except PackageNotFoundError:
            return False


def transformers(source: Path, target: Path) -> None:
    """transformers' own exporter."""
    from gander_training.export_moe import write_float32

    write_float32(load_moe(source), target)


def optimum(source: Path, target: Path) -> None:
    """optimum-onnx, with its defaults."""
    build_optimum(source, target, "fp32")


def genai(precision: str, *extra: str) -> Callable[[Path, Path], None]:
    """onnxruntime-genai's builder.

    Two of its defaults are changed. Sliding windows kept in a ring take an onnxruntime newer than the extension's, and
    products in 8-bit steps (accuracy level 4) would blur what a test can tell.
    """
    return lambda source, target: build_genai(
        source, target, precision, ["windowed_kv_cache=false", "accuracy_level=0", *extra]
    )


def mobius(source: Path, target: Path) -> None:
    """mobius, as its command line does it."""
    import mobius as package

    package.build(str(source), dtype="f32").save(str(target))


FORMS = {
    "transformers": Form(transformers, ("transformers>=5", "onnxscript"), tuple(ARCHITECTURES)),
    "optimum": Form(optimum, ("optimum-onnx",), ("qwen3-moe", "gpt-oss", "deepseek-v3")),
    "genai": Form(genai("fp32"), ("onnxruntime-genai", "transformers>=5"), ("gpt-oss", "lfm2-moe")),
    "genai-int4": Form(genai("int4"), ("onnxruntime-genai", "transformers>=5"), ("lfm2-moe",)),
    "genai-int8": Form(
        genai("int8", "moe_quant_type=int8"), ("onnxruntime-genai", "transformers>=5"), ("lfm2-moe",)
    ),
    "mobius": Form(
        mobius, ("mobius-onnx", "transformers>=5"), ("mixtral", "olmoe", "qwen2-moe", "qwen3-moe", "granite-moe")
    ),
}


def names(forms: Iterable[str] = FORMS, architectures: Iterable[str] = ARCHITECTURES) -> list[tuple[str, str]]:
    """All pairs of architecture and form that are written."""
    return [(name, form) for form in forms for name in FORMS[form].architectures if name in set(architectures)]


def write_fixture(name: str, form: str, target: Path) -> None:
    """``<architecture>-<form>`` under ``target``."""
    with tempfile.TemporaryDirectory() as scratch, whole_folder(target / f"{name}-{form}") as folder:
        source = Path(scratch, name)
        write_moe(name, source)
        made = Path(scratch, "made")
        made.mkdir()
        with quiet():
            FORMS[form].write(source, made)
        for file in made.iterdir():
            shutil.copy(file, folder)
        for file in BESIDE:
            if not (folder / file).exists():
                shutil.copy(source / file, folder)


def write_golden(name: str, target: Path) -> None:
    """``<architecture>.safetensors`` under ``target``, by transformers in float32."""
    from gander_training.moe_reference import moe_trace
    from gander_training.reference import TINY_TEXT, write_trace

    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, name)
        write_moe(name, source)
        write_trace(target / f"{name}.safetensors", *moe_trace(load_moe(source), source, TINY_TEXT))


def other_forms(python: Path | None, forms: list[str], out: Path) -> None:
    """Have the forms that this environment cannot write written by another."""
    if python is None:
        raise UserError(f"not installed here: {', '.join(forms)}; --other names the Python that has them, --forms leaves them out")
    command = [str(python), "-m", "gander_training.moe_fixtures", "--out", str(out), "--no-goldens", "--forms", *forms]
    if subprocess.run(command, check=False).returncode:
        raise UserError(f"{python}: could not write {', '.join(forms)}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``moe_fixtures``."""
    parser.add_argument("--out", type=Path, default=Path("test/fixtures"), help="folder of the fixtures")
    parser.add_argument("--forms", nargs="+", choices=tuple(FORMS), default=list(FORMS), help="only these")
    parser.add_argument("--architectures", nargs="+", choices=tuple(ARCHITECTURES), default=list(ARCHITECTURES))
    parser.add_argument("--other", type=Path, help="the Python of an environment with the exporters that this one lacks")
    parser.add_argument("--no-goldens", dest="goldens", action="store_false", help="only the exported folders")


def run(args: argparse.Namespace) -> int:
    """Write the fixtures."""
    missing = [form for form in args.forms if not FORMS[form].installed()]
    if missing:
        other_forms(args.other, missing, args.out)
    for name, form in names([form for form in args.forms if form not in missing], args.architectures):
        write_fixture(name, form, args.out / "moe")
        print(f"{name}-{form}", file=sys.stderr, flush=True)
    if args.goldens:
        for name in args.architectures:
            write_golden(name, args.out / "golden/moe")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.moe_fixtures``."""
    parser = argparse.ArgumentParser(prog="gander_training.moe_fixtures", description=__doc__)
    add_arguments(parser)
    try:
        return run(parser.parse_args(argv))
    except UserError as error:
        print(f"moe_fixtures: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
