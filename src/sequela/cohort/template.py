"""An annotated manifest and empty tables, to be filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from sequela.cohort.manifest import FILE_NAME, Manifest
from sequela.cohort.schema import columns_of
from sequela.errors import UsageError
from sequela.storage import write_text

MANIFEST = """\
# The cohort's own account of itself. Every entry is checked; an unknown one is an error.
# `sequela check FOLDER` says what is wrong, by file, line and column.

name: my-cohort                 # short, without spaces; printed on every result
description: ""                 # who these patients are, and when and where they were treated
synthetic: false                # true if no real patient is in it
licence: unstated               # what the data may be used for
links: inside                   # anywhere: images may be symbolic links to files elsewhere

# Times count from each patient's index date (diagnosis or surgery). No calendar date is stored.
time_unit: days                 # of every time in the tables: days, weeks, months or years

# What can happen. In outcomes.csv `event` is 0 (censored) or the number of a cause.
endpoints:
  recurrence:
    causes:
      1: recurrence
      2: death without recurrence   # a competing event; leave it out if it is not known
    cause: 1                    # the one that is predicted

# Columns of patients.csv that a model may see: only what was known at the index date.
clinical:
  age:
    kind: numeric               # numeric, binary, ordinal or categorical
    unit: years                 # printed beside the value
    label: Age at the index date    # what readers call it; the column's name if left out
  grade:
    kind: ordinal               # a missing value is an empty cell
    levels: ["1", "2", "3"]     # every value there is, low to high
  receptor:
    kind: binary
    levels: [negative, positive]    # the absent level first; without levels write 0 or 1

# Where the tables are: CSV, TSV or Parquet inside this folder. exams, images and texts may be left
# out. The bold columns of docs/architecture.md are required, the others may be missing.
tables:
  patients:
    file: patients.csv
    # columns: {patient_id: MRN}                # our name: the name in your file
    # values: {grade: {G1: "1", unknown: null}} # our name: {your value: our value}
    # constants: {site: clinic-1}               # columns that your file lacks, one value for all
  outcomes:
    file: outcomes.csv          # patient_id, endpoint, time, event; entry if observed only later
  exams:
    file: exams.csv             # exam_id, patient_id, day; modality and vendor if known
  images:
    file: images.csv            # image_id, exam_id, side (L, R), view (CC, MLO), path in here
  texts:
    file: texts.csv             # text_id, patient_id, day, kind, text; exam_id if it belongs to
                                # one; available_day if it could be read only later
  # slides:
  #   file: slides.csv            # slide_id, patient_id; path of the slide, features of its
                                  # patches, or both; mpp if the slide does not say it
  # expression:                   # patient_id and a column a gene; likewise mutation, copy_number
  #   file: expression.parquet
  #   unit: log                   # counts, tpm, log or z
  # gene_sets:
  #   file: pathways.gmt          # a line a set: name, description, genes, separated by tabs
"""


def write_cohort_template(folder: Path, also: Mapping[str, str] | None = None) -> list[Path]:
    """Write an annotated `cohort.yaml`, last, and tables with nothing but their headers.

    Files that an import has already written are left as they are.

    Args:
        folder: Made if absent.
        also: What else to put beside them: the content of each file by its name.

    Returns:
        The files written.

    Raises:
        UsageError: If the folder has a manifest already.
    """
    tables = {f"{name}.csv": _header(name) for name in yaml.safe_load(MANIFEST)["tables"]}
    files = {**tables, **(also or {}), FILE_NAME: MANIFEST}
    if (folder / FILE_NAME).exists():
        raise UsageError(f"{folder.name} already holds {FILE_NAME}", hint="choose a new folder")
    written = [folder / name for name in files if not (folder / name).exists()]
    for path in written:
        write_text(path, files[path.name])
    return written


def _header(table: str) -> str:
    names = (
        column.name
        for column in columns_of(table, Manifest.model_validate(yaml.safe_load(MANIFEST)))
    )
    return ",".join(names) + "\n"
