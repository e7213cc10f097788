"""What scans of sources have found, in numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ScanCounts:
    """What was found: sources named and scanned whole, paths below them, of which failed, special or left out by
    filters; folders, files and their bytes.
    """

    arguments: int = 0
    completed: int = 0
    paths: int = 0
    failed: int = 0
    irregular: int = 0
    excluded: int = 0
    folders: int = 0
    files: int = 0
    size: int = 0
