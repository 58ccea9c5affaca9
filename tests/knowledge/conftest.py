from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # injections.py, stub_server.py


REPORTS = {
    "k-0001": "Left kidney, nephrectomy: renal cell carcinoma, clear cell type, 4.5 cm, Fuhrman "
    "grade 3, lymphovascular invasion: absent, margins free of tumor, pT1b N0 MX.",
    "k-0002": "Right kidney: clear cell renal cell carcinoma, grade 2, 8.0 cm in greatest "
    "dimension. Tumor necrosis: present. Surgical margins: negative. TNM stage: pT2a NX MX.",
    "k-0003": "illegible",
}


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Three patients with a report each, one of them blank; another report comes too late."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    (folder / "cohort.yaml").write_text(
        "name: kidneys\n"
        "tables:\n"
        "  patients: {file: patients.csv, constants: {cancer_type: KIRC}}\n"
        "  texts: {file: texts.csv}\n"
    )
    (folder / "patients.csv").write_text("patient_id\n" + "\n".join(REPORTS) + "\n")
    rows = [f'{name}-report,{name},0,pathology report,"{text}"' for name, text in REPORTS.items()]
    rows.append("late,k-0001,400,pathology report,A later report says pT4 N2 M1 and grade 4 of 4.")
    (folder / "texts.csv").write_text("text_id,patient_id,day,kind,text\n" + "\n".join(rows) + "\n")
    return folder
