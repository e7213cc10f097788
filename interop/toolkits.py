"""The toolkits: what each needs here, how it makes a client from a WSDL, how that client is run.

Knows no daemon: the address of the WSDL and the order are given.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SOURCES = Path(__file__).parent
_MADE_BY_SOAPCPP2 = ("soapC.cpp", "soapTransfer201210BindingProxy.cpp")
_STEP_TIMEOUT = 300.0
"""Seconds for one command. The longest is g++ on what soapcpp2 made: half a minute on a slow machine."""


class Failed(Exception):
    """A command of a toolkit failed; `str(error)` tells which, and ends with what it printed."""


@dataclass(frozen=True)
class Toolkit:
    """A SOAP toolkit and our client for it. `{wsdl}`, `{order}` and `{source}` stand for an address and two paths."""

    name: str
    folder: str
    """Where our source for it is, below this package."""
    tools: tuple[str, ...]
    """The programs it needs on the path."""
    check: tuple[str, ...]
    """A command that succeeds where its libraries are there too; run in its folder."""
    install: str
    """What to type where something is missing (Debian)."""
    run: tuple[str, ...]
    build: tuple[tuple[str, ...], ...] = ()

    @property
    def _source(self) -> Path:
        return _SOURCES / self.folder

    def is_here(self) -> bool:
        """Whether all it needs is installed."""
        if not all(shutil.which(tool) for tool in self.tools):
            return False
        return subprocess.run(self.check, cwd=self._source, capture_output=True, check=False).returncode == 0

    def try_client(self, place: Path, wsdl: str, order: Path) -> str:
        """Make the client in `place` and run it with `order`; what it printed. Raises Failed."""
        said = ""
        for step in (*self.build, self.run):
            command = [part.format(wsdl=wsdl, order=order, source=self._source) for part in step]
            said = _output(command, place)
        return said


def _output(command: list[str], place: Path) -> str:
    """What a command run in `place` prints, errors among it. Raises Failed."""
    try:
        done = subprocess.run(
            command,
            cwd=place,
            env={**os.environ, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_STEP_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as problem:
        raise Failed(f"{command[0]} took longer than {_STEP_TIMEOUT:.0f} s") from problem
    if done.returncode:
        raise Failed(f"{command[0]} ended with {done.returncode}: {done.stdout[-3000:].strip()}")
    return done.stdout


TOOLKITS = (
    Toolkit(
        "gSOAP (C++)",
        "gsoap",
        tools=("wsdl2h", "soapcpp2", "g++"),
        check=("g++", "-include", "stdsoap2.h", "-fsyntax-only", "-x", "c++", os.devnull),
        install="apt-get install gsoap libgsoap-dev g++",
        build=(
            ("wsdl2h", "-o", "central.h", "{wsdl}"),
            ("soapcpp2", "-1", "-j", "-C", "-x", "central.h"),
            (
                "g++",
                "-std=c++17",
                "-I.",
                "-o",
                "client",
                "{source}/client.cpp",
                *_MADE_BY_SOAPCPP2,
                "-lgsoap++",
            ),
        ),
        run=("./client", "{wsdl}", "{order}"),
    ),
    Toolkit(
        "PHP SoapClient",
        "php",
        tools=("php",),
        check=("php", "-r", "exit(class_exists('SoapClient') ? 0 : 1);"),
        install="apt-get install php-cli php-soap",
        run=("php", "{source}/client.php", "{wsdl}", "{order}"),
    ),
    Toolkit(
        "node soap",
        "node",
        tools=("node",),
        check=("node", "-e", "require.resolve('soap')"),
        install="apt-get install nodejs npm && npm install --no-package-lock --prefix interop/node",
        run=("node", "{source}/client.js", "{wsdl}", "{order}"),
    ),
)
