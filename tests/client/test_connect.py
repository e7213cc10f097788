"""Connect's local HTTP API, as its library uses it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from asperacentral.commands.local import LocalNode
from tests.client.support import SECONDS, LocalDesktop, content, spec, until

APP = {"aspera_connect_settings": {"app_id": "app"}}


def start(desktop: LocalDesktop, wanted: dict[str, Any]) -> dict[str, Any]:
    one = {"transfer_spec": wanted, "aspera_connect_settings": {"app_id": "app", "request_id": "9"}}
    status, told = desktop.connect("POST", "transfers/start", {"transfer_specs": [one], **APP})
    assert status == 200, told
    (started,) = told["transfer_specs"]
    begun: dict[str, Any] = started
    return begun


def test_it_is_found_and_tells_its_version(desktop: LocalDesktop) -> None:
    assert desktop.connect("GET", "info/ping") == (200, {})
    status, told = desktop.connect("GET", "info/version")
    assert (status, told["system_wide"]) == (200, False)
    assert [int(part) for part in told["version"].split(".")] >= [3, 10, 1]


def test_a_transfer_is_started_watched_stopped_resumed_and_removed(
    allowed: LocalDesktop, node: LocalNode, docroot: Path
) -> None:
    (docroot / "big").write_bytes(content(1_500_000))
    begun = start(allowed, spec(node, "receive", "/big", target_rate_kbps=2000))
    uuid = begun["uuid"]
    assert begun["transfer_spec"]["tags"]["aspera"]["xfer_id"] == uuid
    assert begun["aspera_connect_settings"]["request_id"] == "9"
    seen: dict[str, Any] = {"token": 0, "statuses": []}

    def reached(status: str) -> bool:
        asked = {"iteration_token": seen["token"], **APP}
        _, told = allowed.connect("POST", "transfers/activity", asked)
        assert told["iteration_token"] >= seen["token"]
        assert told["result_count"] == len(told["transfers"])
        seen["token"] = told["iteration_token"]
        seen["statuses"] += [each["status"] for each in told["transfers"] if each["uuid"] == uuid]
        return status in seen["statuses"]

    until(lambda: reached("running"))
    assert allowed.connect("POST", f"transfers/modify/{uuid}", {"target_rate_kbps": 1500, **APP}) == (200, {})
    assert allowed.connect("POST", f"transfers/stop/{uuid}", APP) == (200, {})
    until(lambda: reached("cancelled"))
    status, told = allowed.connect("POST", f"transfers/resume/{uuid}", {"target_rate_kbps": 500_000, **APP})
    assert (status, told["transfer_spec"]["uuid"]) == (200, uuid)
    until(lambda: reached("completed"))
    _, info = allowed.connect("POST", f"transfers/info/{uuid}", APP)
    assert info["transfer_info"]["bytes_written"] == 1_500_000
    assert allowed.connect("POST", f"transfers/remove/{uuid}", APP) == (200, {})
    until(lambda: reached("removed"))
    assert (allowed.downloads / "big").read_bytes() == (docroot / "big").read_bytes()


def test_who_asks_on_after_a_restart_hears_of_what_is_new(
    tmp_path: Path, node: LocalNode, docroot: Path
) -> None:
    (docroot / "file").write_text("text")
    token = 0
    for _ in range(2):
        with LocalDesktop(tmp_path / "client") as desktop:
            desktop.site = "a program/1.0"
            uuid = start(desktop, spec(node, "receive", "/file"))["uuid"]
            desktop.until_status(uuid, "completed")
            _, told = desktop.connect("POST", "transfers/activity", {"iteration_token": token, **APP})
        assert uuid in [each["uuid"] for each in told["transfers"]]
        token = told["iteration_token"]


def test_a_program_finds_it_by_a_file_and_names_files_as_they_are(
    tmp_path: Path, node: LocalNode, docroot: Path
) -> None:
    (tmp_path / "file").write_text("text")
    folder = tmp_path / "connect" / "run"
    with LocalDesktop(tmp_path / "client", "--connect-uri-folder", str(folder)) as desktop:
        desktop.site = "a program/1.0"
        assert (folder / "http.uri").read_text() == f"http://127.0.0.1:{desktop.ports['connect']}\n"
        desktop.until_status(start(desktop, spec(node, "send", str(tmp_path / "file")))["uuid"], "completed")
    assert (docroot / "file").read_text() == "text"
    assert not list(folder.iterdir())


def test_a_dialog_gives_names_that_can_be_sent(
    allowed: LocalDesktop, node: LocalNode, docroot: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(content(100))
    with ThreadPoolExecutor(1) as pool:
        asked = {"allowedFileTypes": [{"filter_name": "Text", "extensions": ["txt"]}], **APP}
        call = pool.submit(allowed.connect, "POST", "windows/select-open-file-dialog/", asked)
        allowed.user().press(("path", str(tmp_path / "a.txt")), ("choose", ""))
        status, told = call.result(SECONDS)
    assert status == 200
    (file,) = told["dataTransfer"]["files"]
    _, digest = allowed.connect(
        "POST", "file/checksum/", {"path": file["name"], "checksumMethod": "sha1", **APP}
    )
    assert len(digest["checksum"]) == 40
    uuid = start(allowed, spec(node, "send", file["name"]))["uuid"]
    allowed.until_status(uuid, "completed")
    assert (docroot / "a.txt").read_bytes() == (tmp_path / "a.txt").read_bytes()


def test_a_dialog_that_is_closed_and_other_refusals_have_the_form_of_connect(allowed: LocalDesktop) -> None:
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(allowed.connect, "POST", "windows/select-open-folder-dialog/", APP)
        allowed.user().press(("cancel", ""))
        status, told = call.result(SECONDS)
    assert (status, told["error"]["code"]) == (400, 400)
    assert "closed" in told["error"]["user_message"]
    for path, body, expected in (
        ("transfers/info/none", APP, 404),
        ("transfers/start", {"transfer_specs": []}, 400),
        ("transfers/start", ["x"], 400),
        ("nothing/here", APP, 404),
        ("file/checksum/", {"path": "/etc/passwd", **APP}, 403),
    ):
        status, told = allowed.connect("POST", path, body)
        assert (status, set(told["error"])) == (expected, {"code", "internal_message", "user_message"})


def test_a_page_that_wants_a_newer_connect_has_the_user_told(allowed: LocalDesktop) -> None:
    wanted = {"min_version": "99.1", "sdk_location": "https://evil.example/installer", **APP}
    assert allowed.connect("POST", "update/require", wanted) == (200, {})
    page = allowed.user()
    assert "newer" in page.text
    assert "evil.example" not in page.text


def test_the_window_shows_transfers_and_takes_decisions_back(allowed: LocalDesktop, node: LocalNode) -> None:
    start(allowed, spec(node, "receive", "/none"))
    assert allowed.connect("GET", "windows/transfer-manager") == (200, {})
    window = allowed.user()
    assert "none" in window.text and allowed.site in window.text
    window.press(("part", "sites"))
    window.press(("forget", allowed.site), ("stay", "sites"))
    assert allowed.site not in window.text
    assert allowed.decision is None
