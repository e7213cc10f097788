"""What a case works with: a folder on either side, orders between them, and the list of all cases."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.e2e.site import FarSide, Site, until

Elements = Mapping[str, str | list[str]]
SIZE = 100_000


class Trial:
    """One case: a folder of its own on either side, `near` here and `far` there, and orders between them."""

    def __init__(self, site: Site, service: Any, side: FarSide, tmp_path: Path) -> None:
        self.site = site
        self.side = side
        self._service = service
        self.near = tmp_path / "near"
        self.name = tmp_path.name
        self.far = side.root / self.name
        self.tmp = tmp_path
        self.near.mkdir()
        self.far.mkdir()

    @cached_property
    def file(self) -> Path:
        """A file on this side."""
        path = self.near / "a.txt"
        path.write_bytes(os.urandom(SIZE))
        return path

    def there(self, relative: str) -> str:
        """The far side's name of a path below `far`."""
        return self.side.path(f"{self.name}/{relative}")

    def push(self, elements: Elements, source: Path | None = None, target: str = "to") -> list[Any]:
        """Carry out a push; the sessions, oldest first."""
        return self.run({"Operation": "Push", **elements}, [str(source or self.file)], [self.there(target)])

    def pull(self, elements: Elements, source: str, target: Path) -> list[Any]:
        """Carry out a pull; the sessions, oldest first."""
        return self.run({"Operation": "Pull", **elements}, [str(target)], [self.there(source)])

    def run(self, elements: Elements, local: list[str], remote: list[str]) -> list[Any]:
        """Submit an order and wait for its end."""
        return self.finish(self.submit(elements, local, remote))

    def submit(
        self, elements: Elements, local: list[str] | None = None, remote: list[str] | None = None
    ) -> str:
        """Submit an order: the elements given, and what is needed beside them."""
        return self.site.client.submit(
            document(
                {
                    **self.login(),
                    "Operation": "Push",
                    "FileParameters/CreatePath": "No",
                    "RateParameters/TargetRate": "10000000",
                    "LocalLocation/Files/Path": local or [str(self.file)],
                    "RemoteLocation/Files/Path": remote or [self.there("to")],
                    **elements,
                }
            )
        )

    def login(self) -> dict[str, str]:
        """How to log in on the far side."""
        found = {
            "RemoteLocation/System/Address": "127.0.0.1",
            "RemoteLocation/System/Port": str(self.side.port),
            "RemoteLocation/System/UserName": self.side.user,
        }
        if self.side.password:
            found["RemoteLocation/System/Password"] = self.side.password
        if self.side.key:
            found["RemoteLocation/Authentication/KeyPath"] = str(self.side.key)
        return found

    def finish(self, job: str) -> list[Any]:
        """The sessions of a job that has ended, oldest first."""
        until(lambda: job not in self.site.client.list_jobs(), 90)
        return self.sessions(job)

    def sessions(self, job: str) -> list[Any]:
        found = self._service.GetSessionInfo(SessionFilter={"JobId": [job]}).SessionInfo or []
        return sorted(found, key=lambda info: info.StartDate)

    def files(self, session: Any) -> list[Any]:
        """The files of a session."""
        wanted = {"SessionUUID": [session.UUID], "MaxResults": 1000}
        return self._service.GetFileTransferInfo(FileTransferFilter=wanted).FileTransferInfo or []

    def paused(self, elements: Elements) -> Any:
        """The session of an order that waits at rate 0, once it has begun; the job is cancelled."""
        job = self.submit({**elements, "RateParameters/TargetRate": "0"})
        until(lambda: [info for info in self.sessions(job) if status(info) == "running"])
        info = self.sessions(job)[0]
        self.site.client.cancel_job(job)
        return info

    def logged(self, elements: Elements) -> str:
        """Carry out a push whose transfer process writes its log to a file; the log."""
        folder = self.tmp / "log"
        self.push({**elements, "RawOptions/Option": ["-L", str(folder)]})
        return (folder / "openascp.log").read_text()


def document(elements: Elements) -> str:
    """An order from the paths of its elements."""

    def write(prefix: str, paths: list[str]) -> str:
        text = ""
        for name in dict.fromkeys(path[len(prefix) :].split("/")[0] for path in paths):
            path = prefix + name
            if path in elements:
                values = elements[path]
                for value in [values] if isinstance(values, str) else values:
                    text += f"<{name}>{escape(value)}</{name}>"
            else:
                below = [each for each in paths if each.startswith(path + "/")]
                text += f"<{name}>{write(path + '/', below)}</{name}>"
        return text

    return f"<Order>{write('', list(elements))}</Order>"


def status(info: Any) -> str:
    return str(info.Status)


def code(info: Any) -> int:
    return int(info.ErrorCode or 0)


def completed(sessions: list[Any]) -> bool:
    return [status(info) for info in sessions] == ["completed"]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


HALVES = "halves"
"""The far side has an SSH server with openascp."""
SFTP = "sftp"
"""The far side has a plain SSH server."""


@dataclass(frozen=True)
class Case:
    """One case: what it does, and on which far sides it says something."""

    run: Callable[[Trial], None]
    sides: tuple[str, ...]


CASES: dict[str, Case] = {}
SHOWN: set[str] = set()


def shows(
    *paths: str, sides: tuple[str, ...] = (HALVES, SFTP)
) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Register a case and the elements whose effect it shows."""

    def register(case: Callable[[Trial], None]) -> Callable[[Trial], None]:
        assert case.__name__ not in CASES
        CASES[case.__name__] = Case(case, sides)
        SHOWN.update(paths)
        return case

    return register
