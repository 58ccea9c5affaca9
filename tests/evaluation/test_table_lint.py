"""No table that was rounded from possible numbers is blamed; what cannot be is found."""

from __future__ import annotations

from math import erfc, exp, sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequela.errors import DataError, UsageError
from sequela.evaluation.contradictions import Assumptions
from sequela.evaluation.printed_numbers import Span, read_cell
from sequela.evaluation.published_table import read_published_table
from sequela.evaluation.table_lint import TableLint, lint_table
from sequela.survival.cox import fit_cox
from sequela.survival.log_rank import log_rank

# LUMIN (AAAI 2026), Tables 1 and 2.
TABLE_1 = """\
Model,ACC,AUC,Sensitivity,Specificity
ResNet-50,0.699 (0.673-0.726),0.572 (0.519-0.629),0.477 (0.400-0.557),0.703 (0.691-0.757)
ST-I,0.611 (0.585-0.640),0.605 (0.551-0.656),0.558 (0.472-0.644),0.619 (0.590-0.650)
ST-R,0.621 (0.593-0.653),0.686 (0.649-0.739),0.693 (0.612-0.767),0.606 (0.576-0.637)
ST-B,0.700 (0.675-0.728),0.693 (0.642-0.740),0.623 (0.539-0.703),0.711 (0.683-0.741)
L-B,0.644 (0.617-0.672),0.676 (0.630-0.723),0.686 (0.609-0.761),0.638 (0.608-0.668)
LUMIN-M,0.672 (0.644-0.700),0.721 (0.680-0.764),0.702* (0.630-0.777),0.668 (0.638-0.697)
LUMIN-T,0.682 (0.655-0.709),0.714 (0.669-0.759),0.680 (0.609-0.755),0.682 (0.655-0.711)
LUMIN,0.718* (0.692-0.744),0.729* (0.685-0.771),0.623 (0.544-0.700),0.732* (0.703-0.758)
"""
TABLE_2 = """\
Model,HR (95% CI),P-value
ResNet-50,1.07 (0.67–1.33),0.81
ST-I,1.26 (0.90–1.76),0.17
ST-R,2.82 (1.89–4.19),1.24×10^{-5}
ST-B,2.92 (1.95–4.29),9.53×10^{-8}
L-B,2.79 (1.89–4.13),8.13×10^{-8}
LUMIN-M,3.06 (2.04–4.60),1.29×10^{-8}
LUMIN-T,2.93 (1.96–4.37),3.96×10^{-8}
LUMIN,3.21 (2.13–4.84),4.03×10^{-9}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("table") / "results.csv"


def linted(file: Path, text: str, assumed: Assumptions | None = None, group: str = "") -> TableLint:
    file.write_text(text, encoding="utf-8")
    return lint_table(read_published_table(file, group=group), assumed)


def said(found: TableLint, severity: str = "contradiction") -> list[tuple[str, str]]:
    return [(one.code, one.label) for one in found.found if one.severity == severity]


def test_lumins_first_table_holds_two_accuracies_that_cannot_be(file: Path) -> None:
    found = linted(file, TABLE_1)
    assert said(found) == [("L007", "ResNet-50"), ("L007", "ST-R")]
    assert said(found, "remark") == [("L008", "ResNet-50"), ("L011", "ResNet-50")]
    assert "the 6 rows that agree show 0.1193 to 0.1364" in found.found[0].message
    # The paper's five-year counts, 132 events in 1,017 patients, are what the six rows show.
    assert 0.1193 < 132 / 1017 < 0.1364


def test_lumins_second_table_holds_a_lopsided_ratio_and_a_p_of_another_row(file: Path) -> None:
    found = linted(file, TABLE_2)
    assert said(found) == [("L004", "ResNet-50"), ("L005", "ResNet-50"), ("L005", "ST-R")]
    assert said(found, "remark") == [
        ("L004", "ST-B"),
        *(("L005", name) for name in ("L-B", "LUMIN-M", "LUMIN-T", "LUMIN")),
    ]
    assert linted(file, TABLE_2, Assumptions(wald=False)).found == ()


PATIENTS = st.integers(30, 3000)
SHARES = st.floats(0.02, 0.98)


def confusion(patients: int, prevalence: float, sens: float, spec: float) -> dict[str, float]:
    """Measures of a classification of whole patients."""
    events = min(max(round(patients * prevalence), 1), patients - 1)
    free = patients - events
    hit, passed = round(sens * events), round(spec * free)
    found = {
        "accuracy": (hit + passed) / patients,
        "sensitivity": hit / events,
        "specificity": passed / free,
        "balanced_accuracy": (hit / events + passed / free) / 2,
    }
    called, cleared = hit + free - passed, passed + events - hit
    if called and hit:
        ppv = hit / called
        found |= {"ppv": ppv, "f1": 2 * ppv * found["sensitivity"] / (ppv + found["sensitivity"])}
    if cleared and passed:
        found["npv"] = passed / cleared
    return {**found, "patients": patients, "events": events}


def printed(row: dict[str, float], digits: int, *, percent: bool) -> dict[str, str]:
    return {
        name: str(value)
        if name in ("patients", "events")
        else f"{100 * value:.{max(digits - 2, 0)}f}%"
        if percent
        else f"{value:.{digits}f}"
        for name, value in row.items()
    }


@settings(max_examples=120, deadline=None)
@given(PATIENTS, SHARES, st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=5),
       st.integers(2, 4), st.booleans(), st.booleans())  # fmt: skip
def test_rows_rounded_from_whole_patients_are_not_blamed(
    file: Path,
    patients: int,
    prevalence: float,
    models: list[tuple[float, float]],
    digits: int,
    percent: bool,
    counted: bool,
) -> None:
    rows = [confusion(patients, prevalence, *model) for model in models]
    columns = [name for name in rows[0] if all(name in row for row in rows)]
    columns = columns if counted else columns[: -2 if "patients" in columns else None]
    columns = [name for name in columns if counted or name not in ("patients", "events")]
    lines = [",".join(["model", *columns])]
    for number, row in enumerate(rows):
        cells = printed(row, digits, percent=percent)
        lines.append(",".join([f"m{number}", *(cells[name] for name in columns)]))
    found = linted(file, "\n".join(lines) + "\n")
    assert found.table.unread == ()
    assert set(found.table.columns) == set(columns)
    assert said(found) == [] and "L010" not in [one.code for one in found.found]


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 0.6), SHARES, SHARES, st.floats(0.004, 0.3))
def test_an_accuracy_that_no_rounding_explains_is_found(
    file: Path, prevalence: float, sens: float, spec: float, error: float
) -> None:
    right = prevalence * sens + (1 - prevalence) * spec
    wrong = right + error if right < 0.5 else right - error
    row = f"m,{wrong:.4f},{sens:.4f},{spec:.4f}"
    text = f"model,accuracy,sensitivity,specificity\n{row}\n"
    known = Assumptions(prevalence=Span(prevalence - 1e-4, prevalence + 1e-4))
    assert said(linted(file, text, known)) == [("L006", "m")]


Z = NormalDist().inv_cdf(0.975)


@settings(max_examples=150, deadline=None)
@given(st.floats(-2.5, 2.5), st.floats(0.02, 1.0), st.integers(2, 4), st.integers(1, 4))
def test_a_wald_interval_and_its_p_are_not_blamed(
    file: Path, beta: float, error: float, digits: int, of_p: int
) -> None:
    ratio, low, high = (f"{exp(beta + side * error):.{digits}f}" for side in (0, -Z, Z))
    p = f"{erfc(abs(beta / error) / sqrt(2)):.{of_p}e}"
    text = f"model,HR,HR lower,HR upper,p,wald_p\nm,{ratio},{low},{high},{p},{p}\n"
    assert linted(file, text).found == ()


@settings(max_examples=60, deadline=None)
@given(st.floats(0.3, 2.0), st.floats(0.05, 0.2), st.floats(1.1, 3.0))
def test_a_p_of_another_ratio_is_found(
    file: Path, beta: float, error: float, factor: float
) -> None:
    ratio, low, high = (f"{exp(beta + side * error):.4f}" for side in (0, -Z, Z))
    p = f"{erfc(beta / error / factor / 1.06 / sqrt(2)):.4e}"
    text = f"model,HR (95% CI),p\nm,{ratio} ({low}–{high}),{p}\n"
    assert said(linted(file, text)) == [("L005", "m")]


def test_the_p_of_a_log_rank_test_fits_the_ratio_of_its_groups(file: Path) -> None:
    """z of the log-rank test is Wald's times sinh(b/2)/(b/2), to within the slack allowed."""
    generator = np.random.default_rng(3)
    for number in range(30):
        group = generator.random(500) < generator.uniform(0.2, 0.8)
        beta = generator.uniform(-1.5, 1.5)
        onset = generator.exponential(np.exp(-beta * group))
        censor = generator.exponential(generator.uniform(0.5, 3), 500)
        time, event = np.minimum(onset, censor), onset <= censor
        model = fit_cox(group[:, None].astype(float), time, event)
        value = float(np.exp(model.coefficients[0]))
        low, high = (float(np.exp(end[0])) for end in model.interval())
        p = log_rank(time, event, group.astype(int)).p
        row = f"{number},{value:.3f} ({low:.3f}–{high:.3f}),{p:.2e}"
        assert linted(file, f"model,HR,log_rank_p\n{row}\n").found == ()


