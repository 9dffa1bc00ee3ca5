"""Read a trace that Gander saved, of either version, and print how much of the routing each expert got.

python examples/read_trace.py trace.gander.safetensors      needs gander-trace: pip install ./python/gander-trace
"""

import sys

import numpy as np
from gander_trace import Trace

trace = Trace.load(sys.argv[1])
counts = ", ".join(f"{sequence.count} {sequence.role} tokens" for sequence in trace.sequences)
print(f"{trace.router.name} on {trace.source.name}: {counts}, {len(trace.sites)} modules")

# All sites of a set have the same experts. Sets are counted separately, because experts of different layers are unrelated.
routing = [np.zeros(len(experts.experts)) for experts in trace.expert_sets]
layers: list[set[int]] = [set() for _ in routing]
for rows in trace:
    sequence = trace.sequences[rows.site.sequence]
    text = np.ones(sequence.count, bool) if sequence.special is None else sequence.special == 0
    chosen = rows.chosen[text]  # [tokens, k], -1 if none was chosen
    weight = np.ones(chosen.shape) if rows.weight is None else rows.weight[text]
    known = (chosen >= 0) & ~np.isnan(weight)
    routing[rows.site.expert_set] += np.bincount(chosen[known], weight[known], minlength=len(rows.experts))
    layers[rows.site.expert_set].add(rows.site.layer)

for experts, got, at in zip(trace.expert_sets, routing, layers, strict=True):
    if len(routing) > 1:
        print(f"layer {', '.join(map(str, sorted(at)))}")
    if not got.any():
        print("   none")
        continue
    for e in got.argsort(kind="stable")[::-1]:
        print(f"{got[e] / got.sum():6.1%}  {experts.experts[e].name}")
