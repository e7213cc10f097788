"""Names of files that the user has given to a page: opaque, unguessable, and good for that page's origin alone.

A page gets `/TOKEN/report.pdf` for a file that was chosen in a dialog and learns nothing of where it is. What is
below a folder that was given may be named, too, as long as it is really there: links that lead out of it are not
followed. Grants are kept over restarts, by a digest of their token.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asperacentral.client.errors import NotPermitted

MOST = 100_000
"""Grants that are remembered, the latest."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A path that a page may use, by the digest of its token; `to_save` is a file that need not exist yet."""

    key: str
    origin: str
    path: Path
    to_save: bool = False


class Grants:
    """All grants. Paths are absolute. `keep` is told those that are new, before anybody gets their names."""

    def __init__(
        self, known: Iterable[Grant] = (), keep: Callable[[Sequence[Grant]], None] | None = None
    ) -> None:
        self._grants = {grant.key: grant for grant in known}
        self._keep = keep

    def give(self, origin: str, paths: Sequence[Path], *, to_save: bool = False) -> list[str]:
        """The names by which pages of `origin` may call the paths from now on."""
        tokens = [secrets.token_urlsafe(16) for _ in paths]
        new = [Grant(_key(token), origin, path, to_save) for token, path in zip(tokens, paths, strict=True)]
        if self._keep is not None:
            self._keep(new)
        self._grants |= {grant.key: grant for grant in new}
        while len(self._grants) > MOST:
            del self._grants[next(iter(self._grants))]
        return [f"/{token}/{path.name}" for token, path in zip(tokens, paths, strict=True)]

    def is_name(self, origin: str, name: str) -> bool:
        """Whether `name` begins as a name that was given to the origin."""
        return self._found(origin, name) is not None

    def find(self, origin: str, name: str) -> Path:
        """The path of a name, which is not looked at when it is one to save. NotPermitted."""
        grant = self._found(origin, name)
        if grant is None:
            raise NotPermitted("this file was not chosen here: have the user choose it in a dialog")
        rest = name.lstrip("/").partition("/")[2]
        parts = rest.rstrip("/").split("/")
        if "\0" in rest or parts[0] != grant.path.name or any(part in ("", ".", "..") for part in parts[1:]):
            raise NotPermitted("this name leads out of what was chosen")
        if len(parts) == 1:
            return grant.path
        found = grant.path.joinpath(*parts[1:])
        if grant.to_save or not found.resolve().is_relative_to(grant.path.resolve()):
            raise NotPermitted("this name leads out of what was chosen")
        return found

    def _found(self, origin: str, name: str) -> Grant | None:
        grant = self._grants.get(_key(name.lstrip("/").partition("/")[0]))
        return grant if grant is not None and grant.origin == origin else None


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
