"""Tokens of a text to one vector: any Hugging Face encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sequela.errors import UsageError
from sequela.modalities.batch import Batch
from sequela.settings import Settings


class TextEncoderConfig(Settings):
    """A Hugging Face encoder and the weights that it starts from.

    Attributes:
        encoder: A folder in Hugging Face form, or a name on its hub.
        checkpointing: Recompute activations in the backward pass: less memory, more time.
        architecture: The encoder's own configuration, so that a checkpoint needs no other file;
            filled in by `resolved`.
    """

    encoder: str
    checkpointing: bool = False
    architecture: dict[str, Any] | None = None


def resolved(config: TextEncoderConfig) -> TextEncoderConfig:
    """The same with the architecture that the folder or hub states for it."""
    if config.architecture is not None:
        return config
    from transformers import AutoConfig

    found = _loaded(AutoConfig, config.encoder).to_dict()
    found.pop("_name_or_path", None)
    return config.evolve(architecture=found)


def require_fit(config: TextEncoderConfig, tokenizer: Any, tokens: int) -> None:
    """Refuse a tokenizer that names words, or a length that asks for places, which are not there.

    Args:
        config: The encoder.
        tokenizer: What its ids come from.
        tokens: The most tokens that a text will have.

    Raises:
        UsageError: If the encoder's embeddings are too few.
    """
    stated = resolved(config).architecture or {}
    name = Path(config.encoder).name
    known, words = len(tokenizer), int(stated.get("vocab_size") or len(tokenizer))
    if known > words:
        raise UsageError(
            f"the tokenizer of {name} knows {known:,} tokens, and its encoder embeds {words:,}",
            hint="they come from two encoders: put back the tokenizer.json that belongs to "
            "config.json, or make both anew with `sequela pretrain-text`",
        )
    # RoBERTa and its kin count places from the id after the padding's.
    first = int(stated.get("pad_token_id") or 0) + 1 if "roberta" in stated["model_type"] else 0
    places = int(stated.get("max_position_embeddings") or tokens + first) - first
    if tokens > places:
        raise UsageError(
            f"texts may have {tokens} tokens, and the encoder {name} has places for {places}",
            hint=f"set text.tokens={places}, or choose an encoder for longer texts",
        )


class TextEncoder(nn.Module):
    """The first token of the last layer, Linear to `dim`.

    Args:
        config: The encoder.
        dim: Width of the vectors that come out.
        initial_weights: False leaves the encoder unfilled, for a checkpoint to follow.
    """

    def __init__(
        self, config: TextEncoderConfig, dim: int, *, initial_weights: bool = True
    ) -> None:
        super().__init__()
        self.backbone = build_backbone(config, initial_weights=initial_weights)
        self.pad = int(getattr(self.backbone.config, "pad_token_id", None) or 0)
        self.projection = nn.Linear(int(self.backbone.config.hidden_size), dim)  # type: ignore[union-attr,arg-type]

    def forward(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "patient exam dim"], Bool[Tensor, "patient exam"]]:
        """One vector an exam (zeros where it has no text), and which exams have one.

        Only texts that are there pass the encoder; what is masked is not read.
        """
        dim = self.projection.out_features
        if batch.tokens is None or batch.token_mask is None or batch.text_mask is None:
            return batch.day.new_zeros((*batch.day.shape, dim)), torch.zeros_like(batch.exam_mask)
        mask = batch.text_mask
        total = self.projection.weight.new_zeros((*mask.shape, dim))
        if mask.any():
            found = self.encode(batch.tokens[mask], batch.token_mask[mask])
            total[mask] = found.to(total.dtype)  # autocast may have left it in half
        return total, mask

    def encode(
        self, tokens: Int[Tensor, "text token"], mask: Bool[Tensor, "text token"]
    ) -> Float[Tensor, "text dim"]:
        """The vector of each text."""
        longest = int(mask.sum(dim=1).max())
        mask = mask[:, :longest]
        tokens = tokens[:, :longest].masked_fill(~mask, self.pad)
        hidden = self.backbone(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        vectors: Float[Tensor, "text dim"] = self.projection(hidden[:, 0])
        return vectors


def build_backbone(config: TextEncoderConfig, *, initial_weights: bool = True) -> nn.Module:
    """The encoder of `config` without pooler or language head."""
    from transformers import AutoConfig, AutoModel

    if initial_weights:
        backbone = _published(config.encoder)
    else:
        stated = dict(resolved(config).architecture or {})
        architecture = AutoConfig.for_model(stated.pop("model_type"), **stated)
        backbone = AutoModel.from_config(architecture)  # type: ignore[no-untyped-call]
    if getattr(backbone, "pooler", None) is not None:
        backbone.pooler = None
    if config.checkpointing:
        backbone.gradient_checkpointing_enable({"use_reentrant": False})
    module: nn.Module = backbone
    return module


def _published(encoder: str) -> Any:
    """The encoder with its weights; only a pooler, which we do not use, may be without."""
    from transformers import AutoModel

    backbone, account = _loaded(AutoModel, encoder, use_safetensors=True, output_loading_info=True)
    missing = [name for name in account["missing_keys"] if not name.startswith("pooler.")]
    if missing:
        raise UsageError(
            f"the weights of the text encoder {Path(encoder).name} are not whole",
            hint="fetch or train the encoder again; its model.safetensors should hold these",
            items=tuple(sorted(missing)),
        )
    return backbone


def _loaded(loader: Any, encoder: str, **options: Any) -> Any:
    """What `loader` makes of a folder or hub name; code that comes with weights is never run."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return loader.from_pretrained(encoder, trust_remote_code=False, **options)
    except (OSError, ValueError, RuntimeError) as error:
        name = Path(encoder).name
        raise UsageError(
            f"the text encoder {name} cannot be loaded: {type(error).__name__}",
            hint="give a folder with config.json, tokenizer.json and model.safetensors, or a name "
            "on the Hugging Face hub that needs no code of its own",
        ) from error
    finally:
        logging.set_verbosity(verbosity)
