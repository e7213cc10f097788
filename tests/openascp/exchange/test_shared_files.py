"""A file that several sessions write: whole once, when the last share is there, whoever dies on the way."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asperacentral.fasp.errors import FaspCode
from asperacentral.openascp.confined import confined
from asperacentral.openascp.exchange import partial, sharing
from asperacentral.openascp.exchange.checkpoint import BLOCK, Identity
from asperacentral.openascp.exchange.dealing import Deal
from asperacentral.openascp.exchange.messages import FILE, Entry
from asperacentral.openascp.exchange.sharing import Joint, SharedFiles, ShareLeft, Standing
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.failures import Failure

SIZE = 5 * BLOCK + 321
COUNT = 3
BYTES = random.Random(1).randbytes(SIZE)


@dataclass
class Shared:
    """A file that three sessions bring into a folder."""

    folder: Path
    modified: int = 17

    def __post_init__(self) -> None:
        self.files = confined(None)

    def target(self, number: int) -> Target:
        entry = Entry(0, 0, b"", FILE, SIZE, self.modified, 0o644)
        shares = [Deal(each, COUNT, 1).share(b"name", SIZE) for each in range(1, COUNT + 1)]
        share = next(each for each in shares if each is not None and each.number == number)
        name = os.fsencode(self.folder / "name")
        identity = Identity(SIZE, self.modified, b"/source/name", 0)
        extents = ((share.start, share.size),)
        return Target(entry, name, name + b".partial", name + b".ckpt", identity, extents, share=share)

    def join(self, number: int, target: Target | None = None) -> Joint:
        joint = sharing.join(self.files, target or self.target(number), executable=False)
        assert joint is not None
        return joint

    def look(self, number: int, level: int = 1) -> ShareLeft | Standing:
        return sharing.look(self.files, self.target(number), level)

    def write(self, joint: Joint, number: int, blocks: int = 100) -> None:
        """Write the share, or as many of its blocks."""
        share = self.target(number).share
        assert share is not None
        for offset in range(share.start, min(share.end, share.start + blocks * BLOCK), BLOCK):
            data = BYTES[offset : min(offset + BLOCK, share.end)]
            os.pwrite(joint.descriptor, data, offset)
            joint.notebook.wrote(offset, len(data))

    def bring(self, number: int) -> bool:
        """All that a session does for its share; whether that made the file whole."""
        joint = self.join(number)
        self.write(joint, number)
        whole = joint.conclude(self.finish)
        joint.close()
        return whole

    def finish(self) -> None:
        (self.folder / "name.partial").rename(self.folder / "name")

    def end(self, number: int) -> None:
        """Its session ends well."""
        shared = SharedFiles(self.files)
        shared.add(self.target(number))
        shared.ended_well()

    def there(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    (folder := tmp_path / "folder").mkdir()
    return Shared(folder)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial, "LOCK_SECONDS", 0.1)


@given(st.permutations(range(COUNT)))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_who_brings_the_last_share_finishes_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    shared = Shared(tmp_path_factory.mktemp("folder"))
    assert [shared.bring(number) for number in order] == [False, False, True]
    assert (shared.folder / "name").read_bytes() == BYTES
    for number in order:
        assert shared.there() == {"name", "name.ckpt"}
        shared.end(number)
    assert shared.there() == {"name"}


def test_all_write_at_the_same_time(shared: Shared) -> None:
    joints = [shared.join(number) for number in range(COUNT)]
    for number, joint in enumerate(joints):
        shared.write(joint, number)
    assert [joint.conclude(shared.finish) for joint in joints] == [False, False, True]
    assert (shared.folder / "name").read_bytes() == BYTES


def test_a_session_tried_again_goes_on_with_its_share_and_no_other(shared: Shared) -> None:
    shared.bring(1)
    joint = shared.join(0)
    shared.write(joint, 0, blocks=1)
    joint.close()  # as after a kill
    left = shared.look(0)
    assert isinstance(left, ShareLeft)
    assert left.present == [0]
    target = shared.target(0).resuming(left)
    share = target.share
    assert share is not None
    assert target.missing == ((BLOCK, share.end - BLOCK),)
    assert not shared.bring(0)
    assert shared.bring(2)


def test_a_session_killed_before_it_could_finish_does_so_when_it_is_tried_again(shared: Shared) -> None:
    shared.bring(0)
    shared.bring(1)
    joint = shared.join(2)
    shared.write(joint, 2)

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        joint.conclude(killed)
    joint.close()
    left = shared.look(2)
    assert isinstance(left, ShareLeft)
    assert shared.target(2).resuming(left).missing == ()
    again = shared.join(2)
    assert again.conclude(shared.finish)
    assert (shared.folder / "name").read_bytes() == BYTES


def test_a_session_killed_right_after_it_gave_the_name_is_told_so(shared: Shared) -> None:
    shared.bring(0)
    shared.bring(1)
    joint = shared.join(2)
    shared.write(joint, 2)

    def killed() -> None:
        shared.finish()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        joint.conclude(killed)
    joint.close()
    assert shared.look(2) is Standing.WHOLE


@pytest.mark.parametrize("level", range(4))
def test_a_late_session_is_told_that_the_file_is_whole_until_it_has_ended(shared: Shared, level: int) -> None:
    for number in range(COUNT):
        shared.bring(number)
    shared.end(0)
    shared.end(2)
    assert shared.look(1, level) is Standing.WHOLE
    assert sharing.join(shared.files, shared.target(1), executable=False) is None
    shared.end(1)
    assert shared.look(1, level) is Standing.NOT_BEGUN


def test_a_file_that_somebody_changed_is_not_taken_for_ours(shared: Shared) -> None:
    for number in range(COUNT):
        shared.bring(number)
    with (shared.folder / "name").open("r+b") as stream:
        stream.write(b"something else")
    os.utime(shared.folder / "name", (5, 5))
    assert shared.look(1) is Standing.NOT_BEGUN


def test_at_level_0_a_share_that_is_there_is_asked_for_again(shared: Shared) -> None:
    shared.bring(0)
    left = shared.look(0, level=0)
    assert isinstance(left, ShareLeft)
    assert left.present == []
    shared.bring(1)
    assert not shared.bring(2)  # since share 0 is not there
    assert shared.bring(0)


def test_nothing_of_another_version_of_the_source_is_kept(shared: Shared) -> None:
    shared.bring(0)
    shared.modified += 1
    assert shared.look(0) is Standing.NOT_BEGUN
    assert [shared.bring(number) for number in (1, 2, 0)] == [False, False, True]


def test_another_version_waits_while_one_is_written(shared: Shared, hurry: None) -> None:
    joint = shared.join(0)
    shared.modified += 1
    with pytest.raises(Failure) as raised:
        shared.join(1)
    assert raised.value.code is FaspCode.UPLOAD_IN_PROGRESS
    joint.close()
    shared.join(1).close()


def test_a_successor_waits_for_its_predecessor(shared: Shared, hurry: None) -> None:
    joint = shared.join(0)
    shared.join(1).close()
    with pytest.raises(Failure):
        shared.join(0)
    joint.close()
    shared.join(0).close()


def test_a_session_alone_and_one_of_several_do_not_mix(shared: Shared, hurry: None) -> None:
    joint = shared.join(0)
    with pytest.raises(Failure):
        partial.claim(shared.files, shared.target(0).partial, executable=False)
    joint.close()
    descriptor = partial.claim(shared.files, shared.target(0).partial, executable=False)
    with pytest.raises(Failure):
        shared.join(0)
    os.close(descriptor)


@pytest.mark.parametrize(("forget", "left"), [(False, {"name.partial", "name.ckpt"}), (True, set())])
def test_who_leaves_alone_takes_with_it_what_is_good_for_nobody(
    shared: Shared, forget: bool, left: set[str]
) -> None:
    joint = shared.join(0)
    shared.write(joint, 0, blocks=1)
    joint.leave(forget=forget)
    assert shared.there() == left


def test_who_fails_leaves_the_shares_of_others(shared: Shared) -> None:
    shared.bring(1)
    joint = shared.join(0)
    shared.write(joint, 0)
    joint.leave(forget=True)
    left = shared.look(0)
    assert isinstance(left, ShareLeft) and left.present == []
    assert not shared.bring(2)
    assert shared.bring(0)
    assert (shared.folder / "name").read_bytes() == BYTES


def test_who_leaves_with_nothing_lets_others_write_on(shared: Shared) -> None:
    other, joint = shared.join(1), shared.join(0)
    joint.leave(forget=True)
    assert shared.there() == {"name.partial", "name.ckpt"}
    shared.write(other, 1)
    assert not other.conclude(shared.finish)


def test_a_file_that_cannot_be_finished_is_begun_anew(shared: Shared) -> None:
    shared.bring(0)
    shared.bring(1)
    joint = shared.join(2)
    shared.write(joint, 2)

    def refuse() -> None:
        raise Failure(FaspCode.DISK_WRITE, "the checksum is wrong")

    with pytest.raises(Failure):
        joint.conclude(refuse)
    joint.leave(forget=True)
    assert shared.there() == set()


def test_blocks_found_wrong_are_asked_for_again_and_the_share_is_not_there_until_then(shared: Shared) -> None:
    shared.bring(0)
    left = shared.look(0, level=3)
    assert isinstance(left, ShareLeft)
    assert left.present == [0, 1]
    left.forget({0})
    assert shared.target(0).resuming(left).missing == ((0, BLOCK),)
    shared.bring(1)
    assert not shared.bring(2)
    assert shared.bring(0)


def test_a_share_of_another_division_is_not_believed(shared: Shared) -> None:
    shared.bring(0)
    target = shared.target(1)
    assert target.identity is not None
    other = target._replace(identity=replace(target.identity, path=b"/source/name\0002 shares"))
    assert sharing.look(shared.files, other, 1) is Standing.NOT_BEGUN


@pytest.mark.parametrize("place", [3, 60, 75, 130, 150])
def test_a_damaged_checkpoint_never_makes_a_file_whole_too_early(shared: Shared, place: int) -> None:
    shared.bring(0)
    shared.bring(1)
    checkpoint = shared.folder / "name.ckpt"
    data = bytearray(checkpoint.read_bytes())
    data[place % len(data)] ^= 1
    checkpoint.write_bytes(data)
    for number in (2, 0, 1):
        if shared.bring(number):
            break
    assert (shared.folder / "name").read_bytes() == BYTES
