"""Options of aspera.conf whose effect shows only in a whole site."""

from __future__ import annotations

import re
import sqlite3
import sys
from pathlib import Path

import pytest
import zeep

from asperacentral.commands.client import Refused
from asperacentral.commands.local import LocalDaemon
from tests.e2e.site import FarSide, Site, order, until


def recorded(site: Site, job: str) -> list[str]:
    service = zeep.Client(f"{site.daemon.url}/services/soap/Transfer-201210?wsdl").service
    found = service.GetFileTransferStatistics(FileTransferFilter={"JobId": [job]}).FileTransferStatistics
    return sorted(Path(file.Path).name for file in found or ())


def test_empty_files_and_those_already_there_are_recorded_if_the_options_say_so(
    node: FarSide, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "full").write_bytes(b"x" * 1000)
    (out / "empty").touch()

    def pushes(options: dict[str, str], target: str, times: int = 2) -> list[list[str]]:
        """What is recorded of each push to the same folder."""
        with LocalDaemon(tmp_path / target, options=options) as daemon:
            site, found = Site(daemon), []
            for _ in range(times):
                job = site.client.submit(order(node, "Push", [str(out)], f"/{tmp_path.name}/{target}"))
                (session,) = site.finish(job)
                assert (session.status, session.files_complete) == ("completed", 2)
                found.append(recorded(site, job))
            return found

    everything = {"ignore_empty_files": "false", "ignore_no_transfer_files": "false"}
    assert pushes({}, "a") == [["full"], []]
    assert pushes(everything, "b") == [["empty", "full"], ["empty", "full"]]
    assert pushes({**everything, "files_per_session": "1"}, "c", 1)[0] in (["empty"], ["full"])


