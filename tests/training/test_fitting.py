"""Rates rise, fall, and reach the modules they are meant for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from toys import QUICK, ToyModel

from sequela.training.fitting import build_optimizer, schedule, set_rates


def test_rates_rise_for_a_tenth_then_fall_to_nothing() -> None:
    shares = [schedule(step, 100, 0.1) for step in range(101)]
    assert shares[:10] == pytest.approx([k / 10 for k in range(1, 11)])
    assert max(shares) == shares[9] == shares[10] == 1
    assert all(later < earlier for earlier, later in pairwise(shares[10:]))
    assert shares[100] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_short_fits_learn_at_every_step(steps: int) -> None:
    assert all(schedule(step, steps, 0.1) > 0 for step in range(steps))


def test_each_encoder_has_its_own_rate() -> None:
    model = ToyModel()
    optimizer = build_optimizer(model, QUICK)
    assert set_rates(optimizer, 0.5) == {
        "image": QUICK.image_rate / 2,
        "text": QUICK.text_rate / 2,
        "new": QUICK.new_rate / 2,
    }
    count = sum(len(group["params"]) for group in optimizer.param_groups)
    assert count == len(list(model.parameters()))
