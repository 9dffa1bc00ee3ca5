"""Write and read the routing traces that Gander shows (docs/trace-format.md).

>>> from gander_trace import Tokens, Trace                                                       # doctest: +SKIP
>>> Trace.from_router_logits(outputs.router_logits, config=model.config).save("run.gander.safetensors")  # doctest: +SKIP
"""

from gander_trace.errors import TraceError
from gander_trace.parts import Block, Expert, ExpertSet, Router, Rows, Sequence, Site, Source
from gander_trace.tokens import Tokens
from gander_trace.trace import Trace

__version__ = "0.2.0"

__all__ = [
    "Block",
    "Expert",
    "ExpertSet",
    "Router",
    "Rows",
    "Sequence",
    "Site",
    "Source",
    "Tokens",
    "Trace",
    "TraceError",
    "__version__",
]
