"""Questions put by the desktop's own dialogs, here a program that notes what it is told and answers for the user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asperacentral.client import native
from tests.client.support import LocalDesktop, RpcRefused

PROGRAM = """#!/bin/sh
for each in "$@"; do printf '%s\\n' "$each" >> {told}; done
case "$*" in
    *--question*|*yesno*) exit {consent} ;;
    *save*|*getsave*) printf '%s\\n' "{folder}/new.bin" ;;
    *) printf '%s\\n' "{folder}/a b" "{folder}/c" ;;
esac
"""


def desktop_with(tmp_path: Path, name: str, consent: int = 0) -> LocalDesktop:
    """A client on a desktop that has this program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / name).write_text(PROGRAM.format(told=tmp_path / "told", consent=consent, folder=tmp_path))
    (folder / name).chmod(0o755)
    for file in ("a b", "c"):
        (tmp_path / file).write_text("text")
    kind = "KDE" if name == "kdialog" else "GNOME"
    path = f"{folder}:{os.environ['PATH']}"
    environment = {"DISPLAY": ":99", "PATH": path, "XDG_CURRENT_DESKTOP": kind}
    desktop = LocalDesktop(tmp_path / "client", environment=environment)
    desktop.visit("https://site.example")
    return desktop


@pytest.mark.parametrize("name", ["zenity", "kdialog"])
def test_the_programs_ask_for_consent_and_files(tmp_path: Path, name: str) -> None:
    with desktop_with(tmp_path, name) as desktop:
        chosen = desktop.call("show_file_dialog", {"options": {"title": "--help"}})["dataTransfer"]["files"]
        assert [Path(each["name"]).name for each in chosen] == ["a b", "c"]
        assert desktop.decision is True
        (saved,) = desktop.call("show_save_file_dialog", {"options": {"suggestedName": "../-x"}})[
            "dataTransfer"
        ]["files"]
        assert Path(saved["name"]).name == "new.bin"
    told = (tmp_path / "told").read_text()
    assert "https://site.example" in told
    assert "--help" not in told, "a page's own words are not shown"
    assert "../" not in told


def test_a_question_that_is_closed_is_not_now(tmp_path: Path) -> None:
    with desktop_with(tmp_path, "zenity", consent=1) as desktop:
        with pytest.raises(RpcRefused, match="has not allowed"):
            desktop.call("show_file_dialog", {"options": {}})
        assert desktop.decision is None


def test_without_a_display_the_browser_is_used() -> None:
    assert native.find({"PATH": os.environ["PATH"]}) is None
