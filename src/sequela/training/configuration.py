"""The whole configuration: one section a room, read from YAML and the command line."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.splits import SplitSettings
from sequela.encoders.frozen_text import HASHED
from sequela.encoders.slide_encoding import SlideSettings
from sequela.evaluation.settings import EvaluationSettings
from sequela.modalities.expression import GeneSettings
from sequela.modalities.mammogram import PixelPolicy
from sequela.modalities.text import TextSettings
from sequela.models.build import ModelConfig
from sequela.models.heads import BinaryHeadConfig, HeadConfig
from sequela.models.lumin import LuminConfig
from sequela.settings import Settings
from sequela.storage import fingerprint
from sequela.training.fitting import (
    MachineSettings,
    PretrainSettings,
    TextPretrainSettings,
    TrainSettings,
)

ALIGNED = ("protocol", "split", "images", "text", "model", "pretrain")
PREDICTED = (
    *("protocol", "split", "images", "text", "slides", "genes", "knowledge"),
    *("model", "head", "train"),
)


class ExplainSettings(Settings):
    """Whose predictions are explained, and how closely.

    Attributes:
        patients: How many test patients; the highest and the lowest risks are taken.
        checked: Cases on whose maps lesions are looked for and shuffled weights compared.
        nodes: Of the integral in the attribution of words.
        attention: Also give gradient × attention, which is weak evidence.
        orders: Orders of parts that are drawn where there are more than 13; each goes both ways.
        probed: Test patients on whom the parts are probed; 0 leaves the probes out.
        scattered: Of those, how many t-SNE draws; 0 leaves it out.
        seed: Of what is drawn.
    """

    patients: int = Field(default=4, ge=1)
    checked: int = Field(default=40, ge=1)
    nodes: int = Field(default=32, ge=1)
    attention: bool = True
    orders: int = Field(default=64, ge=1)
    probed: int = Field(default=300, ge=0)
    scattered: int = Field(default=60, ge=0)
    seed: int = 0


class Configuration(Settings):
    """Everything that a user can ask for; `machine` alone changes no result.

    Attributes:
        protocol: From where patients are seen, and what is predicted.
        split: How patients are divided.
        images: How a mammogram becomes pixels.
        text: How a text becomes tokens.
        model: The full model; a variant leaves something out of it.
        slides: How whole-slide images become bags of patch features.
        genes: How gene tables become numbers.
        knowledge: The encoder of report fields and claims: `hashed`, which needs no weights, or a
            Hugging Face folder or name; it is not trained.
        head: What the logits say.
        pretrain_text: A language model of the cohort's own notes.
        pretrain: Alignment of image and text.
        train: Prediction of the outcome.
        evaluation: How predictions become numbers.
        explain: Whose predictions are explained.
        machine: Where and how fast.
    """

    protocol: ProtocolSettings = ProtocolSettings()
    split: SplitSettings = SplitSettings()
    images: PixelPolicy = PixelPolicy()
    text: TextSettings = TextSettings()
    model: ModelConfig = LuminConfig()
    slides: SlideSettings = SlideSettings()
    genes: GeneSettings = GeneSettings()
    knowledge: str = HASHED
    head: HeadConfig = Field(default=BinaryHeadConfig(), discriminator="kind")
    pretrain_text: TextPretrainSettings = TextPretrainSettings()
    pretrain: PretrainSettings = PretrainSettings()
    train: TrainSettings = TrainSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    explain: ExplainSettings = ExplainSettings()
    machine: MachineSettings = MachineSettings()

    def as_values(self) -> dict[str, Any]:
        """Every setting as plain values, defaults included."""
        return self.model_dump(mode="json")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all sections that a result depends on; a text encoder has one of its own."""
        return fingerprint(
            self.model_dump_json(exclude={"machine", "explain", "evaluation", "pretrain_text"})
        )
