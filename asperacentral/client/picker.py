"""The browser's page for choosing files: a folder's entries, and what an answer to it means. Reads folders only."""

from __future__ import annotations

import os
from pathlib import Path

from asperacentral.client.dialogs import Kind, Question
from asperacentral.client.html import text

MOST_SHOWN = 2000


class NotThere(Exception):
    """What was named cannot be chosen; `str(error)` says why."""


def body(question: Question, folder: Path) -> str:
    """The fields of the form for `folder`."""
    folders, files = _entries(question, folder)
    rows = [_folder_row("Up", str(folder.parent))] if folder.parent != folder else []
    kind = "checkbox" if question.multiple else "radio"
    for entry in folders:
        choice = _choice(kind, entry) if question.kind is Kind.FOLDER else ""
        rows.append(_folder_row(entry.name, str(entry), choice))
    rows += [f"<li><label>{_choice(kind, entry)} {text(entry.name)}</label></li>" for entry in files]
    named = ""
    if question.kind is Kind.SAVE:
        named = f'<label>Name <input name="name" value="{text(question.suggested)}" maxlength="255"></label> '
    this = (
        '<button name="this" class="permit">Choose this folder</button> '
        if question.kind is Kind.FOLDER
        else ""
    )
    note = f"<p>{text(question.explanation)}</p>" if question.explanation else ""
    return (
        f'{note}<p class="buttons">{named}<button name="choose" class="permit">Choose</button> {this}'
        f'<button name="cancel">Cancel</button></p><p class="soft">{text(str(folder))}</p><ul>{"".join(rows)}</ul>'
    )


def step(question: Question, folder: Path, form: dict[str, list[str]]) -> Path | tuple[Path, ...]:
    """The folder to show next, or what was chosen in the end. NotThere."""
    if "go" in form:
        there = Path(form["go"][0])
        if not there.is_dir() or not os.access(there, os.R_OK | os.X_OK):
            raise NotThere(f"{there} cannot be opened")
        return there
    if "this" in form and question.kind is Kind.FOLDER:
        return (folder,)
    if question.kind is Kind.SAVE:
        name = form.get("name", [""])[0]
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise NotThere("a file needs a name without slashes")
        return (folder / name,)
    chosen = [Path(name) for name in form.get("path", [])]
    right = Path.is_dir if question.kind is Kind.FOLDER else Path.is_file
    if not chosen or not all(path.is_absolute() and right(path) for path in chosen):
        raise NotThere("nothing was chosen")
    return tuple(chosen if question.multiple else chosen[:1])


def _entries(question: Question, folder: Path) -> tuple[list[Path], list[Path]]:
    try:
        entries = sorted(folder.iterdir(), key=lambda path: path.name.lower())[:MOST_SHOWN]
    except OSError:
        return [], []
    shown = [entry for entry in entries if not entry.name.startswith(".") and _printable(entry.name)]
    folders = [entry for entry in shown if entry.is_dir()]
    if question.kind is not Kind.FILES:
        return folders, []
    suffixes = tuple(suffix.lower() for suffix in question.suffixes)
    files = [entry for entry in shown if entry.is_file()]
    return folders, [entry for entry in files if not suffixes or entry.name.lower().endswith(suffixes)]


def _printable(name: str) -> bool:
    """Whether a form can carry it: names that are no UTF-8, or have line breaks, cannot be chosen here."""
    return not any("\ud800" <= character <= "\udfff" or character in "\r\n" for character in name)


def _choice(kind: str, entry: Path) -> str:
    return f'<input type="{kind}" name="path" value="{text(str(entry))}" aria-label="{text(entry.name)}">'


def _folder_row(name: str, path: str, choice: str = "") -> str:
    return f'<li>{choice}<button name="go" value="{text(path)}" class="folder">{text(name)}/</button></li>'
