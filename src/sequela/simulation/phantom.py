"""Mammogram phantoms: outline, pectoral muscle, density texture, skin and one growing mass.

A phantom is drawn as a left breast, chest wall at the left edge, and mirrored for the right one.
Brightness is what a display should show, 0 black to 1 white. Tissue stays below 0.65; only the
mass is brighter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float

from sequela.cohort.patient import Side, View
from sequela.simulation.patients import SimulatedPatient, Stream
from sequela.simulation.settings import YEAR, MammogramSettings

SIDES: tuple[Side, ...] = ("L", "R")
VIEWS: tuple[View, ...] = ("CC", "MLO")

MEDIAN_RADIUS = 0.065
"""Of the mass on the day that the image latent speaks of, as a share of the image's height."""
RADIUS_PER_SD = 0.33
"""Log radius of one standard deviation of the image latent."""
RADIUS_RANGE = (0.02, 0.19)

_FAT, _GLAND, _MUSCLE, _SKIN, _MASS = 0.18, 0.55, 0.45, 0.42, 0.97
_SOFTNESS = 0.18  # width of the mass's edge, as a share of its radius
_MIDDLE = 0.54  # share of the height that parts the upper half from the lower in MLO
_PLACE, _LOBES = 10, 11  # keys of the mass's generators, apart from the views' 0 to 3
_TEXTURE = ((6, 0.6), (14, 0.3), (40, 0.2))  # grid cells across the image, weight

Brightness = Float[np.ndarray, "height width"]


@dataclass(frozen=True)
class Lesion:
    """The mass in one stored image.

    Attributes:
        row: Centre, in pixels from the top of the stored image.
        column: Centre, in pixels from its left edge.
        radius: Mean radius in pixels.
        lobes: Bumps around its edge.
        depth: Height of the bumps, as a share of the radius.
        phase: Angle of the bumps, measured from the column axis towards the row axis.
    """

    row: float
    column: float
    radius: float
    lobes: int
    depth: float
    phase: float

    def reach(self, rows: slice, columns: slice) -> Float[np.ndarray, "row column"]:
        """Distance of each pixel from the centre, in radii at its angle; below 1 is inside."""
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(self.row)
        x = np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(self.column)
        bumps = np.cos(self.lobes * np.arctan2(y, x) + np.float32(self.phase))
        edge = self.radius * (1 + self.depth * bumps)
        return np.asarray(np.hypot(y, x) / edge, dtype=np.float32)

    def box(self, height: int, width: int) -> tuple[slice, slice]:
        """The rows and columns that the mass and its soft edge can reach."""
        reach = self.radius * (1 + self.depth) * (1 + 6 * _SOFTNESS)
        return _around(self.row, reach, height), _around(self.column, reach, width)

    def mask(self, height: int, width: int) -> Bool[np.ndarray, "height width"]:
        """True on the pixels of the mass, in an image of this size."""
        return self.reach(slice(0, height), slice(0, width)) < 1


def _around(centre: float, reach: float, size: int) -> slice:
    return slice(max(0, int(centre - reach)), min(size, int(centre + reach) + 2))


def radius_at(settings: MammogramSettings, patient: SimulatedPatient, day: int) -> float:
    """The radius of the patient's mass on a day, as a share of the image's height."""
    size = RADIUS_PER_SD * patient.latents.image
    growth = settings.growth * patient.latents.change * (day - settings.size_day) / YEAR
    return float(np.clip(MEDIAN_RADIUS * np.exp(size + growth), *RADIUS_RANGE))


@dataclass(frozen=True)
class Breast:
    """One breast in one view as it looks at every exam, before the mass and the noise.

    Attributes:
        side: Which breast.
        tissue: Brightness, chest wall at the left edge.
        outline: 1 inside the breast, falling to 0 at its edge.
    """

    side: Side
    tissue: Brightness
    outline: Brightness


def draw_breast(
    settings: MammogramSettings, patient: SimulatedPatient, side: Side, view: View
) -> Breast:
    """The breast that a patient has in this view: the same at all her exams."""
    shape = patient.generator(Stream.BREAST)
    height, depth, middle = shape.uniform((0.37, 0.62, 0.48), (0.44, 0.78, 0.52))
    generator = patient.generator(Stream.BREAST, view_key(side, view))
    distance = _distance(settings.height, settings.width, height, depth, middle)
    outline = ((1 - distance) * 40).clip(0, 1)
    texture = _texture(generator, settings.height, settings.width)
    gland = 1.3 * texture - 0.9 * distance + 0.55 + 0.45 * np.float32(patient.latents.shared)
    tissue = _FAT + (_GLAND - _FAT) / (1 + np.exp(-2.5 * gland))
    tissue = np.where(distance > 0.965, np.maximum(tissue, _SKIN), tissue)
    if view == "MLO":
        muscle = _muscle(generator, settings.height, settings.width)
        tissue = tissue * (1 - muscle) + _MUSCLE * muscle
        outline = np.maximum(outline, muscle)
    return Breast(side, tissue.astype(np.float32), outline.astype(np.float32))


