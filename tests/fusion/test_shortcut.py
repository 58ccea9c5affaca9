"""What the shortcut adds is linear in the vectors and in the product of the two kinds."""

from __future__ import annotations

import torch

from sequela.fusion.shortcut import Shortcut
from sequela.models.build import build_model
from sequela.models.lumin_variants import variant

KINDS = ("image", "text")


def drawn(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {kind: torch.randn(5, 2, 8, generator=generator) for kind in KINDS}


def test_without_the_product_logits_of_a_sum_are_the_sum_of_logits() -> None:
    shortcut = Shortcut(("image",), 2, 8, 3)
    mask = torch.ones(5, 2, dtype=torch.bool)
    one, other = ({"image": drawn(seed)["image"]} for seed in (0, 1))
    both = {"image": one["image"] + other["image"]}
    at_zero = shortcut({"image": torch.zeros(5, 2, 8)}, mask)
    torch.testing.assert_close(
        shortcut(both, mask) + at_zero, shortcut(one, mask) + shortcut(other, mask)
    )


def test_the_product_is_linear_in_each_kind_by_itself() -> None:
    shortcut = Shortcut(KINDS, 2, 8, 3).double()
    mask = torch.ones(5, 2, dtype=torch.bool)
    image, text = (value.double() for value in drawn(0).values())

    def mixed_difference(scale: float) -> torch.Tensor:
        corners = [
            shortcut({"image": image * a, "text": text * b}, mask)
            for a, b in ((scale, 1.0), (scale, 0.0), (0.0, 1.0), (0.0, 0.0))
        ]
        return corners[0] - corners[1] - corners[2] + corners[3]

    assert mixed_difference(1.0).abs().max() > 1e-3
    torch.testing.assert_close(mixed_difference(2.0), 2 * mixed_difference(1.0))


def test_garbage_in_an_exam_that_is_not_there_changes_nothing() -> None:
    shortcut = Shortcut(KINDS, 2, 8, 3)
    mask = torch.ones(5, 2, dtype=torch.bool)
    mask[:, 0] = False
    vectors = drawn(0)
    garbage = {kind: value.clone() for kind, value in vectors.items()}
    for value in garbage.values():
        value[:, 0] = 1e6
    torch.testing.assert_close(shortcut(garbage, mask), shortcut(vectors, mask))


def test_the_paper_has_none_and_an_option_adds_nothing_but_it() -> None:
    image = {"name": "resnet10t", "options": {"channels": [8, 8, 8, 8], "stem_width": 4}}
    small = {"image": image, "text": None, "dim": 8, "heads": 2, "pretrained_alignment": False}
    plain = variant("lumin-t").evolve(**small)
    assert plain.shortcut is False
    names = {
        option: {name for name, _ in build_model(config, 1).named_parameters()}
        for option, config in (("without", plain), ("with", plain.evolve(shortcut=True)))
    }
    added = names["with"] - names["without"]
    assert added
    assert all(name.startswith("shortcut.") for name in added)
    assert names["without"] < names["with"]
