"""Out-of-transfer validation: who gets which file, what reports change, and what silence does (contract §15)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asperacentral.central import transfer
from asperacentral.central.errors import FilterChanged, InvalidValue, JobSubmissionError, Unavailable
from asperacentral.central.query import FileTransferFilter, SessionFilter
from asperacentral.central.recording import Recording
from asperacentral.central.validation import (
    MAX_REPORTS,
    REPORTED,
    Refusal,
    Report,
    Standing,
    changes,
    refusal,
)
from asperacentral.fasp.management import Message
from asperacentral.fasp.management import MessageType as M
from asperacentral.store.store import StoreOptions
from tests.central.world import World, order

TIMEOUT = 60.0


@pytest.fixture
def world(tmp_path: Path) -> Any:
    made = World(tmp_path, recording=Recording(validate=True), validation_timeout=TIMEOUT)
    yield made
    made.close()


def file_id(number: int) -> str:
    return "-".join([f"{number:08x}"] * 5)


def moves(world: World, *numbers: int) -> None:
    """The session's process moves these files whole."""
    for number in numbers:
        world.says(M.STOP, File=f"/data/{number}", Size=10, Written=10, FaspFileID=file_id(number))


def moved(world: World, *numbers: int) -> None:
    world.submit()
    world.says(M.SESSION, User="u", Rate=5000)
    moves(world, *numbers)


def states(world: World) -> dict[str, str]:
    """The state of each file, by the last part of its path, as the reliable query tells it."""
    page = world.result(world.central.query_files(FileTransferFilter()))
    return {file.path.rpartition("/")[2]: file.status for file in page.items}


def claim(world: World, validator: str, **wanted: Any) -> list[str]:
    page = world.result(world.central.claim_files(validator, FileTransferFilter(**wanted)))
    return [file.path.rpartition("/")[2] for file in page.items]


def report(world: World, validator: str, number: int, status: str, **values: Any) -> tuple[Refusal, ...]:
    session = world.result(world.central.query_files(FileTransferFilter())).items[0].session_id
    said = Report(session, file_id(number), status, **values)
    return world.result(world.central.report_validation(validator, [said]))


def reasons(refusals: tuple[Refusal, ...]) -> list[str]:
    return [each.reason for each in refusals]


# --- what is validated


def test_a_whole_file_waits_for_a_validator_and_its_session_and_job_end_without_it(world: World) -> None:
    moved(world, 1)
    world.completes()
    assert states(world) == {"1": "to_be_validated"}
    (session,) = world.result(world.central.query_sessions(SessionFilter())).items
    assert (session.status, session.files_complete) == ("completed", 1)
    assert world.central.list_jobs() == ()


def test_a_failed_file_is_not_validated(world: World) -> None:
    moved(world)
    world.says(M.FILEERROR, File="/data/1", Size=10, Code=40, Description="no", FaspFileID=file_id(1))
    assert states(world) == {"1": "error"}
    assert claim(world, "v") == []


def test_files_are_validated_whatever_is_left_unrecorded_otherwise(tmp_path: Path) -> None:
    """An empty one, one that was there, one beyond the number of names: each could be a bad one."""
    world = World(tmp_path, recording=Recording(validate=True, files_per_session=1))
    moved(world, 1)
    world.says(M.STOP, File="/data/empty", Size=0)
    world.says(M.SKIP, File="/data/skipped", Size=10)
    assert set(states(world).values()) == {"to_be_validated"}
    assert len(states(world)) == 3
    world.close()


def test_files_to_be_validated_are_never_dropped_when_too_much_waits_for_the_store(tmp_path: Path) -> None:
    options = StoreOptions(buffer_capacity=1, drop_overrun=True)
    world = World(tmp_path, recording=Recording(validate=True), store_options=options)
    moved(world)
    runner = world.central.runner
    for number in range(50):
        fields = {"File": f"/data/{number}", "Size": "1", "FaspFileID": file_id(number)}
        runner.session_message(world.session_id, Message(M.STOP, fields))
        runner.write_files()
    world.settle()
    assert len(states(world)) == 50
    world.close()


@pytest.mark.parametrize(
    ("configured", "asked", "status"),
    [
        (False, None, "completed"),
        (False, "Yes", "to_be_validated"),
        (True, None, "to_be_validated"),
        (True, "No", "completed"),
    ],
)
def test_the_order_has_the_last_word_on_whether_files_are_validated(
    tmp_path: Path, configured: bool, asked: str | None, status: str
) -> None:
    world = World(tmp_path, recording=Recording(validate=configured))
    wish = f"<PostTransferValidation>{asked}</PostTransferValidation>" if asked else ""
    text = order().replace("</Order>", f"<FileParameters>{wish}</FileParameters></Order>")
    world.result(world.central.submit("Aspera.IScpTransfer", text))
    world.settle()
    world.says(M.SESSION, User="u", Rate=5000)
    moves(world, 1)
    assert states(world) == {"1": status}
    world.close()


