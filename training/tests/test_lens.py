"""The golden lenses, compared with runs: the last row is the model's prediction, others are computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from gander_training.reference.cases import TINY_TEXT
from gander_training.reference.golden import load_base
from gander_training.reference.lens import layers_of, lens, run_of
from gander_training.texts.tokens import encode, load_tokenizer

FIXTURES = Path(__file__).parents[2] / "test/fixtures"
POOL = FIXTURES / "tiny-pool"


def test_each_row_is_norm_and_head_on_its_layers_residual_stream() -> None:
    model: Any = load_base(POOL)
    ids = torch.tensor(encode(load_tokenizer(POOL), TINY_TEXT).ids)
    with torch.no_grad():
        hidden = model(input_ids=ids[None], use_cache=False, output_hidden_states=True).hidden_states
        # transformers returns the last one after the norm.
        by_hand = [model.lm_head(model.model.norm(state)) for state in hidden[1:-1]] + [model.lm_head(hidden[-1])]
    seen = lens(layers_of(model), run_of(model, ids, None))
    torch.testing.assert_close(seen, torch.cat(by_hand), rtol=0, atol=1e-6)
    assert (seen[0] - seen[-1]).abs().max() > 1e-2


def test_the_last_row_of_a_golden_lens_is_what_its_run_predicts() -> None:
    wanted = load_file(FIXTURES / "golden/tiny/phatgoose-k2.safetensors")
    golden = load_file(FIXTURES / "golden/lens/tiny-pool.safetensors")
    known = {name: tensor for name, tensor in wanted.items() if name.endswith("log_prob") and "top" not in name}
    (log_prob,) = known.values()
    torch.testing.assert_close(golden["routed.log_prob"][-1], log_prob[1:], rtol=0, atol=1e-6)
    assert (golden["routed.log_prob"] - golden["without.log_prob"]).abs().max() > 1e-3
