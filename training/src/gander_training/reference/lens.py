"""Golden lenses: what each layer would predict, by the model's own final norm and head on the residual stream after it.

Source: nostalgebraist, "interpreting GPT: the logit lens" (2020). Norm and head are not reimplemented: the last layer's
output is replaced with another layer's, and the model continues from there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from gander_routing.errors import UserError
from gander_routing.pool import read_pool
from gander_routing.router import Router
from gander_routing.strategies import Strategy, fixed_weights
from safetensors.torch import save_file
from torch import Tensor, nn

from gander_training.files import whole_folder
from gander_training.reference.cases import TINY_TEXT
from gander_training.reference.golden import load_base
from gander_training.reference.pairs import PairCase, output_of
from gander_training.texts.tokens import encode, load_tokenizer
from gander_training.tiny.mixtures import load_moe, write_moe

PREDICTIONS = 8
FIXTURES = Path("test/fixtures")
MIXTURES = ("mixtral", "olmoe", "granite-moe")
PAIR_TEXT = "question: the farmer counts sheep near the old mill every morning. why?"
PAIR_TARGET = "because the gate was open and the cold wind moves it."

Run = Callable[[], Tensor]


def layers_of(model: Any) -> Sequence[nn.Module]:
    """The layers that lead to the prediction, first to last: in an encoder-decoder, the decoder's."""
    return list(model.decoder.block if hasattr(model, "decoder") else model.model.layers)


def stream_of(output: Any) -> Tensor:
    """The residual stream in a layer's output."""
    return output[0] if isinstance(output, tuple) else output


@contextmanager
def hooked(module: nn.Module, hook: Callable[[Any], Any]) -> Iterator[None]:
    """In this context, ``hook`` sees the output of ``module`` and may return another instead."""
    handle = module.register_forward_hook(lambda _module, _inputs, output: hook(output))
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def lens(layers: Sequence[nn.Module], run: Run) -> Tensor:
    """Logits [L, T, V] from each layer's residual stream. ``run`` returns the model's, [T, V]."""
    seen: list[Tensor] = []
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(hooked(layer, lambda output: seen.append(stream_of(output).clone())))
        last = run()
    others = []
    for stream in seen[:-1]:

        def exchanged(output: Any, stream: Tensor = stream) -> Any:
            return (stream, *output[1:]) if isinstance(output, tuple) else stream

        with hooked(layers[-1], exchanged):
            others.append(run())
    return torch.stack([*others, last])


def said(name: str, logits: Tensor, ids: Tensor) -> dict[str, Tensor]:
    """The tensors of one column: the next token's log-probability [L, T - 1], and the likeliest tokens [L, T, P]."""
    log_probs = logits.float().log_softmax(-1)
    top = log_probs.topk(PREDICTIONS, dim=-1)
    following = ids[1:].long()[None, :, None].expand(len(logits), -1, 1)
    return {
        f"{name}.log_prob": log_probs[:, :-1].gather(2, following)[..., 0].contiguous(),
        f"{name}.top_ids": top.indices.int().contiguous(),
        f"{name}.top_log_prob": top.values.contiguous(),
    }


def run_of(model: Any, text: Tensor, target: Tensor | None) -> Run:
    """A function that runs a forward pass to logits [T, V]."""
    given = {} if target is None else {"decoder_input_ids": target[None]}
    return lambda: model(input_ids=text[None], use_cache=False, **given).logits[0].float()


def of_pool(path: Path, text: str, target: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A pool's lens under PHATGOOSE with k = 2, and its base's. ``target`` is for an encoder-decoder."""
    pool, model, tokenizer = read_pool(path), load_base(path), load_tokenizer(path)
    experts, strategy = pool.experts, Strategy("phatgoose", 2)
    read, header = encode(tokenizer, text), {"text": text, "strategy": {"name": "phatgoose", "k": 2}}
    ids, run = torch.tensor(read.ids), run_of(model, torch.tensor(read.ids), None)
    if target is not None:
        header["target"] = target
        case = PairCase("", text, target, strategy)
        ids = torch.tensor(output_of(model, pool, tokenizer, case, read).ids)
        run = run_of(model, torch.tensor(read.ids), ids)
    layers = layers_of(model)
    no_bias = torch.zeros(1, 1, len(experts))
    with Router(model, experts, strategy, no_bias, fixed_weights(strategy, experts)).installed(model):
        routed = lens(layers, run)
    return {"ids": ids.int(), **said("routed", routed, ids), **said("without", lens(layers, run), ids)}, header


def of_mixture(name: str, text: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The lens of a tiny mixture of experts."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, name)
        write_moe(name, source)
        model, tokenizer = load_moe(source), load_tokenizer_file(source)
        ids = torch.tensor(encode(tokenizer, text).ids)
        logits = lens(layers_of(model), run_of(model, ids, None))
    return {"ids": ids.int(), **said("routed", logits, ids)}, {"text": text}


def load_tokenizer_file(folder: Path) -> Any:
    """A folder's own tokenizer."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def write_all(out: Path) -> None:
    """Write every golden lens into ``out``."""
    made = {
        "tiny-pool": of_pool(FIXTURES / "tiny-pool", TINY_TEXT),
        "tiny-t5": of_pool(FIXTURES / "tiny-t5", PAIR_TEXT, PAIR_TARGET),
        **{f"moe-{name}": of_mixture(name, TINY_TEXT) for name in MIXTURES},
    }
    for name, (tensors, header) in made.items():
        save_file(tensors, out / f"{name}.safetensors", {"gander-lens": json.dumps(header)})


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.reference.lens``. An error prints one line and returns 1."""
    parser = argparse.ArgumentParser(prog="gander_training.reference.lens", description=__doc__)
    parser.add_argument("--out", type=Path, default=FIXTURES / "golden/lens", help="default: %(default)s")
    try:
        torch.set_num_threads(1)
        with whole_folder(parser.parse_args(argv).out) as folder:
            write_all(folder)
        return 0
    except (UserError, OSError) as error:
        print(f"lens: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
