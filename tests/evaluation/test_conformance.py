"""R's published values are ours, wherever their data are; and what is not computed is named."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import datasets
from sksurv.datasets import load_veterans_lung_cancer

from sequela.errors import DataError, UsageError
from sequela.evaluation.conformance import Conformance, conform, read_values
from sequela.evaluation.conformance_data import read_data_set

FILES = ("published.json", "rotterdam-to-gbsg.json")

# R survival 3.5: survdiff, survfit, coxph, cox.zph, concordance; riskRegression; pec.
ANYWHERE = {
    "aml.logrank.x.chisq": 3.3963886989776,
    "aml.logrank.x.p": 0.0653393220405051,
    "aml.km.loglog.S(9)": 0.782608695652174,
    "aml.km.loglog.se(23)": 0.107250641740122,
    "aml.km.loglog.lo(48)": 0.00695596679853646,
    "aml.km.loglog.hi(48)": 0.286760367980918,
    "aml.cox_exact.x.coef.xNonmaintained": 0.921760869158881,
    "aml.cox_exact.x.se.xNonmaintained": 0.516248400809654,
    "aml.cox_exact.x.loglik1": -38.9635470079188,
    "aml.cox_exact.x.C": 0.619047619047619,
    "lung.logrank.sex.chisq": 10.3267419548856,
    "lung.petopeto.sex.chisq": 12.7141514011575,
    "lung.km.median": 310,
    "lung.km.median_lo_loglog": 284,
    "lung.km.median_hi_loglog": 361,
    "lung.rmst365": 263.221866482007,
    "lung.rmst365.se": 7.79885908631446,
    "lung.cox_efron.age_sex.coef.age": 0.0170453318454113,
    "lung.cox_efron.age_sex.se.sex": 0.167457962355768,
    "lung.cox_breslow.age_sex.coef.sex": -0.512564791518719,
    "lung.cox_breslow.age_sex.loglik0": -750.122018895319,
    "lung.cox_robust.age.se": 0.00732739307379045,
    "lung.conc.age.C_se[n]": 0.0251421115943329,
    "lung.conc.age.count.concordant": 10717,
    "lung.conc.age.count.tied.xy": 1,
    "rossi.cox_efron.coef.finyes": -0.379422166485887,
    "rossi.cox_efron.coef.marnot married": 0.433703877937304,
    "rossi.cox_efron.se.prio": 0.0286485499599737,
    "rossi.cox_efron.score": 33.5286888997077,
    "rossi.cox_efron.C_se": 0.0266581227726475,
    "veteran.logrank.celltype.chisq": 25.4037003457854,
    "veteran.logrank.trt_strata_celltype.chisq": 0.701743346844319,
    "veteran.cox_efron.coef.karno": -0.0340844863662489,
    "veteran.coxzph.karno.chisq": 12.1643808656572,
    "veteran.coxzph.GLOBAL.p": 0.000129604583007789,
    "veteran.conc.-karno.C[n]": 0.709279872785098,
    "veteran.conc.-karno.C_se[n/G2]": 0.0228947193000693,
    "gbsg2.conc.pnodes.C[S/G]": 0.645082204050939,
    "gbsg2.conc.pnodes.C[n/G2,ymax1825]": 0.629818994883462,
    "gbsg2.conc.tsize.count.tied.xy": 0,
    "gbsg2.conc_diff.pnodes_tsize.z": 3.39524877131661,
    "gbsg2.cox6.coef.horThyes": -0.34812822339672,
    "gbsg2.brier_ipcw.cox6.t1825": 0.213954388286683,
    "gbsg2.brier_ipcw.null.t365": 0.0773114619623545,
    "gbsg2.auc_t.cox6.t1095": 0.735639399619287,
    "gbsg2.auc_t.cox6.t1095.se": 0.021800355219863,
    "gbsg2.ibs0_1825.cox6": 0.15172279610579,
    "gbsg2.ibs0_1825.KM": 0.173777761776688,
}
AML = {
    "Maintained": "9 13 13+ 18 23 28+ 31 34 45+ 48 161+",
    "Nonmaintained": "5 5 8 8 12 16+ 23 27 30 33 43 45",
}


@pytest.fixture(scope="session")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data sets that lifelines and scikit-survival bring, and one stated above in full."""
    folder = tmp_path_factory.mktemp("brought")
    aml = pd.DataFrame(
        [
            {"time": word.rstrip("+"), "status": int(not word.endswith("+")), "x": group}
            for group, words in AML.items()
            for word in words.split()
        ]
    )
    lung = datasets.load_lung()
    tables = {
        "aml": aml,
        "lung": lung.assign(status=lung["status"] + 1),
        "rossi": datasets.load_rossi(),
        "gbsg2": datasets.load_gbsg2(),
        "veteran": _veteran(),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


def _veteran() -> pd.DataFrame:
    covariates, outcome = load_veterans_lung_cancer()
    return pd.DataFrame(
        {
            "trt": (covariates["Treatment"] == "test") + 1,
            "celltype": covariates["Celltype"],
            "time": outcome["Survival_in_days"],
            "status": outcome["Status"].astype(int),
            "karno": covariates["Karnofsky_score"],
            "diagtime": covariates["Months_from_Diagnosis"],
            "age": covariates["Age_in_years"],
            "prior": 10 * (covariates["Prior_therapy"] == "yes"),
        }
    )


def conformed(folder: Path, values: dict[str, float], data: Path) -> Conformance:
    file = folder / "values.json"
    file.write_text(json.dumps([{"id": name, "value": value} for name, value in values.items()]))
    return conform([file], data)


def test_published_values_are_ours_on_data_that_come_with_the_tests(
    brought: Path, tmp_path: Path
) -> None:
    found = conformed(tmp_path, ANYWHERE, brought)
    assert found.missed == []
    assert len(found.recomputed) == len(ANYWHERE)
    assert found.largest_error < 1e-9


def test_every_published_value_whose_data_are_here_is_ours(
    shared_reference: Path, shared_data: Path
) -> None:
    found = conform([shared_reference / file for file in FILES], shared_data / "survival")
    assert found.missed == []
    assert len(found.recomputed) == 277
    assert len(found.absent) == 37
    assert {value.reason for value in found.absent} == {"its data are absent: aSAH.csv"}
    assert all(value.id.startswith("aSAH.") for value in found.absent)


def test_what_we_report_is_further_converged_than_r(brought: Path, tmp_path: Path) -> None:
    found = conformed(tmp_path, ANYWHERE, brought)
    ended = [value for value in found.values if value.converged is not None]
    apart = [abs(value.converged / value.expected - 1) for value in ended if value.converged]
    assert 1e-9 < max(apart) < 1e-5
    assert all((value.relative_error or 0) < 1e-9 for value in ended)
    (note,) = found.notes()
    assert f"{len(ended)} value(s)" in note


def test_deaths_taken_for_censorings_overstate_the_incidence(
    shared_reference: Path, shared_data: Path
) -> None:
    found = conform([shared_reference / FILES[1]], shared_data / "survival")
    got = {value.id.removeprefix("rotterdam-to-gbsg."): value.got for value in found.values}
    for position in (0, 1):
        naive = got[f"one_minus_km_recurrence_5y_10y.{position}"]
        right = got[f"aj_recurrence_5y_10y.{position}"]
        assert naive is not None and right is not None and naive > right


def test_a_wrong_value_is_missed(brought: Path, tmp_path: Path) -> None:
    right = ANYWHERE["lung.logrank.sex.chisq"]
    found = conformed(tmp_path, {"lung.logrank.sex.chisq": right * (1 + 2e-9)}, brought)
    assert [value.id for value in found.missed] == ["lung.logrank.sex.chisq"]
    assert found.largest_error == pytest.approx(2e-9, rel=1e-3)


def test_what_is_not_recomputed_is_named_with_its_reason(brought: Path, tmp_path: Path) -> None:
    asked = {"aSAH.auc.s100b": 0.7, "lung.km.mode": 1.0, "rotterdam-to-gbsg.coef.age": 0.0}
    found = conformed(tmp_path, asked, brought)
    assert found.recomputed == [] and found.missed == []
    assert [value.reason for value in found.absent] == [
        "its data are absent: aSAH.csv",
        "no such computation is known",
        "its data are absent: rotterdam.csv and gbsg.csv",
    ]
    assert [entry["id"] for entry in found.as_json()["not_recomputed"]] == list(asked)


def test_data_that_do_not_allow_the_computation_are_a_miss(tmp_path: Path) -> None:
    (tmp_path / "lung.csv").write_text("time,status\n5,soon\n")
    asked = {"lung.logrank.sex.chisq": 10.3, "lung.km.loglog.S(3)": 0.5}
    found = conformed(tmp_path, asked, tmp_path)
    assert len(found.missed) == 2
    assert "lung.csv, status: not a column of numbers" in found.absent[0].reason


NAMES = st.sampled_from(sorted(ANYWHERE)).flatmap(
    lambda name: st.tuples(
        st.just(name), st.integers(0, len(name)), st.sampled_from(["", ".", "x", "(", "[", "9"])
    ).map(lambda part: part[0][: part[1]] + part[2])
)


@settings(max_examples=150, deadline=None)
@given(NAMES)
def test_a_mangled_name_is_answered(brought: Path, name: str) -> None:
    from sequela.evaluation.conformance import computation

    found = computation(name, brought)
    assert found if isinstance(found, str) else isinstance(found.got, float | int)


def test_a_file_of_values_is_a_list_or_an_object_of_numbers(tmp_path: Path) -> None:
    file = tmp_path / "external.json"
    file.write_text('{"C[n]": 0.5, "coef": {"age": 1}, "auc": [0.1, 0.2]}')
    assert read_values(file) == [
        ("external.C[n]", 0.5),
        ("external.coef.age", 1.0),
        ("external.auc.0", 0.1),
        ("external.auc.1", 0.2),
    ]
    for content in ("[1]", '[{"id": "a"}]', '{"a": "high"}', "[]", "{", "3"):
        file.write_text(content)
        with pytest.raises(DataError):
            read_values(file)
    with pytest.raises(UsageError, match="no file of values"):
        read_values(tmp_path / "absent.json")
    with pytest.raises(UsageError, match="no folder"):
        conform([file], tmp_path / "nowhere")


def test_a_value_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text(json.dumps([{"id": "lung.rmst365", "value": 1.0}]))
    with pytest.raises(DataError, match="twice"):
        conform([file, file], tmp_path)


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lung.csv").write_text("")
    with pytest.raises(DataError, match="cannot be read"):
        read_data_set(tmp_path, "lung")
