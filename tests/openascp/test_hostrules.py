"""What a machine's aspera.conf says of every session there, read by either half."""

from __future__ import annotations

from pathlib import Path

import pytest

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.failures import SessionFailure
from asperacentral.openascp.hostrules import HostRules, of_session
from asperacentral.openascp.sharing import Pool


def rules(tmp_path: Path, body: str, *, incoming: bool = True, **more: str) -> HostRules:
    file = tmp_path / "etc" / "aspera.conf"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f'<CONF version="2">{body}</CONF>')
    return of_session({"ASPERA_CONF": str(file), **more}, incoming=incoming)


CAP = """<default><transfer><in><bandwidth><aggregate><cap>900</cap></aggregate></bandwidth></in>
<protocol_options><udp>require</udp></protocol_options></transfer></default>"""


def test_a_file_that_says_nothing_of_it_is_not_even_parsed(tmp_path: Path) -> None:
    assert rules(tmp_path, "<<<") == HostRules()
    assert of_session({"ASPERA_CONF": str(tmp_path / "none")}, incoming=True) == HostRules()


def test_caps_are_those_of_the_direction_and_kept_in_the_run_directory(tmp_path: Path) -> None:
    run = tmp_path / "var/run/aspera"
    assert rules(tmp_path, CAP) == HostRules((Pool("in", 900),), "require", run)
    assert rules(tmp_path, CAP, incoming=False) == HostRules((), "require", run)
    assert rules(tmp_path, CAP, OPENASCP_RUN_DIRECTORY="/run/x").run_directory == Path("/run/x")


def test_a_file_that_cannot_be_understood_ends_the_session(tmp_path: Path) -> None:
    with pytest.raises(SessionFailure, match="more than 0") as caught:
        rules(tmp_path, CAP.replace("900", "-1"))
    assert caught.value.code is FaspCode.BAD_CONFIGURATION
