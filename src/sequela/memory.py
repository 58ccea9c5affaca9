"""How much memory there is, so that what cannot fit is refused before it is read."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from sequela.errors import ResourceLimitError

_GROUP = Path("/sys/fs/cgroup/memory.max")


def machine_memory() -> int:
    """Bytes that this process may hold at most: of the machine, its container, its own limit."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    if _GROUP.is_file() and (text := _GROUP.read_text().strip()).isdigit():
        limits.append(int(text))
    if (own := resource.getrlimit(resource.RLIMIT_AS)[0]) != resource.RLIM_INFINITY:
        limits.append(own)
    return min(limits)


def require_memory(name: str, needed: int) -> None:
    """Refuse to read what cannot fit.

    Args:
        name: Of the file, without its folder.
        needed: Bytes that it takes once it is read.

    Raises:
        ResourceLimitError: If there is less, whether it is free now or not.
    """
    there = machine_memory()
    if needed > there:
        raise ResourceLimitError(
            f"{name} takes about {needed / 1e9:.1f} GB once it is read; this machine has "
            f"{there / 1e9:.1f} GB",
            hint="split the table, or read it on a larger machine; a small file that says so may "
            "be made to fill the memory",
        )
