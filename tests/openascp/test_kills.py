"""The measurement of kills, on a small scale: it fails when a byte is wrong or work is done twice."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from bench import kills
from tests.openascp import sshd as openssh

pytestmark = [pytest.mark.sshd, pytest.mark.skipif(openssh.SSHD is None, reason=openssh.MISSING)]


def test_kills_of_either_end_leave_no_wrong_byte_and_cost_one_block_at_most(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    kills.add_arguments(parser)
    options = "--kills 2 --levels 1 3 --size 8 --files 300 --rate 60m --window 0.3"
    report = kills.run(parser.parse_args([*options.split(), "--folder", str(tmp_path)]))
    assert [row[1] for table in report.tables for row in table.rows] == [2, 2, 2, 2]
