"""Two machines, each with its Central, and one transfer between them: both tell of it. On loopback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zeep

from asperacentral.commands.local import LocalDaemon, LocalNode
from asperacentral.commands.progress import SessionView
from tests.e2e.site import PASSWORD, FarSide, Site, hashes, make_tree, order, until


@pytest.fixture
def server_site(tmp_path: Path) -> Iterator[Site]:
    """The far machine's Central."""
    with LocalDaemon(tmp_path / "far-central") as daemon:
        yield Site(daemon)


def node_of(central: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalNode:
    """A node on the machine of this Central: they share their configuration, and so the run directory."""
    monkeypatch.setenv("ASPERA_CONF", str(central.daemon.prefix / "etc" / "aspera.conf"))
    (tmp_path / "docroot").mkdir()
    return LocalNode(tmp_path, tmp_path / "docroot", "far", PASSWORD)


@pytest.fixture
def far_node(server_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalNode]:
    with node_of(server_site, tmp_path, monkeypatch) as node:
        yield node


@pytest.fixture
def far(far_node: LocalNode, tmp_path: Path) -> FarSide:
    return FarSide("node", far_node.port, "far", tmp_path / "docroot", "", password=PASSWORD)


def the_session(site: Site, is_it: Callable[[SessionView], bool] = lambda view: True) -> SessionView:
    def found() -> list[SessionView]:
        return [view for view in site.client.sessions() if is_it(view)]

    (view,) = until(found)
    return view


def ended(view: SessionView) -> bool:
    return view.status not in ("running", "paused")


@pytest.mark.parametrize(
    ("operation", "here", "there", "transport"),
    [("Push", "outgoing", "incoming", "Any"), ("Pull", "incoming", "outgoing", "SSH")],
)
def test_both_ends_list_a_transfer_under_one_session_id(
    site: Site,
    server_site: Site,
    far: FarSide,
    tmp_path: Path,
    operation: str,
    here: str,
    there: str,
    transport: str,
) -> None:
    push = operation == "Push"
    sent = make_tree(tmp_path / "out" if push else far.root / "out", big=1 << 20, small=20)
    source, target = (str(tmp_path / "out"), "/in") if push else ("/out", str(tmp_path / "in"))
    job = site.client.submit(order(far, operation, [source], target, cookie="both ways", transport=transport))
    (client,) = site.finish(job)
    server = the_session(server_site, ended)
    assert hashes((far.root / "in" if push else tmp_path / "in") / "out") == sent
    assert (client.status, client.direction, client.job) == ("completed", here, job)
    assert (server.status, server.direction, server.job) == ("completed", there, "")
    assert server.id == client.id
    carriage = site.carriage(client.id)
    assert server_site.carriage(server.id) == carriage
    assert carriage == ("fasp", "none") if transport == "Any" else carriage[0] == "ssh" != carriage[1]
    assert server.cookie == "both ways"
    service = zeep.Client(f"{server_site.daemon.url}/services/soap/Transfer-201210?wsdl").service
    (info,) = service.GetSessionInfo(SessionFilter={"SessionUUID": [server.id]}).SessionInfo
    assert info.SourcePath == source
    assert (server.files_complete, server.files_failed) == (client.files_complete, 0) == (21, 0)
    assert (
        server.bytes_transferred
        == client.bytes_transferred
        == sum(
            path.stat().st_size
            for path in (tmp_path / "out" if push else far.root / "out").rglob("*")
            if path.is_file()
        )
    )


def test_either_central_changes_the_rate_and_the_other_tells_it(
    site: Site, server_site: Site, far: FarSide, tmp_path: Path
) -> None:
    make_tree(tmp_path / "out", big=4 << 20)
    job = site.client.submit(order(far, "Push", [str(tmp_path / "out")], "/in", rate=800))
    session = the_session(server_site).id
    server_site.client.set_rate(session, 900, None, None)
    until(lambda: the_session(site).target_rate == 900)
    site.client.set_rate(session, 10_000_000, None, None)
    until(lambda: the_session(server_site).target_rate == 10_000_000)
    assert [view.status for view in site.finish(job)] == ["completed"]


def test_the_servers_central_cancels_a_transfer_and_survives_its_own_death(
    site: Site, server_site: Site, far: FarSide, tmp_path: Path
) -> None:
    make_tree(tmp_path / "out", big=4 << 20)
    job = site.client.submit(order(far, "Push", [str(tmp_path / "out")], "/in", rate=800, retries=0))
    session = the_session(server_site).id
    server_site.daemon.end()
    server_site.restart()
    until(lambda: the_session(server_site).bytes_transferred > 0)
    assert not ended(the_session(server_site))
    server_site.client.cancel_session(session)
    assert the_session(server_site, ended).status == "cancelled"
    assert [ended(view) for view in site.finish(job)] == [True]
    assert not hashes(far.root)


def test_where_both_ends_are_one_machine_its_central_lists_two_sessions(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(tmp_path / "out", small=3)
    with node_of(site, tmp_path, monkeypatch) as node:
        far = FarSide("node", node.port, "far", tmp_path / "docroot", "", password=PASSWORD)
        job = site.client.submit(order(far, "Push", [str(tmp_path / "out")], "/in"))
        (client,) = site.finish(job)
        server = the_session(site, lambda view: not view.job and ended(view))
    assert (client.status, client.direction) == ("completed", "outgoing")
    assert (server.status, server.direction) == ("completed", "incoming")
    assert server.id != client.id


def test_a_server_half_that_is_killed_leaves_an_error_behind(
    site: Site, server_site: Site, far: FarSide, far_node: LocalNode, tmp_path: Path
) -> None:
    make_tree(tmp_path / "out", big=4 << 20)
    job = site.client.submit(order(far, "Push", [str(tmp_path / "out")], "/in", rate=800, retries=0))
    session = the_session(server_site).id
    for process in server_halves(far_node.pid):
        os.kill(process, 9)
    assert the_session(server_site, ended).status == "error"
    assert the_session(server_site).id == session
    (client,) = site.finish(job)
    assert client.status == "error"


def server_halves(node_pid: int) -> list[int]:
    """The processes that a node has started for sessions."""
    children = Path(f"/proc/{node_pid}/task/{node_pid}/children").read_text("ascii").split()
    return [int(child) for child in children]
