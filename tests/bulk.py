"""Large files that are soon made and take little of the disk."""

from __future__ import annotations

import os
from pathlib import Path

from asperacentral.openascp.exchange.checkpoint import BLOCK


def bulky(path: Path, size: int) -> Path:
    """A file of `size` bytes, mostly zeros, all of which has to be moved: no hole in it is as large as a block."""
    with path.open("wb") as file:
        file.truncate(size)
        for place in range(0, size, BLOCK):
            os.pwrite(file.fileno(), b"x", place)
    return path
