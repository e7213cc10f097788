"""Sessions, files and info: what is asked of the service, and how its answers look."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from asperacentral.central.model import FileRecord
from asperacentral.central.query import FileTransferFilter, SessionFilter
from asperacentral.rest.answers import FILE_MEMBERS, SESSION_MEMBERS
from asperacentral.rest.criteria import FILE_CRITERIA, SESSION_CRITERIA
from asperacentral.soap.models import faspsession200911 as soap
from tests.rest.caller import BASE, Caller
from tests.soap.memory_central import NOW, OLD_SESSION, SESSION, session


@pytest.fixture
def caller() -> Caller:
    return Caller()


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


# --- names


def test_names_of_members_are_those_of_soap_in_snake_case_but_for_the_known_exceptions() -> None:
    exceptions = {"uuid": "session_uuid", "v_link_id": "vlink_id"}
    model = soap.SessionInfo
    names = [snake(name) for name in model.get_flat_type_info(model) if name != "Token"]
    assert [exceptions.get(name, name) for name in names] == list(SESSION_MEMBERS)
    model = soap.FileTransferInfo
    names = [snake(name) for name in model.get_flat_type_info(model)]
    assert [{"uuid": "file_id"}.get(name, name) for name in names] == list(FILE_MEMBERS)


def test_every_criterion_of_both_filters_has_its_name_in_snake_case() -> None:
    for criteria, wanted, model in (
        (SESSION_CRITERIA, SessionFilter, soap.SessionFilter),
        (FILE_CRITERIA, FileTransferFilter, soap.FileTransferFilter),
    ):
        assert list(criteria) == [field.name for field in fields(wanted)]
        assert list(criteria) == [snake(name) for name in model.get_flat_type_info(model)]


# --- answers


def test_sessions_are_told_with_their_count_and_the_place_in_the_stream(caller: Caller) -> None:
    answer = caller.call("sessions")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    result = answer.document["session_info_result"]
    assert (result["result_count"], result["remaining_result_count"]) == (2, 0)
    assert result["iteration_token"] == "position-1"
    old, running = result["session_info"]
    assert (old["session_uuid"], running["session_uuid"]) == (OLD_SESSION, SESSION)
    assert (old["status"], old["error_code"], old["error_description"]) == ("willretry", 15, "lost")
    assert old["start_date"] == "2026-11-18T11:06:40.000Z"
    assert old["end_date"] == "2026-11-18T11:06:49.250Z"
    assert "end_date" not in running
    assert (running["transport"], running["direction"]) == ("fasp", "outgoing")
    assert running["bytes_transferred"] == 1_500_000_000


def test_files_are_told_by_session_and_file_id(caller: Caller) -> None:
    result = caller.call("files").document["file_transfer_info_result"]
    first, second = result["file_transfer_info"]
    assert first["session_uuid"] == SESSION
    assert first["file_id"] == "00000001-00000002-00000003-00000004-00000005"
    assert (first["status"], first["size"], first["path"]) == ("running", 2_000_000_000, "/out/a.bin")
    assert second["checksum_type"] == "sha1"


def test_info_tells_sessions_and_files(caller: Caller) -> None:
    result = caller.call("info").document["info_result"]
    assert (len(result["session_info"]), len(result["file_transfer_info"])) == (2, 2)
    assert result["result_count"] == 4


def test_a_record_is_rendered_again_only_when_it_has_changed(caller: Caller) -> None:
    caller.call("sessions")
    record = caller.central.sessions[1]
    record.bytes_transferred = 7
    (shown,) = caller.call("sessions", {"session_filter": {"session_uuid": SESSION}}).document[
        "session_info_result"
    ]["session_info"]
    assert shown["bytes_transferred"] == 1_500_000_000
    record.touched(1)
    (shown,) = caller.call("sessions", {"session_filter": {"session_uuid": SESSION}}).document[
        "session_info_result"
    ]["session_info"]
    assert shown["bytes_transferred"] == 7


def test_names_of_files_that_are_no_text_are_shown_readable(caller: Caller) -> None:
    caller.central.files.append(FileRecord(SESSION, "/out/\udcffö\u2028", 3, "x", NOW))
    shown = caller.call("files").document["file_transfer_info_result"]["file_transfer_info"]
    assert shown[2]["path"] == "/out/\\xffö\u2028"
    assert shown[1]["path"] == "/out/\u0007bell\ufffe & <more>"


def test_an_answer_of_very_many_records_is_made_in_turns(caller: Caller) -> None:
    caller.central.sessions = [session(f"s{number}") for number in range(1000)]
    result = caller.call("sessions", {"session_filter": {"max_result": 1000}}).document["session_info_result"]
    assert [each["session_uuid"] for each in result["session_info"]] == [f"s{n}" for n in range(1000)]


# --- filters


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"{}", b"\xef\xbb\xbf{}", b'{"session_filter":null}'])
def test_nothing_at_all_is_no_filter(caller: Caller, body: bytes) -> None:
    assert caller.call("sessions", body).status == 200
    assert caller.central.filters == [SessionFilter()]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_any_content_type_is_taken(caller: Caller, kind: str) -> None:
    answer = caller.call("sessions", {"session_filter": {"job_id": "j"}}, headers={"Content-Type": kind})
    assert answer.status == 200
    assert caller.central.filters[0].job_id == ("j",)


MOMENT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp()
VALUES: dict[str, tuple[Any, Any]] = {
    "iteration_token": ("CURRENT_POSITION", "CURRENT_POSITION"),
    "max_results": (7, 7),
    "direction": ("incoming", "incoming"),
    "cookie_filter": ("^a", "^a"),
    "filename_filter": ("^a", "^a"),
    "last_session_only": (True, True),
    "transfer_id": ([1, 2], (1, 2)),
    **{name: ("2026-11-21T12:00:00Z", MOMENT) for name in FILE_CRITERIA if name.endswith("_date")},
}


@pytest.mark.parametrize("name", FILE_CRITERIA)
def test_every_criterion_reaches_the_service(caller: Caller, name: str) -> None:
    sent, meant = VALUES.get(name, (["a", "b"], ("a", "b")))
    assert caller.call("files", {"file_transfer_filter": {name: sent}}).status == 200
    assert caller.central.filters == [FileTransferFilter(**{name: meant})]
    if name in SESSION_CRITERIA:
        assert caller.call("sessions", {"session_filter": {name: sent}}).status == 200
        assert caller.central.filters[1] == SessionFilter(**{name: meant})


@pytest.mark.parametrize("name", ["max_result", "max_results"])
def test_the_number_of_results_has_two_names(caller: Caller, name: str) -> None:
    result = caller.call("sessions", {"session_filter": {name: 1}}).document["session_info_result"]
    assert (result["result_count"], result["remaining_result_count"]) == (1, 1)


def test_one_value_may_stand_without_an_array_and_null_is_no_criterion(caller: Caller) -> None:
    wanted = {
        "transfer_id": 5,
        "user": "u",
        "cookie": None,
        "min_transfer_end_date": "2026-11-21 13:00:00+01:00",
    }
    assert caller.call("info", {"file_transfer_filter": wanted}).status == 200
    expected = FileTransferFilter(transfer_id=(5,), user=("u",), min_transfer_end_date=MOMENT)
    assert caller.central.filters[0] == expected


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"nonsense": 1}, "file_transfer_filter: has no criterion 'nonsense'"),
        ({"SessionUUID": "x"}, "file_transfer_filter: has no criterion 'SessionUUID'"),
        ({"max_result": 1, "max_results": 1}, "file_transfer_filter.max_results: is given by another name"),
        ({"max_result": 0}, "file_transfer_filter.max_result: must be from 1"),
        ({"max_result": "7"}, "file_transfer_filter.max_result: is a string, expected a whole number"),
        ({"max_result": True}, "file_transfer_filter.max_result: is a boolean"),
        ({"max_result": 1.5}, "file_transfer_filter.max_result: is a number, expected a whole number"),
        ({"cookie": 7}, "file_transfer_filter.cookie: is a number, expected a string"),
        ({"cookie": [["x"]]}, "file_transfer_filter.cookie: is an array"),
        ({"cookie": "\ud800"}, "file_transfer_filter.cookie: has half a surrogate pair"),
        ({"cookie_filter": ["x"]}, "file_transfer_filter.cookie_filter: is an array"),
        ({"transfer_id": 2**63}, "file_transfer_filter.transfer_id: must be from"),
        ({"last_session_only": "yes"}, "file_transfer_filter.last_session_only: is a string, expected true"),
        ({"min_session_end_date": "soon"}, "file_transfer_filter.min_session_end_date: is not a date"),
        ({"min_session_end_date": 5}, "file_transfer_filter.min_session_end_date: is a number"),
        ({"x" * 999: 1}, "xxx..."),
        ({"\u001b[31m": 1}, r"has no criterion '\x1b[31m'"),
    ],
)
def test_a_mistake_in_a_filter_is_named(caller: Caller, wanted: Any, said: str) -> None:
    answer = caller.call("files", {"file_transfer_filter": wanted})
    assert answer.status == 400
    assert said in answer.error
    assert len(answer.body) < 300
    assert caller.central.filters == []


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (
            "sessions",
            {"file_transfer_filter": {}},
            "'file_transfer_filter', expected: session_filter, validation",
        ),
        ("files", {"session_filter": {}}, "'session_filter', expected: file_transfer_filter, validation"),
        ("files", {"file_transfer_filter": []}, "file_transfer_filter: is an array, expected an object"),
        ("files", {"validation": {}}, "validation.validator_id: is missing"),
        ("files", {"validation": {"validator_id": 1}}, "validation.validator_id: is a number"),
        ("files", {"validation": {"validator": "v"}}, "validation: has no member 'validator'"),
        ("files", {"validation": "v"}, "validation: is a string, expected an object"),
    ],
)
def test_a_mistake_in_the_document_is_named(caller: Caller, path: str, body: Any, said: str) -> None:
    answer = caller.call(path, body)
    assert answer.status == 400
    assert said in answer.error


def test_a_token_of_another_filter_is_a_conflict(caller: Caller) -> None:
    answer = caller.call("sessions", {"session_filter": {"iteration_token": "other filter"}})
    assert answer.status == 409
    assert "different filter" in answer.error


def test_the_base_may_end_in_a_slash(caller: Caller) -> None:
    assert caller.call(f"{BASE}/sessions/").status == 200
