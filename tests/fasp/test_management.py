"""The codec of FASPMGR 2."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.fasp.management import (
    MAX_LINE,
    MAX_MESSAGE,
    PATH_FIELDS,
    Decoder,
    LocalProtocolError,
    Message,
    MessageType,
    ProtocolError,
    RemoteProtocolError,
    encode,
)

INIT = (
    b"FASPMGR 2\nType: INIT\nDirection: Send\nOperation: Transfer\n"
    b"SessionId: 11111111-2222-4333-8444-555555555555\nUserStr: job-17\n\n"
)

# Any text that came from bytes, as file names do.
any_text = st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
one_line = any_text.filter(lambda text: "\n" not in text and "\r" not in text)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,12}", fullmatch=True).filter(
    lambda name: name != "Type" and name not in PATH_FIELDS
)
fields = st.builds(
    lambda plain, paths: {**plain, **paths},
    st.dictionaries(names, one_line, max_size=6),
    st.dictionaries(st.sampled_from(sorted(PATH_FIELDS)), any_text),
)
messages = st.builds(Message, st.sampled_from(MessageType), fields)


def decode(data: bytes) -> list[Message]:
    return Decoder().feed(data)


# Writing.


def test_type_comes_first_and_the_fields_follow_in_ascii_order() -> None:
    message = Message(
        MessageType.INIT,
        {
            "UserStr": "job-17",
            "Operation": "Transfer",
            "SessionId": "11111111-2222-4333-8444-555555555555",
            "Direction": "Send",
        },
    )
    assert encode(message) == INIT


def test_capitals_sort_before_small_letters() -> None:
    assert encode(Message(MessageType.SESSION, {"Clienta": "2", "ClientZ": "1"})) == (
        b"FASPMGR 2\nType: SESSION\nClientZ: 1\nClienta: 2\n\n"
    )


def test_a_message_without_fields_is_its_type_alone() -> None:
    assert encode(Message(MessageType.CANCEL)) == b"FASPMGR 2\nType: CANCEL\n\n"


def test_an_empty_value_keeps_its_space() -> None:
    assert encode(Message(MessageType.STOP, {"Description": ""})) == (
        b"FASPMGR 2\nType: STOP\nDescription: \n\n"
    )


@pytest.mark.parametrize("name", sorted(PATH_FIELDS))
def test_line_breaks_and_escapes_in_paths_are_escaped(name: str) -> None:
    encoded = encode(Message(MessageType.START, {name: "a\nb\rc\x1bd"}))
    assert encoded == f"FASPMGR 2\nType: START\n{name}: a\x1bnb\x1brc\x1b\x1bd\n\n".encode()


@pytest.mark.parametrize("value", ["two\nlines", "two\rlines", "end\n"])
def test_a_line_break_in_another_value_is_a_local_mistake(value: str) -> None:
    with pytest.raises(LocalProtocolError, match="Description has a line break"):
        encode(Message(MessageType.ERROR, {"Description": value}))


@pytest.mark.parametrize("name", ["", "Two Words", "Colon:", "Line\n", "Ünicode", "1st"])
def test_a_field_name_that_is_none_is_a_local_mistake(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="not a field name"):
        encode(Message(MessageType.NOP, {name: "x"}))


def test_the_type_is_not_to_be_given_as_a_field() -> None:
    with pytest.raises(LocalProtocolError, match="Type is given"):
        encode(Message(MessageType.NOP, {"Type": "DONE"}))


def test_a_type_with_a_line_break_is_a_local_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="Type has a line break"):
        encode(Message("NOP\nCode: 1"))


def test_text_that_is_not_from_bytes_is_a_local_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="not text that can be written"):
        encode(Message(MessageType.NOP, {"File": "\ud800"}))


def test_what_a_reader_would_refuse_for_its_length_is_a_local_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="longer than 65536"):
        encode(Message(MessageType.NOP, {"Tags": "x" * MAX_LINE}))
    with pytest.raises(LocalProtocolError, match="longer than 1048576"):
        encode(Message(MessageType.NOP, {f"Tags{i}": "x" * 60_000 for i in range(20)}))


# Reading.


def test_a_message_is_read_with_its_type_and_fields() -> None:
    (message,) = decode(INIT)
    assert message.type is MessageType.INIT
    assert dict(message.fields) == {
        "Direction": "Send",
        "Operation": "Transfer",
        "SessionId": "11111111-2222-4333-8444-555555555555",
        "UserStr": "job-17",
    }


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"Cookie:x", "x"),
        (b"Cookie: x", "x"),
        (b"Cookie:  x", " x"),
        (b"Cookie:", ""),
        (b"Cookie: ", ""),
        (b"Cookie: a: b:c", "a: b:c"),
        (b"Cookie: x ", "x "),
        (b"Cookie: a\x1bnb", "a\x1bnb"),
    ],
)
def test_one_optional_space_after_the_first_colon_is_dropped(line: bytes, value: str) -> None:
    (message,) = decode(b"FASPMGR 2\nType: INIT\n" + line + b"\n\n")
    assert message.text("Cookie") == value


def test_unknown_types_and_fields_are_kept() -> None:
    (message,) = decode(b"FASPMGR 2\nType: HELLO\nMood: fine\n\n")
    assert message.type == "HELLO"
    assert not isinstance(message.type, MessageType)
    assert message.text("Mood") == "fine"


def test_the_type_may_come_last_and_the_last_of_equal_names_counts() -> None:
    (message,) = decode(b"FASPMGR 2\nRate: 1\nRate: 2\nType: STATS\n\n")
    assert message == Message(MessageType.STATS, {"Rate": "2"})


def test_empty_lines_between_messages_are_skipped() -> None:
    assert len(decode(b"\n" + INIT + b"\n\n" + INIT)) == 2


def test_escapes_in_paths_are_undone_and_unknown_ones_kept() -> None:
    (message,) = decode(b"FASPMGR 2\nType: START\nFile: a\x1bnb\x1brc\x1b\x1bn\x1bq\x1b\n\n")
    assert message.text("File") == "a\nb\rc\x1bn\x1bq\x1b"


def test_bytes_that_are_not_utf_8_survive() -> None:
    (message,) = decode(b"FASPMGR 2\nType: START\nFile: caf\xe9\n\n")
    assert message.text("File").encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_an_unfinished_message_is_dropped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert decode(b"FASPMGR 2\nType: STATS\nToken: secret\n" + INIT) == decode(INIT)
    assert "not finished" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"Type: INIT\n", "expected 'FASPMGR 2'"),
        (b"GET / HTTP/1.1\r\n", "expected 'FASPMGR 2'"),
        (b"FASPMGR 4\n", "expected 'FASPMGR 2'"),
        (b"FASPMGR 2\nType INIT\n", "expected a field"),
        (b"FASPMGR 2\n: INIT\n", "expected a field"),
        (b"FASPMGR 2\nRate: 5\n\n", "no Type"),
        (b"FASPMGR 2\nType: \n\n", "no Type"),
        (b"x" * (MAX_LINE + 1), "longer than 65536"),
        (b"FASPMGR 2\nTags: " + b"x" * MAX_LINE + b"\n", "longer than 65536"),
    ],
)
def test_what_is_not_the_protocol_is_a_remote_mistake(data: bytes, reason: str) -> None:
    with pytest.raises(RemoteProtocolError, match=reason):
        decode(data)


def test_a_message_without_end_is_a_remote_mistake_before_it_fills_the_memory() -> None:
    decoder = Decoder()
    decoder.feed(b"FASPMGR 2\n")
    line = b"Tags: " + b"x" * 1000 + b"\n"
    fed = 0
    with pytest.raises(RemoteProtocolError, match="longer than 1048576"):
        while fed < 2 * MAX_MESSAGE:
            decoder.feed(line)
            fed += len(line)
    assert fed <= MAX_MESSAGE


def test_messages_before_a_mistake_are_not_lost_and_nothing_is_read_after_it() -> None:
    decoder = Decoder()
    with pytest.raises(RemoteProtocolError) as caught:
        decoder.feed(INIT + b"nonsense\n" + INIT)
    assert [message.type for message in caught.value.messages] == ["INIT"]
    with pytest.raises(RemoteProtocolError) as again:
        decoder.feed(INIT)
    assert again.value.messages == ()


def test_the_report_of_a_wrong_line_shows_only_its_beginning() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(b"FASPMGR 2\nPassword phrase of somebody\n")
    assert "somebody" not in str(caught.value)


def test_lines_at_the_limit_pass() -> None:
    message = Message(MessageType.NOP, {"Tags": "x" * (MAX_LINE - len("Tags: "))})
    assert decode(encode(message)) == [message]


def test_local_and_remote_mistakes_are_told_apart() -> None:
    assert issubclass(LocalProtocolError, ProtocolError)
    assert issubclass(RemoteProtocolError, ProtocolError)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)


@given(st.lists(messages, max_size=4))
def test_what_is_written_is_read_back(sent: list[Message]) -> None:
    assert decode(b"".join(encode(message) for message in sent)) == sent


@given(messages)
def test_a_message_reads_the_same_wherever_the_stream_is_cut(sent: Message) -> None:
    data = encode(sent) + INIT
    whole = decode(data)
    for cut in range(len(data) + 1):
        decoder = Decoder()
        assert decoder.feed(data[:cut]) + decoder.feed(data[cut:]) == whole


def test_a_message_reads_the_same_byte_by_byte() -> None:
    decoder = Decoder()
    read = [message for at in range(len(INIT)) for message in decoder.feed(INIT[at : at + 1])]
    assert read == decode(INIT)


LINES = [
    b"FASPMGR 2\n",
    b"Type: STOP\n",
    b"Type:\n",
    b"\n",
    b"A:b\n",
    b"A:  b\n",
    b"A::b\n",
    b"File: a\x1bn\xff\r\n",
]
LINES += [b"odd\n", b":x\n", b":x:y\n", b"Source: \x85\xe2\x80\xa8x\n", b" FASPMGR 2\n", b"FASPMGR 2"]


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_what_is_odd_reads_the_same_whole_as_byte_by_byte(lines: list[bytes]) -> None:
    data = b"".join(lines)
    assert outcome([data]) == outcome([bytes([byte]) for byte in data])


def outcome(parts: list[bytes]) -> tuple[list[Message], str]:
    """The messages in the parts of a stream, and the mistake that ends it, if any."""
    decoder, messages = Decoder(), []
    for part in parts:
        try:
            messages += decoder.feed(part)
        except RemoteProtocolError as mistake:
            return [*messages, *mistake.messages], str(mistake)
    return messages, ""


@given(st.binary(max_size=200))
def test_any_bytes_give_messages_or_a_remote_mistake(data: bytes) -> None:
    decoder = Decoder()
    try:
        decoder.feed(b"FASPMGR 2\nType: NOP\n" + data)
    except RemoteProtocolError as error:
        assert "Traceback" not in str(error)


# The message as a value.


def test_getters_read_text_numbers_and_booleans() -> None:
    message = Message(MessageType.STATS, {"Rate": "10000", "Remote": "Yes", "Delay": "-1", "RateLock": "No"})
    assert message.text("Rate") == "10000"
    assert message.text("Cookie") == ""
    assert message.text("Cookie", "none") == "none"
    assert message.integer("Rate") == 10000
    assert message.integer("Delay") == -1
    assert message.integer("MinRate") == 0
    assert message.integer("MinRate", 7) == 7
    assert (message.count("Rate"), message.count("MinRate", 7)) == (10000, 7)
    assert message.count("Delay", 7) == 7
    assert message.boolean("Remote")
    assert not message.boolean("RateLock")
    assert not message.boolean("Keepalive")


@pytest.mark.parametrize("value", ["", "50%", "1_000", " 5", "0x10", "٣", "9" * 30, "1.5"])
def test_a_number_that_is_none_reads_as_the_default(value: str) -> None:
    assert Message(MessageType.STATS, {"Rate": value}).integer("Rate", 42) == 42
    assert Message(MessageType.STATS, {"Rate": value}).count("Rate", 42) == 42


def test_a_message_is_frozen_and_independent_of_the_mapping_it_was_made_from() -> None:
    source = {"Rate": "1"}
    message = Message(MessageType.RATE, source)
    source["Rate"] = "2"
    assert message.text("Rate") == "1"
    with pytest.raises(TypeError):
        message.fields["Rate"] = "3"  # type: ignore[index]
    with pytest.raises(AttributeError):
        message.type = "DONE"  # type: ignore[misc]


def test_secrets_are_masked_where_a_message_is_shown() -> None:
    message = Message(
        MessageType.SESSION,
        {"Token": "t-o-k", "Cookie": "c-o-o", "Password": "p-a-s", "QueryResponse": "q-r", "Host": "h\n"},
    )
    assert repr(message) == ("<SESSION Cookie=*** Host='h\\n' Password=*** QueryResponse=*** Token=***>")
