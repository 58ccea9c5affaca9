"""Simulated bags hold the signal that was planted, and none where none was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from sequela.simulation.slides import BagSettings, planted_direction, write_slides

SEVERITY = {f"P{number}": severity for number, severity in enumerate(np.linspace(-2, 2, 30))}


def projected(folder: Path, settings: BagSettings) -> dict[str, np.ndarray]:
    direction = planted_direction(settings)
    return {
        name: load_file(folder / "features" / f"{name}.safetensors")["features"] @ direction
        for name in SEVERITY
    }


def test_tumour_patches_lie_where_they_were_planted_and_are_more_in_severe_patients(tmp_path):
    settings = BagSettings()
    table, tumour = write_slides(tmp_path, SEVERITY, settings)
    along = projected(tmp_path, settings)
    inside = np.concatenate([along[name][tumour[name]] for name in SEVERITY])
    outside = np.concatenate([along[name][~tumour[name]] for name in SEVERITY])
    assert abs(inside.mean() - settings.signal) < 0.15
    assert abs(outside.mean()) < 0.15
    shares = [tumour[name].mean() for name in SEVERITY]
    assert np.corrcoef(shares, list(SEVERITY.values()))[0, 1] > 0.8
    assert table["patient_id"].to_list() == list(SEVERITY)
    assert all((tmp_path / path).is_file() for path in table["features"])


def test_without_a_signal_tumour_patches_look_like_the_others(tmp_path):
    settings = BagSettings(signal=0.0)
    _, tumour = write_slides(tmp_path, SEVERITY, settings)
    along = projected(tmp_path, settings)
    inside = np.concatenate([along[name][tumour[name]] for name in SEVERITY])
    assert abs(inside.mean()) < 0.15


def test_a_bag_does_not_depend_on_who_else_is_simulated(tmp_path):
    write_slides(tmp_path / "all", SEVERITY, BagSettings())
    write_slides(tmp_path / "one", {"P7": SEVERITY["P7"]}, BagSettings())
    name = "features/P7.safetensors"
    assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
