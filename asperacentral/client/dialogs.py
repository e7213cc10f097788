"""What the user is asked: for files, for a folder, for a file to save, for consent. Values, and one queue of
questions.

The question is put by the desktop's own dialogs (`native`) or by pages of ours in the browser (`pages`). A page that
asks can neither see nor answer it; it names only its origin, and texts of its own are not shown, lest it speak in our
name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from twisted.internet.defer import Deferred

from asperacentral.client.errors import ClientError, DialogCancelled

MOST_WAITING = 3
"""Questions of one origin at a time; a page must not bury its user under dialogs."""


class Kind(StrEnum):
    """What is asked."""

    FILES = "files"
    FOLDER = "folder"
    SAVE = "save"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Question:
    """One question to the user on behalf of `who`. `suffixes` (`.txt`) are of the files to show, all if empty."""

    kind: Kind
    who: str
    multiple: bool = False
    suggested: str = ""
    suffixes: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The question for people."""
        return {
            Kind.FILES: f"Choose {'files' if self.multiple else 'a file'} for {self.who}",
            Kind.FOLDER: f"Choose {'folders' if self.multiple else 'a folder'} for {self.who}",
            Kind.SAVE: f"Choose where to save a file of {self.who}",
            Kind.CONSENT: f"May {self.who} transfer files with this computer?",
        }[self.kind]

    @property
    def explanation(self) -> str:
        """What an answer means."""
        if self.kind is Kind.CONSENT:
            return (
                "It may then download files into your downloads folder, send files that you choose, and connect to "
                "transfer servers that it names. You can take this back in the client's window."
            )
        if self.wanted:
            return f"It says that these were dropped on it: {', '.join(self.wanted)}"
        return ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The paths that were chosen; for consent, whether it was given, and nothing else."""

    paths: tuple[Path, ...] = ()
    allowed: bool = False


class Presenter(Protocol):
    """Puts a question to the user."""

    def ask(self, question: Question) -> Deferred[Answer | None]:
        """Fires with the answer, or None when the user closed it."""


class Dialogs:
    """Asks one question after the other for each site; no site waits for another's."""

    def __init__(self, presenter: Presenter) -> None:
        self._presenter = presenter
        self._waiting: list[str] = []
        self._turns: dict[str, Deferred[None]] = {}

    async def ask(self, question: Question) -> Answer:
        """The user's answer. DialogCancelled; ClientError when the origin has asked too much already."""
        if self._waiting.count(question.who) >= MOST_WAITING:
            raise ClientError("other dialogs of this page are open; they must be answered first")
        self._waiting.append(question.who)
        before, mine = self._turns.get(question.who), Deferred[None]()
        self._turns[question.who] = mine
        try:
            if before is not None:
                await before
            answer = await self._presenter.ask(question)
        finally:
            self._waiting.remove(question.who)
            if self._turns[question.who] is mine:
                del self._turns[question.who]
            mine.callback(None)
        if answer is None:
            raise DialogCancelled("the user closed the dialog")
        return answer
