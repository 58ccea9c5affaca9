"""Which breast and which view a mammogram's header says it shows (PS3.3 C.8.11.7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import Dataset

from sequela.cohort.patient import Side, View

# PS3.16 CID 4014 (views) and CID 4015 (modifiers): SNOMED CT code, then the SRT code it replaced.
_VIEWS: dict[str, str] = {
    **dict.fromkeys(("399162004", "R-10242"), "CC"),
    **dict.fromkeys(("399368009", "R-10226"), "MLO"),
    **dict.fromkeys(("399260004", "R-10224"), "medio-lateral (ML)"),
    **dict.fromkeys(("399352003", "R-10228"), "latero-medial (LM)"),
    **dict.fromkeys(("399099002", "R-10230"), "latero-medial oblique (LMO)"),
    **dict.fromkeys(("399188001", "R-102D0"), "superolateral to inferomedial oblique (SIO)"),
    **dict.fromkeys(("441555000", "R-40AAA"), "inferomedial to superolateral oblique (ISO)"),
    **dict.fromkeys(("399196006", "R-10244"), "caudo-cranial, from below (FB)"),
    **dict.fromkeys(("399192008", "R-1024A"), "exaggerated cranio-caudal, laterally (XCCL)"),
    **dict.fromkeys(("399101009", "R-1024B"), "exaggerated cranio-caudal, medially (XCCM)"),
    **dict.fromkeys(("399265002", "R-102CF"), "exaggerated cranio-caudal (XCC)"),
    **dict.fromkeys(("127457009", "G-8310"), "a tissue specimen"),
}
_MODIFIERS: dict[str, str] = {
    **dict.fromkeys(("399209000", "R-102D5"), "implant displaced"),
    **dict.fromkeys(("442581004", "R-40AB3"), "nipple in profile"),
    **dict.fromkeys(("442593008", "R-40ABE"), "infra-mammary fold"),
    **dict.fromkeys(("442580003", "R-40AB2"), "axillary tissue"),
    **dict.fromkeys(("399055006", "R-102D7"), "spot compression"),
    **dict.fromkeys(("399163009", "R-102D6"), "magnification"),
    **dict.fromkeys(("399161006", "R-102D2"), "cleavage"),
    **dict.fromkeys(("399011000", "R-102D1"), "axillary tail"),
    **dict.fromkeys(("399197002", "R-102D3"), "rolled lateral"),
    **dict.fromkeys(("399226006", "R-102D4"), "rolled medial"),
    **dict.fromkeys(("414493004", "R-102CA"), "rolled inferior"),
    **dict.fromkeys(("415670009", "R-102C9"), "rolled superior"),
    **dict.fromkeys(("399110001", "R-102C2"), "tangential"),
    **dict.fromkeys(("441752004", "P2-00161"), "anterior compression"),
}
_STANDARD = {"implant displaced", "nipple in profile", "infra-mammary fold", "axillary tissue"}
"""Modifiers that leave a CC or MLO a CC or MLO; with any other it is set aside."""


@dataclass(frozen=True)
class Projection:
    """Side, view and standard modifiers; or the reason why the image is set aside."""

    side: Side | None = None
    view: View | None = None
    modifiers: tuple[str, ...] = ()
    aside: str = ""


def projection(header: Dataset) -> Projection:
    """What `header` says: the coded view with its modifiers, else ViewPosition.

    A coded view that we know decides, whatever ViewPosition says; ViewPosition decides where
    there is no code or one that we do not know.
    """
    side = _side(header)
    view = _view(header)
    modifiers = tuple(dict.fromkeys(_modifiers(header)))
    other = [modifier for modifier in modifiers if modifier not in _STANDARD]
    if other:
        return Projection(aside=f"is a special view: {', '.join(other)}")
    if view not in ("CC", "MLO"):
        return Projection(aside=f"shows {view}, not CC or MLO" if view else "names no view we know")
    if side is None:
        return Projection(aside="does not say whether it shows the left or the right breast")
    return Projection(side, "CC" if view == "CC" else "MLO", modifiers)


def _side(header: Dataset) -> Side | None:
    for value in (header.get("ImageLaterality"), header.get("Laterality"), _frame_side(header)):
        match str(value or "").strip().upper():
            case "L" | "LEFT":
                return "L"
            case "R" | "RIGHT":
                return "R"
            case "B" | "BOTH":
                return None
    return None


def _frame_side(header: Dataset) -> str:
    for group in header.get("SharedFunctionalGroupsSequence") or ():
        for anatomy in group.get("FrameAnatomySequence") or ():
            return str(anatomy.get("FrameLaterality") or "")
    return ""


def _view(header: Dataset) -> str:
    for code in _codes(header, "ViewCodeSequence"):
        if code in _VIEWS:
            return _VIEWS[code]
    position = str(header.get("ViewPosition") or "").strip().upper()
    if position in ("CC", "MLO"):
        return position
    return position if position.isalpha() and len(position) <= 5 else ""


def _modifiers(header: Dataset) -> Iterator[str]:
    """Modifiers stand inside the view's item; some vendors put them beside it."""
    holders = [header, *(header.get("ViewCodeSequence") or ())]
    for holder in holders:
        for code in _codes(holder, "ViewModifierCodeSequence"):
            yield _MODIFIERS.get(code, "a view modifier that we do not know")


def _codes(holder: Dataset, keyword: str) -> Iterator[str]:
    for item in holder.get(keyword) or ():
        yield str(item.get("CodeValue") or item.get("LongCodeValue") or "").strip()
