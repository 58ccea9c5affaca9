"""R's published values, recomputed: what was expected, what we got, and how far apart they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequela.errors import DataError, SequelaError, UsageError
from sequela.evaluation import conformance_curves as curves
from sequela.evaluation import conformance_models as models
from sequela.evaluation import conformance_scores as scores
from sequela.evaluation.conformance_data import KNOWN, DataSet, read_data_set
from sequela.evaluation.conformance_models import STOPPED, Computed

TOLERANCE = 1e-9
_CONVERGED = 1e-5  # how far from its maximum R may have stopped
_EXTERNAL = "rotterdam-to-gbsg"


@dataclass(frozen=True)
class Value:
    """A published value and ours.

    Attributes:
        id: As the file of values calls it.
        expected: R's.
        got: Ours; None where it was not recomputed.
        converged: Where R stops before its iteration has converged: what we report.
        reason: Why it was not recomputed.
        failed: Whether its data are there, yet it could not be computed.
    """

    id: str
    expected: float
    got: float | None = None
    converged: float | None = None
    reason: str = ""
    failed: bool = False

    @property
    def relative_error(self) -> float | None:
        """How far ours lies from R's, as a share of R's; beside a zero, how far."""
        return None if self.got is None else _apart(self.got, self.expected)

    @property
    def missed(self) -> bool:
        """Whether ours is not R's."""
        far = self.converged is not None and _apart(self.converged, self.expected) > _CONVERGED
        error = self.relative_error
        return self.failed or far or (error is not None and not error <= TOLERANCE)

    def as_json(self) -> dict[str, object]:
        """As `--json` prints it."""
        known = {"id": self.id, "expected": self.expected}
        if self.got is None:
            return {**known, "reason": self.reason}
        both = {**known, "got": self.got, "relative_error": self.relative_error}
        return both if self.converged is None else {**both, "converged": self.converged}


@dataclass(frozen=True)
class Conformance:
    """All values of some files."""

    values: tuple[Value, ...]

    @property
    def recomputed(self) -> list[Value]:
        """Those that we computed."""
        return [value for value in self.values if value.got is not None]

    @property
    def absent(self) -> list[Value]:
        """Those that we did not."""
        return [value for value in self.values if value.got is None]

    @property
    def missed(self) -> list[Value]:
        """Those that are not R's."""
        return [value for value in self.values if value.missed]

    @property
    def largest_error(self) -> float:
        """The largest relative error."""
        return max((value.relative_error or 0.0 for value in self.recomputed), default=0.0)

    def reasons(self) -> dict[str, list[str]]:
        """Why values were not recomputed, and which."""
        found: dict[str, list[str]] = {}
        for value in self.absent:
            found.setdefault(value.reason, []).append(value.id)
        return found

    def notes(self) -> tuple[str, ...]:
        """What must be known to read the values."""
        apart = [_apart(one.converged, one.expected) for one in self.values if one.converged]
        if not apart:
            return ()
        return (f"{len(apart)} value(s): {STOPPED}, which lies at most {max(apart):.0e} from R's",)

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "values": [value.as_json() for value in self.recomputed],
            "not_recomputed": [value.as_json() for value in self.absent],
            "tolerance": TOLERANCE,
            "largest_relative_error": self.largest_error,
            "missed": [value.id for value in self.missed],
            "notes": list(self.notes()),
        }


def conform(files: Sequence[Path], data: Path) -> Conformance:
    """Recompute every value of some files whose data are in a folder.

    Args:
        files: Lists of `{"id", "value"}`, or an object of names and numbers, whose values are
            then called `FILE.NAME`.
        data: The folder with the published tables, `NAME.csv` each.

    Raises:
        UsageError: If a file or the folder is absent.
        DataError: If a file holds no values, or two of one name.
    """
    if not data.is_dir():
        raise UsageError(f"there is no folder {data.name} with the published data")
    expected = [pair for file in files for pair in read_values(file)]
    names = [name for name, _ in expected]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"{len(twice)} value(s) stand twice", items=tuple(twice))
    return Conformance(tuple(_value(name, number, data) for name, number in expected))


