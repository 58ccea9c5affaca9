"""The words for what became of a file that an import looked at."""

from __future__ import annotations

from typing import Literal

Status = Literal["noted", "set aside", "refused", "unreadable"]
"""Taken with a remark; not what we import; ours, but not to be used; not to be read."""
