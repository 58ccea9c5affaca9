from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sequela.cohort.division import Groups, divide

shares = st.sampled_from([(0.7, 0.3), (0.8, 0.2), (0.2,) * 5, (1.0, 0.0), (1 / 3,) * 3])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=60), shares, st.integers(0, 99))
def test_each_part_has_its_share_of_patients_with_and_without_the_event(
    happened: list[bool], shares: tuple[float, ...], seed: int
) -> None:
    event = np.array(happened)
    names = tuple(f"P{index}" for index in range(len(event)))
    part = divide(Groups(names, event, names), shares, np.random.default_rng(seed))
    for stratum in (event, ~event):
        for index, share in enumerate(shares):
            assert abs(np.sum(part[stratum] == index) - share * stratum.sum()) <= 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 7)), min_size=1, max_size=60),
    shares,
    st.integers(0, 99),
)
def test_a_group_is_never_divided_and_an_empty_share_stays_empty(
    patients: list[tuple[bool, int]], shares: tuple[float, ...], seed: int
) -> None:
    event = np.array([happened for happened, _ in patients])
    groups = Groups(
        tuple(f"P{index}" for index in range(len(patients))),
        event,
        tuple(f"S{site}" for _, site in patients),
    )
    part = divide(groups, shares, np.random.default_rng(seed))
    for site in set(groups.group):
        assert len({part[row] for row, name in enumerate(groups.group) if name == site}) == 1
    for index, share in enumerate(shares):
        assert share > 0 or not np.any(part == index)


def test_many_sites_fill_each_fold_alike() -> None:
    random = np.random.default_rng(0)
    site = random.zipf(1.6, 1000).clip(max=40)
    event = random.random(1000) < 0.2
    names = tuple(f"P{index}" for index in range(1000))
    folds = divide(Groups(names, event, tuple(map(str, site))), (0.25,) * 4, random)
    largest = max(np.bincount(site))
    sizes = np.bincount(folds, minlength=4)
    assert sizes.max() - sizes.min() <= largest
    rates = np.array([event[folds == fold].mean() for fold in range(4)])
    assert rates.max() - rates.min() < 0.1
