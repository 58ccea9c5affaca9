from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydicom import dcmread

from sequela.importers.dicom_transfer import copy_unnamed
from sequela.importers.pseudonyms import Pseudonyms
from sequela.modalities.mammogram import PixelPolicy, prepare_image
from sequela.simulation.hostile import implant, ordinary, without_preamble
from sequela.simulation.settings import TransferSyntax

KEYED = Pseudonyms(b"k" * 32)


@pytest.mark.parametrize("syntax", get_args(TransferSyntax))
def test_a_copy_is_prepared_as_the_original(syntax: TransferSyntax, tmp_path: Path) -> None:
    ordinary(tmp_path / "one", syntax)
    copy_unnamed(tmp_path / "one", tmp_path / "copy", KEYED)
    before, after = (
        prepare_image(tmp_path / name, PixelPolicy(size=32)) for name in ("one", "copy")
    )
    assert (before[0] == after[0]).all()
    assert before[1] == after[1]
    assert dcmread(tmp_path / "one").file_meta.TransferSyntaxUID == (
        dcmread(tmp_path / "copy").file_meta.TransferSyntaxUID
    )


@pytest.mark.parametrize("write", [implant, without_preamble])
def test_odd_files_are_copied_too(write: object, tmp_path: Path) -> None:
    write(tmp_path / "one")  # type: ignore[operator]
    copy_unnamed(tmp_path / "one", tmp_path / "copy", KEYED)
    prepare_image(tmp_path / "copy", PixelPolicy(size=32))
    assert dcmread(tmp_path / "copy").PatientIdentityRemoved == "YES"
