"""What a simulated cohort is like: its size, what drives the hazard, and how its files look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import Field, model_validator

from sequela.settings import Settings

YEAR = 365.25
"""Days."""

TransferSyntax = Literal[
    "explicit",
    "implicit",
    "deflated",
    "rle",
    "jpeg-ls",
    "jpeg-2000",
    "jpeg-lossless-sv1",
    "jpeg-lossless",
]
TRANSFER_SYNTAXES: tuple[TransferSyntax, ...] = get_args(TransferSyntax)

Display = Literal[
    "linear",
    "linear-inverted",
    "linear-exact",
    "linear-exact-inverted",
    "sigmoid",
    "sigmoid-inverted",
    "lut",
    "lut-inverted",
]
"""How stored values become brightness; `-inverted` is MONOCHROME1."""
DISPLAYS: tuple[Display, ...] = get_args(Display)

Language = Literal["en", "nl"]


class Signals(Settings):
    """The log-hazard of one standard deviation of each latent; 0 switches a signal off.

    Attributes:
        image: Size of the mass on `mammogram.size_day`, seen in the images alone.
        text: Lymphovascular invasion, told in the notes alone.
        shared: Density of the breast, seen in the images and told in the notes.
        interaction: Size of the mass (images) times omitted radiotherapy (notes).
        change: Growth of the mass between visits, seen in pairs of exams alone.
        clinical: The weighted sum of the clinical covariates.
    """

    image: float = 0.0
    text: float = 0.0
    shared: float = 0.0
    interaction: float = 0.0
    change: float = 0.0
    clinical: float = 0.0


SIGNALS: Mapping[str, Signals] = {
    "none": Signals(),
    "image": Signals(image=1.2),
    "text": Signals(text=1.2),
    "shared": Signals(shared=1.2),
    "interaction": Signals(interaction=1.2),
    "change": Signals(change=1.2),
    "clinical": Signals(clinical=1.2),
    "all": Signals(image=0.5, text=0.4, shared=0.4, interaction=0.8, change=0.9, clinical=0.4),
}
"""Each signal alone, none (the null cohort), and all together."""


class HazardSettings(Settings):
    """Recurrence and death as competing Weibull hazards of one shape, and what censors them.

    Attributes:
        shape: Of both hazards; 1 is a constant hazard.
        five_year_recurrence: 1 - exp(-cumulative hazard) at five years where the linear
            predictor is 0.
        five_year_death: The same for death without recurrence, of every patient.
        accrual_years: Patients enter uniformly over this time.
        study_years: Follow-up ends this long after the first could enter.
        lost_per_year: Rate of loss to follow-up.
    """

    shape: float = Field(default=1.2, gt=0)
    five_year_recurrence: float = Field(default=0.3, gt=0, lt=1)
    five_year_death: float = Field(default=0.05, gt=0, lt=1)
    accrual_years: float = Field(default=4.0, ge=0)
    study_years: float = Field(default=10.0, gt=0)
    lost_per_year: float = Field(default=0.03, ge=0)

    @model_validator(mode="after")
    def _accrual_ends_before_the_study(self) -> HazardSettings:
        if self.accrual_years >= self.study_years:
            raise ValueError("accrual_years must be shorter than study_years")
        return self


class VisitSettings(Settings):
    """When patients are seen, and what is missing of a visit; none of it heeds the outcome.

    Attributes:
        fewest: Exams planned, at least; recurrence, death or censoring cut the plan short.
        most: Exams planned, at most.
        gap: Usual days between exams.
        jitter: Standard deviation of the gap.
        short_share: Share of gaps that are short-interval follow-up, under 183 days.
        missing_view: Share of views that were not taken; one is always left.
        missing_note: Share of exams without a note.
        unsaid: Share of facts that a note leaves out.
        unilateral: Share of patients with one breast.
        missing_covariate: Share of clinical values that are blank in the table.
    """

    fewest: int = Field(default=2, ge=1)
    most: int = Field(default=5, ge=1)
    gap: float = Field(default=365.0, gt=200)
    jitter: float = Field(default=45.0, ge=0)
    short_share: float = Field(default=0.1, ge=0, le=1)
    missing_view: float = Field(default=0.05, ge=0, le=1)
    missing_note: float = Field(default=0.1, ge=0, le=1)
    unsaid: float = Field(default=0.1, ge=0, le=1)
    unilateral: float = Field(default=0.1, ge=0, le=1)
    missing_covariate: float = Field(default=0.03, ge=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> VisitSettings:
        if self.fewest > self.most:
            raise ValueError(f"fewest ({self.fewest}) is more than most ({self.most})")
        return self


class MammogramSettings(Settings):
    """How the phantoms look and how their files are written.

    Attributes:
        height: Rows of an image.
        width: Columns of an image.
        noise: Standard deviation of the detector's noise, where brightness is 0 to 1.
        growth: Log radius of the mass a year, of one standard deviation of the change latent.
        size_day: The day on which the image latent alone is the mass's size. In the midst of the
            visits, the size on any one of them tells little of the growth.
        transfer_syntaxes: Encodings, cycled over the images.
        displays: Ways from stored value to brightness, cycled over the exams.
    """

    height: int = Field(default=384, ge=64)
    width: int = Field(default=320, ge=64)
    noise: float = Field(default=0.015, ge=0, le=0.2)
    growth: float = Field(default=0.14, ge=0)
    size_day: float = Field(default=0.0, ge=0)
    transfer_syntaxes: tuple[TransferSyntax, ...] = Field(default=TRANSFER_SYNTAXES, min_length=1)
    displays: tuple[Display, ...] = Field(default=DISPLAYS, min_length=1)


class SimulationSettings(Settings):
    """A whole cohort.

    Attributes:
        name: What the cohort is called.
        patients: How many patients.
        seed: Every number of the cohort follows from it.
        sites: How many hospitals; each has its own vendor.
        horizon: Days ahead of each landmark for which the oracle's risk is stored.
        size_told: Share of notes that call the mass small, medium-sized or large. Above 0 the
            image signal is partly shared, and alignment pre-training can teach it.
        languages: Of the notes; a hospital writes in one.
        images: Whether to draw mammograms; without them only the tables are written.
        workers: Processes that draw; the files are the same for any number.
    """

    name: str = "simulated"
    patients: int = Field(default=400, ge=1)
    seed: int = Field(default=0, ge=0)
    sites: int = Field(default=3, ge=1, le=26)
    horizon: float = Field(default=1826.0, gt=0)
    size_told: float = Field(default=0.0, ge=0, le=1)
    languages: tuple[Language, ...] = Field(default=("en", "nl"), min_length=1)
    images: bool = True
    workers: int = Field(default=1, ge=1)
    signals: Signals = SIGNALS["all"]
    hazard: HazardSettings = HazardSettings()
    visits: VisitSettings = VisitSettings()
    mammogram: MammogramSettings = MammogramSettings()
