"""The ways by which a page moves files: where the server has them, where the user gets them, what the page is told.

Bytes are looked at on disks, never believed from the page.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from asperacentral.commands.local import LocalNode
from tests.browser.chromium import PATIENCE
from tests.browser.client.browser import Browser
from tests.client.support import LocalDesktop, spec
from tests.gateway.site import BASE, Site, receive_spec, send_spec


def digests(folder: Path) -> dict[str, str]:
    """The digest of each file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): digest(path) for path in files}


def digest(file: Path) -> str:
    """That of one."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def last_told(browser: Browser, uuid: str) -> dict[str, Any]:
    """What the page was told of a transfer last; nothing if it was told nothing."""
    script = (
        "return activity.flatMap(({transfers}) => transfers)"
        ".filter(({uuid}) => uuid === arguments[0]).at(-1) ?? null"
    )
    found: dict[str, Any] = browser.run(script, uuid) or {}
    return found


def ended(browser: Browser, uuid: str, patience: float = PATIENCE) -> dict[str, Any]:
    """The last that the page was told of a transfer, once that has ended."""
    browser.page.until(lambda: last_told(browser, uuid).get("end_time"), "the end of a transfer", patience)
    return last_told(browser, uuid)


def pick(browser: Browser, local: LocalDesktop, *paths: Path) -> None:
    """Be the user before the client's page of a dialog: go to the folder, choose, and come back."""
    page, driver = browser.page, browser.driver

    def folder() -> Path:
        return Path(driver.find_elements("css selector", "form > p")[-1].text)

    def press(button: Any) -> None:
        page.script("window.isLeft = false")
        button.click()
        page.until(
            lambda: page.script("return window.isLeft !== false && document.readyState === 'complete'")
        )

    with page.tab(local.shown()):
        goal = paths[0].parent
        while not goal.is_relative_to(folder()):
            press(driver.find_element("xpath", '//button[text()="Up/"]'))
        while (here := folder()) != goal:
            following = here / goal.relative_to(here).parts[0]
            press(driver.find_element("css selector", f'button[value="{following}"]'))
        ticked = page.script(
            "return arguments[0].filter((path) => { const box = [...document.querySelectorAll('[name=path]')]"
            ".find((each) => each.value === path); box?.click(); return box })",
            [str(path) for path in paths],
        )
        assert len(ticked) == len(paths)
        page.script("document.querySelector('[name=choose]').click()")
        page.until(lambda: driver.title == "Thank you")


