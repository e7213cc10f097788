"""How the sessions of a host share a cap: the rule, and the book in which they write it down."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.sharebook import MOST_SESSIONS, SILENT_SECONDS, Share, prepare
from asperacentral.openascp.sharing import Claim, Pool, granted, shares, wanted

CLAIMS = st.lists(
    st.builds(Claim, st.sampled_from([1, 2, 4]), st.integers(0, 200_000), st.integers(0, 200_000)),
    max_size=12,
)


@given(st.integers(0, 300_000), CLAIMS)
def test_the_sum_is_the_cap_or_all_that_the_sessions_may_have(capacity: int, claims: list[Claim]) -> None:
    got = shares(capacity, claims)
    assert sum(got) == min(capacity, sum(claim.most for claim in claims))
    assert all(0 <= share <= claim.most for share, claim in zip(got, claims, strict=True))


@given(st.integers(0, 300_000), CLAIMS)
def test_who_gets_less_than_he_uses_gets_no_less_by_weight_than_anybody(
    capacity: int, claims: list[Claim]
) -> None:
    got = shares(capacity, claims)
    for share, claim in zip(got, claims, strict=True):
        if share < min(claim.wanted, claim.most):
            assert all(
                other / rival.weight <= share / claim.weight + 3
                for other, rival in zip(got, claims, strict=True)
            )


def test_what_one_does_not_use_goes_to_the_others_by_weight() -> None:
    high, fair, idle = Claim(4, 90_000, 90_000), Claim(2, 90_000, 90_000), Claim(2, 90_000, 3_000)
    assert shares(60_000, [high, fair, idle]) == [38_000, 19_000, 3_000]


def test_what_nobody_uses_is_room_to_grow() -> None:
    assert shares(50_000, [Claim(2, 90_000, 2_000), Claim(2, 90_000, 4_000)]) == [25_000, 25_000]


@given(st.integers(1, 100_000), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 90_000)), min_size=1))
def test_what_is_held_never_exceeds_the_cap_whoever_claims_when(
    capacity: int, steps: list[tuple[int, int]]
) -> None:
    claims, held = [Claim(2, 90_000, 0) for _ in range(5)], [0] * 5
    for mine, use in steps:
        claims[mine] = Claim(2, 90_000, use)
        held[mine] = granted(capacity, claims, held, mine)
        assert sum(held) <= capacity


@given(st.integers(1, 100_000), CLAIMS.filter(bool))
def test_after_two_rounds_everybody_has_his_share(capacity: int, claims: list[Claim]) -> None:
    held = [0] * len(claims)
    held[0] = granted(capacity, claims[:1], held[:1], 0)
    for _ in range(2):
        for mine in range(len(claims)):
            held[mine] = granted(capacity, claims, held, mine)
    assert held == shares(capacity, claims)


def test_who_uses_up_what_he_holds_wants_more() -> None:
    assert wanted(used=9_500, held=10_000, most=80_000) == 80_000
    assert wanted(used=2_000, held=10_000, most=80_000) == 5_000
    assert wanted(used=0, held=0, most=80_000) == 80_000


POOL = Pool("link-7", 10_000, 7)
BUSY = Claim(2, 50_000, 50_000)


def test_a_session_alone_has_all_and_gives_half_to_another(tmp_path: Path) -> None:
    first, second = Share(tmp_path, POOL), Share(tmp_path, POOL)
    assert first.claim(BUSY) == 10_000
    assert second.claim(BUSY) == 0
    assert first.claim(BUSY) == 5_000
    assert second.claim(BUSY) == 5_000
    second.close()
    assert first.claim(BUSY) == 10_000
    first.close()


def test_pools_do_not_know_of_each_other(tmp_path: Path) -> None:
    first, second = Share(tmp_path, POOL), Share(tmp_path, Pool("incoming", 3_000))
    assert (first.claim(BUSY), second.claim(BUSY)) == (10_000, 3_000)
    first.close()
    second.close()


def test_the_place_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from asperacentral.openascp.sharebook import Share\n"
        "from asperacentral.openascp.sharing import Claim, Pool\n"
        "Share(Path(sys.argv[1]), Pool('link-7', 10000, 7)).claim(Claim(2, 50000, 50000))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=False, timeout=60)
    share = Share(tmp_path, POOL)
    assert share.claim(BUSY) == 10_000
    share.close()


def test_the_place_of_a_silent_session_is_free_after_a_while(tmp_path: Path) -> None:
    now = 1000.0
    silent, other = Share(tmp_path, POOL, lambda: now), Share(tmp_path, POOL, lambda: now)
    silent.claim(BUSY)
    now += SILENT_SECONDS - 1
    assert other.claim(BUSY) == 0
    now += 1
    assert other.claim(BUSY) == 10_000
    assert silent.claim(BUSY) == 0
    silent.close()
    other.close()


def test_a_damaged_book_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / POOL.name).write_bytes(os.urandom(5_000))
    share = Share(tmp_path, POOL)
    assert share.claim(BUSY) == 10_000
    share.close()


def test_more_sessions_than_there_are_places_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asperacentral.openascp.sharebook.MOST_SESSIONS", 2)
    assert MOST_SESSIONS > 1000
    several = [Share(tmp_path, POOL) for _ in range(3)]
    several[0].claim(BUSY)
    several[1].claim(BUSY)
    with pytest.raises(OSError, match="too many"):
        several[2].claim(BUSY)
    for share in several:
        share.close()


def test_every_user_of_the_machine_can_write_in_the_book_but_not_remove_it(tmp_path: Path) -> None:
    prepare(tmp_path)
    folder = tmp_path / "shares"
    assert folder.stat().st_mode & 0o7777 == 0o1777
    Share(folder, POOL).close()
    assert (folder / POOL.name).stat().st_mode & 0o777 == 0o666


def test_a_link_in_place_of_the_book_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / POOL.name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        Share(tmp_path, POOL)
