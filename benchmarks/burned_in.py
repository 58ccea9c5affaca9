"""How often letters burned into a mammogram are found, and how often tissue is taken for letters.

Each simulated mammogram is looked at as it is, and with a line of text drawn into a corner: white
on black or black on white, 10 to 28 pixels high, 6 to 24 characters.

Run: python benchmarks/burned_in.py
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sequela.importers.dicom_file import read_dicom
from sequela.modalities.burned_in import has_burned_in_text
from sequela.modalities.dicom_pixels import stored_values
from sequela.simulation.cohort import simulate
from sequela.simulation.settings import SimulationSettings

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz 0123456789 -:/."


def with_text(pixels: np.ndarray, generator: np.random.Generator, height: int) -> np.ndarray:
    """The image with a line of text in one of its corners."""
    length = int(generator.integers(6, 25))
    text = "".join(generator.choice(list(LETTERS)) for _ in range(length))
    font = ImageFont.load_default(height)
    right, bottom = (int(n) for n in font.getbbox(text)[2:])
    mask = Image.new("L", (right + 4, bottom + 4), 0)
    ImageDraw.Draw(mask).text((2, 2), text, fill=255, font=font)
    line = np.asarray(mask)[: pixels.shape[0], : pixels.shape[1]] / 255
    drawn, (rows, columns) = pixels.copy(), line.shape
    at_top, at_left = generator.random() < 0.5, generator.random() < 0.5
    place = (
        slice(0, rows) if at_top else slice(pixels.shape[0] - rows, None),
        slice(0, columns) if at_left else slice(pixels.shape[1] - columns, None),
    )
    low, high = int(pixels.min()), int(pixels.max())
    if np.median(drawn[place]) > (low + high) / 2:  # stored inverted: white is the lowest value
        low, high = high, low
    if generator.random() < 0.3:  # dark letters on a bright bar
        low, high = high, low
        drawn[place] = low
    drawn[place] = (drawn[place] * (1 - line) + high * line).astype(drawn.dtype)
    return drawn


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--patients", type=int, default=20)
    arguments = asked.parse_args()
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        cohort = Path(folder) / "cohort"
        settings = SimulationSettings.model_validate(
            {"patients": arguments.patients, "mammogram": {"height": 512, "width": 400}}
        )
        simulate(settings, cohort)
        files = sorted((cohort / "dicom").rglob("*.dcm"))
        images = [stored_values(read_dicom(file, pixels=True))[0] for file in files]
    alarms = sum(has_burned_in_text(image) for image in images)
    print(
        f"{len(images)} images without letters: {alarms} false alarms ({alarms / len(images):.1%})"
    )
    for height in (10, 14, 20, 28):
        found = sum(has_burned_in_text(with_text(image, generator, height)) for image in images)
        print(f"letters of {height} pixels: recall {found / len(images):.1%} of {len(images)}")


if __name__ == "__main__":
    main()
