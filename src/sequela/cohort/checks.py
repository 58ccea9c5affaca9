"""The one check at the door: every rule, every table, every row together."""

from __future__ import annotations

from pathlib import Path

from sequela.cohort.column_checks import column_findings
from sequela.cohort.findings import Finding, finding
from sequela.cohort.image_checks import file_findings
from sequela.cohort.manifest import FILE_NAME, Manifest
from sequela.cohort.molecular import molecular_findings
from sequela.cohort.slide_checks import slide_findings
from sequela.cohort.tables import Table, read_tables
from sequela.cohort.time_checks import time_findings
from sequela.errors import SequelaError

_FILES = (("images", "path"), ("slides", "path"), ("slides", "features"))


def check_cohort(folder: Path) -> list[Finding]:
    """Everything that is wrong or doubtful in a cohort folder, in the order of its files."""
    if not (folder / FILE_NAME).is_file():
        return [finding("C001", FILE_NAME)]
    try:
        manifest = Manifest.load(folder)
    except SequelaError as error:
        return [finding("C002", FILE_NAME, fault=item) for item in error.items or (error.message,)]
    tables, findings = checked_tables(folder, manifest)
    return findings + molecular_findings(folder, manifest, tables)


def checked_tables(folder: Path, manifest: Manifest) -> tuple[dict[str, Table], list[Finding]]:
    """The tables that could be read, and everything that is wrong with them."""
    tables, findings = read_tables(folder, manifest)
    for table in tables.values():
        findings += column_findings(table, tables, manifest)
    findings += time_findings(tables, manifest)
    for name, column in _FILES:
        if name in tables:
            findings += file_findings(tables[name], column, folder, manifest)
    if "slides" in tables:
        findings += slide_findings(tables["slides"], folder)
    files = [FILE_NAME, *(source.file for source in manifest.tables.values())]
    findings.sort(key=lambda item: (files.index(item.file), item.row or 0, item.code))
    if "texts" in tables:
        tables["texts"] = tables["texts"].where_known("text")
    return tables, findings
