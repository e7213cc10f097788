"""An independent SOAP client, zeep, does the whole round from the WSDL that the daemon serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zeep
from zeep.exceptions import Fault

from tests.e2e.site import FarSide, Site, make_tree, order, until


@pytest.fixture
def transfer(site: Site) -> Any:
    return zeep.Client(f"{site.daemon.url}/services/soap/Transfer-201210?wsdl").service


def test_the_whole_round_through_transfer_201210(
    transfer: Any, site: Site, node: FarSide, tmp_path: Path
) -> None:
    make_tree(tmp_path / "out", big=4 << 20, small=3)
    assert transfer.ListTypes() == ["Aspera.IScpTransfer"]
    text = order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}", rate=8_000, cookie="zeep & co")
    submitted = transfer.Submit(Type="Aspera.IScpTransfer", Definition=text)
    assert submitted.Type == "Aspera.IScpTransfer"
    job = submitted.ID
    assert job in transfer.ListJobs()
    for criterion in (
        {"JobId": [job]},
        {"Cookie": ["zeep & co"]},
        {"SessionStatus": ["running"], "JobId": [job]},
    ):
        info = until(lambda criterion=criterion: transfer.GetSessionInfo(SessionFilter=criterion))  # type: ignore[misc]
        assert (info.ResultCount, info.RemainingResultCount, len(info.SessionInfo)) == (1, 0, 1)
    (session,) = info.SessionInfo
    assert (session.JobId, session.Cookie, session.Direction) == (job, "zeep & co", "outgoing")
    assert (session.ServerAddress, session.ServerSSHPort, session.TargetRate) == (
        "127.0.0.1",
        node.port,
        8_000,
    )
    by_id = {"SessionUUID": [session.UUID]}

    def moving() -> Any:
        statistics = transfer.GetSessionStatistics(SessionFilter=by_id).SessionStatistics[0]
        return statistics if statistics.BytesTransferred else None

    statistics = until(moving)
    assert (statistics.ExpectedFileCount, statistics.Status) == (4, "running")
    transfer.SetTargetRate(SessionID=session.UUID, TargetRate=900_000)
    until(lambda: transfer.GetSessionInfo(SessionFilter=by_id).SessionInfo[0].TargetRate == 900_000)
    until(lambda: transfer.GetSessionInfo(SessionFilter=by_id).SessionInfo[0].Status == "completed")
    files = transfer.GetFileTransferStatistics(FileTransferFilter=by_id)
    assert {Path(file.Path).name for file in files.FileTransferStatistics} == {
        "big.bin",
        "f0.dat",
        "f1.dat",
        "f2.dat",
    }
    assert all(
        file.Status == "completed" and file.BytesWritten == file.Size for file in files.FileTransferStatistics
    )
    info = transfer.GetInfo(FileTransferFilter={"JobId": [job]})
    assert (len(info.SessionInfo), len(info.FileTransferInfo)) == (1, 4)
    assert info.SessionInfo[0].EndDate >= info.SessionInfo[0].StartDate
    again = {"JobId": [job], "IterationToken": info.IterationToken}
    assert transfer.GetInfo(FileTransferFilter=again).ResultCount == 0
    assert job not in transfer.ListJobs()


def test_cancels_and_their_typed_faults(transfer: Any, site: Site, node: FarSide, tmp_path: Path) -> None:
    make_tree(tmp_path / "out", big=4 << 20)
    text = order(node, "Push", [str(tmp_path / "out")], f"/{tmp_path.name}", rate=4_000)
    first, second = (transfer.Submit(Type="Aspera.IScpTransfer", Definition=text).ID for _ in range(2))
    session, _ = site.transfer_process(first)
    transfer.CancelSession(SessionID=session)
    transfer.CancelJob(JobID=second)
    for job in (first, second):
        assert [view.status for view in site.finish(job)] == ["cancelled"]
    for call, arguments, fault in (
        (transfer.CancelSession, {"SessionID": session}, "SessionNotFoundFaultType"),
        (transfer.CancelJob, {"JobID": "none"}, "JobNotFoundFaultType"),
        (transfer.Submit, {"Type": "None.Such", "Definition": "x"}, "JobTypeNotFoundFaultType"),
        (
            transfer.Submit,
            {"Type": "Aspera.IScpTransfer", "Definition": "<Order/>"},
            "JobFormatInvalidFaultType",
        ),
    ):
        with pytest.raises(Fault) as refused:
            call(**arguments)
        assert refused.value.detail[0].tag.endswith(fault)


def test_the_older_services_from_their_own_wsdl(site: Site, node: FarSide, tmp_path: Path) -> None:
    make_tree(tmp_path / "out", big=4 << 20)
    url = f"{site.daemon.url}/services/soap"
    jobs = zeep.Client(f"{url}/IScpTransferNET-200604?wsdl").service
    sessions = zeep.Client(f"{url}/FASPSessionNET-200601?wsdl").service
    submit = zeep.Client(f"{site.daemon.url}/console/services/soap/Job.wsdl").service.Submit
    job = submit(
        Type="Aspera.IScpTransfer", Definition=order(node, "Push", [str(tmp_path / "out")], "/x", rate=4_000)
    ).ID
    session, _ = site.transfer_process(job)
    queried = jobs.QueryJob(JobID=job)
    assert (queried.ID, queried.Status.SessionID) == (job, session)
    assert (queried.Order.Operation, queried.Order.RemoteLocation.System.Password) == ("Push", None)
    assert session in sessions.ListSessions()
    shown = sessions.QuerySession(SessionID=session)
    assert (shown.SessionID, shown.Operation.Operation, shown.Server.User) == (session, "Push", node.user)
    sessions.Cancel(SessionID=session)
    assert [view.status for view in site.finish(job)] == ["cancelled"]
