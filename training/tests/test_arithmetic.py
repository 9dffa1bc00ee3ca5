"""Which arithmetic training uses if nobody says."""

import torch

from gander_training.bases.arithmetic import usual_dtype


def test_bfloat16_only_where_the_processor_multiplies_in_it() -> None:
    assert usual_dtype({"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}) == torch.float32
    assert usual_dtype({"avx512_f": True, "avx512_bf16": True}) == torch.bfloat16
    assert usual_dtype({"amx_bf16": True}) == torch.bfloat16
    assert usual_dtype({"neon": True, "bf16": True}) == torch.bfloat16
    assert usual_dtype({"neon": True}) == torch.float32


def test_these_are_what_torch_says_of_a_processor() -> None:
    assert usual_dtype() == usual_dtype(torch.cpu.get_capabilities())
    known = set(torch.cpu.get_capabilities())
    assert {"amx_bf16", "avx512_bf16"} <= known or "bf16" in known
