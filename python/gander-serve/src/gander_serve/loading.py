"""Loads a model from disk onto the devices where it will run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from gander_serve.errors import ServeError
from gander_serve.texts import Tokenizer

PROBE = 8
"""Tokens on which a merged adapter is compared with one beside the weights."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Loaded:
    """A transformers model in eval mode, and its tokenizer."""

    model: Any
    tokenizer: Tokenizer
    name: str
    folder: Path | None

    @property
    def writes(self) -> bool:
        """Whether it reads one text and writes another (an encoder-decoder)."""
        return bool(self.model.config.is_encoder_decoder)

    @property
    def is_stateful(self) -> bool:
        """Whether the model declares that it keeps states other than keys and values."""
        return bool(getattr(self.model, "_is_stateful", False))

    @cached_property
    def _takes(self) -> frozenset[str]:
        return frozenset(signature(type(self.model).forward).parameters)

    def step(self, given: dict[str, Any], first: int, past: Any) -> tuple[torch.Tensor, Any]:
        """Runs tokens from position ``first`` on, after ``past``: logits [1, T, V], and the past for the next step."""
        # transformers 5.24 renamed the argument, and will drop the older name.
        name = "cache" if "cache" in self._takes else "past_key_values"
        if "position_ids" in self._takes and not self.writes:
            # Otherwise transformers takes the position from the first layer's keys, which that layer may not keep.
            ids = given["input_ids"]
            given = given | {"position_ids": torch.arange(first, first + ids.shape[1], device=ids.device)[None]}
        out = self.model(**given, **{name: past}, use_cache=True, return_dict=True)
        return out.logits, getattr(out, name)

    @property
    def context(self) -> int | None:
        """How many tokens it was made for, if its configuration says so."""
        config = self.model.config.get_text_config()
        found = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
        # T5's positions are relative: the number in its configuration is the length in training, not a limit.
        relative = hasattr(config, "relative_attention_num_buckets")
        return found if isinstance(found, int) and found > 0 and not relative else None

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end a text."""
        said = [getattr(self.model.generation_config, "eos_token_id", None), self.model.config.eos_token_id]
        said.append(self.tokenizer.of_transformers.eos_token_id)
        return frozenset(
            int(one) for given in said if given is not None for one in (given if isinstance(given, list) else [given])
        )


@dataclass(frozen=True)
class Where:
    """``device``: a torch device, ``auto`` to spread over all devices, or a device map for accelerate."""

    device: str | dict[str, Any] = "cpu"
    dtype: torch.dtype | None = None
    """``None`` means as stored on a GPU, float32 on a CPU."""
    offline: bool = True
    """Nothing is fetched from a hub."""
    offload: Path | None = None
    """A folder for weights that do not fit in memory, while the model runs."""

    @classmethod
    def usual(cls) -> str:
        """The default device: the first GPU, if there is one."""
        return "cuda" if torch.cuda.is_available() else "cpu"

    def options(self) -> dict[str, Any]:
        """Arguments for ``from_pretrained``."""
        dtype = self.dtype if self.dtype is not None else (torch.float32 if self.device == "cpu" else "auto")
        spread = (
            {}
            if isinstance(self.device, str) and self.device != "auto"
            else {"device_map": self.device, "offload_folder": self.offload}
        )
        return {"dtype": dtype, "local_files_only": self.offline, "trust_remote_code": False, **spread}

    def put(self, model: Any) -> Any:
        """Moves a model that was loaded with ``options`` to its device, in eval mode."""
        spread = not isinstance(self.device, str) or self.device == "auto"
        return (model if spread else model.to(self.device)).eval()


def is_pool(folder: Path) -> bool:
    """Whether a folder holds a pool of LoRA experts."""
    return (folder / "pool.json").is_file()


def load_hugging_face(name: str, where: Where) -> Loaded:
    """Loads a folder, or a model by its name on a hub. Raises ``ServeError`` if that fails."""
    from transformers import AutoConfig

    folder = Path(name) if Path(name).is_dir() else None
    if folder and not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise ServeError(
                "cannot-serve",
                f"{name} is a PEFT adapter, not a model.",
                "Name its base, and the adapter with --adapter.",
            )
        raise _unusable(name, where, "it has no config.json")
    try:
        config = AutoConfig.from_pretrained(name, local_files_only=where.offline, trust_remote_code=False)
        tokenizer = load_tokenizer(name, where.offline)
        model = where.put(load_model(name, where, config))
    except Exception as error:  # transformers raises many types for files that it cannot read
        raise _unusable(name, where, error) from error
    return Loaded(model, Tokenizer(tokenizer, folder), Path(name).resolve().name if folder else name, folder)


def load_adapted(name: str, where: Where, adapter: Path) -> tuple[Loaded, str]:
    """As ``load_hugging_face``, with a PEFT LoRA adapter merged into the weights; and a line that says so.

    Raises ``ServeError`` if the adapter does not fit or cannot be merged, if possible before the model is loaded.
    """
    try:
        from gander_routing.adapted import merge_adapter, require_mergeable
        from gander_routing.errors import UserError
    except ImportError:
        raise ServeError(
            "cannot-serve", "--adapter needs gander-routing and PEFT.", "pip install gander-serve[adapter]"
        ) from None
    try:
        require_mergeable(adapter)
        loaded = load_hugging_face(name, where)
        ids = torch.arange(PROBE)[None] % loaded.model.config.get_text_config().vocab_size
        merged = merge_adapter(loaded.model, adapter, ids)
    except UserError as error:
        raise ServeError(
            "cannot-serve", f"{error}.", "docs/routers.md says which adapters can be merged into a mixture."
        ) from error
    of = adapter.resolve().name
    said = f"{of} is merged into {merged.matrices} weights of {loaded.name}"
    return replace(loaded, model=merged.model, name=f"{loaded.name} + {of}"), said


def load_tokenizer(name: str | Path, offline: bool = True) -> Any:
    """The tokenizer alone."""
    from transformers import AutoTokenizer

    options = {"local_files_only": offline, "trust_remote_code": False}
    return AutoTokenizer.from_pretrained(name, **options)  # type: ignore[no-untyped-call]


def load_model(name: str, where: Where, config: Any = None) -> Any:
    """The model alone: causal, encoder-decoder, or a causal one that can also read pictures."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSeq2SeqLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING as CAUSAL
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING as WITH_PICTURES

    options = where.options()
    if config is None:
        config = AutoConfig.from_pretrained(name, local_files_only=where.offline, trust_remote_code=False)
    reads_pictures = type(config) in WITH_PICTURES and type(config) not in CAUSAL
    causal = AutoModelForImageTextToText if reads_pictures else AutoModelForCausalLM
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else causal
    return auto.from_pretrained(name, config=config, **options)


def _unusable(name: str, where: Where, why: object) -> ServeError:
    first = next(iter(str(why).splitlines()), "") or type(why).__name__
    remedy = "Name a folder that transformers can load, including its tokenizer"
    remedy += ", or add --download to fetch it." if where.offline and not Path(name).exists() else "."
    return ServeError("cannot-serve", f"{name} cannot be loaded: {first.rstrip('.')}.", remedy)
