"""A FHIR bundle, XML or JSON, as plain resources; nothing in it can reach beyond the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from sequela.errors import DataError, ResourceLimitError

LARGEST = 256 << 20
"""Bytes of a bundle; the records of a patient with decades of history have a few."""
_DEEPEST = 64
_XHTML = "http://www.w3.org/1999/xhtml"
_MEND = "export the bundle again as FHIR XML (DSTU 2) or FHIR JSON (R4)"

Resource = dict[str, Any]
"""A resource in FHIR's JSON form: values are text, elements that repeat are lists."""


def read_bundle(path: Path) -> list[Resource]:
    """The resources of a bundle, each with its `resourceType`.

    Raises:
        DataError: If the file is not a bundle, or declares a document type (entities).
        ResourceLimitError: If it is larger or deeper than any patient's record.
    """
    if path.stat().st_size > LARGEST:
        raise ResourceLimitError(
            f"{path.name} is larger than {LARGEST >> 20} MB", hint="export one bundle a patient"
        )
    data = path.read_bytes()
    root = _from_json(data, path.name) if path.suffix == ".json" else _from_xml(data, path.name)
    if root.get("resourceType") != "Bundle":
        raise DataError(f"{path.name} is not a FHIR bundle", hint=_MEND)
    entries = (entry.get("resource") for entry in items(root, "entry") if isinstance(entry, dict))
    return [entry for entry in entries if isinstance(entry, dict) and "resourceType" in entry]


def items(element: Any, name: str) -> list[Any]:
    """The child elements of that name, none, one or many."""
    value = element.get(name) if isinstance(element, dict) else None
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text(element: Any, *paths: str) -> str:
    """The first text found at one of the dotted paths, taking the first of repeated elements."""
    return next((found for path in paths for found in _walk(element, path.split("."))), "")


def _walk(element: Any, steps: list[str]) -> Iterator[str]:
    if not steps:
        element = element.get("@value") if isinstance(element, dict) else element
        if isinstance(element, str | int | float) and str(element).strip():
            yield " ".join(str(element).split())
        return
    for child in items(element, steps[0]):
        yield from _walk(child, steps[1:])


def _from_json(data: bytes, name: str) -> Resource:
    try:
        root = json.loads(data, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        raise DataError(f"{name} is not valid JSON", hint=_MEND) from None
    return root if isinstance(root, dict) else {}


@dataclass
class _Builder:
    """Turns XML events into FHIR's JSON form; text between elements carries nothing in FHIR."""

    stack: list[tuple[str, Resource]] = field(default_factory=lambda: [("", {})])
    skipped: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        space, _, name = tag.rpartition(" ")
        if self.skipped or space == _XHTML:
            self.skipped += 1
            return
        if len(self.stack) > _DEEPEST:
            raise ResourceLimitError("the bundle is nested deeper than any record")
        value = {"@value": attributes["value"]} if "value" in attributes else {}
        self.stack.append((name, value))

    def end(self, _: str) -> None:
        if self.skipped:
            self.skipped -= 1
            return
        name, element = self.stack.pop()
        parent_name, parent = self.stack[-1]
        child: Any = element.get("@value", element) if len(element) < 2 else element
        if parent_name == "resource" or not parent_name:
            parent.update(element, resourceType=name)
        elif name in parent:
            if not isinstance(parent[name], list):
                parent[name] = [parent[name]]
            parent[name].append(child)
        else:
            parent[name] = child


def _from_xml(data: bytes, name: str) -> Resource:
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise DataError(f"{name}, line {error.lineno}: not valid XML", hint=_MEND) from None
    except _DoctypeError:
        raise DataError(
            f"{name} declares a document type, which FHIR forbids and attackers use",
            hint="remove the DOCTYPE, or export the bundle again",
        ) from None
    return builder.stack[0][1]


class _DoctypeError(Exception):
    """A document type declaration was met."""


def _refuse_doctype(*_: object) -> None:
    raise _DoctypeError
