"""What training asks of a model whose patients are seen once: no visits, no mammograms."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sequela.errors import UsageError
from sequela.models.data_shape import DataShape
from sequela.models.heads import HeadConfig, PiecewiseHazardHeadConfig
from sequela.settings import Settings, SettingsT


class SeenOnce(Settings):
    """The part that KEMM and its rivals share.

    Attributes:
        shape: Of the data; filled in before the network is built.
        head: What the logits say; the 4-bin likelihood of the field is
            `{kind: discrete-hazard, bins: 4}`.
    """

    shape: DataShape | None = None
    head: Annotated[HeadConfig, Field(discriminator="kind")] = PiecewiseHazardHeadConfig()

    @property
    def image(self) -> None:
        """It reads no mammograms."""

    @property
    def text(self) -> None:
        """Its texts are read before training, by an encoder that is not trained."""

    @property
    def clinical(self) -> bool:
        """What covariates it reads is scaled with its other tables."""
        return False

    @property
    def exams(self) -> int:
        """It sees no visits."""
        return 1

    @property
    def pretrained_alignment(self) -> bool:
        """It starts from nothing that was aligned."""
        return False

    def portable(self: SettingsT) -> SettingsT:
        """Itself: it names no file that its weights do not hold."""
        return self

    def known_shape(self) -> DataShape:
        """The shape of the data.

        Raises:
            UsageError: If it is not known yet.
        """
        if self.shape is None:
            raise UsageError("the shape of the data is not known", hint="resolve it before")
        return self.shape