@pytest.mark.parametrize(
    ("header", "row", "code"),
    [
        ("auc", "0.75 (0.77-0.80)", "L001"),
        ("hr", "1.4 (1.6–2.2)", "L001"),
        ("auc", "0.75 (0.80-0.70)", "L002"),
        ("acc,acc_low,acc_high", "1.21,0.9,1.3", "L003"),
        ("sens", "-0.1", "L003"),
        ("p", "1.3", "L003"),
        ("hr", "2.00 (1.50–3.20)", "L004"),
        ("or,p", "1.10 (0.80–1.51),0.001", "L005"),
        ("hr,p", "2.00 (1.50–2.67),0.30", "L005"),
        ("hr,p", "2.00 (1.50–2.67),> 0.05", "L005"),
        ("acc,sens,spec", "0.95,0.80,0.90", "L006"),
        ("acc,sens,spec,prevalence", "0.80,0.90,0.70,0.10", "L006"),
        ("acc,sens,spec,n,events", "0.80,0.90,0.70,100,10", "L006"),
        ("ppv,sens,spec,prevalence", "0.90,0.80,0.80,0.10", "L006"),
        ("npv,sens,spec,prevalence", "0.50,0.80,0.80,0.10", "L006"),
        ("auc,sens,spec", "0.55,0.80,0.80", "L008"),
        ("auc,sens,spec", "0.99,0.60,0.60", "L008"),
        ("f1,precision,recall", "0.80,0.60,0.70", "L009"),
        ("balanced accuracy,sens,spec", "0.80,0.60,0.70", "L009"),
        ("n,events", "100,120", "L012"),
    ],
)
def test_each_contradiction_is_found(file: Path, header: str, row: str, code: str) -> None:
    found = linted(file, f"model,{header}\nhers,{row}\n")
    assert said(found) == [(code, "hers")]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("AUC (95% CI)", "0.75 (0.71-0.80)"),
        ("Prevalence (%)", "0.9"),
        ("hr,p", "2.00 (1.50–2.67),< 0.001"),
        ("hr,p", "1.0 (0.7–1.5),0.9"),
        ("acc,sens,spec", "0.8,0.9,0.8"),
        ("auc,sens,spec", "0.81,0.80,0.80"),
        ("hr", "0.5"),
        ("Accuracy (%),Sens (%),Spec (%)", "80.1,85.2,79.7"),
    ],
)
def test_what_can_be_is_left_alone(file: Path, header: str, row: str) -> None:
    assert linted(file, f"model,{header}\nhers,{row}\n").found == ()


