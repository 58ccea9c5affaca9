"""The mean of what several seeds of one model predict, as a model of its own."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from sequela.evaluation.predictions import SCHEMA

SUFFIX = "-ensemble"
_CASE = ("repeat", "fold", "split", "patient_id", "landmark")
_CURVES = ("survival_", "incidence_")


def averaged(tables: Sequence[pl.DataFrame], name: str) -> pl.DataFrame:
    """One prediction a case: the means of risk and of every probability over the seeds.

    A mean of probabilities is one: of the model that draws a seed first. A case that a seed did not
    predict, for its run failed, is left out; a day that one of them does not tell is told by none.

    Args:
        tables: Predictions of one model, each of one seed or more.
        name: What the mean is called in the column `variant`; its `seed` is the smallest.

    Source: Lakshminarayanan et al. 2017, section 2.4.
    """
    joined = pl.concat(tables, how="diagonal")
    seeds = joined["seed"].n_unique()
    means = ["risk", *(column for column in joined.columns if column.startswith(_CURVES))]
    kept = [column for column in SCHEMA if column not in (*_CASE, *means, "seed", "variant")]
    # Polars leaves nulls out of a mean, which would then be of fewer seeds than it says.
    complete_mean = pl.when(pl.col(means).null_count() == 0).then(pl.col(means).mean())
    grouped = joined.group_by(_CASE, maintain_order=True).agg(
        pl.col(kept).first(), pl.col("seed").min(), complete_mean, pl.len().alias("seeds")
    )
    complete = grouped.filter(pl.col("seeds") == seeds).with_columns(pl.lit(name).alias("variant"))
    return complete.select(joined.columns)
