"""TCGA barcodes: which patient, sample and site a name speaks of."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BARCODE = re.compile(
    r"(?<![A-Z0-9])TCGA-(?P<site>[A-Z0-9]{2})-(?P<participant>[A-Z0-9]{4})"
    r"(?:-(?P<sample>\d{2})(?P<rest>[A-Z][A-Z0-9-]*)?)?",
    re.IGNORECASE,
)
PRIMARY_TUMOUR = ("01", "03", "05", "09")
"""Sample types of a primary tumour, solid or of blood, and of a further primary."""


@dataclass(frozen=True)
class Barcode:
    """A barcode's parts.

    Attributes:
        patient: As in TCGA-A3-3316.
        site: The tissue source site, characters 6 and 7.
        sample: The sample type; empty where the barcode ends with the patient.
    """

    patient: str
    site: str
    sample: str

    @property
    def primary(self) -> bool:
        """Whether it is of the primary tumour, as far as it says."""
        return self.sample in ("", *PRIMARY_TUMOUR)


def barcode_in(text: str) -> Barcode | None:
    """The first barcode in a text or file name."""
    match = _BARCODE.search(text)
    if match is None:
        return None
    site = match["site"].upper()
    return Barcode(f"TCGA-{site}-{match['participant'].upper()}", site, match["sample"] or "")
