"""What the curators of TCGA's outcomes advise about an endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sequela.audit.findings import finding
from sequela.cohort.cohort import Cohort
from sequela.cohort.findings import Finding
from sequela.cohort.tables import Table

_BARCODE = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}")
_FEW_DEATHS = ("BRCA", "DLBC", "PCPG", "PRAD", "READ", "TGCT", "THCA", "THYM")
"""Types whose follow-up was too short for overall survival, for all their patients."""
_FOR_OS = "too few patients died in the follow-up of TCGA; the interval to progression is advised"
_FOR_DSS = "TCGA holds no cause of death, it was inferred from the tumour's status"


def advice_findings(cohort: Cohort, patients: Table, endpoint: str) -> Iterator[Finding]:
    """Advice on the endpoint, where the patients are TCGA's.

    Source: Liu et al. 2018, Cell 173:400, Table 3 and the notes to its Table S1.
    """
    if not all(_BARCODE.match(patient.patient_id) for patient in cohort.patients):
        return
    types = (
        set(patients.typed["cancer_type"].drop_nulls()) if patients.has("cancer_type") else set()
    )
    short = sorted(types & set(_FEW_DEATHS))
    why = {"os": _FOR_OS if short else "", "dss": _FOR_DSS}.get(endpoint.lower(), "")
    if why:
        kinds = ", ".join(short if endpoint.lower() == "os" else sorted(types)) or "these types"
        column = "endpoint"
        file = cohort.manifest.tables["outcomes"].file
        yield finding("A045", file, None, column, endpoint=endpoint, kinds=kinds, why=why)
