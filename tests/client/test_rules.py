"""The rules of the client that need no process: requests, origins, names of files, specs, states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from asperacentral.client import jsonrpc
from asperacentral.client.book import Book
from asperacentral.client.dialogs import Answer, Dialogs, Kind, Question
from asperacentral.client.errors import BadRequest, ClientError, NotPermitted
from asperacentral.client.grants import Grants
from asperacentral.client.handover import KEPT_SECONDS, Handover
from asperacentral.client.jsonrpc import RpcError
from asperacentral.client.origins import Caller, NotAdmitted, caller, read_origin
from asperacentral.client.page_spec import Desk, Plan, plan
from asperacentral.client.transfer import AFTER, ENDED, Status, Step, Transfer

PAGE = Caller("https://site.example")
OTHER = "https://other.example"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


# JSON-RPC.


@given(st.one_of(st.text(), st.binary(), JSON.map(json.dumps)))
def test_any_text_is_a_request_or_an_error_of_json_rpc(text: str | bytes) -> None:
    try:
        call = jsonrpc.read(text)
    except RpcError as problem:
        told = json.loads(jsonrpc.error(None, problem))
        assert told["error"]["code"] in (jsonrpc.PARSE_ERROR, jsonrpc.INVALID_REQUEST)
    else:
        assert call.method


@given(st.text(min_size=1), st.dictionaries(st.text(), JSON), st.integers() | st.text() | st.none())
def test_a_request_is_read_as_it_was_written(
    method: str, params: dict[str, Any], number: int | str | None
) -> None:
    text = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": number})
    try:
        call = jsonrpc.read(text)
    except RpcError as problem:
        assert "deep" in problem.message
        return
    assert (call.method, call.params, call.id) == (method, params, number)
    assert json.loads(jsonrpc.result(call.id, params)) == {"jsonrpc": "2.0", "id": number, "result": params}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 100_000, jsonrpc.PARSE_ERROR),
        ("[" * 60 + "]" * 60, jsonrpc.PARSE_ERROR),
        ("[]", jsonrpc.INVALID_REQUEST),
        ('{"jsonrpc":"2.0","id":1}', jsonrpc.INVALID_REQUEST),
        ('{"jsonrpc":"2.0","method":"a","params":7}', jsonrpc.INVALID_REQUEST),
        ('{"jsonrpc":"1.0","method":"a"}', jsonrpc.INVALID_REQUEST),
    ],
)
def test_what_is_no_request_gets_the_code_of_the_standard(text: str, code: int) -> None:
    with pytest.raises(RpcError) as caught:
        jsonrpc.read(text)
    assert caught.value.code == code


# Who asks.


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"host": "127.0.0.1:33024", "origin": "https://Site.Example"}, "https://site.example"),
        ({"host": "localhost:1", "origin": "http://localhost:8080"}, "http://localhost:8080"),
        ({"host": "127.0.0.1:33024"}, ""),
        ({"host": "127.0.0.1:33003", "origin": "transferer/4.2 (x86_64; Linux)"}, ""),
    ],
)
def test_a_page_is_known_by_its_origin_and_a_program_has_none(headers: dict[str, str], origin: str) -> None:
    assert caller(headers.get) == Caller(origin)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:33024", "origin": "http://evil.example:33024"},
        {"host": "127.0.0.1.evil.example", "origin": "https://site.example"},
        {"origin": "https://site.example"},
        {"host": "127.0.0.1:1", "origin": "null"},
        {"host": "127.0.0.1:1", "origin": "file://"},
        {"host": "127.0.0.1:1", "origin": ""},
        {"host": "127.0.0.1:1", "origin": "site.example:443"},
        {"host": "127.0.0.1:1", "origin": "a program", "sec-fetch-mode": "cors"},
        {"host": "127.0.0.1:1", "origin": "a program", "referer": "https://site.example/"},
        {"host": "127.0.0.1:1", "origin": "https://site.example/path"},
        {"host": "127.0.0.1:1", "sec-fetch-site": "cross-site"},
        {"host": "127.0.0.1:1", "referer": "https://site.example/"},
    ],
)
def test_rebound_names_and_pages_without_an_origin_are_not_admitted(headers: dict[str, str]) -> None:
    with pytest.raises(NotAdmitted):
        caller(headers.get)


@given(st.text())
def test_an_origin_has_one_form(text: str) -> None:
    try:
        origin = read_origin(text)
    except ValueError:
        return
    assert read_origin(origin) == origin
    assert not set("\"'<>&\r\n\0/ ") & set(origin.partition("://")[2])


# Names of files.


@pytest.fixture
def chosen(tmp_path: Path) -> Path:
    folder = tmp_path / "chosen"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (folder / "link").symlink_to(tmp_path)
    return folder


def test_a_name_tells_nothing_but_the_last_part_and_leads_to_what_was_chosen(chosen: Path) -> None:
    grants = Grants()
    (name,) = grants.give(PAGE.origin, [chosen])
    assert name.endswith("/chosen") and str(chosen.parent) not in name
    assert grants.find(PAGE.origin, name) == chosen
    assert grants.find(PAGE.origin, f"{name}/sub/file") == chosen / "sub" / "file"
    assert grants.find(PAGE.origin, name.lstrip("/") + "/") == chosen


@pytest.mark.parametrize(
    "rest", ["/../secret", "/sub/../../secret", "/link/secret", "/./sub", "//sub", "/a\0b", "x"]
)
def test_names_that_lead_out_of_what_was_chosen_are_refused(chosen: Path, rest: str) -> None:
    grants = Grants()
    (name,) = grants.give(PAGE.origin, [chosen])
    with pytest.raises(NotPermitted):
        grants.find(PAGE.origin, name + rest)


def test_a_name_is_good_for_its_origin_alone(chosen: Path) -> None:
    grants = Grants()
    (name,) = grants.give(PAGE.origin, [chosen])
    with pytest.raises(NotPermitted):
        grants.find(OTHER, name)
    with pytest.raises(NotPermitted):
        grants.find(PAGE.origin, str(chosen))


def test_names_outlive_a_restart_and_the_file_does_not_tell_them(chosen: Path, tmp_path: Path) -> None:
    book = Book(tmp_path / "state")
    (name,) = Grants(book.grants(), book.grant).give(PAGE.origin, [chosen])
    book.close()
    again = Book(tmp_path / "state")
    assert Grants(again.grants()).find(PAGE.origin, name) == chosen
    again.close()
    token = name.split("/")[1].encode()
    assert not any(token in file.read_bytes() for file in (tmp_path / "state").iterdir())


# Transfer specs.

FAR = {"remote_host": "far.example", "remote_user": "me", "token": "a token"}


def planned(
    spec: dict[str, Any], tmp_path: Path, grants: Grants | None = None, who: Caller = PAGE, **more: Any
) -> Plan:
    desk = Desk(tmp_path / "Downloads")
    return plan({**FAR, **spec}, who, grants or Grants(), desk, job_id="7", **more)


def test_what_a_page_sends_are_the_files_that_its_names_stand_for(chosen: Path, tmp_path: Path) -> None:
    grants = Grants()
    (name,) = grants.give(PAGE.origin, [chosen])
    made = planned(
        {"direction": "send", "paths": [{"source": name}, {"source": f"{name}/sub/file"}]}, tmp_path, grants
    )
    assert made.order.source.paths == (str(chosen), str(chosen / "sub" / "file"))
    assert made.order.remote.token == "a token"
    assert made.name_of(str(chosen / "sub" / "file")) == f"{name}/sub/file"
    assert made.name_of("/somewhere/else") == "else"


@pytest.mark.parametrize("source", ["/etc/passwd", "etc/passwd", "", "a\nb", "/x/../../etc/passwd"])
def test_a_page_cannot_send_what_it_was_not_given(source: str, tmp_path: Path) -> None:
    with pytest.raises((NotPermitted, BadRequest)):
        planned({"direction": "send", "paths": [{"source": source}]}, tmp_path)


@pytest.mark.parametrize("root", ["", "/", "project", "/project/2"])
def test_downloads_go_below_the_downloads_and_overwrite_nothing(root: str, tmp_path: Path) -> None:
    paths = [{"source": "/a"}]
    made = planned(
        {"direction": "receive", "paths": paths, "destination_root": root, "overwrite": "always"}, tmp_path
    )
    assert made.folder == tmp_path / "Downloads" / root.strip("/")
    assert made.order.destination.paths == (str(made.folder),)
    assert made.order.parameters.overwrite == "never"


def test_downloads_go_where_the_user_chose_by_the_rules_of_the_page(chosen: Path, tmp_path: Path) -> None:
    grants = Grants()
    (name,) = grants.give(PAGE.origin, [chosen])
    spec = {
        "direction": "receive",
        "paths": [{"source": "/a"}],
        "destination_root": name,
        "overwrite": "always",
    }
    made = planned(spec, tmp_path, grants, absolute=True)
    assert (made.order.destination.paths, made.order.parameters.overwrite, made.folder) == (
        (str(chosen),),
        "always",
        None,
    )


def test_a_file_is_saved_under_the_name_the_user_chose(tmp_path: Path) -> None:
    grants = Grants()
    (name,) = grants.give(PAGE.origin, [tmp_path / "new.bin"], to_save=True)
    spec = {"direction": "receive", "paths": [{"source": "/a", "destination": name}]}
    assert planned(spec, tmp_path, grants).order.destination.paths == (str(tmp_path / "new.bin"),)


@pytest.mark.parametrize(
    "spec",
    [
        {"destination_root": ".."},
        {"destination_root": "a/../../b"},
        {"destination_root": "link/below"},
        {"paths": [{"source": "/a", "destination": "../b"}]},
        {"paths": [{"source": "/a", "destination": "/b"}]},
    ],
)
def test_downloads_do_not_leave_the_downloads(spec: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "Downloads").mkdir()
    (tmp_path / "Downloads" / "link").symlink_to(tmp_path)
    with pytest.raises(NotPermitted):
        planned({"direction": "receive", "paths": [{"source": "/a"}], **spec}, tmp_path)


def test_a_page_cannot_name_a_folder_as_it_is(tmp_path: Path) -> None:
    spec = {"direction": "receive", "paths": [{"source": "/a"}], "destination_root": str(tmp_path)}
    with pytest.raises(NotPermitted):
        planned(spec, tmp_path, absolute=True)
    assert planned(spec, tmp_path, who=Caller(), absolute=True).order.destination.paths == (str(tmp_path),)


@pytest.mark.parametrize(
    "field",
    [
        "ssh_private_key_path",
        "remove_after_transfer",
        "delete_before_transfer",
        "move_after_transfer",
        "src_base",
        "new",
    ],
)
def test_fields_that_could_harm_or_mislead_are_refused_by_name(field: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=field):
        planned({"direction": "receive", "paths": [{"source": "/a"}], field: "x"}, tmp_path)


@pytest.mark.parametrize(
    "spec",
    [
        {"direction": "up"},
        {"direction": "send", "paths": []},
        {"direction": "receive", "paths": "all"},
        {"direction": "receive", "paths": [{"destination": "x"}]},
        {"direction": "receive", "paths": [{"source": "a"}], "ssh_port": "22"},
        {"direction": "receive", "paths": [{"source": "a"}], "remote_user": "a\0b"},
        {"direction": "receive", "paths": [{"source": "a"}], "target_rate_kbps": -5},
        {"direction": "receive", "paths": [{"source": "a"}], "remote_host": ""},
    ],
)
def test_what_makes_no_order_is_a_bad_request(spec: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        planned(spec, tmp_path)


# Dialogs.


class Silent:
    """A user who looks at questions and does not answer."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.open: list[Deferred[Answer | None]] = []

    def ask(self, question: Question) -> Deferred[Answer | None]:
        self.seen.append(question.who)
        self.open.append(Deferred())
        return self.open[-1]