def test_a_share_of_no_whole_number_of_patients_is_a_remark(file: Path) -> None:
    text = "model,sens,n,events\na,0.623,1017,132\nb,0.621,1017,132\n"
    assert said(linted(file, text), "remark") == [("L010", "a")]


def test_rows_about_other_patients_need_not_agree(file: Path) -> None:
    text = (
        "model,set,acc,sens,spec\na,inner,0.80,0.90,0.70\nb,inner,0.65,0.60,0.70\n"
        "a,outer,0.75,0.90,0.70\nb,outer,0.68,0.60,0.70\n"
    )
    assert said(linted(file, text, group="set")) == []
    assert said(linted(file, text)) == [("L007", "the table")]


def test_cells_without_a_number_and_columns_unknown_are_named(file: Path) -> None:
    found = linted(file, "model;AUC;mood\na;0,71 (0,60–0,80);good\nb;soon;bad\nc;NA;bad\n")
    assert found.table.unread == ("row 2, AUC",)
    assert found.table.ignored == ("mood",)
    assert found.table.rows[0].cells["auc"].value == Span(0.705, 0.715)


def test_a_mapping_says_what_a_header_does_not(file: Path) -> None:
    file.write_text("model,x,y,z\na,0.90,0.80,0.85\n")
    table = read_published_table(file, {"auc": "x", "auc_low": "y", "auc_high": "z"})
    assert [one.code for one in lint_table(table).found] == ["L001"]
    with pytest.raises(UsageError, match="no column of ours"):
        read_published_table(file, {"mood": "x"})
    with pytest.raises(UsageError, match="no column w"):
        read_published_table(file, {"auc": "w"})
    with pytest.raises(UsageError, match="no column w"):
        read_published_table(file, {"auc": "x"}, group="w")
    with pytest.raises(DataError, match="no column that we know"):
        read_published_table(file)


@pytest.mark.parametrize("content", ["", "model,auc\n", "model,auc\na,0.7,0.8\n", "auc,auc\n1,2\n"])
def test_what_is_no_table_is_refused(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(DataError):
        read_published_table(file)


@given(st.text("0123456789.,-–−×e^{}()[]%<>* toCI", max_size=25))
def test_any_cell_is_read_or_left(text: str) -> None:
    cell = read_cell(text)
    assert cell is None or cell.value.low <= cell.value.high


@given(st.floats(1e-12, 1e6), st.integers(0, 5))
def test_a_printed_number_stands_for_what_rounds_to_it(value: float, digits: int) -> None:
    for text in (f"{value:.{digits}f}", f"{value:.{digits}e}"):
        cell = read_cell(text)
        assert cell is not None and cell.value.within(value, value)
        width = cell.value.high - cell.value.low
        unit = 10.0**-digits * (10.0 ** int(text.partition("e")[2] or 0))
        assert width == pytest.approx(unit, rel=1e-3)
