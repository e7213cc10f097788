"""Reading aspera.conf again: what is taken at once, what waits for a restart, what stays."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from asperacentral import config
from asperacentral.config import COMMAND_LINE, ConfigError, Settings
from asperacentral.config_changes import AT_ONCE, reread
from asperacentral.logs import BODIES, STEPS


def write(tmp_path: Path, body: str) -> Path:
    file = tmp_path / "aspera.conf"
    file.write_text(f'<CONF version="2">\n{body}\n</CONF>\n')
    return file


def loaded(tmp_path: Path, body: str = "") -> Settings:
    return config.load(write(tmp_path, body), {})


def test_a_file_that_has_not_changed_changes_nothing(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "<central_server><port>1</port></central_server>")
    again = reread(settings)
    assert (again.settings, again.at_once, again.at_restart) == (settings, (), ())


def test_what_can_change_is_taken_and_what_cannot_is_named_and_left(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "<central_server><port>1</port></central_server>")
    write(
        tmp_path,
        "<central_server><port>2</port>\n<file_errors>false</file_errors></central_server>\n<nonsense/>",
    )
    again = reread(settings)
    assert again.at_once == ("<central_server><file_errors>",)
    assert again.at_restart == ("<central_server><port>",)
    assert (again.settings.file_errors, again.settings.port) == (False, 1)
    assert again.settings.sources["file_errors"] == f"{tmp_path}/aspera.conf:3"
    assert again.settings.sources["port"] == f"{tmp_path}/aspera.conf:2"
    assert "unknown group <nonsense>" in again.settings.warnings[0]
    # What waits for a restart is named again at each reading.
    assert (reread(again.settings).at_once, reread(again.settings).at_restart) == ((), again.at_restart)


def test_an_option_taken_out_of_the_file_goes_back_to_its_default(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "<asperacentral><observer_allow>10.0.0.0/8</observer_allow></asperacentral>")
    write(tmp_path, "")
    again = reread(settings)
    assert again.settings.observer_allow == ()
    assert again.settings.sources["observer_allow"] == "default"


def test_what_the_command_line_says_stays(tmp_path: Path) -> None:
    plain = loaded(tmp_path)
    settings = dataclasses.replace(
        plain, log_level=BODIES, sources={**plain.sources, "log_level": COMMAND_LINE}
    )
    write(tmp_path, "<logging><level>dbg1</level></logging>")
    assert reread(plain).settings.log_level == STEPS
    again = reread(settings)
    assert (again.settings.log_level, again.at_once, again.at_restart) == (BODIES, (), ())


def test_a_file_that_is_wrong_or_gone_is_an_error(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    write(tmp_path, "<central_server><port>x</port></central_server>")
    with pytest.raises(ConfigError, match="<port>"):
        reread(settings)
    (tmp_path / "aspera.conf").unlink()
    with pytest.raises(ConfigError, match="No such file"):
        reread(settings)


def test_without_a_file_there_is_nothing_to_read_again(tmp_path: Path) -> None:
    settings = config.defaults(tmp_path)
    assert reread(settings).settings is settings


def test_what_changes_at_once_are_settings(tmp_path: Path) -> None:
    assert {field.name for field in dataclasses.fields(Settings)} >= AT_ONCE
