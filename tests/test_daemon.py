"""The composition root: what a configuration can and cannot do, and starts that must not succeed."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import stat
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from asperacentral.commands.client import CentralClient, Refused
from asperacentral.commands.local import LocalDaemon, NotStarted
from asperacentral.config_table import NOT_IN_EFFECT
from asperacentral.soap.names import FASPSESSION_200601, FASPSESSION_200911
from tests.central.world import order
from tests.e2e.site import until

CONF = Path(__file__).parent.parent / "etc" / "aspera.conf"


def test_the_example_configuration_names_exactly_the_options_without_effect() -> None:
    said = set()
    for comment, name in re.findall(r"<!--([^<]*?)-->\s*<!-- <(\w+)>", CONF.read_text()):
        if re.search(r"no\s+effect", comment):
            said.add(name)
    assert said == set(NOT_IN_EFFECT)


def test_an_option_without_effect_is_named_in_the_log(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path, options={"transfer_list_path": "/lists"}) as daemon:
        assert "<transfer_list_path> has no effect" in daemon.log.read_text()


def post(daemon: LocalDaemon, service: str, message: str) -> str:
    """Send a body element; the answer, a fault as well."""
    envelope = "http://schemas.xmlsoap.org/soap/envelope/"
    body = f'<s:Envelope xmlns:s="{envelope}"><s:Body>{message}</s:Body></s:Envelope>'
    asked = urllib.request.Request(f"{daemon.url}/services/soap/{service}", body.encode())
    asked.add_header("Content-Type", "text/xml")
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            text: bytes = answer.read()
    except urllib.error.HTTPError as fault:
        text = fault.read()
    return text.decode()


def list_sessions(more: str) -> str:
    inner = f"<SessionFilter>{more}<MaxResults>5</MaxResults></SessionFilter>"
    return f'<n:GetSessionsRequest xmlns:n="{FASPSESSION_200911}">{inner}</n:GetSessionsRequest>'


@pytest.mark.lenient_requests(reason="an unknown element")
@pytest.mark.parametrize(
    ("validation", "unknown"), [("enable", "GetSessionsResponse"), ("strict", "unknown element")]
)
def test_strict_schema_validation_refuses_what_is_otherwise_skipped(
    tmp_path: Path, validation: str, unknown: str
) -> None:
    with LocalDaemon(tmp_path, options={"schema_validation": validation}) as daemon:
        assert unknown in post(daemon, "FASPSessionNET-200911", list_sessions("<Colour>red</Colour>"))
        wrong = "<MinSessionStartDate>soon</MinSessionStartDate>"
        assert "Fault" in post(daemon, "FASPSessionNET-200911", list_sessions(wrong))


def lose_the_store(daemon: LocalDaemon) -> None:
    """Make every commit of a job fail, and let one be tried."""
    with sqlite3.connect(daemon.prefix / "var" / "central-store.db") as other:
        other.execute("drop table jobs")
    other.close()
    with pytest.raises(Refused, match="store"):
        CentralClient(daemon.url).submit(order())


def test_a_store_that_cannot_be_written_ends_the_daemon_where_the_option_says_exit(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path, options={"persistent_store_on_error": "exit"}) as daemon:
        lose_the_store(daemon)
        status = until(lambda: exit_status(daemon))
        log = daemon.log.read_text()
    assert status == 1
    assert log.count("<persistent_store_on_error> says exit") == 1
    assert "ended with status 1" in log


def test_a_store_that_cannot_be_written_is_tried_again_otherwise(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path, options={"persistent_store_on_error": "ignore"}) as daemon:
        lose_the_store(daemon)
        assert CentralClient(daemon.url).list_jobs() == []
        assert exit_status(daemon) is None
        assert daemon.end() == 0


def exit_status(daemon: LocalDaemon) -> int | None:
    assert daemon._process is not None
    return daemon._process.poll()


def test_with_the_store_disabled_all_works_but_the_reliable_query_and_nothing_is_kept(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path, options={"persistent_store": "disable"}) as daemon:
        client = CentralClient(daemon.url)
        job = client.submit(order(retries=5, base=60))
        session = until(lambda: client.job_session(job))
        until(lambda: "willretry" in daemon.log.read_text())
        asked = f"<SessionID>{session}</SessionID>"
        message = f'<n:QuerySessionRequest xmlns:n="{FASPSESSION_200601}">{asked}</n:QuerySessionRequest>'
        assert session in post(daemon, "FASPSessionNET-200601", message)
        client.pause_job(job)
        for call in ("GetSessions", "GetSessionInfo", "GetSessionStatistics"):
            answer = post(daemon, "FASPSessionNET-200911", list_sessions("").replace("GetSessions", call))
            assert "Server" in answer
            assert "the persistent store is disabled" in answer
        for call in ("GetFileTransfers", "GetInfo", "GetStatistics"):
            asked = (
                list_sessions("").replace("GetSessions", call).replace("SessionFilter", "FileTransferFilter")
            )
            assert "the persistent store is disabled" in post(daemon, "Transfer-201210", asked)
        assert client.list_jobs() == [job]
        assert daemon.end() == 0
        daemon.start_daemon()
        assert CentralClient(daemon.url).list_jobs() == []
    assert not list(tmp_path.rglob("central-store*"))


def hang_up(daemon: LocalDaemon, conf: str) -> str:
    """Give a running daemon another file and SIGHUP; what it logs from there on, once it is done."""
    (daemon.prefix / "etc" / "aspera.conf").write_text(conf)
    before = len(daemon.log.read_text())
    os.kill(daemon.pid, signal.SIGHUP)
    until(lambda: "the configuration was read again" in daemon.log.read_text()[before:])
    return daemon.log.read_text()[before:]


def conf(server: str = "", own: str = "", level: str = "log") -> str:
    return (
        f'<CONF version="2">\n<central_server><port>0</port>{server}</central_server>\n'
        f"<asperacentral>{own}</asperacentral>\n<logging><level>{level}</level></logging></CONF>"
    )


def test_a_hangup_changes_what_can_change_and_names_what_needs_a_restart(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path, verbosity="-L-") as daemon:
        client = CentralClient(daemon.url)
        job = client.submit(order(retries=0))
        session = until(lambda: client.job_session(job))
        until(lambda: job not in client.list_jobs())
        client.subscribe("job", "http://127.0.0.1:9/", 60)
        assert " DBG1 " not in daemon.log.read_text()
        assert [view.id for view in client.sessions()] == [session]
        said = hang_up(
            daemon,
            conf(
                "<backlog>7</backlog><ignore_empty_files>false</ignore_empty_files>"
                "<persistent_store_max_age>0</persistent_store_max_age><prot>1</prot>",
                "<observer_allow>10.0.0.0/8</observer_allow>",
                level="dbg1",
            ),
        )
        for changed in (
            "<central_server><ignore_empty_files>",
            "<central_server><persistent_store_max_age>",
            "<asperacentral><observer_allow>",
            "<logging><level>",
        ):
            assert f"{changed} has changed\n" in said
        assert said.count("needs a restart") == 1
        assert "<central_server><backlog> has changed in the file; that needs a restart" in said
        assert "unknown option <central_server><prot>" in said
        with pytest.raises(Refused, match="not among the allowed"):
            client.subscribe("job", "http://127.0.0.1:9/", 60)
        until(lambda: not list(client.sessions()))
        client.submit(order(retries=0))
        until(lambda: " DBG1 " in daemon.log.read_text())


def test_a_file_with_a_mistake_changes_nothing_and_the_command_line_stays_above_the_file(
    tmp_path: Path,
) -> None:
    with LocalDaemon(tmp_path, verbosity="-D") as daemon:
        said = hang_up(daemon, conf("<port>none</port>", "<observer_allow>10.0.0.0/8</observer_allow>"))
        assert f"{tmp_path}/etc/aspera.conf:2: <central_server><port>" in said
        assert "nothing changes" in said
        said = hang_up(daemon, conf())
        assert "has changed" not in said
        before = len(daemon.log.read_text())
        CentralClient(daemon.url).submit(order(retries=0))
        until(lambda: " DBG1 " in daemon.log.read_text()[before:])


def test_the_service_manager_is_told_of_start_reload_and_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(20)
        manager.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        with LocalDaemon(tmp_path) as daemon:
            for _ in range(2):  # from who started it in the foreground, and from itself
                assert manager.recv(999) == b"READY=1"
            hang_up(daemon, conf())
            assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", manager.recv(999))
            assert manager.recv(999) == b"READY=1"
        assert manager.recv(999) == b"STOPPING=1"


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(NotStarted, match=f"cannot listen on 127.0.0.1:{port}"):
            LocalDaemon(tmp_path, port=port).start_daemon()


def test_a_damaged_store_is_told_and_left_alone(tmp_path: Path) -> None:
    store = tmp_path / "var" / "central-store.db"
    store.parent.mkdir()
    store.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    before = store.read_bytes()
    with pytest.raises(NotStarted, match="cannot be opened"):
        LocalDaemon(tmp_path).start_daemon()
    assert store.read_bytes() == before


def test_a_second_daemon_on_the_same_files_is_refused(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path) as daemon:
        with pytest.raises(NotStarted, match="already running"):
            LocalDaemon(tmp_path).start_daemon()
        assert daemon.end() == 0
    assert sqlite3.connect(tmp_path / "var" / "central-store.db").execute(
        "pragma integrity_check"
    ).fetchone() == ("ok",)


def test_server_halves_of_other_accounts_find_the_port_file_and_no_secret(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        with LocalDaemon(tmp_path / "prefix") as daemon:
            run = daemon.prefix / "var" / "run" / "aspera"
            for folder, mode in ((run, 0o755), (run.parent, 0o711), (daemon.prefix / "var", 0o711)):
                assert stat.S_IMODE(folder.stat().st_mode) == mode
            assert (run / "asperacentral.port").stat().st_mode & stat.S_IROTH
            for file in [*run.iterdir(), *(daemon.prefix / "var").glob("central-store*")]:
                if file.name != "asperacentral.port" and file.is_file():
                    assert not file.stat().st_mode & 0o077, file
    finally:
        os.umask(umask)