def read_values(file: Path) -> list[tuple[str, float]]:
    """The names and numbers of a file of published values."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no file of values {file.name}") from None
    except (ValueError, RecursionError):
        raise DataError(f"{file.name} is not valid JSON") from None
    try:
        if isinstance(content, dict):
            found = list(_flat(file.stem, content))
        else:
            found = [(str(entry["id"]), float(entry["value"])) for entry in content]
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"{file.name} should hold a list of objects with id and value, or an object of numbers"
        ) from None
    if not found:
        raise DataError(f"{file.name} holds no values")
    return found


def _flat(name: str, content: Any) -> Iterator[tuple[str, float]]:
    """`name.key` of an object, `name.0` of a list, `name` of a number."""
    match content:
        case dict():
            for key, part in content.items():
                yield from _flat(f"{name}.{key}", part)
        case list():
            for position, part in enumerate(content):
                yield from _flat(f"{name}.{position}", part)
        case _:
            yield name, float(content)


def _apart(ours: float, theirs: float) -> float:
    return abs(ours - theirs) / (abs(theirs) or 1.0)


def _value(name: str, expected: float, folder: Path) -> Value:
    try:
        computed = computation(name, folder)
    except SequelaError as error:
        return Value(name, expected, reason=error.message, failed=True)
    if isinstance(computed, str):
        return Value(name, expected, reason=computed)
    return Value(name, expected, computed.got, computed.converged)


def computation(name: str, folder: Path) -> Computed | str:
    """The value called `name`, or why we cannot compute it."""
    source, _, what = name.partition(".")
    needed = ("rotterdam", "gbsg") if source == _EXTERNAL else (source,)
    tables = [read_data_set(folder, one) for one in needed]
    absent = [one for one, table in zip(needed, tables, strict=True) if table is None]
    if absent:
        return f"its data are absent: {' and '.join(f'{one}.csv' for one in absent)}"
    data = [table for table in tables if table is not None]
    found = _of_one(data[0], what) if len(data) == 1 else scores.of_external(data[0], data[1], what)
    return "no such computation is known" if found is None else found


def _of_one(data: DataSet, what: str) -> Computed | None:
    family, _, rest = what.partition(".")
    if data.name not in KNOWN:
        return None
    if data.name == "mgus2":
        return _of_mgus(data, family, rest)
    if data.modelled and family in ("cox_breslow", "cox_efron", "cox_efron_tv", "cox6"):
        what = rest.removeprefix("age_sex.").removeprefix("age_rx.")
        return models.of_cox(data, "breslow" if family == "cox_breslow" else "efron", what)
    match data.name, family:
        case "aml", "cox_exact":
            return models.of_exact_cox(data, rest.removeprefix("x."))
        case _, "km":
            return curves.of_kaplan_meier(data, rest.removeprefix("loglog."))
        case _, "rmst365":
            return curves.of_restricted_mean(data, rest)
        case _, "logrank" | "petopeto":
            return curves.of_log_rank(data, family, rest)
        case _, "conc":
            return curves.of_concordance(data, rest)
        case _, "conc_diff":
            return curves.of_concordance_difference(data, rest)
        case "lung", "cox_robust":
            return models.of_robust_cox(data, rest)
        case "veteran", "coxzph":
            return models.of_proportional_hazards(data, rest)
        case "gbsg2", "brier_ipcw" | "auc_t":
            return scores.of_scores(data, family, rest)
        case "gbsg2", "ibs0_1825":
            return scores.of_integrated_brier(data, rest)
    return None


def _of_mgus(data: DataSet, family: str, rest: str) -> Computed | None:
    match family:
        case "finegray":
            return models.of_finegray(data, rest.removeprefix("pcm."))
        case "crr":
            *_, kind, feature = ("", *rest.split("."))
            return models.of_crr(data, kind, feature)
        case "gray":
            return curves.of_gray(data, rest)
        case "aj":
            return curves.of_incidence(data, rest)
        case "naive_1-KM":
            return curves.of_naive_incidence(data, rest)
    return None
