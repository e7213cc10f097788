"""For the whole suite: every SOAP exchange, in-process or with a daemon, is checked against the XSD files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from asperacentral.commands.local import LocalDaemon
from tests import recording

# No test may depend on the machine being fast. `--hypothesis-profile=thorough` looks for longer.
settings.register_profile("usual", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile("usual")

_LAUNCHER = Path(__file__).with_name("recording_daemon.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots",
        metavar="DIR",
        default=None,
        help="tests in a browser leave pictures of the pages there, as docs/ shows them",
    )


@pytest.fixture(scope="session", autouse=True)
def complaints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where daemons leave what is wrong with their exchanges; every LocalDaemon of the suite is recorded."""
    directory = tmp_path_factory.mktemp("complaints")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(recording.VARIABLE, str(directory))
        patched.setattr(LocalDaemon, "program", (str(_LAUNCHER),))
        yield directory


@pytest.fixture(autouse=True)
def valid_exchanges(request: pytest.FixtureRequest, complaints: Path) -> Iterator[None]:
    """Fail the test that caused an exchange which is not valid; the marker lenient_requests lets requests pass."""
    yield
    lenient = request.node.get_closest_marker("lenient_requests") is not None
    wrong = [
        text for kind, text in recording.taken(complaints) if not (lenient and kind == recording.REQUEST)
    ]
    if wrong:
        pytest.fail(f"{len(wrong)} SOAP messages break the contract:\n" + "\n".join(wrong[:5]), pytrace=False)
