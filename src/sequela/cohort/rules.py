"""What each code of `check` says, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Rule:
    """What a code says; braces are filled in where it is found."""

    message: str
    hint: str
    severity: Severity = "error"


RULES: dict[str, Rule] = {
    # The manifest and the files.
    "C001": Rule(
        "the folder has no cohort.yaml",
        "write one with `sequela init`, or bring data in with `sequela import`",
    ),
    "C002": Rule(
        "the manifest cannot be used: {fault}",
        "mend the entry named; `sequela init` writes an annotated example",
    ),
    "C003": Rule(
        "the manifest names this file for table {table}, but it is not there",
        "put the file into the cohort folder, or correct tables.{table}.file",
    ),
    "C004": Rule(
        "the file cannot be read as {format}: {fault}",
        "write it again as CSV, TSV or Parquet; quote cells that hold the separator",
    ),
    "C005": Rule(
        "the file is not UTF-8 text",
        "save it as UTF-8 (in a spreadsheet: CSV UTF-8), so that no letter is lost",
    ),
    "C006": Rule(
        "a required column is missing{looked}",
        "add the column, or say what the file calls it in tables.{table}.columns",
    ),
    "C007": Rule(
        "the table has no rows",
        "export it again, or take tables.{table} out of the manifest",
    ),
    "C008": Rule(
        "cells are separated by {separator}, not by commas; read so",
        "nothing, if the columns are right; decimal commas are not read as numbers",
        "warning",
    ),
    "C009": Rule(
        "the manifest names no file for the table {table}",
        "add tables.{table} to the manifest",
    ),
    "C010": Rule(
        "the mapping names a column that the table does not have; it is ignored",
        "correct the spelling in tables.{table}.columns, values or constants",
        "warning",
    ),
    "C011": Rule(
        "the table has no column of this name; it looks like {close}, misspelt",
        "call it {close}, or rename it if it is something else; it is not used",
        "warning",
    ),
    # Identifiers.
    "C012": Rule("the id is missing", "give every row an id, or remove the row"),
    "C013": Rule(
        "the id stands on an earlier row too (line {first})",
        "keep one of the rows, or give each its own id",
    ),
    "C014": Rule(
        "the id begins or ends with white space",
        "remove the spaces; with them the id matches no other table",
    ),
    "C015": Rule(
        "the id is not in the table {table}",
        "add the row to {table}, or remove this one",
    ),
    "C016": Rule(
        "the text names an exam of another patient",
        "correct exam_id or patient_id",
    ),
    "C017": Rule(
        "the id holds a slash, a control character, or begins with a point",
        "replace it: ids name files",
    ),
    "C020": Rule(
        "the manifest names a table {table} that is not one of {known}; it is not read",
        "correct its name, or take it out",
        "warning",
    ),
    # Values.
    "C021": Rule(
        "not a number",
        "write numbers with a point and no unit; leave the cell empty if it is not known",
    ),
    "C022": Rule("not a finite number", "leave the cell empty if it is not known"),
    "C023": Rule(
        "a calendar date stands where {unit} from the index date belong",
        "subtract the patient's index date; no calendar date is stored in a cohort",
    ),
    "C024": Rule("a required value is missing", "fill it in, or remove the row"),
    "C025": Rule(
        "the value is not one of {choices}",
        "write it so, or map it in tables.{table}.values",
    ),
    "C026": Rule(
        "every event of endpoint {endpoint} is 1 or 2 and none is 0: it seems that 1 stands for "
        "censored and 2 for the event",
        "map them in the manifest: tables.outcomes.values: {{event: {{'1': 0, '2': 1}}}}",
    ),
    "C027": Rule(
        "the event code is not 0 (censored) or a cause that the manifest names ({causes})",
        "name the cause in endpoints.{endpoint}.causes, or map the code in tables.outcomes.values",
    ),
    "C028": Rule(
        "the endpoint is not one that the manifest names ({endpoints})",
        "add it to endpoints in the manifest, or correct its name here",
    ),
    "C029": Rule(
        "the manifest names the endpoint {endpoint}, but no patient has it",
        "add its rows, or take it out of the manifest",
        "warning",
    ),
    # Outcomes and the order of time.
    "C031": Rule(
        "the time is negative or zero",
        "time runs from the index date to the event or the last contact; remove patients who "
        "were not followed",
    ),
    "C032": Rule(
        "the patient comes under observation (entry) at or after the end of follow-up (time)",
        "entry must be earlier than time; leave it empty if observed from the index date on",
    ),
    "C033": Rule(
        "the patient has an earlier row for the same endpoint (line {first})",
        "keep one row a patient and endpoint: the first event, or the last contact",
    ),
    "C034": Rule(
        "the exam is later than the patient's last outcome or contact",
        "correct the exam's day or the outcome's time; if the patient was followed on, say so "
        "in another endpoint (as death)",
    ),
    "C035": Rule(
        "the text could be read (available_day) before it was written (day)",
        "correct one of the two; leave available_day empty if it was readable at once",
    ),
    "C036": Rule(
        "the longest follow-up is {size} if times are in {unit}, as the manifest says",
        "correct time_unit in the manifest, if it is wrong",
        "warning",
    ),
    "C037": Rule(
        "the text is empty; it is read as no text",
        "nothing, if there is none; else export it again",
        "warning",
    ),
    # Images on disk.
    "C041": Rule("there is no such file", "copy the file, correct the path, or remove the row"),
    "C042": Rule(
        "the path leads out of the cohort folder",
        "copy the file into the folder and give its relative path; links that lead out are "
        "followed only with `links: anywhere` in the manifest",
    ),
    "C043": Rule(
        "an earlier row (line {first}) names the same file",
        "correct the path: two images cannot be one file",
        "warning",
    ),
    # Clinical covariates.
    "C051": Rule(
        "the column is not declared in the manifest and is not used",
        "declare it under clinical in the manifest, if a model should see it",
        "warning",
    ),
    "C052": Rule(
        "the value is not one of the levels declared ({levels})",
        "add the level to clinical.{column}.levels, or map it in tables.patients.values",
    ),
    "C053": Rule(
        "no patient has a value",
        "take the covariate out of the manifest, or correct the column's mapping",
        "warning",
    ),
    "C054": Rule(
        "the covariate is {kind}, but has no levels",
        "name all levels, from low to high where they have an order, in clinical.{column}.levels",
    ),
    "C055": Rule(
        "the value is not 0 or 1, but the covariate is binary and has no levels",
        "map the values in tables.patients.values, or name the two in clinical.{column}.levels",
    ),
    # Genes.
    "C061": Rule(
        "the unit is declared as {unit}, but the numbers can only be {possible}",
        "correct tables.expression.unit in the manifest, or export the table again",
    ),
    "C062": Rule(
        "{share} of the genes of the gene sets are columns of {table}: the table names genes by "
        "{theirs}, the sets by {ours}",
        "give both the same vocabulary (HGNC symbols, or Ensembl ids), a column a gene",
    ),
    "C063": Rule(
        "the patient has an earlier row (line {first})",
        "keep one sample a patient (of TCGA barcodes the primary tumour, 01)",
    ),
    "C064": Rule(
        "the gene has an earlier column",
        "keep one column a gene; versions of Ensembl ids (the point and what follows) do not count",
    ),
    "C065": Rule(
        "the column holds words, so it is no gene; it is not read",
        "nothing, if it is none",
        "warning",
    ),
    "C066": Rule(
        "not a gene set: a line needs a name, a description and genes, separated by tabs",
        "write it so (GMT), or remove the line",
    ),
    "C067": Rule(
        "{empty} of {sets} gene sets have no gene in {table}; half of them have less than "
        "{median} of theirs",
        "nothing, if the table holds chosen genes only; else export all of them",
        "warning",
    ),
    "C068": Rule(
        "the unit of expression is not declared; by its numbers it is {unit}",
        "add `unit: {unit}` to tables.expression in the manifest, or what is right",
        "warning",
    ),
    "C069": Rule(
        "mutation is told as 0 or 1, but other numbers stand here",
        "write 1 where the gene is mutated and 0 where it was looked at and is not",
    ),
    # Slides.
    "C071": Rule(
        "the features are in a pickle, which could run code as it is read, so it never is",
        "where you trust the file, write it as safetensors: safetensors.torch.save_file("
        "{{'features': torch.load(FILE, weights_only=True)}}, NAME)",
    ),
    "C072": Rule(
        "the features are neither in HDF5 (.h5) nor in safetensors",
        "export them again as CLAM, TRIDENT or STAMP do, or as safetensors",
    ),
    "C073": Rule(
        "not micrometres a pixel that a scanner makes ({least} to {most})",
        "write 0.25 for 40 ×, 0.5 for 20 ×, or what the scanner's record says",
    ),
    "C074": Rule(
        "the feature file {fault}",
        "make it again, or take it out of the table",
    ),
    "C075": Rule(
        "the feature file has {width} numbers a patch, {count} others have {usual}",
        "make all features with one encoder",
    ),
}
