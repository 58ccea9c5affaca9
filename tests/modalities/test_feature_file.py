"""Feature files: ours come back as they went, others' dialects are one, bad ones are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.numpy

from sequela.errors import DataError, ResourceLimitError
from sequela.modalities import feature_file
from sequela.modalities.feature_file import (
    SlideFeatures,
    read_any_features,
    read_features,
    read_header,
    take_over,
    write_features,
)

FEATURES = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
COORDS = np.arange(10).reshape(5, 2) * 256


def hdf5(path: Path, attributes: dict[str, Any] | None = None, **arrays: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file.attrs.update(attributes or {})
    return path


def test_features_come_back_as_they_were_written(tmp_path):
    made = {"encoder": "colours", "mpp": 0.5}
    write_features(tmp_path / "a.safetensors", SlideFeatures(FEATURES, COORDS, made))
    back = read_features(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(back.features, FEATURES)
    np.testing.assert_array_equal(back.coords, COORDS)
    assert back.made == made
    assert read_header(tmp_path / "a.safetensors") == (5, 7, made)


def test_the_same_features_make_the_same_bytes(tmp_path):
    for name in "ab":
        made = {"mpp": 0.5, "encoder": "x"} if name == "a" else {"encoder": "x", "mpp": 0.5}
        write_features(tmp_path / name, SlideFeatures(FEATURES, COORDS, made))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_could_not_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    write_features(path, SlideFeatures(FEATURES, COORDS))
    before = path.read_bytes()

    def half(tensors: object, filename: Path, metadata: object) -> None:
        Path(filename).write_bytes(before[:50])
        raise KeyboardInterrupt

    monkeypatch.setattr(feature_file, "save_file", half)
    with pytest.raises(KeyboardInterrupt):
        write_features(path, SlideFeatures(FEATURES * 2, COORDS))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


DIALECTS = {
    "clam": {"features": FEATURES, "coords": COORDS},
    "clam-batched": {"features": FEATURES[None], "coords": COORDS[None]},
    "trident-half": {"features": FEATURES.astype(np.float16)[None], "coords": COORDS},
    "stamp": {"feats": FEATURES, "coords": COORDS.astype(float)},
    "without-coords": {"features": FEATURES},
}


@pytest.mark.parametrize("ending", [".h5", ".safetensors"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_holds_the_same_features(tmp_path, dialect, ending):
    arrays = DIALECTS[dialect]
    path = tmp_path / f"a{ending}"
    if ending == ".h5":
        hdf5(path, **arrays)
    else:
        safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path)
    found = read_any_features(path)
    np.testing.assert_allclose(found.features, FEATURES, atol=2e-3 if "half" in dialect else 0)
    assert found.features.dtype == np.float32
    assert ("coords" in arrays) == (found.coords is not None)
    if found.coords is not None:
        np.testing.assert_array_equal(found.coords, COORDS)


def test_the_encoder_is_read_where_the_file_names_it(tmp_path):
    path = hdf5(tmp_path / "a.h5", {"extractor": "uni-v2"}, feats=FEATURES)
    assert read_any_features(path).made == {"encoder": "uni-v2"}


def spoiled(value: float) -> np.ndarray:
    return np.where(np.arange(7) == 3, value, FEATURES).astype(np.float32)


BAD = {
    "no patch": {"features": FEATURES[:0]},
    "NaN": {"features": spoiled(np.nan)},
    "infinite": {"features": spoiled(np.inf)},
    "do not belong together": {"features": FEATURES, "coords": COORDS[:4]},
    "patches × numbers": {"features": FEATURES[None].repeat(2, 0)},
    "neither features nor feats": {"embedding": FEATURES},
}


@pytest.mark.parametrize("ending", [".h5", ".safetensors"])
@pytest.mark.parametrize("sentence", BAD)
def test_a_bad_bag_is_one_sentence(tmp_path, sentence, ending):
    path = tmp_path / f"a{ending}"
    if ending == ".h5":
        hdf5(path, **BAD[sentence])
    else:
        safetensors.numpy.save_file(BAD[sentence], path)
    with pytest.raises(DataError, match=sentence) as error:
        read_any_features(path)
    assert str(tmp_path) not in error.value.message


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.pkl"])
def test_a_pickle_is_refused_with_how_to_convert_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match=r"weights_only=True.*safetensors"):
        read_any_features(tmp_path / name)


@pytest.mark.parametrize("name", ["a.h5", "a.safetensors", "a.csv"])
def test_garbage_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(np.random.default_rng(2).bytes(500))
    with pytest.raises(DataError):
        read_any_features(tmp_path / name)


def test_hdf5_reads_no_other_file_and_nothing_huge(tmp_path):
    hdf5(tmp_path / "other.h5", features=FEATURES)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["features"] = h5py.ExternalLink("other.h5", "features")
    with pytest.raises(DataError, match="not in the file itself"):
        read_any_features(tmp_path / "link.h5")
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((5, 7), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "features", (5, 7))
        file.create_virtual_dataset("features", layout)
    with pytest.raises(DataError, match="not in the file itself"):
        read_any_features(tmp_path / "virtual.h5")
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("features", (1 << 30, 1024), "f4", chunks=(1024, 1024))
    with pytest.raises(ResourceLimitError):
        read_any_features(tmp_path / "huge.h5")


def test_hdf5_is_written_again_and_safetensors_left_where_they_are(tmp_path):
    for ending in ("h5", "safetensors"):
        source, target = tmp_path / f"a.{ending}", tmp_path / f"ours-{ending}"
        if ending == "h5":
            hdf5(source, {"encoder": "uni"}, features=FEATURES[None], coords=COORDS)
        else:
            write_features(source, SlideFeatures(FEATURES, COORDS))
        assert take_over(source, target)[:2] == (5, 7)
        assert target.exists() == (ending == "h5")
    np.testing.assert_array_equal(read_features(tmp_path / "ours-h5").features, FEATURES)
    assert read_header(tmp_path / "ours-h5")[2] == {"encoder": "uni"}
