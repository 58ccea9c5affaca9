"""Answers of a language model, each under the hash of all that it followed from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sequela.knowledge.client import NoAnswerError
from sequela.knowledge.prompts import Prompt
from sequela.storage import fingerprint, write_json


@dataclass(frozen=True)
class Answered:
    """What a model said, or why it said nothing that can be used."""

    text: str
    failure: str = ""


@dataclass(frozen=True)
class AnswerCache:
    """A folder of answers; the same question to the same model is asked once.

    Attributes:
        folder: Where they lie, a file each.
        model: The model's name, part of every key.
    """

    folder: Path
    model: str

    def path(self, prompt: Prompt) -> Path:
        """Where the answer to a prompt lies, if it was given."""
        key = prompt.key(self.model)
        return self.folder / key[:2] / f"{key}.json"

    def get(self, prompt: Prompt) -> Answered | None:
        """The answer that was given; None if there is none that can be read."""
        try:
            content = json.loads(self.path(prompt).read_text(encoding="utf-8"))
            return Answered(content["answer"], content["failure"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def ask(self, prompt: Prompt, ask: Callable[[Prompt], str]) -> Answered:
        """The answer that was given before, or the one given now, which is kept.

        Args:
            prompt: The question.
            ask: Puts it to the model.
        """
        known = self.get(prompt)
        if known is not None:
            return known
        try:
            answered = Answered(ask(prompt))
        except NoAnswerError as error:
            answered = Answered("", error.message)
        write_json(
            self.path(prompt),
            {
                "model": self.model,
                "prompt": prompt.name,
                "instructions": fingerprint(prompt.instructions),
                "input": fingerprint(prompt.content),
                "answer": answered.text,
                "failure": answered.failure,
            },
        )
        return answered
