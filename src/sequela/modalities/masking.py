"""Notes as windows of tokens of which some are hidden, for a language model to guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from sequela.modalities.batch import Sample


def windows(text: str, tokenizer: Any, tokens: int) -> list[Int[np.ndarray, " _"]]:
    """A text's tokens in pieces of at most `tokens`, each between the special ones."""
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    room = tokens - 2
    begin, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    return [
        np.array([begin, *ids[start : start + room], end], dtype=np.int64)
        for start in range(0, len(ids), room)
    ]


@dataclass(frozen=True)
class MaskedTexts:
    """Windows of texts with hidden words, other ones in every epoch.

    Of the words chosen, 80 % are masked, 10 % exchanged for any other and 10 % left, as in BERT
    (Devlin et al. 2019, section 3.1) and, anew in every epoch, RoBERTa (Liu et al. 2019).

    Attributes:
        windows: Token ids, special ones at both ends.
        mask: The id of the mask token.
        vocabulary: The ids that a word may be exchanged for.
        share: Of the words that are chosen.
        seed: With epoch and index, the key of the choice.
        epoch: Which epoch the samples are for.
    """

    windows: Sequence[Int[np.ndarray, " _"]]
    mask: int
    vocabulary: range
    share: float
    seed: int
    epoch: int = 0

    def __len__(self) -> int:
        return len(self.windows)

    def at(self, epoch: int) -> MaskedTexts:
        """The same texts as another epoch sees them."""
        return replace(self, epoch=epoch)

    def __getitem__(self, index: int, /) -> Sample:
        words = torch.from_numpy(self.windows[index])
        key = np.random.SeedSequence((self.seed, self.epoch, index))
        generator = np.random.default_rng(key)
        chosen = generator.random(len(words)) < self.share
        chosen[[0, -1]] = False
        fate = generator.random(len(words))
        others = generator.integers(self.vocabulary.start, self.vocabulary.stop, len(words))
        shown = np.where(chosen & (fate < 0.8), self.mask, words.numpy())
        shown = np.where(chosen & (fate >= 0.8) & (fate < 0.9), others, shown)
        return Sample(
            day=torch.zeros(1, 1),
            exam_mask=torch.ones((1, 1), dtype=torch.bool),
            tokens=torch.from_numpy(shown)[None, None],
            token_mask=torch.ones((1, 1, len(words)), dtype=torch.bool),
            text_mask=torch.ones((1, 1), dtype=torch.bool),
            words=words[None, None],
            word_mask=torch.from_numpy(chosen)[None, None],
        )
