"""Laws of KEMM: company, padding and what is missing change nothing for a patient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sequela.errors import UsageError
from sequela.fusion.knowledge_attention import FEW
from sequela.modalities.batch import Batch
from sequela.models.data_shape import DataShape
from sequela.models.heads import (
    DiscreteHazardHeadConfig,
    HeadConfig,
    PiecewiseHazardHeadConfig,
    RankingHeadConfig,
    fit_head,
    head_warning,
)
from sequela.models.kemm import Kemm
from sequela.models.kemm_config import MODALITIES, KemmConfig
from sequela.models.kemm_variants import CHANGES, WORDS, kemm_variant
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.cox import fit_cox
from sequela.survival.coxnet import fit_coxnet
from sequela.survival.followup import Followup
from sequela.survival.ridge_choice import BLOCK_RIDGES, chosen_ridge

MEMBERS = ((2, 3), (0, 1, 2), (4, 5, 6, 7))
SHAPE = DataShape(
    patch=12,
    genes={"genes": 8, "mutation": 4, "copy_number": 4},
    members={"genes": MEMBERS, "mutation": ((0, 1), (2, 3)), "copy_number": ((0, 1), (1, 2, 3))},
    sets={"genes": ("A", "B", "C"), "mutation": ("A", "B"), "copy_number": ("A", "B")},
    fields=3,
    report_numbers=2,
    text=6,
    covariates=2,
)
PATIENTS = 5


def patients() -> Batch:
    torch.manual_seed(3)
    count = PATIENTS
    return Batch(
        day=torch.zeros((count, 0)),
        exam_mask=torch.zeros((count, 0), dtype=torch.bool),
        patches=torch.randn(count, 9, 12),
        patch_mask=torch.arange(9) < torch.tensor([9, 1, 0, 4, 7])[:, None],
        genes=torch.randn(count, 8),
        gene_mask=torch.tensor([True, False, True, True, True])[:, None].expand(count, 8).clone(),
        mutation=torch.randint(0, 2, (count, 4)).float(),
        mutation_mask=torch.ones((count, 4), dtype=torch.bool),
        copy_number=torch.randn(count, 4),
        copy_number_mask=torch.ones((count, 4), dtype=torch.bool),
        fields=torch.randn(count, 3, 6),
        field_mask=torch.tensor([[1, 1, 0], [0, 0, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0]]).bool(),
        report_numbers=torch.randn(count, 2),
        claims=torch.randn(1, 4, 6).expand(count, -1, -1).clone(),
        claim_modality=torch.tensor([0, 0, 1, 1]).expand(count, -1).clone(),
        claim_direction=torch.tensor([1.0, -1.0, 1.0, 1.0]).expand(count, -1).clone(),
        claim_mask=torch.ones((count, 4), dtype=torch.bool),
        clinical=torch.randn(count, 2),
        clinical_mask=torch.tensor([[1, 1], [1, 0], [0, 0], [1, 1], [1, 1]]).bool(),
    )


def one(batch: Batch, row: int) -> Batch:
    return Batch(
        **{name: value[row : row + 1] for name, value in vars(batch).items() if value is not None}
    )


def network(name: str = "kemm") -> Kemm:
    torch.manual_seed(0)
    config = kemm_variant(name, KemmConfig(dim=8, heads=2, hidden=4, components=3, shape=SHAPE))
    model = Kemm(config, logits=4).eval()
    torch.nn.init.normal_(model.output.weight)
    return model


@pytest.mark.parametrize("name", CHANGES)
def test_a_patient_alone_equals_the_patient_in_a_batch(name: str) -> None:
    model, batch = network(name), patients()
    with torch.no_grad():
        together = model(batch).logits
        alone = torch.cat([model(one(batch, row)).logits for row in range(PATIENTS)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert torch.isfinite(together).all()


def test_every_variant_is_described_and_unknown_ones_are_refused() -> None:
    assert set(WORDS) == set(CHANGES)
    with pytest.raises(UsageError, match="no variant kem"):
        kemm_variant("kem")


def test_a_variant_lets_pass_what_it_reads_and_the_configuration_lets() -> None:
    clinical = KemmConfig(skip=("clinical",))
    assert kemm_variant("without-genes").skip == ("clinical",)
    assert kemm_variant("without-report", clinical).skip == ("clinical",)
    assert kemm_variant("report-only").skip == ("report",)
    assert kemm_variant("kemm-report-skip").skip == ("clinical", "genes", "report")
    assert kemm_variant("kemm-report-skip", clinical).skip == ("clinical", "report")
    assert kemm_variant("report-only", KemmConfig(skip=())).skip == ()


def test_what_is_masked_is_not_looked_at() -> None:
    model, batch = network(), patients()
    changed = {}
    for name, value in vars(batch).items():
        mask = getattr(batch, _mask_of(name), None) if value is not None else None
        if value is None or mask is None or value.dtype == torch.bool:
            changed[name] = value
        else:
            spread = mask.reshape(*mask.shape, *[1] * (value.ndim - mask.ndim))
            changed[name] = torch.where(spread, value, 99.0)
    with torch.no_grad():
        torch.testing.assert_close(model(Batch(**changed)).logits, model(batch).logits)


def _mask_of(name: str) -> str:
    short = {"patches": "patch", "genes": "gene", "fields": "field", "claims": "claim"}
    return f"{short.get(name, name)}_mask"


def test_a_patient_of_whom_nothing_is_known_has_the_risk_of_all() -> None:
    model = network("kemm-without-skip")
    batch = one(patients(), 0)
    empty = {
        name: torch.zeros_like(value) if name.endswith("_mask") else value
        for name, value in vars(batch).items()
        if value is not None and not name.startswith("claim")
    }
    with torch.no_grad():
        output = model(Batch(**empty))
    torch.testing.assert_close(output.logits, model.output.bias[None])
    assert not any(mask.any() for mask in output.masks.values())


def test_the_order_of_patches_does_not_matter() -> None:
    model, batch = network(), patients()
    turned = replace(
        batch,
        patches=batch.patches.flip(1),
        patch_mask=batch.patch_mask.flip(1),  # type: ignore[union-attr]
    )
    with torch.no_grad():
        torch.testing.assert_close(model(turned).logits, model(batch).logits)


def test_knowledge_reaches_the_answer_in_the_way_that_is_named() -> None:
    batch = patients()
    other = replace(batch, claims=batch.claims + 1.0)  # type: ignore[operator]
    for name in ("kemm", "kemm-bias", "kemm-gate", "kemm-late-concat"):
        with torch.no_grad():
            assert not torch.allclose(network(name)(other).logits, network(name)(batch).logits)
    for name in ("kemm-none", "without-pbk", "learned-queries"):
        with torch.no_grad():
            torch.testing.assert_close(network(name)(other).logits, network(name)(batch).logits)


def test_background_knowledge_alone_tells_no_patients_apart() -> None:
    with torch.no_grad():
        logits = network("pbk-only")(patients()).logits
    torch.testing.assert_close(logits, logits[:1].expand(PATIENTS, -1))


def test_claims_look_at_what_they_speak_of() -> None:
    model, batch = network(), patients()
    maps = model.attention(batch)
    assert set(maps) == {"slide", "genes", "mutation", "copy_number"}
    has_slide = batch.patch_mask.any(dim=1)  # type: ignore[union-attr]
    torch.testing.assert_close(
        maps["slide"][:, :2].sum(dim=2), has_slide[:, None].float().expand(-1, 2)
    )
    assert (maps["slide"][:, 2:] == 0).all()
    assert (maps["genes"][:, :2] == 0).all()
    assert maps["genes"].shape == (PATIENTS, 4, 3)
    assert network("learned-queries").attention(batch) == {}


def test_training_starts_from_coxs_model() -> None:
    random = np.random.default_rng(0)
    count = 60
    clinical = torch.from_numpy(random.normal(size=(count, 2)).astype(np.float32))
    time = random.exponential(np.exp(-clinical[:, 0].numpy()))
    followup = Followup(time, random.integers(0, 2, count), None)
    config = kemm_variant("clinical-only", KemmConfig(shape=SHAPE))
    model = Kemm(config, logits=4).eval()
    batch = Batch(
        day=torch.zeros((count, 0)),
        exam_mask=torch.zeros((count, 0), dtype=torch.bool),
        clinical=clinical,
        clinical_mask=torch.ones((count, 2), dtype=torch.bool),
    )
    assert model.skip is not None
    model.skip.fit(batch, followup, 1)
    x, told = clinical.double().numpy(), (time, followup.event == 1)
    dense = fit_cox(x, *told, ridge=chosen_ridge(x, *told, ridges=BLOCK_RIDGES)).coefficients
    mean = (dense + fit_coxnet(x, *told).coefficients) / 2
    expected = (x - x.mean(axis=0)) @ mean
    logits = model(batch).logits.detach().numpy()
    np.testing.assert_allclose(logits, np.repeat(expected[:, None], 4, axis=1), atol=1e-5)


@pytest.mark.parametrize(
    "asked",
    [
        PiecewiseHazardHeadConfig(bins=4),
        DiscreteHazardHeadConfig(bins=4),
        RankingHeadConfig(bins=4, weight=0.0),
    ],
)
def test_training_starts_at_the_level_of_training_patients(asked: HeadConfig) -> None:
    """The mean survival of the first step is theirs, whatever a logit of 0 means to the head."""
    random = np.random.default_rng(0)
    count = 200
    clinical = torch.from_numpy(random.normal(size=(count, 2)).astype(np.float32))
    death = random.exponential(900 * np.exp(-clinical[:, 0].numpy())) + 1
    censored = random.exponential(2500, count) + 1
    followup = Followup(np.minimum(death, censored), (death <= censored).astype(int))
    head = fit_head(asked, followup)
    model = Kemm(kemm_variant("clinical-only", KemmConfig(shape=SHAPE)), head.logits).eval()
    batch = Batch(
        day=torch.zeros((count, 0)),
        exam_mask=torch.zeros((count, 0), dtype=torch.bool),
        clinical=clinical,
        clinical_mask=torch.ones((count, 2), dtype=torch.bool),
    )
    model.start(batch, followup, head, 1)
    times = tuple(float(day) for day in np.quantile(followup.time, (0.25, 0.5, 0.75)))
    told = head.survival(model(batch).logits.detach(), times).mean(dim=0).numpy()
    seen = 1 - aalen_johansen(followup.time, followup.event).at(np.array(times))
    # The bins credit the censored: the discrete hazard is the furthest off.
    np.testing.assert_allclose(told, seen, atol=0.04)


def test_a_cohort_without_what_is_read_is_refused() -> None:
    there = dict.fromkeys(MODALITIES, False) | {"genes": True}
    assert KemmConfig().reads_of(there).reads == ("genes",)
    assert KemmConfig().reads_of(there).skip == ("genes",)
    with pytest.raises(UsageError, match="reads report; the cohort has none"):
        kemm_variant("report-only").reads_of(there)


def test_every_weight_learns() -> None:
    model = network().train()
    model(patients()).logits.square().sum().backward()
    idle = {
        name
        for name, weight in model.named_parameters()
        if weight.requires_grad and (weight.grad is None or not weight.grad.abs().sum())
    }
    assert idle == set()


def test_in_a_shared_space_a_claim_looks_at_the_patches_that_are_like_it() -> None:
    shape = SHAPE.evolve(patch=6)
    torch.manual_seed(0)
    model = Kemm(KemmConfig(dim=8, heads=2, hidden=4, shared_space=40.0, shape=shape), 4).eval()
    batch = patients()
    alike = torch.nn.functional.normalize(batch.claims, dim=2)
    noise = torch.randn(PATIENTS, 5, 6) * 0.1
    batch = replace(
        batch,
        patches=torch.cat([noise, alike[:, :2]], dim=1),
        patch_mask=torch.ones((PATIENTS, 7), dtype=torch.bool),
    )
    with torch.no_grad():
        looked = model.attention(batch)["slide"]
    assert (looked[:, 0].argmax(dim=1) == 5).all()
    assert (looked[:, 1].argmax(dim=1) == 6).all()


class Computing(TorchDispatchMode):
    """Counts what is dispatched, less views and empty allocations: a GPU launches each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.name().removeprefix("aten::")
        self.count += not (func.is_view or name.startswith(("empty", "_unsafe_view", "detach")))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("adapter", ["linear", "relu"])
def test_a_step_on_slides_genes_and_reports_is_at_most_300_operations(adapter: str) -> None:
    torch.manual_seed(0)
    reads = ("slide", "genes", "report")
    config = KemmConfig(reads=reads, skip=(), hidden=4, adapter=adapter, shape=SHAPE)
    model, batch = Kemm(config, logits=4).train(), patients()
    many = torch.randn(PATIENTS, FEW + 1, 12)
    there = torch.ones(many.shape[:2], dtype=torch.bool)
    batch = replace(batch, patches=many, patch_mask=there)
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)
    for _ in range(2):  # the first also makes the optimiser's state
        optimiser.zero_grad()
        with Computing() as computing:
            model(batch).logits.square().sum().backward()
            optimiser.step()
    assert 0 < computing.count <= 300


def test_two_spaces_are_not_taken_for_one() -> None:
    with pytest.raises(UsageError, match="one space"):
        Kemm(KemmConfig(shared_space=1.0, shape=SHAPE), 4)


def test_the_likelihood_of_four_bins_is_warned_about() -> None:
    told = head_warning(DiscreteHazardHeadConfig(bins=4))
    assert told is not None and "4 bins" in told and "overstates survival" in told
    assert head_warning(PiecewiseHazardHeadConfig()) is None
