"""A file of a gigabyte, there and back, by every way: whole, and never in memory.

Run by `make test TESTS="-m large"` alone: it takes minutes, and 3 GB of disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.client.ways import ByGateway, Way, digest

SIZE = 1_000_000_000
BLOCK, APART = 64 * 1024, 1_000_000
"""Random bytes lie in it so far apart: quickly made, and no two parts of the file are the same."""
MOST_OF_GATEWAY, MOST_OF_PAGE = 150_000_000, 600_000_000


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    file = tmp_path_factory.mktemp("large") / "large.bin"
    with file.open("wb") as opened:
        for start in range(0, SIZE, APART):
            opened.seek(start)
            opened.write(os.urandom(BLOCK))
        opened.truncate(SIZE)
    yield file
    file.unlink()


@pytest.mark.large
@pytest.mark.timeout(900)
def test_a_gigabyte_goes_and_comes_back(way: Way, large: Path, chromium: Chromium) -> None:
    way.patience = 400
    told = way.send("File", large, target_rate_kbps=5_000_000)
    assert (told["status"], told["bytes_written"]) == ("completed", SIZE), told
    there = way.server / large.name
    assert digest(there) == digest(large)

    in_page = {"aspera": {"http-gateway": {"expected_size": SIZE}}} if way.zips else {}
    told = way.receive(large.name, tags=in_page, target_rate_kbps=5_000_000)
    assert told["status"] == "completed", told
    back = way.received / large.name
    way.browser.page.until(back.exists, "the file", way.patience)
    assert digest(back) == digest(large)
    back.unlink()
    there.unlink()
    if isinstance(way, ByGateway):
        assert way.site.memory < MOST_OF_GATEWAY
    assert chromium.memory() < MOST_OF_PAGE
