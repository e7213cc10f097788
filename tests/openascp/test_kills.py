"""The measurement of kills on a small scale: no byte is ever wrong, nothing is left, and no work is done twice."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.damage import hardest
from bench.killing import CLIENT, HELD, SERVER, Account, Far, Rules, Source, Transfer, by_node, by_sshd
from bench.kills import broken_promises, make_small_files
from tests.openascp import sshd as openssh
from tests.openascp.sshd import Sshd

SIZE = 6_000_000
RATES = {"large": "8m", "small": "1m"}
"""Six seconds each: a kill comes in the middle, however busy the machine is."""


@contextlib.contextmanager
def far_side(name: str, folder: Path) -> Iterator[Far]:
    """A far side with a large file and small ones."""
    root = folder / "files"
    chance = random.Random(8)
    make_small_files(root / "small", 150, chance)
    (root / "large").write_bytes(chance.randbytes(SIZE))
    if name == "node":
        with by_node(folder, root) as far:
            yield far
        return
    if openssh.SSHD is None:
        pytest.skip(openssh.MISSING)
    with Sshd(folder / "sshd") as server:
        yield by_sshd(server, root)


def killed_once(name: str, source: str, rules: Rules, folder: Path) -> Account:
    """The account of a transfer, all of which must be as it should be."""
    account = Account()
    with far_side(name, folder) as far:
        transfer = Transfer(
            far, Source(far.root / source, RATES[source]), folder, rules, random.Random(9), account
        )
        for _ in transfer.run(kills=1):
            pass
    assert account.problems + broken_promises(account, rules.level, rules.plane) == []
    assert account.killed == account.transfers == 1
    return account


@pytest.mark.parametrize(
    ("level", "name", "mode", "end"),
    [
        (0, "node", "recv", SERVER),
        (1, "sshd", "send", SERVER),
        (2, "node", "send", CLIENT),
        (3, "sshd", "recv", CLIENT),
    ],
)
def test_a_large_file_goes_on_where_it_was_and_is_right(
    tmp_path: Path, level: int, name: str, mode: str, end: str
) -> None:
    rules = Rules(level, mode, ends=(end,), damage_share=0, quiet_share=1, signs=(HELD,), moments=(0, 0.2))
    account = killed_once(name, "large", rules, tmp_path)
    assert account.kills[end] == 1
    assert account.resumed == (1 if level else 0)


@pytest.mark.parametrize(
    ("level", "name", "mode", "end"), [(1, "node", "send", SERVER), (3, "sshd", "recv", CLIENT)]
)
def test_small_files_that_are_there_are_not_sent_again(
    tmp_path: Path, level: int, name: str, mode: str, end: str
) -> None:
    rules = Rules(level, mode, ends=(end,), damage_share=0, signs=("STOP",), moments=(0, 0.2))
    assert killed_once(name, "small", rules, tmp_path).files_again == 0


@pytest.mark.parametrize(("level", "name"), [(1, "sshd"), (2, "node"), (3, "sshd")])
def test_damage_that_a_level_is_to_find_costs_time_but_never_a_byte(
    tmp_path: Path, level: int, name: str
) -> None:
    rules = Rules(level, "send", damage_share=1, damage=hardest, signs=(HELD,), moments=(0, 0.2))
    assert killed_once(name, "large", rules, tmp_path).damaged == 1
