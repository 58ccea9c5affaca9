"""What a user installs with Sequela: its licences, and versions without known holes."""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from tomllib import loads

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))

FIXED = {
    "pydicom": "3.0.2",
    "torch": "2.10",
    "transformers": "5.5",
    "jinja2": "3.1.6",
    "pillow": "11.3",
    "pyyaml": "6.0.2",
}
"""The first version of each in which the holes known today are closed."""

COPYLEFT = re.compile(r"\b(AGPL|GPL)|GNU (Affero )?General Public|non-?commercial|CC-BY-NC", re.I)
NOT_SO = re.compile(
    r"\([\w.-]+ OR A?GPL-[\w.-]+\)|\bLGPL|Lesser General Public|GPL-compatible", re.I
)
"""What names the GPL without binding: of `(BSD-3-Clause OR GPL-2.0-only)` we take the first."""

VENDOR = re.compile(r"^(nvidia-|cuda-)")
"""The GPU vendor's redistributable libraries, which torch brings on Linux and we never import."""


def closure(name: str) -> dict[str, Distribution]:
    """Every distribution that an install of `name` brings, its own name included."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(name), "")]
    while waiting:
        wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        name, extra = wanted
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # a requirement of another platform
        for line in found[name].requires or ():
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(need.name), wish) for wish in ("", *need.extras)]
    return found


def licence(package: Distribution) -> str:
    """All that the package says of its licence."""
    told = package.metadata
    classifiers = [line for line in told.get_all("Classifier", []) if line.startswith("License")]
    return " | ".join([told.get("License-Expression") or told.get("License") or "", *classifiers])


RUNTIME = closure("sequela")


def test_the_closure_is_the_whole_of_it():
    direct = {canonicalize_name(Requirement(r).name) for r in PROJECT["project"]["dependencies"]}
    assert direct < RUNTIME.keys()
    assert {"networkx", "huggingface-hub"} <= RUNTIME.keys()
    assert not {"scikit-survival", "lifelines", "pytest"} & RUNTIME.keys()


@pytest.mark.parametrize("name", sorted(RUNTIME))
def test_no_licence_binds_what_our_users_write(name):
    told = licence(RUNTIME[name])
    assert told.strip(" |") or VENDOR.match(name)
    assert not COPYLEFT.search(NOT_SO.sub("", told)[:400])


@pytest.mark.parametrize(
    ("told", "bound"),
    [
        ("GPL-3.0-only", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("CC-BY-NC-4.0", True),
        ("LGPL-2.1", False),
        ("MIT AND (BSD-3-Clause OR GPL-2.0-only)", False),
        ("MIT AND (BSD-3-Clause AND GPL-2.0-only)", True),
        ("GPL-2.0-only AND (BSD-3-Clause OR GPL-2.0-only)", True),
        ("BSD-3-Clause", False),
    ],
)
def test_the_gate_knows_what_it_looks_for(told, bound):
    assert bool(COPYLEFT.search(NOT_SO.sub("", told))) is bound


@pytest.mark.parametrize(("name", "fixed"), FIXED.items())
def test_no_version_with_a_known_hole_can_be_installed(name, fixed):
    needs = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
    (need,) = [need for need in needs if canonicalize_name(need.name) == name]
    major, minor, *rest = [*map(int, fixed.split(".")), 0]
    below = f"{major}.{minor}.{rest[0] - 1}" if rest[0] > 0 else f"{major}.{minor - 1}.99"
    assert need.specifier.contains(fixed)
    assert not need.specifier.contains(below)
    assert Version(RUNTIME[name].version) >= Version(fixed)
