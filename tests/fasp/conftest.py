from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from asperacentral.fasp.manager import Program
from tests.fasp.house import EXECUTED, FORKED, House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


@pytest.fixture(params=[FORKED, EXECUTED], ids=["forked", "executed"])
def program(request: pytest.FixtureRequest) -> Program:
    return request.param  # type: ignore[no-any-return]
