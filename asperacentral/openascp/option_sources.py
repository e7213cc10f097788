"""Which sources and which destination a command line names: arguments, lists, prefixes and bases."""

from __future__ import annotations

import argparse
import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

from asperacentral.openascp import option_values as values
from asperacentral.openascp.option_table import UsageError


@dataclass(frozen=True, slots=True)
class Sources:
    """`placed` is empty, or has for each path its place below the destination. `several`: a list was given."""

    paths: tuple[bytes, ...]
    destination: bytes
    several: bool = False
    placed: tuple[bytes, ...] = ()


def read_sources(given: argparse.Namespace) -> Sources:
    """All sources and the destination. UsageError."""
    listed = given.file_list is not None or given.file_pair_list is not None
    paths = [os.fsencode(path) for path in given.paths]
    if given.file_list is not None and given.file_pair_list is not None:
        raise UsageError("--file-list and --file-pair-list exclude each other")
    if given.keepalive:
        return _persistent(given, paths, listed)
    if listed and len(paths) > 1:
        raise UsageError("a list of files and sources on the command line exclude each other")
    if not paths or (len(paths) < 2 and not listed):
        raise UsageError("sources and a destination are needed")
    destination = _destination(given, paths.pop())
    placed: list[bytes] = []
    if given.file_list is not None:
        paths = _lines(given.file_list)
    elif given.file_pair_list is not None:
        paths, placed = _pairs(_lines(given.file_pair_list))
    if any(b"\0" in path for path in (*paths, destination)):
        raise UsageError("a path holds a NUL character")
    prefix = given.source_prefix64 or os.fsencode(given.source_prefix)
    if prefix:
        paths = [prefix.rstrip(b"/") + b"/" + path.lstrip(b"/") for path in paths]
    base = given.src_base64 or os.fsencode(given.src_base)
    if base:
        if placed:
            raise UsageError("--src-base and --file-pair-list exclude each other")
        placed = [_below(base, path) for path in paths]
    return Sources(tuple(paths), destination, listed, tuple(placed))


def _persistent(given: argparse.Namespace, paths: list[bytes], listed: bool) -> Sources:
    """With --keepalive the sources come from the manager; a destination may be named that theirs are relative to."""
    if listed or len(paths) > 1:
        raise UsageError("--keepalive takes sources from the manager, not from the command line")
    return Sources((), _destination(given, paths[0]) if paths else b".")


def _destination(given: argparse.Namespace, path: bytes) -> bytes:
    if not given.dest64:
        return path
    try:
        return values.base64_path(path.decode("ascii", "replace"))
    except values.ValueRefused as error:
        raise UsageError(f"--dest64: {error}") from None


def _lines(file: Path) -> list[bytes]:
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"the list of files cannot be read: {error.strerror}") from None
    return [line.removesuffix(b"\r") for line in lines if line.strip()]


def _pairs(lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    if len(lines) % 2:
        raise UsageError("--file-pair-list: the last source has no destination")
    return lines[::2], [_inside(path) for path in lines[1::2]]


def _inside(path: bytes) -> bytes:
    """A place below the destination; it cannot be left upwards."""
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if not parts or b".." in parts:
        raise UsageError(f"{os.fsdecode(path)!r} is no place below the destination")
    return b"/".join(parts)


def _below(base: bytes, path: bytes) -> bytes:
    """The path of a source below the base; empty for the base itself."""
    root, full = posixpath.normpath(base), posixpath.normpath(path)
    if full == root:
        return b""
    start = root if root.endswith(b"/") else root + b"/"
    if not full.startswith(start):
        raise UsageError(f"the source {os.fsdecode(path)!r} is not below --src-base")
    return _inside(full[len(start) :])