class Way(ABC):
    """One way. `server` is the folder of the server, `zips` whether several files come to the user as a ZIP, `hides`
    whether its dialogs show no files whose names begin with a dot.
    """

    server: Path
    zips: bool
    hides: bool
    options: dict[str, Any]
    patience = PATIENCE
    """Seconds for one transfer."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def begin(self) -> None:
        """Open a page and have its session RUNNING."""
        self.browser.begin(self.options)
        self.browser.until_statuses("INITIALIZING", "RUNNING")

    @property
    @abstractmethod
    def received(self) -> Path:
        """Where the user gets files."""

    @abstractmethod
    def choose(self, kind: str, *paths: Path) -> list[str]:
        """Choose in a dialog, `File` or `Folder`; by what names a transfer spec calls it."""

    @abstractmethod
    def spec(self, direction: str, *names: str, **more: Any) -> dict[str, Any]:
        """A transfer spec that permits it."""

    @property
    @abstractmethod
    def forbidden(self) -> dict[str, Any]:
        """Members of a spec that make the server refuse it."""

    def start(self, spec: dict[str, Any], **settings: Any) -> str:
        """Begin a transfer; its id."""
        uuid: str = self.browser.ask("aspera.startTransfer(given[0], given[1])", spec, settings)["uuid"]
        return uuid

    def send(self, kind: str, *paths: Path, **more: Any) -> dict[str, Any]:
        """Choose, send, and wait for the end; what the page was told then."""
        names = self.choose(kind, *paths)
        return ended(self.browser, self.start(self.spec("send", *names, **more)), self.patience)

    def receive(self, *names: str, **more: Any) -> dict[str, Any]:
        """Have files brought, and wait until the page believes that they are."""
        return ended(self.browser, self.start(self.spec("receive", *names, **more)), self.patience)


class ByGateway(Way):
    """Our gateway, announced in some version, and the browser itself."""

    zips, hides = True, False

    def __init__(self, browser: Browser, site: Site) -> None:
        super().__init__(browser)
        self.site = site
        self.server = site.root / "bob"
        shutil.rmtree(self.server, ignore_errors=True)
        self.server.mkdir()
        url = f"http://{site.host}{BASE}"
        self.options = {"httpGatewaySettings": {"url": url, "forceGateway": True}}

    @property
    def version(self) -> str:
        """What it is announced as."""
        return str(self.browser.run("return aspera.getInfo().httpGateway.info.version"))

    @property
    def received(self) -> Path:
        return self.browser.downloads

    def choose(self, kind: str, *paths: Path) -> list[str]:
        """See Way. Folders are dropped."""
        page = self.browser.page
        if kind == "Folder":
            self.browser.run(
                "window.chosen = new Promise((resolve) => aspera.createDropzone(document.documentElement, resolve))"
                "; void 0"
            )
            page.drop("html", *paths)
        else:
            opening = f"window.chosen = aspera.showSelect{kind}Dialog(); void 0"
            page.choose(lambda: self.browser.run(opening), *paths)
        names = [each["name"] for each in self.browser.ask("chosen")["dataTransfer"]["files"]]
        return sorted({name.partition("/")[0] for name in names}) if kind == "Folder" else names

    def spec(self, direction: str, *names: str, **more: Any) -> dict[str, Any]:
        token = self.site.token("send" if direction == "send" else "recv", "/")
        make = send_spec if direction == "send" else receive_spec
        return make(*names, **{"remote_user": "bob", "token": token, **more})

    @property
    def forbidden(self) -> dict[str, Any]:
        return {"token": self.site.token("recv", "/nothing", user="alice")}

    def receive(self, *names: str, **more: Any) -> dict[str, Any]:
        if len(names) > 1:
            more = {"zip_required": True, **more}
        return super().receive(*names, **more)


class ByLocalClient(Way):
    """The local client as one of the two products, and a node."""

    zips, hides = False, True

    def __init__(
        self, browser: Browser, local: LocalDesktop, node: LocalNode, docroot: Path, options: dict[str, Any]
    ) -> None:
        super().__init__(browser)
        self.local, self.node, self.server = local, node, docroot
        self.options = {"retryTimeout": 30_000, **options}
        for entry in docroot.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        local.visit(browser.origin)
        local.decide(True)
        local.downloads.mkdir()

    @property
    def received(self) -> Path:
        return self.local.downloads

    def choose(self, kind: str, *paths: Path) -> list[str]:
        several = "true" if kind == "File" else "false"
        self.browser.run(
            f"window.chosen = aspera.showSelect{kind}Dialog({{allowMultipleSelection: {several}}}); void 0"
        )
        pick(self.browser, self.local, *paths)
        return [each["name"] for each in self.browser.ask("chosen")["dataTransfer"]["files"]]

    def spec(self, direction: str, *names: str, **more: Any) -> dict[str, Any]:
        beneath = names if direction == "send" else [f"/{name}" for name in names]
        return spec(self.node, direction, *beneath, **more)

    @property
    def forbidden(self) -> dict[str, Any]:
        return {"remote_password": "a wrong password"}


def unpacked(archive: Path, folder: Path) -> Path:
    """What is in a ZIP, as its names say."""
    with zipfile.ZipFile(archive) as zipped:
        assert zipped.testzip() is None
        for name in zipped.namelist():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(zipped.read(name))
    return folder
