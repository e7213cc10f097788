"""Every element of an order takes effect: seen on real files that go over real SSH, or in what becomes of the session.

Each case names the elements whose effect it shows; a test compares them with those that the order reader knows. Cases
about files run twice: with openascp on the far side, and over SFTP.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zeep

from asperacentral.central import order_reader
from asperacentral.commands.local import LocalDaemon
from tests.e2e.orders import channels, contents, places, rates, transfers
from tests.e2e.orders.trial import CASES, HALVES, SFTP, SHOWN, Case, Trial
from tests.e2e.site import FarSide, Site
from tests.openascp.sshd import SSHD, Sshd

THEMES = (channels, contents, places, rates, transfers)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Any]]:
    options = {"raw_options": "enable"}
    with LocalDaemon(tmp_path_factory.mktemp("elements") / "central", options=options) as daemon:
        service = zeep.Client(f"{daemon.url}/services/soap/Transfer-201210?wsdl").service
        yield Site(daemon), service


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarSide]:
    """An sshd whose users find openascp."""
    folder = tmp_path_factory.mktemp("halves")
    programs, root = folder / "bin", folder / "files"
    programs.mkdir()
    root.mkdir()
    program = programs / "openascp"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m asperacentral.openascp "$@"\n')
    program.chmod(0o755)
    setting = f"SetEnv PATH={programs}:/usr/bin:/bin OPENASCP_RUN_DIRECTORY={folder / 'nobody'}"
    with Sshd(folder / "server", config=setting) as server:
        yield FarSide(
            "sshd", server.port, server.user, root, str(root), key=server.key, fingerprint=server.fingerprint
        )


@pytest.fixture
def trial(shared: tuple[Site, Any], side: str, request: pytest.FixtureRequest, tmp_path: Path) -> Trial:
    if not SSHD and side == SFTP:
        pytest.skip("needs sshd")
    fixture = {HALVES: "halves" if SSHD else "node", SFTP: "sshd"}[side]
    return Trial(*shared, request.getfixturevalue(fixture), tmp_path)


@pytest.mark.parametrize(
    ("case", "side"),
    [(case, side) for case in CASES.values() for side in case.sides],
    ids=[f"{name}-{side}" for name, case in CASES.items() for side in case.sides],
)
def test_an_order(case: Case, trial: Trial) -> None:
    case.run(trial)


@pytest.mark.parametrize("side", [HALVES, SFTP])
def test_the_far_sides_differ_in_whether_they_have_openascp(trial: Trial, side: str) -> None:
    assert (" by SFTP, since " in trial.logged({})) is (side == SFTP)


def test_no_element_of_an_order_is_without_a_case() -> None:
    assert {*order_reader._SCALARS, *order_reader._LISTS} == SHOWN
