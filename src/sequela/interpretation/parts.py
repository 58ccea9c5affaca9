"""The parts of many patients, as the trained model makes them and with its weights shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.cohort.patient import Case, Exam
from sequela.fusion.timeline import latest_exams
from sequela.interpretation.portrait import Subject
from sequela.modalities.text import joined
from sequela.models.lumin import Lumin
from sequela.training.loading import read_ahead
from sequela.training.sampling import ordered_batches

_BATCH = 16


@dataclass(frozen=True)
class Parts:
    """The part tokens of some patients, one row a patient.

    Attributes:
        vectors: Token name (`shared@2`, `varying`) to its vectors.
        present: Who has the token.
    """

    vectors: dict[str, Float[np.ndarray, "row dim"]]
    present: dict[str, Bool[np.ndarray, " row"]]

    def latest(self) -> dict[str, str]:
        """Each part with its token, that of the landmark's visit where visits have their own."""
        return {name.partition("@")[0]: name for name in self.vectors}

    def with_both(
        self, first: str, second: str
    ) -> tuple[Float[np.ndarray, "row dim"], Float[np.ndarray, "row dim"], Bool[np.ndarray, " _"]]:
        """Two tokens of the patients who have both, and who they are."""
        both = self.present[first] & self.present[second]
        return self.vectors[first][both], self.vectors[second][both], both


def parts_of(model: nn.Module, subject: Subject, rows: Sequence[int]) -> Parts:
    """The parts of some cases; empty where the model has none.

    Args:
        model: The subject's, or the same with other weights.
        subject: The cases.
        rows: Which cases.
    """
    if not isinstance(model, Lumin):
        return Parts({}, {})
    device = next(model.parameters()).device
    batches = ordered_batches(np.asarray(rows, dtype=np.int64), _BATCH)
    vectors: dict[str, list[Tensor]] = {}
    present: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for _, batch in read_ahead(subject.inputs, batches, 0):
            said = model(latest_exams(batch.to(device), subject.exams))
            for name, part in said.parts.items():
                vectors.setdefault(name, []).append(part.double().cpu())
                present.setdefault(name, []).append(said.masks[name].cpu())
    return Parts(
        {name: torch.cat(found).numpy() for name, found in vectors.items()},
        {name: torch.cat(found).numpy() for name, found in present.items()},
    )


def whole_rows(subject: Subject, most: int) -> list[int]:
    """The last case of each patient whose landmark's visit has all that the model reads.

    Where something is missing a learned vector stands for it, which says nothing of the parts.
    At most so many, spread evenly over the patients in their order.
    """
    last: dict[str, int] = {}
    for row, case in enumerate(subject.inputs.cases):
        held = last.get(case.patient_id)
        if held is None or subject.inputs.cases[held].landmark <= case.landmark:
            last[case.patient_id] = row
    rows = [row for row in last.values() if _whole(subject, subject.inputs.cases[row])]
    if len(rows) <= most or not most:
        return rows if most else []
    return [rows[place] for place in np.linspace(0, len(rows) - 1, most).round().astype(int)]


def _whole(subject: Subject, case: Case) -> bool:
    if not case.exams:
        return False
    exam: Exam = case.exams[-1]
    store, texts = subject.inputs.images, subject.inputs.texts
    pictured = store is None or any(image.image_id in store for image in exam.images)
    return pictured and (texts is None or bool(joined(exam.texts)))
