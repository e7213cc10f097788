"""Out-of-transfer validation in a whole site: real transfers, validators over REST, their states in SOAP."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zeep

from asperacentral.commands.local import LocalDaemon
from tests.e2e.site import FarSide, Site, order, until

File = dict[str, Any]
ALL = "<asperacentral><post_transfer_validation>enable</post_transfer_validation></asperacentral>"


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A folder of files to send: one of them is empty."""
    out = tmp_path / "out"
    out.mkdir()
    for number in range(12):
        (out / f"f{number}").write_bytes(b"x" * number * 100)
    return out


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A daemon where all is validated."""
    with LocalDaemon(tmp_path / "central", more=ALL) as daemon:
        yield Site(daemon)


def call(site: Site, method: str, path: str, document: Any) -> tuple[int, Any]:
    """A REST call; its status and what came back."""
    url = f"{site.daemon.url}/services/rest/transfers/v1/{path}"
    asked = urllib.request.Request(url, json.dumps(document).encode(), method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    return status, json.loads(body) if body else None


def claim(site: Site, validator: str, most: int) -> list[File]:
    document = {
        "file_transfer_filter": {"max_result": most},
        "validation": {"validator_id": validator},
    }
    status, answer = call(site, "POST", "files", document)
    assert status == 200, answer
    found: list[File] = answer["file_transfer_info_result"]["file_transfer_info"]
    return found


def report(site: Site, validator: str, files: list[File], status: str, **more: Any) -> tuple[int, Any]:
    said = [
        {name: file[name] for name in ("session_uuid", "file_id")} | {"status": status} | more
        for file in files
    ]
    return call(site, "PUT", "files", {"validator_id": validator, "files": said})


def states(site: Site) -> Counter[str]:
    """How many files are in which state, as SOAP tells it."""
    service = zeep.Client(f"{site.daemon.url}/services/soap/Transfer-201210?wsdl").service
    result = service.GetFileTransferInfo(FileTransferFilter={"MaxResults": 1000})
    return Counter(file.Status for file in result.FileTransferInfo)


def push(site: Site, node: FarSide, sent: Path, **options: Any) -> None:
    """Move the files; the session ends well, whatever becomes of the files."""
    job = site.client.submit(order(node, "Push", [str(sent)], f"/{sent.parent.name}", **options))
    (session,) = site.finish(job)
    assert (session.status, session.files_complete) == ("completed", 12)


def names(files: list[File]) -> list[str]:
    return sorted(file["path"].rpartition("/")[2] for file in files)


def set_timeout(daemon: LocalDaemon, seconds: int) -> None:
    """Change the time-out of the running daemon."""
    conf = daemon.prefix / "etc/aspera.conf"
    text = re.sub(r"\s*<validation_timeout>.*?</validation_timeout>", "", conf.read_text())
    option = f"<validation_timeout>{seconds}</validation_timeout></central_server>"
    conf.write_text(text.replace("</central_server>", option))
    told = daemon.log.read_text().count("<validation_timeout> has changed")
    os.kill(daemon.pid, signal.SIGHUP)
    until(lambda: daemon.log.read_text().count("<validation_timeout> has changed") > told)


def test_two_validators_share_the_files_and_those_of_a_silent_one(
    site: Site, node: FarSide, sent: Path
) -> None:
    push(site, node, sent)
    assert states(site) == {"to_be_validated": 12}
    set_timeout(site.daemon, 1)
    silent = claim(site, "silent", 3)
    assert [file["status"] for file in silent] == ["validating"] * 3
    set_timeout(site.daemon, 600)
    verdicts: list[tuple[str, str]] = []
    refused: list[Any] = []

    def validate(validator: str, status: str, **more: Any) -> None:
        while len(verdicts) + len(refused) < 12:
            for file in claim(site, validator, 1):
                said = report(site, validator, [file], status, **more)
                (verdicts if said == (204, None) else refused).append((file["file_id"], status))

    at_work = [
        threading.Thread(target=validate, args=("good", "completed")),
        threading.Thread(
            target=validate, args=("bad", "error"), kwargs={"error_code": 7, "error_description": "a virus"}
        ),
    ]
    for thread in at_work:
        thread.start()
    for thread in at_work:
        thread.join()
    assert refused == []
    assert len(verdicts) == len({file for file, _ in verdicts}) == 12
    assert {file["file_id"] for file in silent} <= {file for file, _ in verdicts}
    status, answer = report(site, "silent", silent, "completed")
    assert (status, len(answer["files"])) == (409, 3)
    assert states(site) == Counter(status for _, status in verdicts)


def test_claims_survive_a_kill_between_claim_and_report(site: Site, node: FarSide, sent: Path) -> None:
    push(site, node, sent)
    mine, others = claim(site, "mine", 5), claim(site, "another", 4)
    site.daemon.end(signal.SIGKILL)
    site.restart()
    assert report(site, "mine", mine, "validating", bytes_processed=1) == (204, None)
    assert report(site, "mine", mine, "completed") == (204, None)
    site.daemon.end(signal.SIGKILL)
    site.restart()
    # Said again, as if the answer had been lost.
    assert report(site, "mine", mine, "completed") == (204, None)
    left = claim(site, "late", 100)
    assert sorted(names([*mine, *others, *left])) == sorted(path.name for path in sent.iterdir())
    assert report(site, "late", others, "completed")[0] == 409
    assert states(site) == {"completed": 5, "validating": 7}


def test_an_order_alone_can_ask_for_validation(daemon: LocalDaemon, node: FarSide, sent: Path) -> None:
    site = Site(daemon)
    asked = "<CreatePath>Yes</CreatePath><PostTransferValidation>Yes</PostTransferValidation>"
    push(site, node, sent, files=asked)
    assert states(site) == {"to_be_validated": 12}
    status, answer = call(site, "POST", "sessions", {"validation": {"validator_id": "v"}})
    assert status == 200
    assert [each["status"] for each in answer["session_info_result"]["session_info"]] == ["completed"]
    (sent / "f3").write_bytes(b"changed")
    job = site.client.submit(order(node, "Push", [str(sent)], f"/{sent.parent.name}"))
    site.finish(job)
    assert states(site)["completed"] == 1
