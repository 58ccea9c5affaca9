"""Gene tables and gene sets of a cohort, held to each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from sequela.cohort.findings import Finding, finding
from sequela.cohort.gene_sets import GeneSets, coverage, read_gene_sets, vocabulary
from sequela.cohort.gene_tables import GENE_TABLES, GeneTable, GeneTableName, read_gene_table
from sequela.cohort.manifest import Manifest
from sequela.cohort.table_files import located
from sequela.cohort.tables import Table

_SHARED = 0.05
"""Two lists of genes of one vocabulary share more of the shorter one than this."""


@dataclass(frozen=True)
class Molecular:
    """The gene tables and gene sets that could be read, and what is wrong with them."""

    genes: Mapping[GeneTableName, GeneTable]
    gene_sets: GeneSets
    findings: list[Finding] = field(default_factory=list)

    def contents(self) -> Iterator[bytes]:
        """What they say, for a fingerprint."""
        for table in sorted(self.genes):
            yield self.genes[table].contents()
        for name in sorted(self.gene_sets):
            yield "\t".join((name, *sorted(self.gene_sets[name]))).encode()


def read_molecular(folder: Path, manifest: Manifest, tables: Mapping[str, Table]) -> Molecular:
    """Every gene table and the gene sets that the manifest names.

    Args:
        folder: The cohort folder.
        manifest: Of the cohort.
        tables: Its other tables; their patients are the ones that may have genes.
    """
    findings: list[Finding] = []
    genes: dict[GeneTableName, GeneTable] = {}
    patients = _patients(tables)
    for name in GENE_TABLES:
        if name in manifest.tables:
            table, faults = read_gene_table(folder, name, manifest.tables[name], patients)
            findings += faults
            if table is not None:
                genes[name] = table
    sets: dict[str, tuple[str, ...]] = {}
    if "gene_sets" in manifest.tables:
        source = manifest.tables["gene_sets"]
        path, faults = located(folder, "gene_sets", source)
        findings += faults
        if path is not None:
            sets, faults = read_gene_sets(path, source.file)
            findings += faults
        if "expression" in genes and sets:
            findings += _agreement(genes["expression"], sets, source.file)
    return Molecular(genes, sets, findings)


def molecular_findings(
    folder: Path, manifest: Manifest, tables: Mapping[str, Table]
) -> list[Finding]:
    """What is wrong with gene tables and gene sets."""
    return read_molecular(folder, manifest, tables).findings


def _patients(tables: Mapping[str, Table]) -> pl.Series:
    if "patients" in tables and tables["patients"].has("patient_id"):
        return tables["patients"].typed["patient_id"]
    return pl.Series("patient_id", [], dtype=pl.String)


def _agreement(table: GeneTable, sets: GeneSets, file: str) -> list[Finding]:
    """Whether table and sets mean the same genes by their names."""
    inside = {gene for genes in sets.values() for gene in genes}
    common = len(inside.intersection(table.genes))
    covered = coverage(sets, table.genes)
    if common < _SHARED * min(len(inside), len(table.genes)):
        share = f"{common} of {len(inside)}"
        theirs, ours = vocabulary(table.genes), vocabulary(tuple(inside))
        words = {"table": table.name, "theirs": theirs, "ours": ours}
        return [finding("C062", file, None, "", share=share, **words)]
    empty = sum(share == 0 for share in covered.values())
    if not empty:
        return []
    median = f"{np.median(list(covered.values())):.0%}"
    words = {"empty": f"{empty}", "sets": f"{len(sets)}", "table": table.name, "median": median}
    return [finding("C067", file, None, "", **words)]
