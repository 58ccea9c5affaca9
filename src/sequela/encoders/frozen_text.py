"""Short texts to vectors by an encoder that is never trained: fields of reports, claims."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from sequela.encoders.text import TextEncoderConfig, build_backbone
from sequela.modalities.text import load_tokenizer

HASHED = "hashed"
"""The encoder that needs no weights."""

WIDTH = 128
"""Of its vectors."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_TOGETHER = 32
_LONGEST = 64


def encode_sentences(
    sentences: Sequence[str], encoder: str = HASHED
) -> Float[Tensor, "sentence dim"]:
    """A vector a sentence; equal sentences have equal vectors, on every machine.

    Args:
        sentences: `label: value` of a field, or a claim.
        encoder: `hashed`, or a Hugging Face folder or name, whose first token of the last layer
            is taken.
    """
    if encoder == HASHED:
        if not sentences:
            return torch.zeros((0, WIDTH))
        return torch.stack([_hashed(sentence) for sentence in sentences])
    return _encoded(sentences, encoder)


def _hashed(sentence: str) -> Float[Tensor, " dim"]:
    """Words and their beginnings as signed hashes; the first number also by its size.

    Of `label: value` the value is taken: the label is told by the field that it stands in.
    """
    value = sentence.partition(": ")[2] or sentence
    vector = torch.zeros(WIDTH)
    for word in re.findall(r"[^\W_]+", value.lower()):
        for part in {word, word[:2], word[:5]}:
            digest = hashlib.blake2b(part.encode(), digest_size=8).digest()
            place = int.from_bytes(digest[:4], "big") % (WIDTH - 2)
            vector[2 + place] += 1.0 if digest[4] & 1 else -1.0
    vector /= vector.norm().clamp(min=1.0)
    if number := _NUMBER.search(value):
        vector[0], vector[1] = 1.0, math.log1p(float(number[0]))
    return vector


@torch.no_grad()
def _encoded(sentences: Sequence[str], encoder: str) -> Float[Tensor, "sentence dim"]:
    backbone = build_backbone(TextEncoderConfig(encoder=encoder)).eval()
    tokenizer = load_tokenizer(encoder)
    vectors = []
    for start in range(0, len(sentences), _TOGETHER):
        tokens = tokenizer(
            list(sentences[start : start + _TOGETHER]),
            padding=True,
            truncation=True,
            max_length=_LONGEST,
            return_tensors="pt",
        )
        inputs = {name: tokens[name] for name in ("input_ids", "attention_mask")}
        vectors.append(backbone(**inputs).last_hidden_state[:, 0])
    width = int(backbone.config.hidden_size)  # type: ignore[union-attr,arg-type]
    return torch.cat([torch.zeros((0, width)), *vectors])
