"""The tokenizer that a run was trained with, kept in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sequela.errors import LockedError
from sequela.modalities.text import load_tokenizer
from sequela.storage import atomic_folder, fingerprint
from sequela.training.run import Run


def tokenizer_fingerprint(tokenizer: Any) -> str | None:
    """SHA-256 of what a tokenizer does, None for none."""
    if tokenizer is None:
        return None
    backend = getattr(tokenizer, "backend_tokenizer", None)
    does = backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))
    return fingerprint(does)


def keep_tokenizer(tokenizer: Any, run: Run) -> None:
    """Write the tokenizer into the run's folder, whole or not at all."""
    folder = _folder(run)
    if tokenizer is None or folder.exists():
        return
    with atomic_folder(folder) as temporary:
        tokenizer.save_pretrained(temporary)


def kept_tokenizer(run: Run, expected: str | None) -> Any:
    """The tokenizer that the run was trained with, None for none.

    Args:
        run: A trained run.
        expected: Its fingerprint in the checkpoint.

    Raises:
        LockedError: If it is another one: token ids would mean other words.
    """
    if expected is None:
        return None
    tokenizer = load_tokenizer(str(_folder(run)))
    if tokenizer_fingerprint(tokenizer) != expected:
        raise LockedError(
            f"the tokenizer in run {run.name} is not the one that it was trained with",
            hint="bring back the run's tokenizer folder, or train again",
        )
    return tokenizer


def _folder(run: Run) -> Path:
    return run.folder / "tokenizer"
