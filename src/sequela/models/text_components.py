"""Texts to a few numbers without a neural network: what words tell, for baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from sequela.cohort.patient import Case
from sequela.modalities.text import joined

_WORDS = 2000
_PATIENTS_A_COMPONENT = 10


@dataclass(frozen=True)
class TextComponents:
    """Words weighed by how rare they are, turned to the directions in which training texts differ.

    Attributes:
        words: That training texts hold, at least two of them.
        rarity: Inverse document frequency of each.
        directions: A row a component: the weight of each word.
        scale: Standard deviation of each component among training texts.

    Source: Deerwester et al. 1990 (latent semantic analysis), on tf-idf after Salton & Buckley 1988
    with 1 + log of the count and rows of length 1.
    """

    words: tuple[str, ...]
    rarity: tuple[float, ...]
    directions: tuple[tuple[float, ...], ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, texts: Sequence[str], count: int) -> TextComponents | None:
        """The components of training texts; None where texts do not differ in any shared word.

        Args:
            texts: Of training patients; empty ones are not looked at.
            count: How many components, at most; a tenth of the texts at most.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        written = [text for text in texts if text]
        vectorizer = TfidfVectorizer(min_df=2, max_features=_WORDS, sublinear_tf=True)
        try:
            weighed = vectorizer.fit_transform(written)
        except ValueError:  # no word stands in two texts
            return None
        count = min(count, len(written) // _PATIENTS_A_COMPONENT, weighed.shape[1] - 1)
        if count < 1:
            return None
        svd = TruncatedSVD(count, random_state=0)
        spread = svd.fit_transform(weighed).std(axis=0)
        kept = spread > 1e-9
        return cls(
            tuple(vectorizer.get_feature_names_out().tolist()),
            tuple(vectorizer.idf_.tolist()),
            tuple(tuple(row) for row in svd.components_[kept].tolist()),
            tuple(spread[kept].tolist()),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What the numbers are called."""
        return (*(f"text component {place + 1}" for place in range(len(self.scale))), "no text")

    def transform(self, texts: Sequence[str]) -> Float[np.ndarray, "text feature"]:
        """The components of each text, and whether it is empty."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(vocabulary=list(self.words), sublinear_tf=True)
        vectorizer.idf_ = np.array(self.rarity)
        components = vectorizer.transform(texts) @ np.array(self.directions).T
        empty = np.array([[not text] for text in texts], dtype=np.float64)
        return np.concatenate([components / np.array(self.scale), empty], axis=1)

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TextComponents:
        """The components whose `state()` this is."""
        return cls(
            tuple(state["words"]),
            tuple(state["rarity"]),
            tuple(tuple(row) for row in state["directions"]),
            tuple(state["scale"]),
        )


def text_of(case: Case) -> str:
    """Everything that a case may read, oldest exam first."""
    return joined([text for exam in case.exams for text in exam.texts] + list(case.texts))
