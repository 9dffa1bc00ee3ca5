"""Quantises weights to four and eight bits, as ONNX Runtime's MatMulNBits stores them.

A weight [out, in] is divided into blocks along ``in``; w = scale * (code - zero), with an integer zero. Scale and zero
of a block minimise the squared error. The codes are chosen column by column, so that later columns compensate for the
error of earlier ones (GPTQ, Frantar et al., arXiv 2210.17323, section 3).
"""

from __future__ import annotations

import torch
from gander_routing.quantised import Quantised
from torch import Tensor


def _fit(blocks: Tensor, importance: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Search for scale and integer zero [...] of each block [..., block]; importance [block] weights the error."""
    top = 2**bits - 1
    low, high = blocks.amin(-1).clamp(max=0), blocks.amax(-1).clamp(min=0)
    span = (high - low).clamp(min=1e-8)
    best = torch.full_like(span, torch.inf)
    scales, zeros = span / top, torch.zeros_like(span)
    for shrink in torch.linspace(0.72, 1.04, 17).tolist():
        scale = span * shrink / top
        centre = torch.round(-low * shrink / scale)
        rounded = torch.round(blocks / scale[..., None])
        for shift in (-1, 0, 1):
            zero = (centre + shift).clamp(0, top)
            codes = (rounded + zero[..., None]).clamp(0, top)
            error = (((codes - zero[..., None]) * scale[..., None] - blocks) ** 2 * importance).sum(-1)
            better = error < best
            best = torch.where(better, error, best)
            scales, zeros = torch.where(better, scale, scales), torch.where(better, zero, zeros)
    return scales, zeros


def quantise(weight: Tensor, gram: Tensor | None, block: int, bits: int = 4, damp: float = 0.01) -> Quantised:
    """Quantise ``weight`` [out, in]; ``gram`` [in, in] is the sum of u uᵀ over calibration tokens; None only rounds."""
    rows, columns = weight.shape
    top = 2**bits - 1
    weight = weight.float().clone()
    gram = torch.eye(columns) if gram is None else gram.clone()
    gram.diagonal().add_(damp * gram.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    update = torch.linalg.cholesky(inverse, upper=True)
    codes = torch.empty(rows, columns, dtype=torch.uint8)
    scales, zeros = torch.empty(rows, columns // block), torch.empty(rows, columns // block)
    for index, start in enumerate(range(0, columns, block)):
        part = slice(start, start + block)
        scale, zero = _fit(weight[:, part].contiguous(), gram.diagonal()[part], bits)
        scales[:, index], zeros[:, index] = scale, zero
        errors = torch.empty(block, rows)
        columns_left = weight[:, part].T.contiguous()
        for step in range(block):
            column = columns_left[step]
            code = (torch.round(column / scale) + zero).clamp(0, top)
            codes[:, start + step] = code.to(torch.uint8)
            error = (column - (code - zero) * scale) / update[start + step, start + step]
            errors[step] = error
            columns_left[step:].addr_(update[start + step, start + step : start + block], error, alpha=-1)
        weight[:, start + block :] -= errors.T @ update[part, start + block :]
    return Quantised(codes, scales, zeros, block, bits)


def quantise_symmetric(weight: Tensor, block: int) -> Quantised:
    """Eight bits around the implied zero point 128."""
    blocks = weight.float().view(weight.shape[0], -1, block)
    scales = blocks.abs().amax(-1).clamp(min=1e-12) / 127
    codes = (torch.round(blocks / scales[..., None]) + 128).clamp(0, 255).to(torch.uint8)
    return Quantised(codes.view(weight.shape), scales, torch.full_like(scales, 128), block, 8)
