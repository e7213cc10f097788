"""Options of aspera.conf, each with its effect on a real daemon; those of recording are in e2e/test_options.py."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from asperacentral import config
from asperacentral.central.ports import Write
from asperacentral.commands.client import CentralClient
from asperacentral.commands.local import LocalDaemon, NotStarted
from asperacentral.credentials.passwords import hash_password
from asperacentral.daemon import store_options
from tests.central.world import order
from tests.e2e.site import until
from tests.store.test_store import Open, a_session
from tests.test_cli import Program, program
from tests.test_daemon import post

__all__ = ["program"]


def own(**options: str) -> str:
    return "<asperacentral>" + "".join(f"<{k}>{v}</{k}>" for k, v in options.items()) + "</asperacentral>"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def status_of(daemon: LocalDaemon, job: str) -> list[str]:
    views = sorted(CentralClient(daemon.url).sessions([job]), key=lambda view: view.age_key)
    return [view.status for view in views]


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss")
def test_backlogs_are_those_of_the_listening_ports(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path, options={"backlog": "7", "mgmt_backlog": "9"}) as daemon:
        ports = {
            daemon.url.rpartition(":")[2]: "7",
            (tmp_path / "var/run/aspera/asperacentral.port").read_text().strip(): "9",
        }
        said = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=True).stdout
        lines = [line.split() for line in said.splitlines()]
        found = {line[3].rpartition(":")[2]: line[2] for line in lines if line[3].startswith("127.0.0.1:")}
        assert {port: found.get(port) for port in ports} == ports


def test_transfer_processes_report_at_the_given_port(tmp_path: Path) -> None:
    port = free_port()
    with LocalDaemon(tmp_path, options={"mgmt_port": str(port)}):
        assert (tmp_path / "var/run/aspera/asperacentral.port").read_text().strip() == str(port)
        socket.create_connection(("127.0.0.1", port), 5).close()


def test_soap_is_served_at_the_given_port(tmp_path: Path) -> None:
    port = free_port()
    with LocalDaemon(tmp_path, options={"port": str(port)}) as daemon:
        assert daemon.url == f"http://127.0.0.1:{port}"
        assert CentralClient(daemon.url).list_jobs() == []


def test_soap_is_served_at_the_given_address(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path, options={"address": "127.0.0.3"}) as daemon:
        assert daemon.url.startswith("http://127.0.0.3:")
        assert CentralClient(daemon.url).list_jobs() == []


def test_the_store_is_where_the_option_says(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path, options={"persistent_store_path": "else/where.db"}) as daemon:
        CentralClient(daemon.url).submit(order())
        assert (tmp_path / "else/where.db").read_bytes().startswith(b"SQLite format 3")
        assert not (tmp_path / "var/central-store.db").exists()


@pytest.mark.parametrize(("journal", "beside"), [("wal", "-wal"), ("persist", "-journal")])
def test_the_journal_is_kept_as_the_option_says(tmp_path: Path, journal: str, beside: str) -> None:
    with LocalDaemon(tmp_path, options={"db_journal": journal}) as daemon:
        CentralClient(daemon.url).submit(order())
        present = {path.name for path in (tmp_path / "var").glob("central-store.db-*")}
        assert present & {"central-store.db-wal", "central-store.db-journal"} == {f"central-store.db{beside}"}


@pytest.mark.parametrize(("word", "level"), [("off", 0), ("normal", 1), ("full", 2)])
def test_the_disk_is_waited_for_as_the_option_says_but_always_for_what_is_acknowledged(
    tmp_path: Path, word: str, level: int
) -> None:
    conf = tmp_path / "aspera.conf"
    conf.write_text(f"<CONF><central_server><db_synchronous>{word}</db_synchronous></central_server></CONF>")
    opened = Open(tmp_path, options=store_options(config.load(conf, {})))
    seen: list[tuple[bool, int]] = []
    plain = opened.store._writer._set_durable

    def look(connection: object, durable: bool) -> None:
        plain(connection, durable)
        raw = connection.connection.dbapi_connection  # type: ignore[attr-defined]
        seen.append((durable, raw.execute("pragma synchronous").fetchone()[0]))

    opened.store._writer._set_durable = look
    for durable in (False, True, False):
        opened.wait(opened.store.write(Write(sessions=(a_session(),)), durable=durable, give_up=False))
    opened.store.close()
    assert seen == [(False, level), (True, 2), (False, level)]


def test_unused_space_is_given_back_at_the_start_if_the_option_says_so(tmp_path: Path) -> None:
    store = tmp_path / "var" / "central-store.db"
    store.parent.mkdir()
    opened = Open(tmp_path / "made")
    opened.write(sessions=tuple(a_session(f"s{n}", n, end_date=2.0, cookie="x" * 2000) for n in range(500)))
    assert opened.wait(opened.store.purge(3.0)) == 500
    opened.store.close()
    shutil.copy(tmp_path / "made" / "s.db", store)
    before = store.stat().st_size
    sizes = {}
    for word in ("disable", "enable"):
        with LocalDaemon(tmp_path, options={"compact_on_startup": word}) as daemon:
            assert daemon.end() == 0
        sizes[word] = store.stat().st_size
    assert sizes["disable"] >= before > 1_000_000
    assert sizes["enable"] < 200_000


def test_logs_are_written_where_and_as_large_and_as_many_as_the_options_say(program: Program) -> None:
    noise = "".join(f"<unknown{n}/>" for n in range(60))
    program.write(
        "<logging><directory>logs</directory><log_size>1 KB</log_size><log_count>2</log_count></logging>"
        + noise
    )
    with program.foreground() as daemon:
        until(lambda: program.pid_file.exists() and program.pid_file.read_text())
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=20)
    logs = sorted(path.name for path in (program.prefix / "logs").iterdir())
    assert logs == ["asperacentral.log", "asperacentral.log.1", "asperacentral.log.2"]
    assert all(path.stat().st_size <= 1024 for path in (program.prefix / "logs").iterdir())


@pytest.mark.lenient_requests(reason="white space in an empty element")
def test_a_request_larger_than_the_option_allows_is_refused(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path, more=own(max_body="2 KB")) as daemon:
        message = '<n:ListTypesRequest xmlns:n="urn:Aspera:XML:JobNET:2006/01:Types">{}</n:ListTypesRequest>'
        assert "Aspera.IScpTransfer" in post(daemon, "JobNET-200601", message.format(" " * 1000))
        assert "was refused" in post(daemon, "JobNET-200601", message.format(" " * 3000))


SLEEPER = """#!/bin/sh
echo "$$" >> {folder}/pids
while :; do sleep 1; done
"""


def test_another_transfer_process_is_started_and_after_a_restart_waited_for_as_long_as_the_options_say(
    tmp_path: Path,
) -> None:
    program = tmp_path / "ascp"
    program.write_text(SLEEPER.format(folder=tmp_path))
    program.chmod(0o700)
    pids = tmp_path / "pids"
    more = own(ascp_path=str(program), adoption_patience="1")
    try:
        with LocalDaemon(tmp_path / "central", more=more) as daemon:
            job = CentralClient(daemon.url).submit(order())
            until(lambda: pids.exists() and pids.read_text().endswith("\n"))
            until(lambda: "runs as process" in daemon.log.read_text())
            daemon.end(signal.SIGKILL)
            daemon.start_daemon()
            until(lambda: status_of(daemon, job)[0] == "orphaned", 15)
            until(lambda: len(pids.read_text().split()) == 2)
            CentralClient(daemon.url).cancel_job(job)
    finally:
        for pid in pids.read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def fetch(url: str, *, words: str = "") -> tuple[int, str]:
    """Status and text of a GET, with a name and password if given."""
    asked = urllib.request.Request(url)
    if words:
        asked.add_header("Authorization", "Basic " + base64.b64encode(words.encode()).decode())
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_metrics_are_for_whom_the_options_say(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path / "default") as daemon:
        assert fetch(f"{daemon.url}/readyz") == (200, "ok\n")
        job = CentralClient(daemon.url).submit(order(retries=0))
        until(
            lambda: (
                'asperacentral_sessions_ended_total{direction="outgoing",status="error"} 1.0'
                in scrape(daemon)
            )
        )
        assert job not in scrape(daemon)
    with LocalDaemon(tmp_path / "none", more=own(metrics="disable")) as daemon:
        assert fetch(f"{daemon.url}/metrics")[0] == 404
        assert fetch(f"{daemon.url}/healthz") == (200, "ok\n")
    users = tmp_path / "users.toml"
    users.write_text(f'[users.looker]\npassword = "{hash_password("geheim")}"\n')
    with LocalDaemon(tmp_path / "users", more=own(metrics="users", web_users=str(users))) as daemon:
        assert fetch(f"{daemon.url}/metrics")[0] == 401
        assert fetch(f"{daemon.url}/metrics", words="looker:wrong")[0] == 401
        status, text = fetch(f"{daemon.url}/metrics", words="looker:geheim")
        assert (status, "asperacentral_store_commit_seconds_bucket" in text) == (200, True)
        users.write_text(f'[users.other]\npassword = "{hash_password("anders")}"\n')
        before = len(daemon.log.read_text())
        os.kill(daemon.pid, signal.SIGHUP)
        until(lambda: "the configuration was read again" in daemon.log.read_text()[before:])
        assert fetch(f"{daemon.url}/metrics", words="looker:geheim")[0] == 401
        assert fetch(f"{daemon.url}/metrics", words="other:anders")[0] == 200
        assert "geheim" not in daemon.log.read_text()
    with pytest.raises(NotStarted, match="<metrics> says users, and <web_users> names no file"):
        LocalDaemon(tmp_path / "without", more=own(metrics="users")).start_daemon()


def scrape(daemon: LocalDaemon) -> str:
    status, text = fetch(f"{daemon.url}/metrics")
    assert status == 200
    return text


def test_the_console_is_served_to_its_users_where_the_option_says(tmp_path: Path) -> None:
    with LocalDaemon(tmp_path / "default") as daemon:
        assert fetch(f"{daemon.url}/console/")[0] == 404
        assert fetch(f"{daemon.url}/console/services/soap/Transfer201210.wsdl")[0] == 200
    users = tmp_path / "users.toml"
    users.write_text(f'[users.looker]\npassword = "{hash_password("geheim")}"\n')
    with LocalDaemon(tmp_path / "on", more=own(console="enable", web_users=str(users))) as daemon:
        assert "<title>asperacentral console</title>" in fetch(f"{daemon.url}/console/")[1]
        assert fetch(f"{daemon.url}/console/services/soap/Transfer201210.wsdl")[0] == 200
        assert fetch(f"{daemon.url}/console/api/stream/sessions")[0] == 401
        words = b'{"user": "looker", "password": "geheim"}'
        with urllib.request.urlopen(f"{daemon.url}/console/api/login", words, timeout=30) as answer:
            cookie = answer.headers["set-cookie"].partition(";")[0]
        asked = urllib.request.Request(
            f"{daemon.url}/console/api/stream/sessions", headers={"Cookie": cookie}
        )
        with urllib.request.urlopen(asked, timeout=30) as stream:
            assert stream.readline() == b"event: whole\n"
        assert "geheim" not in daemon.log.read_text()
    with pytest.raises(NotStarted, match="<console> says enable, and <web_users> names no file"):
        LocalDaemon(tmp_path / "without", more=own(console="enable")).start_daemon()


def test_pages_may_be_opened_by_the_names_that_the_option_lists(tmp_path: Path) -> None:
    def status(url: str, name: str) -> int:
        headers = {"Host": name, "Origin": f"https://{name}"}
        asked = urllib.request.Request(f"{url}/services/rest/transfers/v1/sessions", b"{}", headers)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    with LocalDaemon(tmp_path, more=own(web_names="other.example, Central.example")) as daemon:
        assert status(daemon.url, "central.example") == 200
        assert status(daemon.url, "evil.example") == 403
