from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom import Dataset
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

from sequela.importers import view_codes
from sequela.importers.view_codes import projection

Make = Callable[..., Dataset]


@pytest.mark.parametrize(("context", "table"), [(4014, "_VIEWS"), (4015, "_MODIFIERS")])
def test_every_code_of_the_standard_is_known_in_both_schemes(context: int, table: str) -> None:
    known = getattr(view_codes, table)
    for name in cid_concepts[context]["SCT"]:
        for value in concepts["SCT"][name]:
            assert value in known
            assert known[mapping["SCT"][value]] == known[value]


@pytest.mark.parametrize(
    ("code_value", "scheme", "view"),
    [
        ("R-10242", "SRT", "CC"),
        ("399162004", "SCT", "CC"),
        ("R-10226", "SNM3", "MLO"),
        ("399368009", "SCT", "MLO"),
    ],
)
def test_a_coded_view_is_read(
    make_header: Make, code: Make, code_value: str, scheme: str, view: str
) -> None:
    header = make_header(side="R", ViewCodeSequence=[code(code_value, scheme)], ViewPosition="ML")
    shown = projection(header)
    assert (shown.side, shown.view, shown.aside) == ("R", view, "")


@pytest.mark.parametrize(
    ("code_value", "name"), [("R-10224", "ML"), ("399352003", "LM"), ("R-1024A", "XCCL")]
)
def test_another_projection_is_not_taken_for_a_standard_one(
    make_header: Make, code: Make, code_value: str, name: str
) -> None:
    header = make_header(ViewCodeSequence=[code(code_value)], ViewPosition="MLO")
    shown = projection(header)
    assert shown.view is None
    assert f"({name})" in shown.aside


@pytest.mark.parametrize(
    ("position", "view"), [("CC", "CC"), ("mlo ", "MLO"), ("ML", None), ("XCCL", None), ("", None)]
)
def test_the_view_position_decides_where_no_code_does(
    make_header: Make, code: Make, position: str, view: str | None
) -> None:
    for sequence in ([], [code("MY-1", "99LOCAL")]):
        header = make_header(ViewCodeSequence=sequence, ViewPosition=position)
        assert projection(header).view == view


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize(
    ("modifier", "name"),
    [
        ("R-102D7", "spot compression"),
        ("399163009", "magnification"),
        ("399197002", "rolled lateral"),
        ("99-NEW", "a view modifier that we do not know"),
    ],
)
def test_a_special_view_is_set_aside_by_name(
    make_header: Make, code: Make, modifier: str, name: str, beside: bool
) -> None:
    header = make_header()
    holder = header if beside else header.ViewCodeSequence[0]
    holder.ViewModifierCodeSequence = [code(modifier)]
    assert projection(header).aside == f"is a special view: {name}"


def test_an_implant_may_be_displaced(make_header: Make, code: Make) -> None:
    header = make_header()
    header.ViewCodeSequence[0].ViewModifierCodeSequence = [code("R-102D5"), code("442581004")]
    shown = projection(header)
    assert (shown.view, shown.modifiers) == ("CC", ("implant displaced", "nipple in profile"))


@pytest.mark.parametrize("side", ["", "B", "U"])
def test_without_a_side_there_is_no_image(make_header: Make, side: str) -> None:
    assert "left or the right" in projection(make_header(side=side)).aside


def test_the_side_may_stand_elsewhere(make_header: Make) -> None:
    header = make_header(side="")
    header.Laterality = "R"
    assert projection(header).side == "R"
    anatomy, group = Dataset(), Dataset()
    anatomy.FrameLaterality = "L"
    group.FrameAnatomySequence = [anatomy]
    other = make_header(side="", SharedFunctionalGroupsSequence=[group])
    assert projection(other).side == "L"