def test_a_buffer_that_drops_loses_records_of_files_while_the_store_is_stuck_and_nothing_else(
    node: FarSide, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for number in range(40):
        (out / f"f{number}").write_bytes(b"x" * 10_000)
    options = {"event_buffer_capacity": "1", "event_buffer_overrun": "drop"}
    with LocalDaemon(tmp_path / "central", options=options) as daemon:
        site = Site(daemon)
        job = site.client.submit(order(node, "Push", [str(out)], f"/{tmp_path.name}/to", rate=1_000))
        until(lambda: [view for view in site.sessions(job) if view.files_complete])
        stuck = sqlite3.connect(daemon.prefix / "var/central-store.db", isolation_level=None)
        stuck.execute("BEGIN IMMEDIATE")
        until(lambda: site.sessions(job)[0].files_complete == 40)
        stuck.execute("ROLLBACK")
        stuck.close()
        (session,) = site.finish(job)
        assert (session.status, session.files_complete) == ("completed", 40)
        assert 0 < len(recorded(site, job)) < 40
        assert daemon.end() == 0
        lost = sum(
            map(int, re.findall(r"(\d+) records of files and counters were dropped", daemon.log.read_text()))
        )
    assert lost > 0


def test_a_host_that_is_not_known_is_met_as_the_options_say(node: FarSide, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"x")

    def push(policy: str, known_hosts: str) -> str:
        more = (
            f"<asperacentral><host_key_policy>{policy}</host_key_policy>"
            f"<known_hosts>{known_hosts}</known_hosts></asperacentral>"
        )
        with LocalDaemon(tmp_path / "central", more=more) as daemon:
            site = Site(daemon)
            job = site.client.submit(
                order(node, "Push", [str(out)], f"/{tmp_path.name}-{policy}/out", retries=0)
            )
            return site.finish(job)[-1].status

    known = tmp_path / "central" / "hosts"
    assert push("strict", "hosts") == "error"
    assert push("any", "hosts") == "completed"
    assert not known.exists()
    assert push("tofu", "hosts") == "completed"
    assert f"[127.0.0.1]:{node.port} " in known.read_text()
    assert push("strict", "hosts") == "completed"
    assert push("strict", "other") == "error"


def test_an_order_may_hand_over_raw_options_where_the_option_allows_it(node: FarSide, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"x" * 100_000)

    def text(target: str, *options: str) -> str:
        raw = "".join(f"<Option>{option}</Option>" for option in options)
        plain = order(node, "Push", [str(out)], f"/{tmp_path.name}/{target}", rate=1_000_000)
        return plain.replace("</Order>", f"<RawOptions>{raw}</RawOptions></Order>")

    with LocalDaemon(tmp_path / "one", options={"raw_options": "enable"}) as daemon:
        site = Site(daemon)
        job = site.client.submit(text("a", "-l", "5555", "--policy=low"))
        (session,) = site.finish(job)
        assert (session.status, session.target_rate) == ("completed", 5555)
        with pytest.raises(Refused, match="RawOptions/Option: they would change the session's host"):
            site.client.submit(text("b", "--host=elsewhere"))
        with pytest.raises(Refused, match=r"RawOptions/Option: .*--no-such-option"):
            site.client.submit(text("b", "--no-such-option"))
        assert site.client.list_jobs() == []
    own = "<asperacentral><ascp_path>/bin/false</ascp_path></asperacentral>"
    with (
        LocalDaemon(tmp_path / "two", options={"raw_options": "enable"}, more=own) as daemon,
        pytest.raises(Refused, match="only openascp takes them"),
    ):
        Site(daemon).client.submit(text("c", "-q"))


TALKER = """#!{python}
import sys
import time
sys.path.insert(0, {root!r})
from asperacentral.fasp import messages
from asperacentral.fasp.management import MessageType
from asperacentral.fasp.messages import FileState
from tests.fasp.speaker import Speaker

speaker = Speaker(sys.argv[1:])
speaker.start()
skipped = FileState("/out/skipped", 5)
speaker.say(messages.report(MessageType.SKIP, speaker.who, skipped.fields()))
speaker.say(messages.fileerror(speaker.who, FileState("/out/failed", 5), code=4, description="no such file"))
while not speaker.end_file.exists():
    time.sleep(0.02)
speaker.say(speaker.closing())
"""


def test_skipped_and_failed_files_are_recorded_as_the_options_say(node: FarSide, tmp_path: Path) -> None:
    program = tmp_path / "ascp"
    program.write_text(TALKER.format(python=sys.executable, root=str(Path(__file__).parents[2])))
    program.chmod(0o700)
    more = f"<asperacentral><ascp_path>{program}</ascp_path></asperacentral>"

    def push(name: str, options: dict[str, str]) -> list[str]:
        with LocalDaemon(tmp_path / name, options=options, more=more) as daemon:
            site = Site(daemon)
            end = tmp_path / f"end of {name}"
            job = site.client.submit(order(node, "Push", ["/out"], str(end)))
            until(lambda: [view for view in site.sessions(job) if view.files_failed])
            end.touch()
            (session,) = site.finish(job)
            assert session.status == "completed"
            return recorded(site, job)

    assert push("one", {}) == ["failed"]
    assert push("two", {"file_errors": "false", "ignore_skipped_files": "false"}) == ["skipped"]


def test_whole_files_wait_for_a_validator_if_the_option_says_so(node: FarSide, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"x")

    def status(name: str, word: str) -> str:
        more = f"<asperacentral><post_transfer_validation>{word}</post_transfer_validation></asperacentral>"
        with LocalDaemon(tmp_path / name, more=more) as daemon:
            site = Site(daemon)
            job = site.client.submit(order(node, "Push", [str(out)], f"/{tmp_path.name}/{name}"))
            site.finish(job)
            service = zeep.Client(f"{daemon.url}/services/soap/Transfer-201210?wsdl").service
            (file,) = service.GetFileTransferInfo(FileTransferFilter={"JobId": [job]}).FileTransferInfo
            return str(file.Status)

    assert (status("one", "enable"), status("two", "disable")) == ("to_be_validated", "completed")
