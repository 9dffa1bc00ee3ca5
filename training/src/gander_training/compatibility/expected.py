"""What PEFT computes, and what the base's file computes without experts."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gander_routing.errors import UserError
from gander_routing.forward import routed_forward
from gander_routing.pool import read_expert
from gander_routing.strategies import Strategy
from safetensors.torch import save_file

from gander_training.compatibility.pool import TEXT
from gander_training.quiet import quiet
from gander_training.tiny.pool import build_tokenizer

ONE = "second"  # the expert that PEFT runs on its own


def token_ids() -> torch.Tensor:
    """The text's tokens [1, T]."""
    return torch.tensor([build_tokenizer().encode(TEXT).ids])


def log_probs(logits: torch.Tensor) -> torch.Tensor:
    """Log-probabilities [T − 1] of all tokens but the first, from logits [1, T, V]."""
    return logits[0, :-1].float().log_softmax(-1).gather(1, token_ids()[0, 1:, None])[:, 0]


def write_expected(model: Any, experts: Path, routed: bool, folder: Path) -> None:
    """Write ``base`` and a file named after a strategy on the command line: ``log_prob``, and if it routes also
    ``path:affinity`` [T, N] and ``path:chosen`` [T, k] for each module."""
    folder.mkdir(parents=True)
    with torch.no_grad(), quiet():
        save_file({"log_prob": log_probs(model(token_ids(), use_cache=False).logits)}, folder / "base")
        peft = single(model, experts / ONE)
    if not routed:
        save_file({"log_prob": peft}, folder / f"single:{ONE}")
        return
    pool = [read_expert(entry) for entry in sorted(experts.iterdir())]
    own = routed_forward(model, pool, token_ids(), Strategy("single", expert=ONE))
    if (off := float((own.log_prob[1:] - peft).abs().max())) > 1e-3:
        raise UserError(f"the forward pass that stands for PEFT differs from it by {off}")
    result = routed_forward(model, pool, token_ids(), Strategy("phatgoose", 2))
    tensors = {"log_prob": result.log_prob[1:].clone()}
    for index, module in enumerate(result.modules):
        tensors[f"{module.path}:affinity"] = result.affinity[index].clone()
        tensors[f"{module.path}:chosen"] = result.chosen[index].clone()
    save_file(tensors, folder / "phatgoose:2")


def single(model: Any, expert: Path) -> torch.Tensor:
    """PEFT's own log-probabilities with one adapter."""
    from peft import PeftModel

    return log_probs(PeftModel.from_pretrained(copy.deepcopy(model), str(expert))(token_ids(), use_cache=False).logits)


def file_log_probs(file: Path, head_width: int) -> torch.Tensor:
    """Log-probabilities [T − 1] of the file in onnxruntime, without experts, run in two halves.

    ``head_width`` is the width of keys and values if the file does not give it. A file that cannot continue with
    several tokens fails here.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    ids = token_ids().numpy()
    past = {}
    for entry in session.get_inputs():
        if entry.name.startswith("past"):
            _, heads, _, width = entry.shape  # onnxruntime-genai leaves the width symbolic
            shape = (1, heads, 0, width if isinstance(width, int) else head_width)
            past[entry.name] = np.zeros(shape, np.float16 if "16" in entry.type else np.float32)
    wanted = {entry.name for entry in session.get_inputs()}
    logits = []
    for begin, end in ((0, ids.shape[1] // 2), (ids.shape[1] // 2, ids.shape[1])):
        known = {
            "input_ids": ids[:, begin:end],
            "attention_mask": np.ones((1, end), np.int64),
            "position_ids": np.arange(begin, end)[None],
        }
        feed = {name: value for name, value in known.items() if name in wanted}
        names = [name.replace("past_key_values", "present") for name in past]
        first, *kept = session.run(["logits", *names], {**feed, **past})
        logits.append(first)
        past = dict(zip(past, kept, strict=True))
    return log_probs(torch.from_numpy(np.concatenate(logits, 1).astype(np.float32)))
