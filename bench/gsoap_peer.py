"""A SOAP server in C++ made by gSOAP from our own WSDL, with the daemon's own sessions: the peer that polls are held
against. Needs wsdl2h, soapcpp2 and g++ (Debian: gsoap, libgsoap-dev, g++); without them there is no peer.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.openascp.sshd import free_port

_TOOLS = ("wsdl2h", "soapcpp2", "g++")
_SOURCE = Path(__file__).parent / "gsoap" / "server.cpp"
_WSDL = Path(__file__).parent.parent / "wsdl"
_SHARE = "/usr/share/gsoap"
_STEPS = (
    ["wsdl2h", "-o", "central.h", "FASPSession200911.wsdl"],
    ["soapcpp2", "-1", "-j", "-S", "-x", f"-I{_SHARE}/import", f"-I{_SHARE}", "central.h"],
    [
        *(
            "g++",
            "-O2",
            "-std=c++17",
            "-DWITH_PURE_VIRTUAL",
            f"-I{_SHARE}",
            "-o",
            "server",
            "server.cpp",
            "soapC.cpp",
        ),
        *("soapFASPSessionNET200911BindingService.cpp", "-lgsoap++", "-lpthread"),
    ],
)


@contextmanager
def serving(folder: Path, answer: Path, *, changing: bool = False) -> Iterator[str | None]:
    """The address of a server with the sessions of `answer`, which with `changing` change once a second; None where
    it cannot be built."""
    if not all(shutil.which(tool) for tool in _TOOLS):
        yield None
        return
    place = folder / "gsoap"
    if not place.exists():
        shutil.copytree(_WSDL, place)
        shutil.copy(_SOURCE, place)
        for step in _STEPS:
            subprocess.run(step, cwd=place, check=True, capture_output=True)
    port = free_port()
    command = [str(place / "server"), str(port), str(answer), *(["changing"] if changing else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        process.wait()
