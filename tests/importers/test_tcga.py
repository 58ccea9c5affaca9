from __future__ import annotations

import json
import zipfile
from pathlib import Path

import polars as pl
import pytest

from sequela.cohort.checks import check_cohort
from sequela.cohort.cohort import read_cohort
from sequela.errors import DataError, UsageError
from sequela.importers.tcga import import_tcga

CDR = """\
bcr_patient_barcode,type,age_at_initial_pathologic_diagnosis,gender,race,ajcc_pathologic_tumor_stage,\
histological_type,histological_grade,initial_pathologic_dx_year,OS,OS.time,DSS,DSS.time,DFI,DFI.time,PFI,PFI.time
TCGA-A3-0001,KIRC,61,MALE,WHITE,Stage I,Clear cell,G2,2009,0,900,0,900,#N/A,#N/A,1,300
TCGA-A3-0002,KIRC,70,FEMALE,[Not Available],Stage III,Clear cell,G3,2010,1,400,#N/A,400,0,400,0,400
TCGA-B0-0003,KIRC,55,MALE,ASIAN,[Discrepancy],Clear cell,[Unknown],2011,0,0,0,0,#N/A,#N/A,0,0
TCGA-44-0004,LUAD,66,FEMALE,WHITE,Stage IB,Adenocarcinoma,#N/A,2012,1,77,1,77,#N/A,#N/A,1,50
"""
CLINICAL = """\
project_id\tcases.submitter_id\tdemographic.vital_status\tdemographic.days_to_death\t\
diagnoses.days_to_last_follow_up\tdemographic.age_at_index\tdiagnoses.ajcc_pathologic_stage\t\
diagnoses.year_of_diagnosis\tsamples.submitter_id
TCGA-KIRC\tTCGA-A3-0001\tAlive\t'--\t900\t61\tStage I\t2009\tx
TCGA-KIRC\tTCGA-A3-0001\tAlive\t'--\t950\t61\t'--\t2009\ty
TCGA-KIRC\tTCGA-A3-0002\tDead\t400\t'--\t70\tStage III\t2010\tz
"""
STAR = """\
# gene-model: GENCODE v36
gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\tfpkm_unstranded
N_unmapped\t\t\t9\t9\t9\t\t
ENSG1.1\tTP53\tprotein_coding\t10\t5\t5\t{tp53}\t1.0
ENSG2.1\tVHL\tprotein_coding\t20\t5\t5\t2.5\t1.0
ENSG2.1_PAR_Y\tVHL\tprotein_coding\t1\t0\t1\t0.5\t0.1
"""
REPORT = "Kidney, nephrectomy: clear cell renal cell carcinoma, grade 2, 4.5 cm, pT1b NX MX."


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "gdc"
    folder.mkdir()
    (folder / "TCGA-CDR.csv").write_text(CDR)
    return folder


def star(source: Path, number: int, sample: str, tp53: float) -> tuple[str, str]:
    name = f"{number:08x}.rna_seq.augmented_star_gene_counts.tsv"
    (source / f"uuid-{number}").mkdir()
    (source / f"uuid-{number}" / name).write_text(STAR.format(tp53=tp53))
    return name, sample


def set_aside(out: Path) -> dict[str, str]:
    report = pl.read_csv(out / "import-report.csv", infer_schema=False)
    return dict(zip(report["file"], report["reason"], strict=True))


def test_the_curated_table_becomes_patients_and_four_endpoints_in_days(
    source: Path, tmp_path: Path
) -> None:
    report = import_tcga(source, tmp_path / "out", cancer="kirc")
    cohort = read_cohort(tmp_path / "out")
    assert [patient.patient_id[-4:] for patient in cohort.patients] == ["0001", "0002", "0003"]
    assert [patient.site for patient in cohort.patients] == ["A3", "A3", "B0"]
    told = {
        (row["patient_id"][-4:], row["endpoint"]): (row["time"], row["event"])
        for row in cohort.outcomes.iter_rows(named=True)
    }
    assert told == {
        ("0001", "os"): (900.0, 0),
        ("0001", "dss"): (900.0, 0),
        ("0001", "pfi"): (300.0, 1),
        ("0002", "os"): (400.0, 1),
        ("0002", "dfi"): (400.0, 0),
        ("0002", "pfi"): (400.0, 0),
    }
    assert "6 outcome(s)" in report.messages[0]
    assert not [item for item in check_cohort(tmp_path / "out") if item.severity == "error"]


