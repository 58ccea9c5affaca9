from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from sequela.errors import UsageError
from sequela.interpretation.part_attribution import (
    SHORTCUT,
    attribute_parts,
    drawn_shapley,
    shapley,
)
from sequela.modalities.batch import Batch
from sequela.models.lumin import Lumin, LuminConfig
from sequela.models.removal import removed

WORTH = np.random.default_rng(0).normal(size=2**4)


def first_logit(logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
    return logits[:, 0]


def table(coalitions: np.ndarray) -> np.ndarray:
    return WORTH[coalitions @ (1 << np.arange(coalitions.shape[1]))]


def alone(batch: Batch, row: int) -> Batch:
    fields = {name: getattr(batch, name) for name in batch.__dataclass_fields__}
    return Batch(**{k: None if v is None else v[row : row + 1] for k, v in fields.items()})


def test_shapley_values_are_the_mean_gain_over_all_orders() -> None:
    expected = np.zeros(4)
    for order in itertools.permutations(range(4)):
        members = np.zeros((1, 4), dtype=bool)
        for player in order:
            before = table(members)[0]
            members[0, player] = True
            expected[player] += (table(members)[0] - before) / 24
    np.testing.assert_allclose(shapley(table, 4)[0], expected, atol=1e-12)


def test_drawn_orders_hand_out_everything_and_approach_the_exact_values() -> None:
    drawn, whole, none = drawn_shapley(table, 4, 2000, np.random.default_rng(1))
    assert (whole, none) == pytest.approx((WORTH[-1], WORTH[0]))
    assert drawn.sum() == pytest.approx(whole - none, abs=1e-12)
    np.testing.assert_allclose(drawn, shapley(table, 4)[0], atol=0.1)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_parts_sum_to_the_score(model: Lumin, seen: Batch, row: int) -> None:
    patient = alone(seen, row)
    found = attribute_parts(model, patient, first_logit)
    assert found.exact
    assert found.score == pytest.approx(model(patient).logits[0, 0].item(), abs=1e-5)
    assert found.weights.sum() == pytest.approx(found.score - found.baseline, abs=1e-12)
    assert np.abs(found.weights).max() > 1e-4


def test_a_patient_with_one_visit_has_no_token_of_another(model: Lumin, seen: Batch) -> None:
    whole = attribute_parts(model, alone(seen, 0), first_logit)
    assert len(whole.names) == 12
    single = attribute_parts(model, alone(seen, 1), first_logit)
    assert "varying" not in single.names
    assert {name for name in single.names if "@" in name} == {
        f"{part}@2" for part in ("image", "text", "shared", "complementary")
    }


def test_masking_all_of_a_part_is_taking_it_away(model: Lumin, seen: Batch) -> None:
    """The last marginal of `varying`, which no other part reads, is what its removal costs."""
    patient = alone(seen, 0)
    with removed(model, "varying"), torch.no_grad():
        without = model(patient).logits[0, 0].item()
    found = attribute_parts(model, patient, first_logit)
    others = [name for name in found.names if name != "varying"]
    kept = attribute_parts_without(model, patient, "varying")
    assert kept.score == pytest.approx(without, abs=1e-6)
    assert list(kept.names) == others


def attribute_parts_without(model: Lumin, patient: Batch, part: str):  # type: ignore[no-untyped-def]
    with removed(model, part):
        return attribute_parts(model, patient, first_logit)


def test_the_shortcut_is_a_player(model: Lumin, seen: Batch) -> None:
    torch.manual_seed(3)
    config: LuminConfig = model.config.evolve(shortcut=True)
    direct = Lumin(config, 1, initial_weights=False).eval()
    found = attribute_parts(direct, alone(seen, 0), first_logit)
    assert found.names[-1] == SHORTCUT
    assert found.weights.sum() == pytest.approx(found.score - found.baseline, abs=1e-12)
    assert found.score == pytest.approx(direct(alone(seen, 0)).logits[0, 0].item(), abs=1e-5)


def test_three_visits_draw_orders_and_still_sum_to_the_score(model: Lumin, seen: Batch) -> None:
    torch.manual_seed(4)
    long = Lumin(model.config.evolve(exams=3), 1, initial_weights=False).eval()
    patient = alone(seen, 0)
    fields = ("day", "exam_mask", "views", "view_kind", "view_mask", "tokens", "token_mask")
    thrice = replace(
        patient,
        **{
            name: torch.cat([getattr(patient, name)[:, :1], getattr(patient, name)], dim=1)
            for name in (*fields, "text_mask")
        },
    )
    found = attribute_parts(long, thrice, first_logit, orders=8)
    assert not found.exact
    assert len(found.names) == 17
    assert found.weights.sum() == pytest.approx(found.score - found.baseline, abs=1e-10)


def test_a_model_whose_tokens_are_never_masked_says_so(model: Lumin, seen: Batch) -> None:
    changes = {"exams": 1, "cross_modal": (), "temporal": (), "aggregation": "mlp"}
    plain = Lumin(model.config.evolve(**changes), 1, initial_weights=False)
    with pytest.raises(UsageError, match="no parts"):
        attribute_parts(plain, alone(seen, 0), first_logit)
