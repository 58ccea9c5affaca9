from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

VARIANTS = ("kaplan-meier", "cox-clinical", "timing-only", "st-i", "l-b", "lumin")


def estimate(value: float, width: float = 0.06) -> dict[str, Any]:
    return {"value": value, "low": value - width, "high": value + width}


def group(name: str, drop: float) -> dict[str, Any]:
    survival = [1 - drop * step for step in range(6)]
    return {
        "group": name,
        "curve": {
            "time": [365.25 * step for step in range(6)],
            "survival": survival,
            "low": [None, *[value - 0.05 for value in survival[1:]]],
            "high": [None, *[min(value + 0.05, 1.0) for value in survival[1:]]],
        },
        "at_risk": [[365.25 * step, 60 - 7 * step] for step in range(6)],
    }


def model(variant: str, auc: float) -> dict[str, Any]:
    metrics = {
        "auc": estimate(auc),
        "accuracy": estimate(auc - 0.0321),
        "sensitivity": estimate(auc - 0.1),
        "specificity": estimate(auc + 0.051),
        "hazard_ratio": estimate(1 + 3 * (auc - 0.5), 0.4),
        "log_rank_p": {"value": 0.0004},
        "wald_p": {"value": 0.0213},
    }
    if variant == "kaplan-meier":
        for name in ("hazard_ratio", "log_rank_p", "wald_p"):
            metrics[name] = {"undefined": "all patients have the same risk"}
    groups = [] if variant == "kaplan-meier" else [group("high", 0.09), group("low", 0.03)]
    return {"variant": variant, "metrics": metrics, "stratification": {"groups": groups}}


def evaluation() -> dict[str, Any]:
    models = [model(variant, 0.5 + 0.05 * row) for row, variant in enumerate(VARIANTS)]
    return {"synthetic": True, "models": list(reversed(models))}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "evaluation.json").write_text(json.dumps(evaluation()))
    return folder


VOID = {"meta", "link", "br", "img", "hr", "input", "source", "col"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(
            child if isinstance(child, str) else child.text for child in self.children
        ).strip()

    def every(self, tag: str, **attributes: str) -> list[Element]:
        found = []
        for child in self.children:
            if isinstance(child, Element):
                wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
                if child.tag == tag and wanted.items() <= child.attributes.items():
                    found.append(child)
                found += child.every(tag, **attributes)
        return found

    def walk(self) -> list[Element]:
        inner = [child for child in self.children if isinstance(child, Element)]
        return inner + [deeper for child in inner for deeper in child.walk()]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute of <{tag}> stands twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(text: str) -> Element:
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert builder.open == [builder.root], "an element is not closed"
    return builder.root


@pytest.fixture
def read_page() -> Callable[[Path], Element]:
    """A page as elements; fails where the HTML is not well formed."""
    return lambda path: parse(path.read_text(encoding="utf-8"))
