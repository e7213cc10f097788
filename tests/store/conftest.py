from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.test_store import Open


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    made = Open(tmp_path)
    yield made
    made.store.close()
