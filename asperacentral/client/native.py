"""Questions put by the desktop's own dialogs: zenity (GNOME and others) or kdialog (KDE).

What goes on the command line is our own text and the origin, whose form is checked; nothing of it is run by a shell.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessOutputAndValue

from asperacentral.client.dialogs import Answer, Kind, Question

PROGRAMS = ("zenity", "kdialog")


def find(environ: Mapping[str, str]) -> str | None:
    """The program that shows dialogs here, or None without one or without a display."""
    if not environ.get("DISPLAY") and not environ.get("WAYLAND_DISPLAY"):
        return None
    preferred = reversed(PROGRAMS) if "KDE" in environ.get("XDG_CURRENT_DESKTOP", "").upper() else PROGRAMS
    return next((path for name in preferred if (path := shutil.which(name, path=environ.get("PATH")))), None)


class NativeDialogs:
    """A presenter with one of the programs."""

    def __init__(self, reactor: Any, program: str) -> None:
        self._reactor = reactor
        self._program = program
        self._arguments = _kdialog if Path(program).name == "kdialog" else _zenity

    def ask(self, question: Question) -> Deferred[Answer | None]:
        """See Presenter."""
        shown: Deferred[tuple[bytes, bytes, int]] = getProcessOutputAndValue(
            self._program, self._arguments(question), env=dict(os.environ), reactor=self._reactor
        )
        return shown.addCallback(lambda told: _answer(question, told[0], told[2]))


def _answer(question: Question, output: bytes, status: int) -> Answer | None:
    if question.kind is Kind.CONSENT:
        return Answer(allowed=True) if status == 0 else None
    lines = os.fsdecode(output).splitlines()
    paths = tuple(Path(line) for line in lines if line.startswith("/"))
    return Answer(paths) if status == 0 and paths else None


def _zenity(question: Question) -> list[str]:
    if question.kind is Kind.CONSENT:
        said = [f"--text={question.text}\n\n{question.explanation}", "--no-markup", "--default-cancel"]
        return ["--question", "--title=Transfer client", "--ok-label=Allow", "--cancel-label=Not now", *said]
    said = ["--file-selection", f"--title={_title(question)}", "--separator=\n"]
    if question.kind is Kind.FOLDER:
        said.append("--directory")
    if question.kind is Kind.SAVE:
        said += ["--save", f"--filename={question.suggested}"]
    if question.multiple:
        said.append("--multiple")
    if question.suffixes:
        said.append("--file-filter=" + " ".join(f"*{suffix}" for suffix in question.suffixes))
    return said


def _kdialog(question: Question) -> list[str]:
    title = ["--title", _title(question)]
    if question.kind is Kind.CONSENT:
        return ["--title", "Transfer client", "--warningyesno", f"{question.text}\n\n{question.explanation}"]
    if question.kind is Kind.FOLDER:
        return [*title, "--getexistingdirectory", str(Path.home())]
    if question.kind is Kind.SAVE:
        return [*title, "--getsavefilename", str(Path.home() / question.suggested)]
    patterns = [" ".join(f"*{suffix}" for suffix in question.suffixes)] if question.suffixes else []
    several = ["--multiple", "--separate-output"] if question.multiple else []
    return [*title, *several, "--getopenfilename", str(Path.home()), *patterns]


def _title(question: Question) -> str:
    return f"{question.text}. {question.explanation}" if question.wanted else question.text


Opener = Callable[[str], None]
"""Shows a web address or a folder to the user."""


def opener(reactor: Any, command: str) -> Opener:
    """Opens by `command ADDRESS`; an empty one is the desktop's own xdg-open."""
    program = shutil.which(command or "xdg-open")

    def open_it(address: str) -> None:
        if program is None:
            raise OSError(f"there is no {command or 'xdg-open'} here to show things to the user with")
        getProcessOutputAndValue(program, [address], env=dict(os.environ), reactor=reactor)

    return open_it
