"""Gene sets as GMT files hold them: a line a set, its name, a description, its genes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from sequela.cohort.findings import Finding, finding

GeneSets: TypeAlias = Mapping[str, tuple[str, ...]]
"""Set name to its genes, in the file's order, each once."""

_ENSEMBL = re.compile(r"^ENS[A-Z]*G\d{6,}")


def read_gene_sets(path: Path, file: str) -> tuple[dict[str, tuple[str, ...]], list[Finding]]:
    """The sets of a GMT file, and what is wrong with its lines.

    Args:
        path: The file.
        file: Its name in findings.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return {}, [finding("C005", file)]
    sets: dict[str, tuple[str, ...]] = {}
    first: dict[str, int] = {}
    findings = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, *rest = (cell.strip() for cell in line.split("\t"))
        genes = tuple(dict.fromkeys(gene for gene in rest[1:] if gene))
        if not name or not genes:
            findings.append(finding("C066", file, number))
        elif name in sets:
            findings.append(finding("C013", file, number, first=first[name]))
        else:
            sets[name], first[name] = genes, number
    if not sets and not findings:
        findings.append(finding("C007", file, table="gene_sets"))
    return sets, findings


def vocabulary(genes: tuple[str, ...]) -> str:
    """`Ensembl` where most ids are of that form, else `symbols`."""
    ensembl = sum(bool(_ENSEMBL.match(gene)) for gene in genes)
    return "Ensembl" if 2 * ensembl > len(genes) else "symbols"


def coverage(sets: GeneSets, genes: tuple[str, ...]) -> dict[str, float]:
    """The share of each set's genes that a table has."""
    there = set(genes)
    return {name: len(there.intersection(inside)) / len(inside) for name, inside in sets.items()}
