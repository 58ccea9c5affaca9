"""A RoBERTa that guesses masked words of notes, to be the text encoder of other models."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sequela.errors import DataError
from sequela.modalities.batch import Batch
from sequela.settings import Settings


class LanguageModelConfig(Settings):
    """The size of a RoBERTa, which a tokenizer decides too.

    Attributes:
        vocabulary: Tokens that the tokenizer knows.
        layers: Transformer layers.
        dim: Width.
        heads: Attention heads a layer.
        tokens: Tokens of the longest text.
        dropout: Share of activations and attentions that training drops.
        special: Ids of the padding, beginning and end tokens.
    """

    vocabulary: int
    layers: int
    dim: int
    heads: int
    tokens: int
    dropout: float
    special: tuple[int, int, int]


class LanguageModel(nn.Module):
    """Transformers' RoBERTa with its language head.

    Args:
        config: Its size.
    """

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        from transformers import RobertaConfig, RobertaForMaskedLM

        pad, begin, end = config.special
        self.network: Any = RobertaForMaskedLM(
            RobertaConfig(
                vocab_size=config.vocabulary,
                hidden_size=config.dim,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=4 * config.dim,
                hidden_dropout_prob=config.dropout,
                attention_probs_dropout_prob=config.dropout,
                max_position_embeddings=config.tokens + pad + 1,  # RoBERTa counts from there
                type_vocab_size=1,
                pad_token_id=pad,
                bos_token_id=begin,
                eos_token_id=end,
            )
        )

    def forward(self, batch: Batch) -> tuple[Float[Tensor, " patient"], Float[Tensor, " patient"]]:
        """The surprise at all hidden words of each text, and how many there are.

        Only hidden words pass the language head, which is as wide as the vocabulary.

        Raises:
            DataError: If the batch has no words to guess.
        """
        tokens, there, words, hidden = batch.tokens, batch.token_mask, batch.words, batch.word_mask
        if tokens is None or there is None or words is None or hidden is None:
            raise DataError("a language model needs words to guess; this batch has none")
        there, hidden = there[:, 0], hidden[:, 0]
        ids = tokens[:, 0].masked_fill(~there, self.network.config.pad_token_id)
        vectors = self.network.roberta(input_ids=ids, attention_mask=there.long()).last_hidden_state
        logits = self.network.lm_head(vectors[hidden])
        surprise = F.cross_entropy(logits.float(), words[:, 0][hidden], reduction="none")
        row = hidden.nonzero()[:, 0]
        sums = surprise.new_zeros(len(ids)).index_add(0, row, surprise)
        return sums, hidden.sum(dim=1).to(torch.float32)
