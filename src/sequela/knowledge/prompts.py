"""The prompts, which are versioned files of the package, and what is put into them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from string import Template

from sequela.knowledge.schema import FIELDS, Field
from sequela.storage import fingerprint

REPORT_PROMPT = "report-1"
BACKGROUND_PROMPT = "background-1"


@dataclass(frozen=True)
class Prompt:
    """What a model is told, and what it is told it about.

    Attributes:
        name: The version of the instructions.
        instructions: The system message.
        content: The user message: data, without anything that identifies a patient.
    """

    name: str
    instructions: str
    content: str

    def key(self, model: str) -> str:
        """SHA-256 of the model, the prompt (which holds the schema) and the input."""
        return fingerprint(model, self.name, self.instructions, self.content)


def report_prompt(text: str) -> Prompt:
    """The prompt for a report that instructions and identifiers were taken out of."""
    fields = "\n".join(_described(field) for field in FIELDS.values())
    instructions = Template(_packaged(REPORT_PROMPT)).substitute(fields=fields)
    return Prompt(REPORT_PROMPT, instructions, f"BEGIN REPORT\n{text}\nEND REPORT")


def background_prompt(cancer_type: str) -> Prompt:
    """The prompt for the claims about a cancer type."""
    return Prompt(BACKGROUND_PROMPT, _packaged(BACKGROUND_PROMPT), f"Cancer type: {cancer_type}")


def _described(field: Field) -> str:
    match field.kind:
        case "level":
            values = ", ".join(field.levels)
        case "number":
            values = "a number of centimetres, as in 3.5"
        case "count":
            values = "a whole number"
        case _:
            values = "at most 200 characters of the report that matter most for survival, verbatim"
    return f"- {field.name} ({field.label}): {values}"


def _packaged(name: str) -> str:
    folder = resources.files("sequela.knowledge") / "prompts"
    return (folder / f"{name}.txt").read_text(encoding="utf-8")
