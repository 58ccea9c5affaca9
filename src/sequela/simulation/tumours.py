"""Patients with slides as patch features, genes and a pathology report, and what drives their risk.

Every slide holds tissue of several cancers' claims, each kind with a severity of its own. Only the
severity in the tissue that the patient's own cancer's claims speak of drives the hazard: who asks
by these claims finds it, who asks by another cancer's finds a severity that says nothing, and who
does not know where to look finds the mean of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sequela.settings import Settings
from sequela.simulation.hazard import draw_censoring, recurrence_rate
from sequela.simulation.settings import HazardSettings

Signatures = Mapping[str, Float[np.ndarray, "claim feature"]]
"""By cancer type, what tissue looks like to the encoder that each claim about slides speaks of."""

Kind = tuple[str, int]
"""What a patch is like: a cancer type, and the place of the claim among those about its slides."""

STAGES = ("I", "II", "III", "IV")
SETS, GENES_OF_A_SET = 6, 8


class TumourSettings(Settings):
    """A cohort of patients with a resected tumour.

    Attributes:
        name: What the cohort is called.
        patients: How many.
        seed: Every number of the cohort follows from it.
        patches: Of a slide.
        slide: Log hazard of a deviation of the severity in the own cancer's tissue.
        genes: The same of the programme that the first gene set shows.
        report: The same of lymphovascular invasion, told in the report alone.
        clinical: The same of stage and age together.
        missing: Share of patients without a slide, without genes, and without a report.
        hazard: Of death from any cause.
    """

    name: str = "simulated-tumours"
    patients: int = Field(default=400, ge=1)
    seed: int = Field(default=0, ge=0)
    patches: int = Field(default=48, ge=1)
    slide: float = 1.2
    genes: float = 0.5
    report: float = 0.3
    clinical: float = 0.6
    missing: float = Field(default=0.08, ge=0, lt=1)
    hazard: HazardSettings = HazardSettings(five_year_recurrence=0.5)


@dataclass(frozen=True)
class Tumour:
    """A simulated patient.

    Attributes:
        number: Of the patient, from 0.
        cancer: Cancer type.
        severity: In the tissue of each cancer's claims.
        programme: How active each gene set is.
        invasion: Whether the report tells lymphovascular invasion.
        stage: From 0.
        age: In years.
        predictor: Log relative hazard.
        time: Days followed.
        died: Whether follow-up ended in death.
        has: Of slide, genes and report, those that were kept.
    """

    number: int
    cancer: str
    severity: Mapping[str, float]
    programme: Float[np.ndarray, " set"]
    invasion: bool
    stage: int
    age: float
    predictor: float
    time: float
    died: bool
    has: frozenset[str]

    @property
    def patient_id(self) -> str:
        """Of all tables."""
        return f"SYN-{self.number:04d}"


def draw_tumour(settings: TumourSettings, number: int, cancers: Sequence[str]) -> Tumour:
    """One patient; cancers take turns, all else is drawn."""
    generator = np.random.default_rng([settings.seed, 1, number])
    cancer = cancers[number % len(cancers)]
    severity = {name: float(generator.standard_normal()) for name in cancers}
    programme = generator.standard_normal(SETS)
    stage = int(generator.choice(4, p=(0.4, 0.25, 0.2, 0.15)))
    age = float(np.clip(generator.normal(62, 11), 25, 90))
    invasion = bool(generator.random() < 0.4)
    predictor = (
        settings.slide * severity[cancer]
        + settings.genes * float(programme[0])
        + settings.report * (1.0 if invasion else -1.0)
        + settings.clinical * ((stage - 1.1) / 1.1 + (age - 62) / 22)
    )
    rate = recurrence_rate(predictor, settings.hazard)
    death = float((generator.standard_exponential() / rate) ** (1 / settings.hazard.shape))
    censored = draw_censoring(generator, settings.hazard)
    kept = generator.random(3) >= settings.missing
    has = frozenset(
        name for name, there in zip(("slide", "genes", "report"), kept, strict=True) if there
    )
    return Tumour(
        number, cancer, severity, programme, invasion, stage, age, predictor,
        float(max(1, round(min(death, censored)))), death <= censored, has,
    )  # fmt: skip


def draw_patches(
    settings: TumourSettings, tumour: Tumour, signatures: Signatures
) -> tuple[Float[np.ndarray, "patch feature"], list[Kind]]:
    """Patch features of a slide, and the claim that each patch is like.

    A patch is three times the signature of a claim, plus the severity along one direction that is
    the same for all tissue, plus noise.
    """
    generator = np.random.default_rng([settings.seed, 2, tumour.number])
    cancers = list(signatures)
    width = next(iter(signatures.values())).shape[1]
    drawn = np.random.default_rng([settings.seed, 3]).standard_normal(width)
    along = drawn / float(np.linalg.norm(drawn))
    patches = 0.3 * generator.standard_normal((settings.patches, width))
    kinds: list[Kind] = []
    for row in range(settings.patches):
        cancer = cancers[row % len(cancers)]
        claim = int(generator.integers(len(signatures[cancer])))
        patches[row] += 3.0 * signatures[cancer][claim] + 2.0 * tumour.severity[cancer] * along
        kinds.append((cancer, claim))
    return patches.astype(np.float32), kinds


def draw_expression(settings: TumourSettings, tumour: Tumour) -> Float[np.ndarray, " gene"]:
    """Expression, in deviations; the genes of a set share its programme."""
    generator = np.random.default_rng([settings.seed, 4, tumour.number])
    noise = generator.standard_normal((SETS, GENES_OF_A_SET))
    expression: Float[np.ndarray, " gene"] = (0.8 * tumour.programme[:, None] + 0.6 * noise).ravel()
    return expression


_ORGANS = {
    "BRCA": ("Breast, mastectomy", "invasive ductal carcinoma"),
    "KIRC": ("Kidney, radical nephrectomy", "clear cell renal cell carcinoma"),
    "LUAD": ("Lung, lobectomy", "adenocarcinoma"),
    "LUSC": ("Lung, lobectomy", "squamous cell carcinoma"),
    "UCEC": ("Uterus, hysterectomy", "endometrioid adenocarcinoma"),
}


def write_report(settings: TumourSettings, tumour: Tumour) -> str:
    """A short pathology report in the words that real ones use."""
    generator = np.random.default_rng([settings.seed, 5, tumour.number])
    organ, histology = _ORGANS.get(tumour.cancer, ("Resection specimen", "carcinoma"))
    size = round(float(1.5 + tumour.stage + 2 * generator.random()), 1)
    grade = int(generator.integers(1, 4))
    nodes = "N1" if tumour.stage >= 2 else "N0"
    invasion = "is present" if tumour.invasion else "is not identified"
    sentences = (
        f"FINAL DIAGNOSIS. {organ}: {histology}.",
        f"Tumor size: {size} cm in greatest dimension. Histologic grade {grade}.",
        f"Lymphovascular invasion {invasion}. Surgical margins are negative for tumor.",
        f"Pathologic stage: pT{tumour.stage + 1} {nodes} MX.",
    )
    return " ".join(sentences)
