"""Which patients are tested by a model that has learnt from others of their site."""

from __future__ import annotations

import polars as pl

from sequela.cohort.cohort import Cohort


def site_overlap(cohort: Cohort, table: pl.DataFrame) -> tuple[float, ...]:
    """Of each fold, the share of test patients whose site has training patients too.

    Sites differ in scanners, staining, treatment and survival; where they are on both sides, a
    model may know the site instead of the tumour (Howard et al., Nature Communications 2021).

    Args:
        cohort: Whose patients have sites; without any site there is no share.
        table: repeat, fold, patient_id, split, as `Splits.table` has them.
    """
    sites = {patient.patient_id: patient.site for patient in cohort.patients if patient.site}
    shares = []
    for _, rows in table.group_by("repeat", "fold", maintain_order=True):
        named = [
            (part, sites[who])
            for who, part in zip(rows["patient_id"], rows["split"], strict=True)
            if who in sites
        ]
        training = {site for part, site in named if part != "test"}
        tested = [site for part, site in named if part == "test"]
        if tested:
            shares.append(sum(site in training for site in tested) / len(tested))
    return tuple(shares)


def shared_sites(shares: tuple[float, ...]) -> str | None:
    """What to say of a published division whose folds share sites; None where they do not."""
    if not shares or max(shares) == 0:
        return None
    return (
        f"the published folds share sites: {min(shares):.0%} to {max(shares):.0%} of the test "
        "patients of a fold come from a site that is trained on too"
    )
