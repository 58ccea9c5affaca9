"""Bags of patients: the policy that is stated, and samples that nothing but their key changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sequela.errors import DataError
from sequela.modalities.feature_file import SlideFeatures, write_features
from sequela.modalities.patient_inputs import PatientInputs
from sequela.modalities.slide_bags import SampledBags, SlideBags

SIZES = {"one": (3,), "two": (4, 6), "none": ()}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, tuple[Path, ...]]:
    generator = np.random.default_rng(0)
    found = {}
    for patient, sizes in SIZES.items():
        paths = [tmp_path / f"{patient}-{rank}.safetensors" for rank in range(len(sizes))]
        for path, size in zip(paths, sizes, strict=True):
            features = generator.normal(size=(size, 5)).astype(np.float32)
            write_features(path, SlideFeatures(features, None))
        found[patient] = tuple(paths)
    return found


def test_several_slides_are_joined_as_the_policy_says(files):
    both = SlideBags(files).bag("two")
    torch.testing.assert_close(SlideBags(files, "first").bag("two"), both[:4])
    torch.testing.assert_close(SlideBags(files, "largest").bag("two"), both[4:])
    assert SlideBags(files).bag("none").shape == (0, 5)
    assert SlideBags(files).width == 5


def test_a_patient_in_a_batch_has_the_bag_that_he_has_alone(files):
    inputs = PatientInputs(list(SIZES), bags=SlideBags(files))
    together = inputs.batch(np.arange(3))
    assert together.patch_mask.sum(1).tolist() == [3, 10, 0]
    assert not together.patches[~together.patch_mask].any()
    for row, patient in enumerate(SIZES):
        alone = inputs[row]
        assert alone.patch_mask.all()
        torch.testing.assert_close(
            together.patches[row, : alone.patches.shape[1]], alone.patches[0], msg=patient
        )


def test_a_sample_depends_on_seed_epoch_and_patient_alone(files):
    whole = SlideBags(files)
    inputs = PatientInputs(list(SIZES), bags=whole).sampled(4, seed=7)
    first = inputs.at(3).batch(np.array([1])).patches
    reversed_rows = PatientInputs(["two", "one"], bags=whole).sampled(4, seed=7).at(3)
    torch.testing.assert_close(reversed_rows.batch(np.array([0])).patches, first)
    torch.testing.assert_close(inputs.at(3).at(5).at(3).batch(np.array([1])).patches, first)
    others = [inputs.at(epoch).batch(np.array([1])).patches for epoch in range(6)]
    assert len({tuple(one.flatten().tolist()) for one in others}) > 3
    assert not torch.equal(SampledBags(whole, 4, 8, 3).bag("two"), first[0])


def test_a_sample_is_some_of_the_patches_each_once_in_their_order(files):
    bag = SlideBags(files).bag("two")
    for epoch in range(5):
        some = SampledBags(SlideBags(files), 4, 0, epoch).bag("two")
        places = [int((bag == row).all(1).nonzero()) for row in some]
        assert len(places) == 4
        assert places == sorted(set(places))
    torch.testing.assert_close(
        SampledBags(SlideBags(files), 4).bag("one"), SlideBags(files).bag("one")
    )


def test_over_the_epochs_every_patch_is_seen_alike(files):
    bag = SlideBags(files).bag("two")
    counts = torch.zeros(len(bag))
    for epoch in range(400):
        some = SampledBags(SlideBags(files), 4, 0, epoch).bag("two")
        counts += (bag[:, None] == some[None]).all(2).any(1)
    assert ((counts / 400 - 0.4).abs() < 0.1).all()


def test_nothing_is_sampled_where_nobody_asks(files):
    inputs = PatientInputs(list(SIZES), bags=SlideBags(files))
    assert inputs.sampled(None, 0).at(4) is inputs


def test_a_file_of_another_width_is_refused(files):
    write_features(files["two"][1], SlideFeatures(np.ones((2, 6), dtype=np.float32), None))
    with pytest.raises(DataError, match="6 numbers a patch, the others 5"):
        SlideBags(files).bag("two")
