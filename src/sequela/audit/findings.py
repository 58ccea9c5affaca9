"""What `audit` can find in a cohort: a code, the evidence, what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sequela.cohort.findings import Finding, stated
from sequela.cohort.rules import Rule

OUTCOME_DEPENDENT_SAMPLING = "A001"
_LINES_NAMED = 5

RULES: dict[str, Rule] = {
    # What the design gives away.
    OUTCOME_DEPENDENT_SAMPLING: Rule(
        "OUTCOME-DEPENDENT SAMPLING: under the protocol {protocol}, when patients were seen tells "
        "who has the event, without a look at image, note or covariate: AUC {evidence}{with_age}",
        "set protocol.name: landmark; with --accept-biased-design a model's number stands, but "
        "only what it has above this AUC is the model's",
    ),
    "A002": Rule(
        "whether timing or a shortcut tells the outcome could not be judged: {reason}",
        "{mend}",
        "warning",
    ),
    # Shortcuts to the outcome; an error where they give it away.
    "A011": Rule(
        "the {name} alone tells who has the event: AUC {evidence}",
        "keep a site in one part of the split (split.group=site), and report every site apart",
        "warning",
    ),
    "A012": Rule(
        "{name} alone tell who has the event: AUC {evidence}",
        "ask why values are missing; one that is recorded only when something happens is no input",
        "warning",
    ),
    "A013": Rule(
        "the {name} tells who has the event: AUC {evidence}",
        "ask what the table was sorted by; ids and files named in this order tell it too",
        "warning",
    ),
    "A014": Rule(
        "the {name} tell who has the event: AUC {evidence}",
        "ask whether events and controls came by different ways, scanners or exports; bring them "
        "in by one",
        "warning",
    ),
    "A015": Rule(
        "this covariate alone all but determines who has the event: AUC {evidence}",
        "take it out of clinical in the manifest: it was written when the outcome was known",
    ),
    "A016": Rule(
        "this covariate is the time of the outcome under another name: their ranks agree to "
        "{correlation:.2f}",
        "take it out of clinical in the manifest",
    ),
    # One patient under two ids.
    "A021": Rule(
        "{pairs} pair(s) of patients share an image ({where}; {apart})",
        "give one person one patient_id, or correct exam_id where an image was filed wrongly",
    ),
    "A022": Rule(
        "{pairs} pair(s) of patients have images that look the same ({where}; {apart})",
        "look at them: if it is one person, give one patient_id",
        "warning",
    ),
    "A023": Rule(
        "{pairs} pair(s) of patients have the same site, covariates and outcomes ({where}; "
        "{apart}); chance would make {expected}",
        "look them up: if it is one person, give one patient_id",
    ),
    # Texts that know too much.
    "A031": Rule(
        "texts that a model sees before the outcome say that it has happened ({where}): {right} of "
        "the {patients} patients concerned have the event, {share} of all (p {p})",
        "date these texts by the day they were written (day, available_day), or take them out",
    ),
    "A032": Rule(
        "texts that a model sees before the outcome seem to say that it has happened ({where}); of "
        "the {patients} patients concerned {right} have the event, {share} of all",
        "read them: a recurrence before the index date is history, a later one is a wrong date",
        "warning",
    ),
    "A033": Rule(
        "texts were written more than {days} days after the exam that they belong to ({where})",
        "correct day, or leave exam_id empty: such a text is not of that exam",
        "warning",
    ),
    "A034": Rule(
        "texts were written after the patient's event of {endpoint} ({where})",
        "leave them out of the cohort: no protocol shows them to a model, but whatever else reads "
        "the table does",
        "warning",
    ),
    # Outcomes that are odd.
    "A041": Rule(
        "the longest follow-up of {endpoint} ends in events nearly always ({share} of all have "
        "one), and events come later than censorings: it seems that 0 stands for the event",
        "look up how event is coded, and map it in tables.outcomes.values if need be",
        "warning",
    ),
    "A042": Rule(
        "only {events} patients have the event of {endpoint}",
        "take an endpoint with more events: under ten, no model and no number can be trusted",
        "warning",
    ),
    "A043": Rule(
        "follow-up is short of the horizon of {horizon} days: {followed} of {cases} cases are seen "
        "that far, and the median follow-up (reverse Kaplan-Meier) is {median}",
        "choose an earlier protocol.horizon; what lies beyond rests on few",
        "warning",
    ),
    "A044": Rule(
        "{dead} of {censored} patients censored for {endpoint} died that day, as {other} has it: "
        "a death that competes is coded as a censoring",
        "code it as a cause of its own (event 2) in endpoints.{endpoint}.causes; otherwise risks "
        "are told as if nobody could die",
        "warning",
    ),
    "A045": Rule(
        "the curators of TCGA's outcomes say of {endpoint}: {why} (Liu et al. 2018)",
        "set protocol.endpoint to pfi, if the cohort has it",
        "warning",
    ),
    "A046": Rule(
        "half of the ages are under 1 or over 120, so they are hardly years",
        "convert them to years: hazards and plots are told by year",
        "warning",
    ),
    "A047": Rule(
        "{events} of {patients} patients have an event of {endpoint}, {share}: hardly anybody was "
        "ever seen to be free of it",
        "look up whether censored patients were left out, or the time of last contact was taken "
        "for an event; a cohort of the dead alone has no survivor to tell them from",
        "warning",
    ),
    # What a run has fitted.
    "A051": Rule(
        "what run {run} has fitted as {name} is not that of its training patients, it is {whose}: "
        "it moves when validation or test patients change",
        "fit it on training patients alone and train the run again (--restart)",
    ),
}


def finding(
    code: str, file: str, row: int | None = None, column: str = "", **words: object
) -> Finding:
    """The finding that rule `code` states, its braces filled with `words`."""
    return stated(code, RULES[code], file, row, column, **words)


def softened(item: Finding) -> Finding:
    """The same as a warning."""
    return replace(item, severity="warning")


def in_lines(rows: Sequence[int]) -> str:
    """Where some rows stand, the first few by name: `lines 3, 8, 9 and 12 more`."""
    named = sorted(rows)[:_LINES_NAMED]
    more = len(rows) - len(named)
    text = ", ".join(map(str, named)) + (f" and {more} more" if more else "")
    return f"line{'s' if len(rows) > 1 else ''} {text}"
