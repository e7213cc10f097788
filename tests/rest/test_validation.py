"""Validators over REST: claiming by POST, reporting by PUT."""

from __future__ import annotations

from typing import Any

import pytest

from asperacentral.central.validation import MAX_REPORTS, Report
from tests.rest.caller import Caller
from tests.soap.memory_central import SESSION

FILE = "00000001-00000002-00000003-00000004-00000006"
CLAIM = {"validation": {"validator_id": "v"}}


@pytest.fixture
def caller() -> Caller:
    made = Caller()
    made.central.files[1].status = "to_be_validated"
    return made


def report(caller: Caller, validator: str = "v", **said: Any) -> Any:
    said = {"session_uuid": SESSION, "file_id": FILE, "status": "completed"} | said
    return caller.call("files", {"validator_id": validator, "files": [said]}, method="PUT")


def test_who_names_a_validator_gets_files_to_validate(caller: Caller) -> None:
    result = caller.call("files", CLAIM).document["file_transfer_info_result"]
    (file,) = result["file_transfer_info"]
    assert (file["file_id"], file["status"]) == (FILE, "validating")
    assert caller.call("files", CLAIM).document["file_transfer_info_result"]["file_transfer_info"] == []


def test_who_names_none_only_looks(caller: Caller) -> None:
    caller.call("files", {"validation": None})
    assert caller.central.files[1].status == "to_be_validated"


def test_info_claims_too_and_tells_the_sessions(caller: Caller) -> None:
    result = caller.call("info", CLAIM).document["info_result"]
    assert [each["session_uuid"] for each in result["session_info"]] == [SESSION]
    assert [each["status"] for each in result["file_transfer_info"]] == ["validating"]


def test_sessions_are_told_and_nothing_is_claimed(caller: Caller) -> None:
    assert caller.call("sessions", CLAIM).status == 200
    assert caller.central.files[1].status == "to_be_validated"


def test_a_report_that_is_taken_is_answered_with_nothing(caller: Caller) -> None:
    caller.call("files", CLAIM)
    answer = report(caller)
    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.headers
    assert "content-type" not in answer.headers
    assert caller.central.files[1].status == "completed"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"status": "Completed"}, {"status": "completed"}),
        ({"status": "validating", "bytes_processed": 5}, {"status": "validating", "bytes_processed": 5}),
        ({"status": "validating", "error_code": 5}, {"status": "validating"}),
        (
            {"status": "error", "error_code": 7, "error_description": "bad"},
            {"status": "error", "error_code": 7, "error_description": "bad"},
        ),
        ({"status": "error", "error_code": None}, {"status": "error"}),
    ],
)
def test_what_a_validator_says_reaches_the_service(caller: Caller, said: Any, meant: Any) -> None:
    caller.call("files", CLAIM)
    assert report(caller, **said).status == 204
    assert caller.central.reports == [("v", Report(SESSION, FILE, **meant))]


def test_reports_that_are_not_taken_are_listed_with_the_reason(caller: Caller) -> None:
    answer = report(caller)
    assert answer.status == 409
    assert answer.document["error"]["user_message"] == "1 files were not updated"
    assert answer.document["files"] == [
        {
            "session_uuid": SESSION,
            "file_id": FILE,
            "reason": "is to_be_validated and not claimed by this validator",
        }
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"files": []}, "validator_id: is missing"),
        ({"validator_id": "v"}, "files: is null, expected an array"),
        ({"validator_id": "v", "files": {}}, "files: is an object, expected an array"),
        ({"validator_id": "v", "files": ["x"]}, "files[0]: is a string, expected an object"),
        (
            {"validator_id": "v", "files": [{"file_id": "f", "status": "error"}]},
            "files[0].session_uuid: is missing",
        ),
        ({"validator_id": "v", "files": [], "x": 1}, "'x', expected: validator_id, files"),
        ({"validator_id": "v", "files": [{}] * (MAX_REPORTS + 1)}, "1001 of them, 1000 at most"),
    ],
)
def test_a_mistake_in_the_document_is_named_and_nothing_is_taken(
    caller: Caller, document: Any, said: str
) -> None:
    answer = caller.call("files", document, method="PUT")
    assert answer.status == 400
    assert said in answer.error
    assert caller.central.reports == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"status": "to_be_validated"}, "files[0].status: is none of: completed, error, validating"),
        ({"status": "running"}, "files[0].status: is none of"),
        ({"nonsense": 1}, "files[0]: has no member 'nonsense'"),
        ({"status": "error", "error_code": "7"}, "files[0].error_code: is a string, expected a whole number"),
        ({"status": "error", "error_code": 2**31}, "files[0].error_code: must be from"),
        ({"status": "error", "error_description": "x" * 5000}, "files[0].error_description: is longer"),
        ({"status": "validating", "bytes_processed": -1}, "files[0].bytes_processed: must be from 0"),
    ],
)
def test_a_mistake_in_a_report_is_named(caller: Caller, said: Any, reason: str) -> None:
    answer = report(caller, **said)
    assert answer.status == 400
    assert reason in answer.error
