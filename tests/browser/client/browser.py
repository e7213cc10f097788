"""A window with a page that has our module."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.browser.chromium import Page


@dataclass
class Browser:
    """A window, the ports that pages reach as 33024 and 33003, and where pages come from."""

    page: Page
    rpc_port: int
    connect_port: int
    origin: str

    @property
    def driver(self) -> Any:
        """Selenium's."""
        return self.page.driver

    @property
    def downloads(self) -> Path:
        """Where it saves files."""
        return self.page.downloads

    def open(self) -> None:
        """A fresh page with our module in `aspera`; what it is told gathers in `statuses` and `activity`."""
        self.page.open(f"{self.origin}/page.html")
        self.page.until(lambda: self.run("return window.aspera !== undefined"), "the module")

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script in the page returns."""
        return self.page.script(script, *arguments)

    def ask(self, script: str, *arguments: Any) -> Any:
        """What an expression that is a promise resolves to; what it is rejected with fails the test."""
        return self.page.ask(script, *arguments)

    def refused(self, script: str, *arguments: Any) -> str:
        """With what a promise is rejected."""
        problem = self.ask(f"({script}).then(() => '', (problem) => String(problem.message))", *arguments)
        assert problem
        return str(problem)

    def begin(self, options: dict[str, Any] | None = None) -> None:
        """Start a session in a fresh page, impatiently."""
        self.open()
        self.begin_again(options)

    def begin_again(self, options: dict[str, Any] | None = None) -> None:
        """Start a session in the page as it is."""
        self.run(
            "aspera.initSession({appId: 'app', retryInterval: 200, retryTimeout: 700, ...arguments[0]})",
            options or {},
        )

    def until_statuses(self, *wanted: str) -> None:
        """Wait for exactly these statuses, from the first to the last."""

        def told() -> list[str]:
            found: list[str] = self.run("return statuses")
            return found

        self.page.until(lambda: len(told()) >= len(wanted), f"{wanted}")
        assert told() == list(wanted)