def test_a_transfer_process_that_is_told_to_leave_files_to_a_validator_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.submit()
    world.says(M.SESSION, User="u", Rate=5000, PostTransferValidation="Yes")
    moves(world, 1)
    assert states(world) == {"1": "to_be_validated"}
    world.close()


def test_an_order_that_asks_for_validation_is_refused_where_nothing_is_recorded(tmp_path: Path) -> None:
    world = World(tmp_path, reliable_query=False, recording=Recording(names=False, validate=True))
    wish = "<FileParameters><PostTransferValidation>Yes</PostTransferValidation></FileParameters></Order>"
    with pytest.raises(JobSubmissionError, match="PostTransferValidation"):
        world.result(world.central.submit("Aspera.IScpTransfer", order().replace("</Order>", wish)))
    with pytest.raises(Unavailable):
        world.result(world.central.claim_files("v", FileTransferFilter()))
    world.close()


# --- claims


def test_a_file_is_given_to_one_validator(world: World) -> None:
    moved(world, 1, 2, 3)
    assert claim(world, "first", max_results=2) == ["1", "2"]
    assert claim(world, "second") == ["3"]
    assert claim(world, "third") == []
    assert set(states(world).values()) == {"validating"}


def test_claims_asked_for_at_the_same_time_share_nothing(world: World) -> None:
    moved(world, *range(40))
    asked = [world.central.claim_files(f"v{n % 3}", FileTransferFilter(max_results=7)) for n in range(9)]
    given = [file.id for page in map(world.result, asked) for file in page.items]
    assert sorted(given) == sorted(file_id(number) for number in range(40))


def test_a_claim_holds_to_the_filter(world: World) -> None:
    moved(world, 1, 2)
    assert claim(world, "v", filepath=("/data/2",)) == ["2"]
    assert claim(world, "v", cookie=("another",)) == []
    assert claim(world, "v", transfer_status=("completed",)) == []
    assert claim(world, "v", transfer_status=("To_Be_Validated",), cookie=("c",)) == ["1"]


def test_a_claimed_file_has_changed_for_those_who_follow_the_stream(world: World) -> None:
    moved(world, 1)
    before = world.result(world.central.query_files(FileTransferFilter()))
    claim(world, "v")
    later = FileTransferFilter(iteration_token=before.iteration_token)
    (file,) = world.result(world.central.query_files(later)).items
    assert file.status == "validating"
    validating = FileTransferFilter(transfer_status=("validating",))
    assert len(world.result(world.central.query_files(validating)).items) == 1


def test_the_token_of_a_claim_leads_to_what_is_left_and_then_to_what_comes(world: World) -> None:
    moved(world, 1, 2, 3)
    first = world.result(world.central.claim_files("v", FileTransferFilter(max_results=2)))
    assert (len(first.items), first.remaining) == (2, 1)
    wanted = FileTransferFilter(iteration_token=first.iteration_token)
    rest = world.result(world.central.claim_files("v", wanted))
    assert ([file.path for file in rest.items], rest.remaining) == (["/data/3"], 0)
    moves(world, 4)
    wanted = FileTransferFilter(iteration_token=rest.iteration_token)
    assert [file.path for file in world.result(world.central.claim_files("v", wanted)).items] == ["/data/4"]
    with pytest.raises(FilterChanged):
        world.result(world.central.query_files(wanted))


def test_files_are_claimed_together_with_a_look_at_their_sessions(world: World) -> None:
    moved(world, 1)
    page = world.result(world.central.claim_info("v", FileTransferFilter()))
    assert [each.id for each in page.sessions] == [page.files[0].session_id]
    page = world.result(world.central.claim_info("v", FileTransferFilter()))
    assert (page.sessions, page.files) == ((), ())


def test_sessions_in_validation_are_those_with_files_to_claim_or_claimed_by_the_validator(
    world: World,
) -> None:
    def shown(validator: str, **wanted: Any) -> list[str]:
        asked = world.central.query_sessions_in_validation(validator, SessionFilter(**wanted))
        return [each.id for each in world.result(asked).items]

    assert shown("v") == []
    moved(world, 1)
    session = world.session_id
    world.completes()
    moved(world)
    assert shown("v") == [session]
    assert shown("v", session_uuid=(world.session_id,)) == []
    claim(world, "v")
    assert (shown("v"), shown("another")) == ([session], [])
    report(world, "v", 1, "completed")
    assert shown("v") == []


@pytest.mark.parametrize("validator", ["", "x" * 257])
def test_a_validator_has_a_name_of_some_length(world: World, validator: str) -> None:
    with pytest.raises(InvalidValue, match="validator_id"):
        world.result(world.central.claim_files(validator, FileTransferFilter()))


# --- reports


def test_a_validator_reports_files_good_and_bad(world: World) -> None:
    moved(world, 1, 2)
    claim(world, "v")
    assert report(world, "v", 1, "completed") == ()
    assert report(world, "v", 2, "error", error_code=7, error_description="a virus") == ()
    assert states(world) == {"1": "completed", "2": "error"}
    bad = FileTransferFilter(transfer_status=("error",))
    (file,) = world.result(world.central.query_files(bad)).items
    assert (file.error_code, file.error_description) == (7, "a virus")


def test_what_a_validator_says_again_is_taken_again(world: World) -> None:
    """Its answer may have been lost; but it cannot change its mind, nor can another speak for it."""
    moved(world, 1)
    claim(world, "v")
    assert report(world, "v", 1, "completed") == report(world, "v", 1, "completed") == ()
    assert reasons(report(world, "v", 1, "error")) == ["is completed already"]
    assert reasons(report(world, "w", 1, "completed")) == ["is completed and not claimed by this validator"]
    assert states(world) == {"1": "completed"}


def test_reports_on_files_of_others_are_refused_and_the_rest_is_taken(world: World) -> None:
    moved(world, 1, 2, 3)
    claim(world, "v", filepath=("/data/1",))
    claim(world, "w", filepath=("/data/2",))
    session = world.session_id
    said = [Report(session, file_id(number), "completed") for number in (1, 2, 3, 4)]
    refused = world.result(world.central.report_validation("v", said))
    assert [(each.file_id[-1], each.reason) for each in refused] == [
        ("2", "is validating and not claimed by this validator"),
        ("3", "is to_be_validated and not claimed by this validator"),
        ("4", "no such file"),
    ]
    assert states(world) == {"1": "completed", "2": "validating", "3": "to_be_validated"}


def test_one_report_has_a_thousand_files_at_most(world: World) -> None:
    said = [Report("s", file_id(number), "completed") for number in range(MAX_REPORTS + 1)]
    with pytest.raises(InvalidValue, match="1000 at most"):
        world.result(world.central.report_validation("v", said))
    assert len(world.result(world.central.report_validation("v", said[1:]))) == MAX_REPORTS


# --- silence and restarts


def test_a_silent_validator_loses_its_files(world: World) -> None:
    moved(world, 1)
    claim(world, "silent")
    world.advance(TIMEOUT - 1)
    assert states(world) == {"1": "validating"}
    world.advance(1)
    assert states(world) == {"1": "to_be_validated"}
    assert reasons(report(world, "silent", 1, "completed")) == [
        "is to_be_validated and not claimed by this validator"
    ]
    assert claim(world, "other") == ["1"]


def test_a_validator_at_work_keeps_its_files_by_saying_so(world: World) -> None:
    moved(world, 1, 2)
    claim(world, "v")
    for done in range(5):
        world.advance(TIMEOUT - 10)
        assert report(world, "v", 1, "validating", bytes_processed=done) == ()
    assert states(world) == {"1": "validating", "2": "to_be_validated"}
    assert report(world, "v", 1, "completed") == ()


def test_very_many_files_of_a_silent_validator_all_become_free(world: World) -> None:
    moved(world)
    for number in range(2500):
        fields = {"File": f"/data/{number}", "Size": "1", "FaspFileID": file_id(number)}
        world.central.runner.session_message(world.session_id, Message(M.STOP, fields))
    assert sum(len(claim(world, "v", max_results=1000)) for _ in range(4)) == 2500
    world.advance(TIMEOUT)
    world.advance(1)
    assert sum(len(claim(world, "w", max_results=1000)) for _ in range(4)) == 2500


def test_without_a_timeout_a_claim_holds_for_ever(tmp_path: Path) -> None:
    world = World(tmp_path, recording=Recording(validate=True), validation_timeout=0)
    moved(world, 1)
    claim(world, "v")
    world.advance(10_000_000)
    assert states(world) == {"1": "validating"}
    world.close()


def test_claims_and_their_ends_survive_a_restart(world: World) -> None:
    moved(world, 1, 2)
    claim(world, "v")
    world.restart()
    assert report(world, "v", 1, "completed") == ()
    world.advance(TIMEOUT)
    assert states(world) == {"1": "completed", "2": "to_be_validated"}


def test_a_claim_that_ended_while_nobody_watched_is_free_after_the_restart(world: World) -> None:
    moved(world, 1)
    claim(world, "v")
    world.store.close()
    world.clock.rightNow += TIMEOUT
    world.restart()
    assert claim(world, "w") == ["1"]


@pytest.mark.parametrize("said", ["claimed", "completed", "error"])
def test_an_end_told_again_after_a_restart_does_not_undo_a_validators_work(world: World, said: str) -> None:
    """A process that lost its manager tells its last seconds again."""
    moved(world, 1)
    claim(world, "v")
    if said != "claimed":
        report(world, "v", 1, said, error_description="bad" if said == "error" else "")
    world.restart()
    (adopted, _) = world.transfers.adopted[0]
    fields = {"File": "/data/1", "Size": "10", "Written": "10", "FaspFileID": file_id(1)}
    world.central.runner.session_message(adopted, Message(M.STOP, fields))
    world.settle()
    assert states(world) == {"1": "validating" if said == "claimed" else said}


def test_purged_sessions_take_their_claims_along(world: World) -> None:
    moved(world, 1)
    claim(world, "v")
    world.completes()
    world.advance(10)
    assert world.result(world.central.purge(5)) == 1
    world.advance(TIMEOUT)
    assert states(world) == {}


# --- the decision and the table, exhaustively


STATES = st.sampled_from(sorted(transfer.STATES))
NAMES = st.sampled_from(["v", "w"])


@given(STATES, st.none() | NAMES, NAMES, st.sampled_from(sorted(REPORTED)))
def test_a_report_is_taken_only_from_who_holds_the_file(
    state: str, owner: str | None, validator: str, said: str
) -> None:
    standing = Standing(state, owner)
    taken = refusal(standing, validator, said) is None
    assert taken == (owner == validator and (state == "validating" or state == said))
    if taken and changes(standing, said):
        assert transfer.TABLE[state, REPORTED[said]] == said


class Validation(RuleBasedStateMachine):
    """Any validators in any order, against a model that says for each file who may hold it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(
            Path(self.folder.name), recording=Recording(validate=True), validation_timeout=TIMEOUT
        )
        self.model: dict[int, tuple[str, str | None, float]] = {}

    @initialize()
    def begin(self) -> None:
        moved(self.world, 0)
        self.model[0] = ("to_be_validated", None, 0)

    def teardown(self) -> None:
        self.world.close()
        self.folder.cleanup()

    @rule()
    @precondition(lambda self: len(self.model) < 8)
    def another_file_is_moved(self) -> None:
        number = len(self.model)
        moves(self.world, number)
        self.model[number] = ("to_be_validated", None, 0)

    @rule(validator=NAMES, limit=st.integers(1, 4))
    def a_validator_claims(self, validator: str, limit: int) -> None:
        waiting = {number for number, (state, *_) in self.model.items() if state == "to_be_validated"}
        given = {int(name) for name in claim(self.world, validator, max_results=limit)}
        assert given <= waiting
        assert len(given) == min(limit, len(waiting))
        due = self.world.clock.seconds() + TIMEOUT
        self.model |= dict.fromkeys(given, ("validating", validator, due))

    @rule(validator=NAMES, number=st.integers(0, 8), said=st.sampled_from(sorted(REPORTED)))
    def a_validator_reports(self, validator: str, number: int, said: str) -> None:
        session = self.world.session_id
        asked = self.world.central.report_validation(validator, [Report(session, file_id(number), said)])
        refused = self.world.result(asked)
        state, owner, _ = self.model.get(number, ("", None, 0))
        assert (not refused) == (owner == validator and state in ("validating", said))
        if not refused and state == "validating":
            self.model[number] = (said, owner, self.world.clock.seconds() + TIMEOUT)

    @rule(seconds=st.sampled_from([1.0, TIMEOUT / 2, TIMEOUT]))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds)
        now = self.world.clock.seconds()
        for number, (state, _, due) in self.model.items():
            if state == "validating" and due <= now:
                self.model[number] = ("to_be_validated", None, 0)

    @invariant()
    def the_query_tells_what_the_model_says(self) -> None:
        if self.model:
            assert states(self.world) == {str(number): state for number, (state, *_) in self.model.items()}


Validation.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestValidation = Validation.TestCase
