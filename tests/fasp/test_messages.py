"""The builders of messages."""

from __future__ import annotations

import pytest

from asperacentral.fasp import messages
from asperacentral.fasp.dialogue import SessionDialogue, SessionState
from asperacentral.fasp.errors import FaspCode
from asperacentral.fasp.management import Decoder, LocalProtocolError, Message, RemoteProtocolError, encode
from asperacentral.fasp.messages import FileState, Identity, Progress, Rates, Tally

WHO = Identity("11111111-2222-4333-8444-555555555555", "job-17")
FILE = FileState("/data/a.bin", 4194304, 2862464, 2862464, 2172544, id="f-1", argument=0)
PROGRESS = Progress(transfer_bytes=689920, file_bytes=2862464, loss=1408, delay=87, elapsed=2_003_695)


def written(message: Message) -> list[str]:
    return encode(message).decode().splitlines()[1:-1]


# Commands.


def test_rate_says_only_what_changes() -> None:
    assert written(messages.rate(5000)) == ["Type: RATE", "Rate: 5000"]
    assert written(messages.rate(minimum_rate=10)) == ["Type: RATE", "MinRate: 10"]
    assert written(messages.rate(0, 0, "fixed")) == ["Type: RATE", "Adaptive: Fixed", "MinRate: 0", "Rate: 0"]


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [(None, None, ""), (5, None, "5:"), (None, 9, ":9"), (5, 9, "5:9"), (0, 0, "0:0")],
)
def test_a_source_may_be_a_range_which_is_read_back(first: int | None, last: int | None, said: str) -> None:
    message = messages.add_source("/a\nb", "/c", first_byte=first, last_byte=last)
    assert (message.type, message.text("FileBytes")) == ("START", said)
    assert messages.range_of(message) == (first, last)
    assert written(message)[-1] == "Source: /a\x1bnb"


def test_a_source_without_a_name_or_with_a_range_that_is_none_is_a_local_mistake() -> None:
    for source, first, last in (("", None, None), ("/a", -1, None), ("/a", 9, 5), ("/a", None, -1)):
        with pytest.raises(LocalProtocolError):
            messages.add_source(source, first_byte=first, last_byte=last)


@pytest.mark.parametrize("said", ["5", "a:b", "9:5", "-1:5", "1:2:3", "1" * 40 + ":"])
def test_a_range_that_is_none_is_a_remote_mistake(said: str) -> None:
    with pytest.raises(RemoteProtocolError):
        messages.range_of(Message("START", {"FileBytes": said}))


def test_a_persistent_session_lingers_or_is_shut_down() -> None:
    assert written(messages.linger()) == ["Type: DONE", "Operation: LINGER"]
    assert written(messages.shut_down()) == ["Type: DONE", "Operation: SHUTDOWN"]
    assert written(messages.cancel_source("/a")) == ["Type: STOP", "Source: /a"]


@pytest.mark.parametrize(
    ("said", "is_so"), [("LINGER", True), ("Linger", True), ("SHUTDOWN", False), ("", False)]
)
def test_linger_is_read_in_any_case_and_no_operation_means_shutdown(said: str, is_so: bool) -> None:
    assert messages.lingers(Message("DONE", {"Operation": said})) is is_so


def test_an_answer_repeats_the_question_and_is_not_shown() -> None:
    asked = messages.query(WHO, question="Password", command_id="7")
    answer = messages.query_response(asked, "hunter2")
    assert written(answer) == ["Type: QUERYRSP", "CommandId: 7", "Query: Password", "QueryResponse: hunter2"]
    assert "hunter2" not in repr(answer)


def test_a_virtual_link_has_a_number_and_caps() -> None:
    message = messages.virtual_link(7, on=True, cap_out=5000)
    assert written(message) == ["Type: VLINK", "VlinkCapOut: 5000", "VlinkID: 7", "VlinkOn: Yes"]
    for number, cap in ((0, 1), (256, 1), (1, -1)):
        with pytest.raises(LocalProtocolError):
            messages.virtual_link(number, on=True, cap_in=cap)