def test_a_site_is_asked_about_one_thing_at_a_time_and_waits_for_no_other_site() -> None:
    user = Silent()
    dialogs = Dialogs(user)
    asked = [
        Deferred.fromCoroutine(dialogs.ask(Question(Kind.FILES, who))) for who in ("a", "a", "b", "a", "a")
    ]
    assert user.seen == ["a", "b"]
    refusals: list[Failure] = []
    asked[4].addErrback(refusals.append)
    assert refusals[0].check(ClientError)
    answer = Answer((Path("/x"),))
    user.open[0].callback(answer)
    assert asked[0].result == answer
    assert user.seen == ["a", "b", "a"]


# What programs are started with.


def test_where_others_could_use_it_an_address_is_in_a_file_of_the_user_alone_and_not_for_long(
    tmp_path: Path,
) -> None:
    (tmp_path / "open-left.html").write_text("of a client that was killed")
    clock, opened = Clock(), list[str]()
    show = Handover(tmp_path, opened.append, clock)  # type: ignore[arg-type]  # of the reactor it uses time alone
    show("http://127.0.0.1:7/dialog/secret")
    (file,) = tmp_path.iterdir()
    assert opened == [file.as_uri()]
    assert "secret" not in opened[0]
    assert file.stat().st_mode & 0o777 == 0o600
    assert 'url=http://127.0.0.1:7/dialog/secret"' in file.read_text()
    clock.advance(KEPT_SECONDS)
    assert not list(tmp_path.iterdir())


# States.


def transfer(status: Status) -> Transfer:
    return Transfer(
        "7", PAGE.origin, "app", {"direction": "send", "paths": [{"source": "/t/a"}]}, 1.0, status
    )


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("step", list(Step))
def test_states_change_by_the_table_and_ended_ones_only_by_the_user(status: Status, step: Step) -> None:
    subject = transfer(status)
    if not subject.can(step):
        with pytest.raises(KeyError):
            subject.after(step)
        return
    after = subject.after(step)
    assert after.status is AFTER[status, step]
    assert after.previous == ("" if after.status is status else status)
    if status in ENDED:
        assert step in (Step.RESUME, Step.REMOVE)


@given(st.integers(0, 1 << 50), st.integers(0, 1 << 50), st.integers(0, 1 << 40))
def test_what_pages_see_is_json_and_its_share_is_one_at_most(written: int, expected: int, rate: int) -> None:
    from dataclasses import replace

    subject = replace(transfer(Status.RUNNING), written=written, expected=expected, rate=rate)
    seen = json.loads(json.dumps(subject.seen()))
    assert 0 <= seen["percentage"] <= 1
    assert seen["remaining_usec"] >= 0
    assert Transfer.restored(json.loads(json.dumps(subject.stored()))) == subject
