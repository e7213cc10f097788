"""The window of the console's tests, and a gateway with users."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.console.conftest import Page, driver, page
from tests.gateway.site import Site

__all__ = ["driver", "page"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("page")) as site:
        yield site


@pytest.fixture
def saved(page: Page, tmp_path: Path) -> Path:
    """Where the browser saves files."""
    folder = tmp_path / "saved"
    folder.mkdir()
    page.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
    )
    return folder


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by its path there."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }
