"""What the data of single-time models are, so that a checkpoint alone tells how to build one."""

from __future__ import annotations

from pydantic import Field

from sequela.encoders.pathway import Membership
from sequela.settings import Settings


class DataShape(Settings):
    """Widths and gene sets.

    Attributes:
        patch: Width of patch features.
        genes: Genes of each gene table.
        members: Of each gene table, the columns of the genes of each set.
        sets: Names of these sets.
        fields: Fields of the report schema.
        report_numbers: Numbers that a report is turned into.
        text: Width of the text encoder's vectors.
        covariates: Clinical features.
    """

    patch: int = 0
    genes: dict[str, int] = Field(default_factory=dict)
    members: dict[str, tuple[tuple[int, ...], ...]] = Field(default_factory=dict)
    sets: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    fields: int = 0
    report_numbers: int = 0
    text: int = 0
    covariates: int = 0

    def membership(self, table: str) -> Membership:
        """The gene sets of a gene table."""
        return Membership(self.sets[table], self.members[table])
