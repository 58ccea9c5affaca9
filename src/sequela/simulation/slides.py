"""Slides as bags of patch features with a planted signal, as files that `prepare` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float
from pydantic import Field, PositiveInt
from safetensors.numpy import save

from sequela.settings import Settings
from sequela.storage import atomic


class BagSettings(Settings):
    """What simulated slides are like.

    Attributes:
        patches: Fewest and most of a slide.
        width: Numbers a patch.
        share: Of the patches that are tumour in a patient of mean severity.
        signal: How far a tumour patch lies from the others along the planted direction, in
            standard deviations; 0 plants nothing.
        seed: With the patient's id, the key of a slide.
    """

    patches: tuple[PositiveInt, PositiveInt] = (60, 200)
    width: PositiveInt = 32
    share: float = Field(0.15, gt=0, lt=1)
    signal: float = Field(3.0, ge=0)
    seed: int = Field(0, ge=0)


def planted_direction(settings: BagSettings) -> Float[np.ndarray, " feature"]:
    """Where tumour patches lie, of length one."""
    direction = np.random.default_rng((settings.seed, 0)).normal(size=settings.width)
    return np.asarray(direction / np.linalg.norm(direction))


def write_slides(
    folder: Path, severity: Mapping[str, float], settings: BagSettings
) -> tuple[pl.DataFrame, dict[str, Bool[np.ndarray, " patch"]]]:
    """Write `features/PATIENT.safetensors` of each patient; who else is simulated changes no bag.

    Args:
        folder: The cohort folder.
        severity: Of each patient, in standard deviations: the log-odds of a patch being tumour
            rise by it.
        settings: Of the bags.

    Returns:
        The slides table, and which patches of each patient are tumour.
    """
    direction = planted_direction(settings)
    tumour: dict[str, np.ndarray] = {}
    for patient, latent in severity.items():
        key = int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big")
        generator = np.random.default_rng((settings.seed, 1, key))
        count = int(generator.integers(settings.patches[0], settings.patches[1] + 1))
        odds = settings.share / (1 - settings.share) * np.exp(latent)
        tumour[patient] = generator.random(count) < odds / (1 + odds)
        features = generator.normal(size=(count, settings.width))
        features += settings.signal * tumour[patient][:, None] * direction
        across = int(np.ceil(np.sqrt(count)))
        places = np.stack(np.divmod(np.arange(count), across)[::-1], axis=1) * 256
        bag: dict[str, np.ndarray] = {
            "features": features.astype(np.float32),
            "coords": places.astype(np.int64),
        }
        with atomic(folder / "features" / f"{patient}.safetensors") as temporary:
            temporary.write_bytes(save(bag, metadata={"encoder": "simulated"}))
    rows = [
        {"slide_id": f"S-{name}", "patient_id": name, "features": f"features/{name}.safetensors"}
        for name in severity
    ]
    return pl.DataFrame(rows), tumour
