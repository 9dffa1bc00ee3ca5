"""Reads files of version 1, which hold one text and one pool, as version 2. The same as src/trace/file/version1.ts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gander_trace.columns import Array
from gander_trace.errors import TraceError
from gander_trace.parts import Block, Content, Expert, ExpertSet, Router, Sequence, Site, Source


def read_version1(header: Mapping[str, Any], tensors: Mapping[str, Array]) -> Content:
    try:
        pool, said, start = header["pool"], header["strategy"], tensors["token_start"]
        modules = [Site(one["path"], one["layer"], one["kind"]) for one in header["modules"]]
        experts = [Expert(**one) for one in header["experts"]]
        block = Block(
            0,
            len(modules),
            tensors["chosen"],
            weight=tensors["weight"],
            score=tensors.get("affinity"),
            contribution=tensors.get("contribution"),
        )
        sequence = Sequence(
            len(start),
            text=header["text"],
            tokens=header["tokens"],
            ids=tensors["token_ids"],
            start=start,
            end=tensors["token_end"],
            # In version 1, this is the only sign of a special token.
            special=(start < 0).astype(np.uint8),
            log_prob=tensors.get("log_prob"),
            top_ids=tensors.get("top_ids"),
            top_log_prob=tensors.get("top_log_prob"),
            top_tokens=header.get("topTokens"),
        )
        return Content(
            source=Source(
                "pool",
                pool.get("name", pool["id"]),
                pool["id"],
                pool["hash"],
                header["tokenizer"]["hash"],
                header["versions"],
            ),
            # A k larger than the number of experts meant all of them.
            router=Router(
                said["name"],
                min(said["k"], max(1, len(experts))) if "k" in said else None,
                "softmax",
                {"expert": said["expert"]} if "expert" in said else None,
            ),
            interventions=header["interventions"],
            sequences=[sequence],
            expert_sets=[ExpertSet("pool", experts)],
            sites=modules,
            blocks=[block] if modules else [],
            created=header["created"],
        )
    except (KeyError, TypeError) as error:
        raise TraceError(f"this is not a usable trace of version 1 ({error})") from error
