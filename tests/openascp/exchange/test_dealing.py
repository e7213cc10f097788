"""How the sessions of one transfer share its work."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.exchange.checkpoint import BLOCK
from asperacentral.openascp.exchange.dealing import MOST_SESSIONS, Deal, Share

SESSIONS = st.integers(1, MOST_SESSIONS)
PATHS = st.binary(max_size=20)
SIZES = st.one_of(
    st.integers(0, 3 * BLOCK), st.integers(0, 1 << 45), st.builds(BLOCK.__mul__, st.integers(0, 300))
)


def deals(sessions: int, threshold: int = 0) -> list[Deal]:
    return [Deal(number, sessions, threshold) for number in range(1, sessions + 1)]


def shares(path: bytes, size: int, sessions: int) -> list[Share]:
    found = [deal.share(path, size) for deal in deals(sessions, 1)]
    return sorted((share for share in found if share is not None), key=lambda share: share.number)


@given(SESSIONS, PATHS)
def test_each_path_is_exactly_one_session_s(sessions: int, path: bytes) -> None:
    assert sum(deal.takes(path) for deal in deals(sessions)) == 1


@given(st.integers(2, MOST_SESSIONS), PATHS, SIZES.filter(lambda size: size > BLOCK))
def test_every_byte_of_a_cut_file_is_exactly_one_session_s(sessions: int, path: bytes, size: int) -> None:
    found = shares(path, size, sessions)
    assert found[0].start == 0 and found[-1].end == size
    assert all(one.end == next_.start for one, next_ in pairwise(found))
    assert all(share.size > 0 for share in found)


@given(st.integers(2, MOST_SESSIONS), PATHS, SIZES.filter(lambda size: size > BLOCK))
def test_shares_are_numbered_and_equal_but_for_a_block_and_no_block_has_two_owners(
    sessions: int, path: bytes, size: int
) -> None:
    found = shares(path, size, sessions)
    assert [(share.number, share.count) for share in found] == [(n, len(found)) for n in range(len(found))]
    assert all(share.start % BLOCK == 0 for share in found)
    blocks = [-(-share.size // BLOCK) for share in found]
    assert max(blocks) - min(blocks) <= 1


@given(SESSIONS, SIZES, st.integers(0, 1 << 45))
def test_all_sessions_agree_about_which_files_are_cut(sessions: int, size: int, threshold: int) -> None:
    assert len({deal.cuts(size) for deal in deals(sessions, threshold)}) == 1


def test_files_from_the_threshold_on_are_cut_if_they_have_blocks_enough() -> None:
    deal = Deal(1, 2, 4 * BLOCK)
    assert deal.cuts(4 * BLOCK)
    assert not deal.cuts(4 * BLOCK - 1)
    assert not Deal(1, 2, 10).cuts(BLOCK)
    assert Deal(1, 2, 10).cuts(BLOCK + 1)


def test_nothing_is_cut_without_a_threshold_or_for_one_session() -> None:
    assert not Deal(1, 2, 0).cuts(1 << 40)
    assert not Deal(1, 1, 10).cuts(1 << 40)


def test_a_session_alone_takes_everything() -> None:
    assert Deal().alone
    assert Deal().takes(b"any") and Deal(1, 1, 5).takes(b"")


def test_many_small_files_are_shared_about_equally() -> None:
    counts = [sum(deal.takes(b"folder/%d" % n) for n in range(3000)) for deal in deals(3)]
    assert all(800 < count < 1200 for count in counts)


def test_small_shares_go_to_other_sessions_for_other_files() -> None:
    """A file of two blocks is two sessions' work; which ones they are depends on its path."""
    owners = {
        deal.number for n in range(50) for deal in deals(8, 1) if deal.share(b"%d" % n, 2 * BLOCK) is not None
    }
    assert owners == set(range(1, 9))
