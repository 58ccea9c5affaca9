"""Names for patients that only the holder of a key can trace back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sequela.errors import DataError, UsageError
from sequela.storage import write_text

_DIGITS = 16  # 64 bits: two of a million names collide once in 40 million cohorts


@dataclass(frozen=True)
class Pseudonyms:
    """Keyed hashes (HMAC-SHA-256) of identifiers: equal under one key, meaningless without it."""

    key: bytes

    def name(self, kind: str, *parts: str) -> str:
        """The pseudonym of an identifier.

        Args:
            kind: What it names; its first letter begins the pseudonym.
            parts: The identifier, in parts that belong together.
        """
        message = "\0".join((kind, *parts)).encode("utf-8", "surrogateescape")
        return kind[0] + hmac.new(self.key, message, hashlib.sha256).hexdigest()[:_DIGITS]


@dataclass(frozen=True)
class KeptIds:
    """Ids as they are, for tables whose ids are pseudonyms already."""

    def name(self, kind: str, *parts: str) -> str:
        """The last part, which is the identifier."""
        return parts[-1]


Naming = Pseudonyms | KeptIds


def default_key_file(cohort: Path) -> Path:
    """Where the key lies unless said otherwise: beside the cohort folder, not in it."""
    return cohort.parent / f"{cohort.name}-pseudonyms.key"


def open_pseudonyms(key_file: Path, cohort: Path) -> Pseudonyms:
    """The pseudonyms of `key_file`, which is made (readable by its owner alone) if absent.

    Raises:
        UsageError: If the key would lie in the cohort folder, and so travel with the data.
        DataError: If the file does not hold a key.
    """
    if key_file.resolve().is_relative_to(cohort.resolve()):
        raise UsageError(
            "the pseudonym key lies inside the cohort folder, and would travel with the data",
            hint="give --key a file outside the cohort folder",
        )
    if not key_file.exists():
        write_text(key_file, secrets.token_hex(32) + "\n")
    try:
        key = bytes.fromhex(key_file.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) < 16:
        raise DataError(
            f"{key_file.name} is not a pseudonym key: expected at least 32 hexadecimal digits",
            hint="give --key the file that an earlier import made, or a new name to make one",
        )
    return Pseudonyms(key)


def write_links(
    path: Path, links: Mapping[str, str], columns: tuple[str, str] = ("original_id", "patient_id")
) -> None:
    """Write what has which pseudonym, beside those already there.

    Args:
        path: A file outside the cohort folder.
        links: Pseudonym of each identifier.
        columns: What the two are called.
    """
    if path.exists():
        known = pl.read_csv(path, infer_schema=False)
        links = {**dict(known.iter_rows()), **links}
    rows = sorted(links.items())
    table = pl.DataFrame(rows, schema=list(columns), orient="row")
    write_text(path, table.write_csv())
