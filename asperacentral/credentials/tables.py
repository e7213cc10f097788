"""Users as TOML files name them: a table `[users.NAME]` for each. What is in the tables is for who reads them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}")


def user_tables(
    file: Path, known: Sequence[str], wrong: type[Exception]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each user's place for messages, name and table, whose keys are among `known`. `wrong` says what is not so."""
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as problem:
        raise wrong(f"{file}: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise wrong(f"{file}: {problem}") from None
    tables = content.pop("users", None)
    if content:
        raise wrong(f"{file}: unknown entry {sorted(content)[0]!r}; users are tables [users.NAME]")
    if not isinstance(tables, dict) or not tables:
        raise wrong(f"{file}: no table [users.NAME] in it")
    for name, table in tables.items():
        where = f"{file}: users.{name}"
        check_name(name, where, wrong)
        if not isinstance(table, dict):
            raise wrong(f"{where}: not a table")
        if unknown := set(table) - set(known):
            raise wrong(f"{where}: unknown key {sorted(unknown)[0]!r}; known: {', '.join(known)}")
        yield where, name, table


def check_name(name: str, where: str, wrong: type[Exception]) -> None:
    """Raise `wrong` for what cannot be a user's name."""
    if not _NAME.fullmatch(name):
        raise wrong(f"{where}: {name!r} is not a user name (letters, digits and . _ @ + -)")
