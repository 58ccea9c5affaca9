"""Notes and reports to tokens, and a small encoder for who has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from sequela.cohort.patient import Text
from sequela.errors import UsageError
from sequela.settings import Settings
from sequela.storage import atomic, make_folder, write_json

# RoBERTa's special tokens; the order of first mention is that of their ids.
SPECIAL = {
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "cls_token": "<s>",
    "sep_token": "</s>",
}


class TinyEncoderSettings(Settings):
    """The size of an encoder that is made on the spot, with fresh weights.

    Attributes:
        vocabulary: Tokens of the byte-level BPE, at most.
        layers: Transformer layers.
        dim: Width.
        heads: Attention heads a layer.
    """

    vocabulary: int = Field(default=2000, ge=300)
    layers: int = Field(default=1, ge=1)
    dim: int = Field(default=64, ge=1)
    heads: int = Field(default=2, ge=1)


class TextSettings(Settings):
    """How texts become tokens.

    Attributes:
        encoder: A folder in Hugging Face form, a name on its hub, `tiny` for one that is made on
            the spot from the training patients' texts, or `language-model` for what
            `sequela pretrain-text` made of them, for each fold its own.
        tokens: Tokens an exam, special ones included.
        truncation: What is kept of a longer text; the paper keeps the head.
        tiny: The size of the `tiny` encoder.
    """

    encoder: str = "tiny"
    tokens: int = Field(default=256, ge=8)
    truncation: Literal["head", "head+tail"] = "head+tail"
    tiny: TinyEncoderSettings = TinyEncoderSettings()


@dataclass(frozen=True)
class EncodedTexts:
    """Token ids of some texts, special tokens included.

    Attributes:
        tokens: The ids of each text.
        truncated: Share of the texts of which something was cut off.
    """

    tokens: tuple[Int[np.ndarray, " _"], ...]
    truncated: float


def joined(texts: Sequence[Text]) -> str:
    """The texts of an exam as one, oldest first."""
    return "\n".join(text.text for text in sorted(texts, key=lambda text: (text.day, text.text_id)))


def load_tokenizer(encoder: str) -> Any:
    """The Hugging Face tokenizer in a folder, or of a name on the hub.

    Raises:
        UsageError: If there is none, or it needs code of its own.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(encoder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no tokenizer can be loaded for the text encoder {Path(encoder).name}",
            hint="give a folder with tokenizer.json, or a name on the Hugging Face hub",
        ) from error


def encode_texts(texts: Sequence[str], tokenizer: Any, settings: TextSettings) -> EncodedTexts:
    """Every text as token ids, and the share of those that were too long."""
    if not texts:
        return EncodedTexts((), 0.0)
    found = tokenizer(list(texts), return_special_tokens_mask=True, verbose=False)
    whole, special = found["input_ids"], found["special_tokens_mask"]
    encoded = tuple(
        np.asarray(_shortened(ids, marks, settings), dtype=np.int64)
        for ids, marks in zip(whole, special, strict=True)
    )
    return EncodedTexts(encoded, sum(len(ids) > settings.tokens for ids in whole) / len(whole))


def _shortened(ids: list[int], special: list[int], settings: TextSettings) -> list[int]:
    """The ids with words cut off the end or out of the middle, never a special token."""
    surplus = len(ids) - settings.tokens
    if surplus <= 0:
        return ids
    words = [place for place, mark in enumerate(special) if not mark]
    kept = len(words) - surplus
    tail = kept // 2 if settings.truncation == "head+tail" else 0
    cut = set(words[kept - tail : len(words) - tail])
    return [number for place, number in enumerate(ids) if place not in cut]


def train_tiny_encoder(
    texts: Sequence[str], folder: Path, settings: TextSettings, *, seed: int = 0
) -> None:
    """Write a byte-level BPE tokenizer and a small RoBERTa with fresh weights to `folder`.

    Args:
        texts: Training patients' texts; the tokenizer's merges come from them.
        folder: Takes the files that Hugging Face loads.
        settings: Vocabulary, size, and the most tokens a text may have.
        seed: Of the fresh weights.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import RobertaConfig, RobertaModel

    make_folder(folder)
    tokenizer = train_tokenizer(texts, settings.tiny.vocabulary)
    tokenizer.save_pretrained(folder)
    size = settings.tiny
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.dim,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.dim,
        # Without it attention runs fused, 3 times as fast on a processor.
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=settings.tokens + 2,  # RoBERTa counts from the pad's id + 1
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = RobertaModel(config, add_pooling_layer=False)
    with atomic(folder / "model.safetensors") as temporary:
        save_file(model.state_dict(), temporary, metadata={"format": "pt"})
    # Last, so that a folder with a configuration is whole.
    write_json(folder / "config.json", config.to_dict())


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer of these texts, with RoBERTa's special tokens.

    Args:
        texts: Training patients'; its merges come from them.
        vocabulary: Tokens at most; few texts give fewer.
    """
    from transformers import PreTrainedTokenizerFast

    backend = _trained_bpe(texts, vocabulary)
    return PreTrainedTokenizerFast(tokenizer_object=backend, **SPECIAL)  # type: ignore[no-untyped-call]


def _trained_bpe(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    names = list(dict.fromkeys(SPECIAL.values()))
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=names,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    start, end = SPECIAL["cls_token"], SPECIAL["sep_token"]
    tokenizer.post_processor = processors.RobertaProcessing(
        (end, names.index(end)), (start, names.index(start))
    )
    return tokenizer