def test_a_skipped_file_and_a_source_that_is_done_with_are_reported() -> None:
    assert messages.skip(WHO, FILE).text("File") == "/data/a.bin"
    done = messages.argstop(WHO, messages.SourceState("/data", "/in", 3, 99, attempted=4, failed=1, passed=3))
    assert (done.text("Source"), done.text("Destination"), done.count("FaspFileArgIndex")) == (
        "/data",
        "/in",
        3,
    )
    assert (done.count("ArgTransfersAttempted"), done.count("ArgTransfersPassed")) == (4, 3)
    assert done.text("ArgTransfersStatus") == "Failed"


def test_a_negative_rate_is_a_local_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        messages.rate(-1)
    with pytest.raises(LocalProtocolError):
        messages.rate(5, -1)


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        ("fixed", {"Adaptive": "Fixed"}),
        ("high", {"Adaptive": "Adaptive", "Priority": "1"}),
        ("fair", {"Adaptive": "Adaptive", "Priority": "2"}),
        ("low", {"Adaptive": "Trickle"}),
    ],
)
def test_each_policy_has_its_fields_and_is_read_back(policy: str, fields: dict[str, str]) -> None:
    message = messages.rate(policy=policy)
    assert dict(message.fields) == fields
    assert messages.policy_of(message) == policy


def test_adaptive_without_priority_is_fair_and_nothing_is_no_policy() -> None:
    assert messages.policy_of(Message("STATS", {"Adaptive": "Adaptive"})) == "fair"
    assert messages.policy_of(Message("STATS")) is None


def test_an_unknown_policy_is_a_local_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="'trickle'"):
        messages.rate(policy="trickle")


def test_cancel_is_its_type_alone() -> None:
    assert written(messages.cancel()) == ["Type: CANCEL"]


# Reports.


def test_init_is_the_known_message() -> None:
    assert encode(messages.init(WHO, direction=messages.SENDING)) == (
        b"FASPMGR 2\nType: INIT\nDirection: Send\nOperation: Transfer\n"
        b"SessionId: 11111111-2222-4333-8444-555555555555\nUserStr: job-17\n\n"
    )


def test_a_cookie_is_repeated_and_an_empty_user_string_left_out() -> None:
    message = messages.init(Identity("s", cookie="c"), direction=messages.RECEIVING)
    assert message.text("Cookie") == "c"
    assert message.text("Direction") == "Receive"
    assert "UserStr" not in message.fields


def test_session_tells_rates_and_what_was_negotiated() -> None:
    message = messages.session(
        WHO,
        direction=messages.SENDING,
        rates=Rates(10000, 100, "high"),
        negotiated={"TCPPort": 22, "Encryption": True, "Remote": False, "Cipher": None},
    )
    assert written(message) == [
        "Type: SESSION",
        "Adaptive: Adaptive",
        "Direction: Send",
        "Encryption: Yes",
        "MinRate: 100",
        "Priority: 1",
        "Rate: 10000",
        "Remote: No",
        f"SessionId: {WHO.session_id}",
        "TCPPort: 22",
        "UserStr: job-17",
    ]


def test_notification_tells_rates_or_totals() -> None:
    rates = messages.notification(WHO, rates=Rates(0))
    assert (rates.integer("Rate", 9), rates.text("Adaptive")) == (0, "Adaptive")
    assert "PreTransferFiles" not in rates.fields
    totals = messages.notification(WHO, found=messages.totals(file_count=3, byte_count=12, folder_count=1))
    assert totals.integer("PreTransferFiles") == 3
    assert totals.integer("PreTransferBytes") == 12
    assert totals.integer("PreTransferDirs") == 1
    assert "Rate" not in totals.fields


def test_start_names_the_file() -> None:
    assert written(messages.start(WHO, FILE)) == [
        "Type: START",
        "Bytescont: 2862464",
        "FaspFileArgIndex: 0",
        "FaspFileID: f-1",
        "File: /data/a.bin",
        f"SessionId: {WHO.session_id}",
        "Size: 4194304",
        "StartByte: 2172544",
        "UserStr: job-17",
        "Written: 2862464",
    ]


