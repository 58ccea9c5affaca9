from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, norm
from scipy.stats import t as student

from sequela.survival.normal import (
    chi_squared_p,
    student_p,
    student_width,
    two_sided_p,
    two_sided_ps,
    two_sided_width,
)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 10])
@pytest.mark.parametrize("statistic", [0.0, 1e-6, 0.3, 3.84, 25.0, 300.0])
def test_the_tail_of_chi_squared_is_scipys(statistic: float, freedom: int) -> None:
    assert chi_squared_p(statistic, freedom) == pytest.approx(
        chi2.sf(statistic, freedom), rel=1e-12, abs=1e-300
    )


@pytest.mark.parametrize("freedom", [150, 151, 400, 2001])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 1.1, 2.0, 10.0])
def test_the_tail_of_many_degrees_is_scipys(share: float, freedom: int) -> None:
    expected = chi2.sf(share * freedom, freedom)
    assert chi_squared_p(share * freedom, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_the_tails_of_the_normal_are_scipys() -> None:
    z = np.array([-8.0, -1.96, 0.0, 0.3, 30.0])
    np.testing.assert_allclose(two_sided_ps(z), 2 * norm.sf(np.abs(z)), rtol=1e-12)
    assert two_sided_p(1.0) == pytest.approx(2 * norm.sf(1.0), rel=1e-14)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_the_width_of_an_interval_is_scipys(level: float) -> None:
    assert two_sided_width(level) == pytest.approx(norm.ppf(0.5 + level / 2), rel=1e-13)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 10, 99])
def test_students_t_is_scipys(freedom: int) -> None:
    for t in (0.0, 0.2, 1.0, 2.5, 12.0):
        assert student_p(-t, freedom) == pytest.approx(
            2 * student.sf(t, freedom), rel=1e-9, abs=1e-13
        )
    for level in (0.5, 0.95, 0.99):
        theirs = student.ppf(0.5 + level / 2, freedom)
        assert student_width(level, freedom) == pytest.approx(theirs, rel=1e-10)