def test_no_year_and_no_word_for_unknown_gets_in(source: Path, tmp_path: Path) -> None:
    import_tcga(source, tmp_path / "out")
    written = "".join(path.read_text() for path in (tmp_path / "out").glob("*.csv"))
    written += (tmp_path / "out" / "cohort.yaml").read_text()
    for word in ("2009", "2010", "2011", "2012", "[", "#N/A"):
        assert word not in written.replace("[]", "")


def test_the_clinical_table_of_the_gdc_gives_overall_survival(tmp_path: Path) -> None:
    source = tmp_path / "gdc"
    source.mkdir()
    (source / "clinical.tsv").write_text(CLINICAL)
    import_tcga(source, tmp_path / "out")
    cohort = read_cohort(tmp_path / "out")
    assert cohort.outcomes.select("time", "event").rows() == [(950.0, 0), (400.0, 1)]
    assert cohort.covariates["stage"].to_list() == ["Stage I", "Stage III"]


def test_the_curated_table_is_read_from_a_spreadsheet_too(tmp_path: Path) -> None:
    source = tmp_path / "gdc"
    source.mkdir()
    write_xlsx(source / "TCGA-CDR-SupplementalTableS1.xlsx", CDR)
    (source / "clinical.tsv").write_text(CLINICAL)
    import_tcga(source, tmp_path / "out")
    assert len(read_cohort(tmp_path / "out").outcomes.filter(endpoint="dss")) == 2
    assert "taken instead" in set_aside(tmp_path / "out")["clinical.tsv"]


def test_star_counts_become_one_row_a_patient_of_the_first_primary_tumour(
    source: Path, tmp_path: Path
) -> None:
    files = [
        star(source, 1, "TCGA-A3-0001-11A", 9.0),  # normal tissue
        star(source, 2, "TCGA-A3-0001-01A", 1.5),
        star(source, 3, "TCGA-A3-0001-01B", 8.0),
        star(source, 4, "TCGA-A3-0002-01A", 3.0),
        star(source, 5, "TCGA-ZZ-0009-01A", 4.0),  # nobody's
    ]
    rows = "\n".join(f"id\t{name}\tKIRC\t{sample}" for name, sample in files)
    (source / "gdc_sample_sheet.2026.tsv").write_text(
        f"File ID\tFile Name\tProject ID\tSample ID\n{rows}\n"
    )
    import_tcga(source, tmp_path / "out")
    table = pl.read_parquet(tmp_path / "out" / "expression.parquet")
    assert table.to_dicts() == [
        {"patient_id": "TCGA-A3-0001", "TP53": 1.5, "VHL": 3.0},
        {"patient_id": "TCGA-A3-0002", "TP53": 3.0, "VHL": 3.0},
    ]
    reasons = list(set_aside(tmp_path / "out").values())
    assert "not of the primary tumour" in reasons
    assert "a further sample of its patient" in reasons
    assert "of a patient whom the clinical table does not name" in reasons
    assert "tpm_unstranded" in (tmp_path / "out" / "cohort.yaml").read_text()


def test_star_counts_are_told_apart_by_metadata_and_refused_without(
    source: Path, tmp_path: Path
) -> None:
    name, _ = star(source, 1, "", 1.5)
    import_tcga(source, tmp_path / "without")
    assert "sample sheet" in set_aside(tmp_path / "without")[f"uuid-1/{name}"]
    owner = [{"entity_submitter_id": "TCGA-A3-0001-01A-01R-0864-07"}]
    listed = [{"file_name": name, "associated_entities": owner}]
    (source / "metadata.cart.json").write_text(json.dumps(listed))
    assert import_tcga(source, tmp_path / "with").counts["expression"] == 1


@pytest.mark.parametrize("across", [True, False])
def test_a_matrix_is_read_whichever_way_it_lies(source: Path, tmp_path: Path, across: bool) -> None:
    genes = {f"G{number}": [float(number), 1.0, 2.0] for number in range(60)}
    samples = ["TCGA-A3-0001-01", "TCGA-A3-0002-01", "TCGA-A3-0002-11"]
    table = pl.DataFrame({"sample": samples, **genes}).cast(pl.String)
    if across:
        table = table.transpose(include_header=True, header_name="sample", column_names="sample")
        table = table.with_columns(pl.col("sample") + "|7157")
    table.write_csv(source / "matrix.tsv", separator="\t")
    import_tcga(source, tmp_path / "out")
    read = pl.read_parquet(tmp_path / "out" / "expression.parquet")
    assert read["patient_id"].to_list() == ["TCGA-A3-0001", "TCGA-A3-0002"]
    assert read["G7"].to_list() == [7.0, 1.0]