def test_stats_tell_file_session_and_rates() -> None:
    message = messages.stats(WHO, file=FILE, progress=PROGRESS, rates=Rates(10000))
    assert message.integer("TransferBytes") == 689920
    assert message.integer("FileBytes") == 2862464
    assert message.integer("Loss") == 1408
    assert message.integer("Delay") == 87
    assert message.integer("Elapsedusec") == 2_003_695
    assert message.integer("StartByte") == 2172544
    assert message.integer("Rate") == 10000


def test_stats_of_an_idle_session_name_no_file() -> None:
    assert "File" not in messages.stats(WHO, file=None, progress=PROGRESS, rates=Rates(1)).fields


def test_stop_may_tell_a_checksum() -> None:
    checked = messages.stop(WHO, FILE, progress=PROGRESS, checksum="abcd", checksum_type="md5")
    assert (checked.text("FileChecksum"), checked.text("FileChecksumType")) == ("abcd", "md5")
    assert "FileChecksum" not in messages.stop(WHO, FILE, progress=PROGRESS).fields


def test_an_error_description_of_several_lines_is_told_in_one() -> None:
    failed = messages.fileerror(WHO, FILE, code=FaspCode.DISK_READ, description="no\r\n luck\x0b today\n")
    assert failed.text("Description") == "no luck today"
    assert failed.integer("Code") == 35
    assert failed.text("File") == "/data/a.bin"
    assert "TransferBytes" not in failed.fields
    again = messages.fileerror(WHO, FILE, code=35, description="", progress=PROGRESS)
    assert again.integer("TransferBytes") == 689920


def test_done_and_error_close_with_every_counter() -> None:
    tally = Tally(attempted=5, failed=1, passed=3, skipped=1, paths_attempted=6)
    done = messages.done(WHO, direction=messages.SENDING, progress=PROGRESS, tally=tally)
    error = messages.error(
        WHO, direction=messages.SENDING, code=27, description="some failed", progress=PROGRESS, tally=tally
    )
    for message in (done, error):
        assert message.integer("TransfersAttempted") == 5
        assert message.integer("TransfersPassed") == 3
        assert message.integer("TransfersSkipped") == 1
        assert message.integer("PathScansAttempted") == 6
        assert message.text("Operation") == "Transfer"
    assert set(error.fields) - set(done.fields) == {"Code", "Description"}


def test_a_whole_session_of_built_messages_is_in_order_and_survives_the_wire() -> None:
    said = [
        messages.init(WHO, direction=messages.SENDING),
        messages.session(WHO, direction=messages.SENDING, rates=Rates(1)),
        messages.notification(WHO, rates=Rates(1)),
        messages.start(WHO, FILE),
        messages.stats(WHO, file=FILE, progress=PROGRESS, rates=Rates(1)),
        messages.stop(WHO, FILE, progress=PROGRESS),
        messages.fileerror(WHO, FileState("odd\nname", 1), code=4, description="gone"),
        messages.done(WHO, direction=messages.SENDING, progress=PROGRESS, tally=Tally()),
    ]
    heard = Decoder().feed(b"".join(encode(message) for message in said))
    assert heard == said
    dialogue = SessionDialogue()
    for message in heard:
        dialogue.hear(message)
    assert dialogue.state is SessionState.FINISHED


@pytest.mark.parametrize(
    ("fields", "rates"),
    [
        ({}, messages.Rates(10, 5, "high")),
        ({"Rate": "0"}, messages.Rates(0, 5, "high")),
        ({"MinRate": "7", "Adaptive": "Fixed"}, messages.Rates(10, 7, "fixed")),
        ({"Rate": "-1", "MinRate": "-7"}, messages.Rates(0, 0, "high")),
        ({"Rate": "9" * 15}, messages.Rates(messages.LARGEST_RATE, 5, "high")),
    ],
)
def test_rates_change_by_what_is_given_and_stay_within_bounds(
    fields: dict[str, str], rates: messages.Rates
) -> None:
    assert messages.rates_of(Message("RATE", fields), messages.Rates(10, 5, "high")) == rates
