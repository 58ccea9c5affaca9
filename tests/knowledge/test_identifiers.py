from __future__ import annotations

import pytest

from sequela.knowledge.identifiers import without_identifiers
from sequela.knowledge.prompts import report_prompt
from sequela.knowledge.reading import shown
from sequela.knowledge.rules import extract_report

CANARIES = {
    "name": "Patient name: Zebedee Quillfeather",
    "doctor": "Signed by: Dr. Ambrosia Fennimore",
    "street": "Address: 4711 Larkspur Hollow Road",
    "zip": "Springfield, IL 62704",
    "birth": "DOB: 03/14/1947",
    "date": "Received 12 March 2009 and 2009-03-15, reported Mar 16, 2009",
    "age": "a 93-year-old woman, age: 93",
    "telephone": "Tel (312) 555-0187",
    "fax": "Fax +1 312 555 0188",
    "email": "zq.canary@example.org",
    "social security": "SSN: 219-09-9999",
    "record": "MRN: 00842213",
    "health plan": "Health plan: HX-99317",
    "account": "Account no: AC-55120",
    "licence": "Licence: LIC-88321",
    "vehicle": "Plate: ZQ-4432",
    "device": "Device: SN-551-220",
    "url": "https://example.org/p/zebedee",
    "ip": "198.51.100.23",
    "barcode": "TCGA-ZQ-9X7Y-01Z-00-DX1 and CGA-ZQ-9X7Y and -ZQ-9X7Y",
    "uuid": "UUID:80EEFFC7-478F-4DA1-AF7C-798A1AB35C65",
    "accession": "S09-12345, SP0912345",
}
SECRETS = [
    "Zebedee",
    "Quillfeather",
    "Ambrosia",
    "Fennimore",
    "4711",
    "Larkspur",
    "62704",
    "1947",
    "2009",
    "93",
    "0187",
    "0188",
    "canary",
    "219-09",
    "9999",
    "00842213",
    "99317",
    "55120",
    "88321",
    "4432",
    "551-220",
    "example.org",
    "198.51",
    "9X7Y",
    "80EEFFC7",
    "798A1AB35C65",
    "12345",
    "0912345",
]
REPORT = (
    "Kidney, nephrectomy: clear cell carcinoma, Fuhrman grade 3, 4.5 x 4.0 cm, pT1b N0 MX (0/12)."
)


@pytest.mark.parametrize("kind", CANARIES)
def test_no_identifier_stays_in_a_prompt(kind: str) -> None:
    prompt = report_prompt(shown(f"{CANARIES[kind]}\n{REPORT}", ["TCGA-ZQ-9X7Y"]))
    planted = [word for word in SECRETS if word in CANARIES[kind]]
    assert planted
    assert not [word for word in planted if word in prompt.content]


def test_the_patients_own_id_is_struck_out_whatever_it_looks_like() -> None:
    text = without_identifiers("specimen of pat_blue_7, seen as PAT_BLUE_7", ["pat_blue_7"])
    assert "blue" not in text.lower()


def test_what_the_report_says_is_left_and_stays_in_its_place() -> None:
    planted = "\n".join((*CANARIES.values(), REPORT))
    struck = without_identifiers(planted)
    assert len(struck) == len(planted)
    assert struck.endswith(REPORT)
    assert extract_report(struck).value("pT") == "T1b"