def test_reports_come_as_files_or_as_a_table_and_blank_ones_do_not(
    source: Path, tmp_path: Path
) -> None:
    (source / "TCGA-A3-0001.0123ABCD.txt").write_text(REPORT)
    (source / "TCGA_Reports.csv").write_text(
        f'patient_filename,text\nTCGA-A3-0002.UUID,"{REPORT}"\nTCGA-B0-0003.UUID,  \n'
    )
    (source / "TCGA-A3-0001.PDF").write_bytes(b"%PDF")
    import_tcga(source, tmp_path / "out")
    texts = [text for each in read_cohort(tmp_path / "out").patients for text in each.texts]
    assert [text.text for text in texts] == [REPORT, REPORT]
    assert "recognised" in set_aside(tmp_path / "out")["TCGA-A3-0001.PDF"]


@pytest.mark.parametrize("transfer", ["link", "copy"])
def test_a_slide_and_its_features_are_one_row(source: Path, tmp_path: Path, transfer: str) -> None:
    stem = "TCGA-A3-0001-01Z-00-DX1.0123"
    (source / f"{stem}.svs").write_bytes(b"slide")
    (source / f"{stem}.h5").write_bytes(b"features")
    (source / "nobody.svs").write_bytes(b"slide")
    import_tcga(source, tmp_path / "out", transfer=transfer)  # type: ignore[arg-type]
    rows = pl.read_csv(tmp_path / "out" / "slides.csv").to_dicts()
    assert [(row["slide_id"], row["patient_id"]) for row in rows] == [(stem, "TCGA-A3-0001")]
    slide = tmp_path / "out" / rows[0]["path"]
    assert slide.read_bytes() == b"slide"
    assert slide.is_symlink() == (transfer == "link")
    assert (tmp_path / "out" / rows[0]["features"]).read_bytes() == b"features"
    assert "nobody knows" in set_aside(tmp_path / "out")["nobody.svs"]


def test_every_file_is_taken_or_named_with_its_reason(source: Path, tmp_path: Path) -> None:
    (source / "notes.docx").write_bytes(b"x")
    (source / "broken.csv").write_bytes(b'a,b\n"1,2\n1,2,3,4\n')
    (source / "MANIFEST.txt").write_text("id\tfilename\n1\tx\n")
    import_tcga(source, tmp_path / "out")
    assert set(set_aside(tmp_path / "out")) == {"notes.docx", "broken.csv", "MANIFEST.txt"}


def test_what_cannot_be_imported_is_said_before_anything_is_written(
    source: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    out = tmp_path / "out"
    with pytest.raises(DataError, match="no clinical table"):
        import_tcga(empty, out)
    with pytest.raises(DataError, match="no patient with GBM"):
        import_tcga(source, out, cancer="GBM")
    with pytest.raises(UsageError, match="no column"):
        import_tcga(source, out, unit="rpkm")
    assert not out.exists()
    import_tcga(source, out)
    with pytest.raises(UsageError, match="already"):
        import_tcga(source, out)


def write_xlsx(path: Path, csv: str) -> None:
    """A workbook as spreadsheets write it: a foreign sheet first, words shared, numbers not."""
    words: list[str] = []
    rows = []
    for number, line in enumerate(csv.strip().split("\n"), start=1):
        cells = []
        for column, text in enumerate(line.split(",")):
            name = chr(ord("A") + column) + str(number)
            if text.isdigit():
                cells.append(f'<c r="{name}"><v>{text}</v></c>')
            else:
                cells.append(f'<c r="{name}" t="s"><v>{len(words)}</v></c>')
                words.append(text)
        rows.append(f'<row r="{number}">{"".join(cells)}</row>')
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    shared = "".join(f"<si><t>{word}</t></si>" for word in words)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook {space}><sheets><sheet name="Notes"/><sheet name="TCGA-CDR"/></sheets>'
            "</workbook>",
        )
        archive.writestr("xl/sharedStrings.xml", f"<sst {space}>{shared}</sst>")
        archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet {space}/>")
        archive.writestr(
            "xl/worksheets/sheet2.xml",
            f"<worksheet {space}><sheetData>{''.join(rows)}</sheetData></worksheet>",
        )
