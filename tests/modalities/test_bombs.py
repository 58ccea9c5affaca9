"""Small files that are made to fill memory or time, in the cage that the product reads them in."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from sequela.errors import DataError, ResourceLimitError
from sequela.importers.dicom_header import NotTaken, read_header
from sequela.modalities.feature_file import read_any_features, take_over
from sequela.modalities.mammogram import PixelPolicy, prepare_image
from sequela.modalities.tiling import Tiling, tile_slide
from sequela.simulation.hostile import deflate_bomb, enormous, enormous_jpeg
from sequela.simulation.slide_files import write_aperio_slide
from sequela.workers import Failure, Limits, each

FEATURES = np.ones((3, 4), np.float32)


def huge_dataset(file: h5py.File) -> None:
    file.create_dataset("features", (1 << 40, 1024), "f4", chunks=(1024, 1024))


def huge_chunk(file: h5py.File) -> None:
    """A GiB of zeros in a megabyte, for three rows."""
    shape = {"maxshape": (None, 4), "chunks": (1 << 28, 4)}
    data = file.create_dataset("features", (3, 4), "f4", compression="gzip", **shape)
    packer = zlib.compressobj(1)
    parts = b"".join(packer.compress(bytes(1 << 24)) for _ in range(8))
    data.id.write_direct_chunk((0, 0), parts + packer.flush())


def loop(file: h5py.File) -> None:
    file["features"] = h5py.SoftLink("/coords")
    file["coords"] = h5py.SoftLink("/features")


def external_link(file: h5py.File) -> None:
    file["features"] = h5py.ExternalLink("/etc/passwd", "features")


def external_storage(file: h5py.File) -> None:
    file.create_dataset("features", (3, 4), "u1", external=[("/etc/passwd", 0, 12)])


def object_reference(file: h5py.File) -> None:
    file.create_dataset("features", (3,), h5py.ref_dtype)


def words(file: h5py.File) -> None:
    file.create_dataset("features", data=["x" * 1000] * 100, dtype=h5py.string_dtype())


HDF5 = (huge_dataset, huge_chunk, loop, external_link, external_storage, object_reference, words)


@pytest.mark.parametrize("write", HDF5, ids=lambda write: write.__name__)
def test_a_hostile_bag_is_refused_before_it_is_read(
    write: Callable[[h5py.File], None], tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "bag.h5", "w") as file:
        write(file)
    assert (tmp_path / "bag.h5").stat().st_size < 4 << 20
    began = time.process_time()
    with pytest.raises((DataError, ResourceLimitError)) as caught:
        read_any_features(tmp_path / "bag.h5")
    assert time.process_time() - began < 5
    assert str(tmp_path) not in caught.value.message


def test_deep_groups_and_links_in_circles_are_not_walked(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "bag.h5", "w") as file:
        file["features"] = FEATURES
        group = file
        for _ in range(500):
            group = group.create_group("g")
        group["up"] = file["/"]
        file["g/self"] = h5py.SoftLink("/g/self")
    np.testing.assert_array_equal(read_any_features(tmp_path / "bag.h5").features, FEATURES)


@pytest.mark.parametrize("write", [deflate_bomb, enormous, enormous_jpeg])
def test_a_hostile_image_is_refused_before_it_is_decoded(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    write(tmp_path / "a.dcm")
    assert (tmp_path / "a.dcm").stat().st_size < 1 << 20
    began = time.process_time()
    with pytest.raises((DataError, ResourceLimitError)):
        prepare_image(tmp_path / "a.dcm", PixelPolicy(size=16))
    assert not isinstance(read_header(tmp_path / "a.dcm"), NotTaken)
    assert time.process_time() - began < 5


def test_what_passes_every_check_costs_its_child_alone(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file.create_dataset("features", (1 << 19, 1024), "f4", chunks=(1024, 1024))
    with h5py.File(tmp_path / "good.h5", "w") as file:
        file["features"] = FEATURES
    tasks = [(tmp_path / f"{name}.h5", tmp_path / name) for name in ("large", "good")]
    done = {
        one.index: one.value for one in each(take_over, tasks, workers=1, limits=Limits(1 << 30))
    }
    assert isinstance(done[0], Failure)
    assert "memory" in done[0].reason or "stopped" in done[0].reason
    assert done[1] == (3, 4, {})


def test_a_slide_of_a_size_that_nobody_scans_is_refused(tmp_path: Path) -> None:
    path = write_aperio_slide(tmp_path / "a.svs")
    content = path.read_bytes()
    for tag in (b"\x00\x01\x04\x00\x01\x00\x00\x00", b"\x01\x01\x04\x00\x01\x00\x00\x00"):
        at = content.find(tag) + len(tag)
        assert at > len(tag)
        content = content[:at] + (1 << 30).to_bytes(4, "little") + content[at + 4 :]
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises((DataError, ResourceLimitError, MemoryError)):
        tile_slide(path, Tiling(tile=32), 0.5)
    assert time.process_time() - began < 5
