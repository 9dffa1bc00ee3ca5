"""Read a trace that Gander saved (docs/trace-format.md) and print the experts that led, over all and token by token.

python examples/read_trace.py trace.safetensors      needs numpy and safetensors
"""

import json
import sys

import numpy as np
from safetensors import safe_open

with safe_open(sys.argv[1], "np") as f:
    header = json.loads(f.metadata()["gander-trace"])
    start, chosen, weight = (f.get_tensor(name) for name in ("token_start", "chosen", "weight"))

names = [expert["name"] for expert in header["experts"]]
# [T, N] routing weight of each expert at each token, summed over the modules; -1 in `chosen` stands for nobody.
by_token = np.stack([np.where(chosen == e, weight, 0).sum((0, 2)) for e in range(len(names))], 1)
by_token = by_token[start >= 0]  # without special tokens
tokens = [token for token, at in zip(header["tokens"], start, strict=True) if at >= 0]

total = by_token.sum()
print(f"{header['strategy']['name']} on {header['pool']['id']}: {len(tokens)} tokens, {len(header['modules'])} modules")
for e in by_token.sum(0).argsort(kind="stable")[::-1] if total else ():
    print(f"{by_token[:, e].sum() / total:6.1%}  {names[e]}")
for token, row in zip(tokens, by_token, strict=True):
    print(f"{token!r:>16}  {names[row.argmax()] if row.any() else 'none'}")