def _distance(height: int, width: int, half: float, depth: float, middle: float) -> Brightness:
    """Half-ellipse radius of each pixel: 0 at the chest wall's middle, 1 on the skin."""
    y = (np.arange(height, dtype=np.float32)[:, None] / height - np.float32(middle)) / half
    x = np.arange(width, dtype=np.float32)[None, :] / width / depth
    return np.asarray(np.hypot(y, x), dtype=np.float32)


def _texture(generator: np.random.Generator, height: int, width: int) -> Brightness:
    """Smooth noise of several scales, mean 0 and standard deviation about 0.7."""
    total = np.zeros((height, width), dtype=np.float32)
    for cells, weight in _TEXTURE:
        grid = generator.standard_normal((cells + 3, cells + 3), dtype=np.float32)
        rows, columns = _smoothing(height, cells), _smoothing(width, cells)
        total += np.float32(weight) * 1.5 * (rows @ grid @ columns.T)
    return total


@cache
def _smoothing(size: int, cells: int) -> Float[np.ndarray, "size cell"]:
    """Cubic B-spline weights that spread a grid of `cells` + 3 values over `size` pixels."""
    place = np.linspace(0, cells, size, endpoint=False, dtype=np.float32)[:, None] + 1
    away = np.abs(place - np.arange(cells + 3, dtype=np.float32))
    near = 2 / 3 - away**2 + away**3 / 2
    return np.where(away < 1, near, np.where(away < 2, (2 - away) ** 3 / 6, 0)).astype(np.float32)


def _muscle(generator: np.random.Generator, height: int, width: int) -> Brightness:
    """1 on the pectoral muscle, a triangle at the chest wall's upper end, falling to 0."""
    tall, wide = generator.uniform((0.45, 0.28), (0.6, 0.4))
    y = np.arange(height, dtype=np.float32)[:, None] / height / tall
    x = np.arange(width, dtype=np.float32) / width / wide
    return np.asarray(((1 - y - x) * 12).clip(0, 1), dtype=np.float32)


@dataclass(frozen=True)
class Positioning:
    """How a view was taken at one exam.

    Attributes:
        shift: Pixels that the breast lies lower than usual.
        gain: Brightness, relative to the usual.
        generator: The detector's noise.
    """

    shift: int
    gain: float
    generator: np.random.Generator


def position(
    settings: MammogramSettings, patient: SimulatedPatient, exam: int, key: int
) -> Positioning:
    """How the view with this key (side and view) was taken at an exam."""
    generator = patient.generator(Stream.EXAM, exam, key)
    shift = int(np.round(generator.uniform(-0.02, 0.02) * settings.height))
    return Positioning(shift, float(generator.uniform(0.96, 1.04)), generator)


def view_key(side: Side, view: View) -> int:
    """A number for each of the four views."""
    return SIDES.index(side) * len(VIEWS) + VIEWS.index(view)


def _where(patient: SimulatedPatient) -> tuple[float, float, float, float, float]:
    """The mass's column and rows (CC, MLO) as shares of the image, and its bumps."""
    low, high = (0.30, 0.38, 0.42, 0.0, 0.0), (0.42, 0.60, 0.66, 0.08, 2 * np.pi)
    across, down_cc, down_mlo, depth, phase = patient.generator(Stream.BREAST, _PLACE).uniform(
        low, high
    )
    return float(across), float(down_cc), float(down_mlo), float(depth), float(phase)


def lies_high(patient: SimulatedPatient) -> bool:
    """Whether the mass lies in the upper half of the breast, as the oblique view shows."""
    return _where(patient)[2] < _MIDDLE


def place_lesion(
    settings: MammogramSettings, patient: SimulatedPatient, exam: int, view: View
) -> Lesion:
    """Where the mass lies at an exam, in a view of the breast that holds it."""
    across, down_cc, down_mlo, depth, phase = _where(patient)
    lobes = int(patient.generator(Stream.BREAST, _LOBES).integers(5, 10))
    shift = position(settings, patient, exam, view_key(patient.side, view)).shift
    row = (down_cc if view == "CC" else down_mlo) * settings.height + shift
    column = across * settings.width
    radius = radius_at(settings, patient, patient.days[exam]) * settings.height
    if patient.side == "R":  # mirroring sends the angle a to pi - a
        column, phase = settings.width - 1 - column, -phase - lobes * np.pi
    return Lesion(float(row), float(column), radius, lobes, float(depth), float(phase))


def draw_display(
    settings: MammogramSettings, breast: Breast, taken: Positioning, lesion: Lesion | None
) -> Brightness:
    """The brightness that a display should show of one view at one exam."""
    rows = (np.arange(settings.height) - taken.shift).clip(0, settings.height - 1)
    display, outline = breast.tissue[rows] * np.float32(taken.gain), breast.outline[rows]
    if breast.side == "R":
        display, outline = display[:, ::-1], outline[:, ::-1]
    if lesion is not None:
        display = np.ascontiguousarray(display)
        box = lesion.box(settings.height, settings.width)
        share = ((1 - lesion.reach(*box)) / (2 * _SOFTNESS) + 0.5).clip(0, 1)
        display[box] = display[box] * (1 - share) + _MASS * share
    noise = taken.generator.standard_normal(display.shape, dtype=np.float32)
    display = display + np.float32(settings.noise) * noise
    return np.asarray((display * outline).clip(0, 1), dtype=np.float32)
