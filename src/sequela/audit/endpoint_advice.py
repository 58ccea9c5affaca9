"""What the curators of TCGA's outcomes advise about an endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from sequela.audit.findings import finding
from sequela.cohort.cohort import Cohort
from sequela.cohort.findings import Finding
from sequela.cohort.tables import Table

_BARCODE = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}")
_FEW_DEATHS = 0.2
"""Share of patients with the event under which follow-up was short for it; a choice of ours."""
_NO_DISEASE_FREE = ("SKCM", "THYM", "UVM")


def advice_findings(cohort: Cohort, patients: Table, endpoint: str) -> Iterator[Finding]:
    """Advice on the endpoint, where the patients are TCGA's.

    The notes beside the curated table recommend PFI and OS, and PFI over OS where follow-up is
    short; which it is in a cohort is judged here by the share of its patients who died. Advice by
    cancer type (Table 3 of the paper) is not repeated here.

    Source: Liu et al. 2018, Cell 173:400, and the notes to its Table S1.
    """
    if not all(_BARCODE.match(patient.patient_id) for patient in cohort.patients):
        return
    file = cohort.manifest.tables["outcomes"].file
    if why := _advice(cohort, patients, endpoint):
        yield finding("A045", file, None, "endpoint", endpoint=endpoint, why=why)


def _advice(cohort: Cohort, patients: Table, endpoint: str) -> str:
    rows = cohort.outcomes.filter(pl.col("endpoint") == endpoint)
    match endpoint.lower():
        case "os":
            dead = int((rows["event"] > 0).sum())
            if dead < _FEW_DEATHS * len(rows):
                return (
                    "where follow-up is short, the interval to progression (pfi) is preferred to "
                    f"it; here {dead} of {len(rows)} patients died"
                )
        case "dss":
            return "TCGA holds no cause of death, so it was approximated by the tumour's status"
        case "dfi":
            types = set(patients.typed["cancer_type"].drop_nulls().to_list())
            if short := sorted(types & set(_NO_DISEASE_FREE)):
                return f"it could not be derived for {', '.join(short)}"
    return ""
