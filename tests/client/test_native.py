"""Questions put by the desktop's own dialogs, here a program that notes what it is told and answers for the user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asperacentral.client import native
from tests.client.support import LocalDesktop, RpcRefused

PROGRAM = """#!/bin/sh
for each in "$@"; do printf '%s\\n' "$each" >> {folder}/told; done
case "$*" in
    *--question*|*yesno*) exit "$(cat {folder}/consent)" ;;
    *save*|*getsave*) printf '%s\\n' "{folder}/new.bin" ;;
    *) printf '%s\\n' "{folder}/a b" "{folder}/c" ;;
esac
"""


def desktop_with(tmp_path: Path, name: str) -> LocalDesktop:
    """A client on a desktop that has this program; to the question of consent it answers what is in `consent`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / name).write_text(PROGRAM.format(folder=tmp_path))
    (folder / name).chmod(0o755)
    for file in ("a b", "c"):
        (tmp_path / file).write_text("text")
    kind = "KDE" if name == "kdialog" else "GNOME"
    path = f"{folder}:{os.environ['PATH']}"
    environment = {"DISPLAY": ":99", "PATH": path, "XDG_CURRENT_DESKTOP": kind}
    return LocalDesktop(tmp_path / "client", environment=environment)


@pytest.mark.parametrize("name", ["zenity", "kdialog"])
def test_the_programs_ask_for_consent_and_files(tmp_path: Path, name: str) -> None:
    with desktop_with(tmp_path, name) as desktop:
        desktop.visit("https://closed.example")
        (tmp_path / "consent").write_text("1")
        with pytest.raises(RpcRefused, match="has not allowed"):
            desktop.call("show_file_dialog", {"options": {}})
        assert desktop.decision is None, "a question that is closed is not now"

        desktop.visit("https://site.example")
        (tmp_path / "consent").write_text("0")
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


def test_without_a_display_the_browser_is_used() -> None:
    assert native.find({"PATH": os.environ["PATH"]}) is None
