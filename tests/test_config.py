"""aspera.conf: what is read, from where, and what is said about mistakes."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from asperacentral import config, logs
from asperacentral.config import ConfigError, Settings, load
from asperacentral.config_table import OPTIONS, SILENT, Option

EXAMPLE = Path(__file__).parent.parent / "etc/aspera.conf"


def read(tmp_path: Path, body: str) -> Settings:
    file = tmp_path / "aspera.conf"
    file.write_text(f'<CONF version="2">\n{body}\n</CONF>\n')
    return load(file, {})


def error_of(tmp_path: Path, body: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, body)
    return str(caught.value)


def server(element: str, value: str) -> str:
    return f"<central_server><{element}>{value}</{element}></central_server>"


# Values


def test_without_a_file_every_option_has_its_documented_default(tmp_path: Path) -> None:
    settings = config.defaults(tmp_path)
    assert (settings.address, settings.port, settings.backlog) == ("127.0.0.1", 40001, 200)
    assert (settings.mgmt_port, settings.mgmt_backlog) == (0, 200)
    assert settings.schema_validation == "enable" and not settings.raw_options
    assert settings.persistent_store and settings.compact_on_startup
    assert settings.persistent_store_max_age == 86400
    assert (settings.persistent_store_on_error, settings.event_buffer_overrun) == ("ignore", "block")
    assert (settings.event_buffer_capacity, settings.files_per_session) == (1000, 1_000_000)
    assert settings.file_errors and settings.ignore_empty_files
    assert settings.ignore_skipped_files and settings.ignore_no_transfer_files
    assert (settings.db_synchronous, settings.db_journal, settings.validation_timeout) == ("off", "wal", 300)
    assert (settings.log_level, settings.log_size, settings.log_count) == (logging.INFO, 10 << 20, 9)
    assert (settings.host_key_policy, settings.max_body, settings.observer_allow) == ("tofu", 1 << 20, ())
    assert settings.file is None
    assert set(settings.sources.values()) == {"default"}


def test_the_table_and_the_settings_have_the_same_fields() -> None:
    rows = [option.field for group in OPTIONS.values() for option in group]
    others = {"prefix", "file", "sources", "warnings"}
    assert sorted(rows) == sorted(f.name for f in dataclasses.fields(Settings) if f.name not in others)


def test_the_example_file_is_read_as_all_defaults_and_warns_of_nothing(tmp_path: Path) -> None:
    settings = load(EXAMPLE, {})
    assert settings.warnings == ()
    assert dataclasses.replace(settings, prefix=tmp_path, file=None) == config.defaults(tmp_path)


def test_the_example_file_shows_every_option_with_its_default(tmp_path: Path) -> None:
    uncommented = re.sub(r"<!-- (<(\w+)>.*?</\2>) -->", r"\1", EXAMPLE.read_text())
    file = tmp_path / "aspera.conf"
    file.write_text(uncommented)
    settings = load(file, {})
    assert "default" not in settings.sources.values()
    assert settings.warnings == ()
    assert dataclasses.replace(settings, file=None) == config.defaults(tmp_path)


def test_values_replace_defaults_and_tell_their_line(tmp_path: Path) -> None:
    settings = read(tmp_path, "<central_server>\n<port> 0 </port>\n</central_server>")
    assert settings.port == 0
    assert settings.sources["port"] == f"{tmp_path}/aspera.conf:3"
    assert settings.sources["address"] == "default"


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        (server("address", "0.0.0.0"), "address", "0.0.0.0"),
        (server("raw_options", "Enable"), "raw_options", True),
        (server("file_errors", "FALSE"), "file_errors", False),
        (server("persistent_store_max_age", "Unlimited"), "persistent_store_max_age", None),
        (server("persistent_store_max_age", "0"), "persistent_store_max_age", 0),
        (server("files_per_session", str(2**64 - 1)), "files_per_session", 2**64 - 1),
        (server("port", "40<!-- within -->001"), "port", 40001),
        ("<logging><level>disable</level></logging>", "log_level", SILENT),
        ("<logging><level>dbg1</level></logging>", "log_level", logs.STEPS),
        ("<logging><level>dbg3</level></logging>", "log_level", logs.BODIES),
        ("<logging><log_size>5</log_size></logging>", "log_size", 5 << 20),
        ("<logging><log_size>5 kb</log_size></logging>", "log_size", 5 << 10),
        ("<asperacentral><max_body>4096</max_body></asperacentral>", "max_body", 4096),
        (
            "<asperacentral><observer_allow>10.0.0.0/8, ::1 , events.example.com</observer_allow></asperacentral>",
            "observer_allow",
            ("10.0.0.0/8", "::1", "events.example.com"),
        ),
    ],
)
def test_a_value_is_read_as_its_type(tmp_path: Path, body: str, field: str, value: object) -> None:
    assert getattr(read(tmp_path, body), field) == value


@given(st.integers(0, 65535))
def test_every_port_is_taken(port: int) -> None:
    option = next(option for option in OPTIONS["central_server"] if option.element == "port")
    assert option.kind.read(str(port)) == port


@given(st.text())
def test_whatever_stands_in_an_option_is_read_or_refused_with_a_value_error(text: str) -> None:
    for group in OPTIONS.values():
        for option in group:
            with contextlib.suppress(ValueError):
                option.kind.read(text)


@pytest.mark.parametrize("option", [option for group in OPTIONS.values() for option in group])
def test_a_value_is_shown_as_it_can_be_written(option: Option) -> None:
    value = option.kind.read(option.default)
    assert option.kind.show(value) == option.default
    assert option.kind.read(option.kind.show(value)) == value


@given(st.integers(1, 10**11))
def test_a_size_is_shown_with_the_largest_unit_that_fits(size: int) -> None:
    kind = next(option.kind for option in OPTIONS["asperacentral"] if option.element == "max_body")
    assert kind.read(kind.show(size)) == size


# Mistakes


def test_a_wrong_value_is_refused_with_file_line_element_and_what_is_allowed(tmp_path: Path) -> None:
    said = error_of(tmp_path, "<central_server>\n\n<port>99999</port></central_server>")
    assert said == (
        f'{tmp_path}/aspera.conf:4: <central_server><port>: "99999" is not allowed; '
        "allowed: a whole number from 0 to 65535"
    )


@pytest.mark.parametrize(
    ("element", "value", "allowed"),
    [
        ("address", "localhost", "an IPv4 address"),
        ("port", "-1", "from 0 to 65535"),
        ("port", "٤", "from 0 to 65535"),
        ("port", "", "from 0 to 65535"),
        ("backlog", "0", "from 1 to 65535"),
        ("schema_validation", "yes", "enable, disable, strict"),
        ("file_errors", "1", "true, false"),
        ("persistent_store_on_error", "stop", "ignore, exit"),
        ("persistent_store_max_age", "1 day", "seconds, or Unlimited"),
        ("db_journal", "off", "wal, delete, truncate, persist, memory"),
    ],
)
def test_the_allowed_values_are_named(tmp_path: Path, element: str, value: str, allowed: str) -> None:
    said = error_of(tmp_path, server(element, value))
    assert f"<central_server><{element}>" in said
    assert allowed in said


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "a b", "-x", "http://h/", "1.2.3"])
def test_an_allow_list_entry_must_be_a_network_or_a_host(tmp_path: Path, entry: str) -> None:
    body = f"<asperacentral><observer_allow>{entry}</observer_allow></asperacentral>"
    assert "networks, addresses and host names" in error_of(tmp_path, body)


def test_an_error_is_one_line_however_long_the_value(tmp_path: Path) -> None:
    said = error_of(tmp_path, server("port", "x\n" * 5000))
    assert "\n" not in said
    assert len(said) < 400


def test_an_option_with_elements_inside_is_refused(tmp_path: Path) -> None:
    assert "not further elements" in error_of(tmp_path, server("port", "<b/>"))


def test_unknown_options_and_groups_are_warned_about_and_passed_over(tmp_path: Path) -> None:
    settings = read(tmp_path, "<central_servr/>\n<central_server><prot>1</prot></central_server>")
    assert settings.warnings == (
        f"{tmp_path}/aspera.conf:2: unknown group <central_servr> passed over",
        f"{tmp_path}/aspera.conf:3: unknown option <central_server><prot> passed over",
    )


def test_groups_of_other_programs_are_passed_over_silently(tmp_path: Path) -> None:
    assert read(tmp_path, "<default><x/></default><server/><WEB/>").warnings == ()


def test_of_an_option_given_twice_the_later_counts_with_a_warning(tmp_path: Path) -> None:
    settings = read(tmp_path, server("port", "1") + "\n" + server("port", "2"))
    assert settings.port == 2
    assert "given again" in settings.warnings[0]


def test_another_version_is_warned_about(tmp_path: Path) -> None:
    file = tmp_path / "aspera.conf"
    file.write_text("<CONF/>")
    assert 'version="2"' in load(file, {}).warnings[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not well-formed XML"),
        ("<CONF version='2'>", ":1: not well-formed XML"),
        ("<conf/>", "the root element must be <CONF>"),
        ("<!DOCTYPE CONF><CONF/>", "a DOCTYPE is not allowed"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "aspera.conf"
    file.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(reason)):
        load(file, {})


def test_entities_are_neither_expanded_nor_fetched(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("4711")
    file = tmp_path / "aspera.conf"
    file.write_text(
        f'<!DOCTYPE CONF [<!ENTITY e SYSTEM "file://{tmp_path}/port">]>'
        '<CONF version="2"><central_server><port>&e;</port></central_server></CONF>'
    )
    with pytest.raises(ConfigError, match="DOCTYPE"):
        load(file, {})


def test_deep_nesting_is_refused_and_not_followed(tmp_path: Path) -> None:
    assert "not well-formed" in error_of(tmp_path, "<a>" * 5000 + "</a>" * 5000)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "none.conf"
    for path, environ in ((missing, {}), (None, {"ASPERA_CONF": str(missing)})):
        with pytest.raises(ConfigError, match=re.escape(f"{missing}: cannot be read: No such file")):
            load(path, environ)


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


# Where the file is, and the paths that follow


def place(tmp_path: Path, name: str, port: int) -> Path:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'<CONF version="2">{server("port", str(port))}</CONF>')
    return file


def test_the_argument_wins_over_the_environment_and_that_over_the_usual_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = place(tmp_path, "opt/aspera/etc/aspera.conf", 3)
    monkeypatch.setattr(config, "SEARCH", (tmp_path / "missing.conf", usual))
    environ = {"ASPERA_CONF": str(place(tmp_path, "env.conf", 2))}
    assert load(place(tmp_path, "arg.conf", 1), environ).port == 1
    assert load(None, environ).port == 2
    assert load(None, {}).port == 3


def test_the_usual_places_are_those_of_the_original_and_of_this_package() -> None:
    assert [str(path) for path in config.SEARCH] == [
        "/opt/aspera/etc/aspera.conf",
        "/etc/asperacentral/aspera.conf",
    ]


@pytest.mark.parametrize(
    ("environ", "prefix"),
    [
        ({"HOME": "/home/u"}, "/home/u/.local/state/asperacentral"),
        ({"HOME": "/home/u", "XDG_STATE_HOME": "/s"}, "/s/asperacentral"),
        ({"HOME": "/home/u", "XDG_STATE_HOME": "relative"}, "/home/u/.local/state/asperacentral"),
    ],
)
def test_without_a_file_everything_is_in_the_users_state_directory(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], prefix: str
) -> None:
    monkeypatch.setattr(config, "SEARCH", ())
    assert load(None, environ).prefix == Path(prefix)


@pytest.mark.parametrize(
    ("file", "prefix"),
    [
        ("opt/aspera/etc/aspera.conf", "opt/aspera"),
        ("x/etc/asperacentral/aspera.conf", "x"),
        ("somewhere/aspera.conf", "somewhere"),
        ("opt/aspera/etc/../etc/aspera.conf", "opt/aspera"),
    ],
)
def test_the_prefix_follows_from_the_place_of_the_file(tmp_path: Path, file: str, prefix: str) -> None:
    assert load(place(tmp_path, file, 1), {}).prefix == tmp_path / prefix


def test_a_linked_file_belongs_to_the_prefix_of_the_link(tmp_path: Path) -> None:
    link = tmp_path / "opt/etc/aspera.conf"
    link.parent.mkdir(parents=True)
    link.symlink_to(place(tmp_path, "elsewhere/etc/aspera.conf", 1))
    assert load(link, {}).prefix == tmp_path / "opt"


def test_derived_paths_are_where_other_programs_look(tmp_path: Path) -> None:
    settings = config.defaults(tmp_path)
    run = tmp_path / "var/run/aspera"
    assert settings.management_port_file == run / "asperacentral.port"
    assert settings.soap_address_file == run / "asperacentral.soap"
    assert settings.pid_file == run / "asperacentral.pid"
    assert settings.store_path == tmp_path / "var/central-store.db"
    assert settings.secrets_key_path == tmp_path / "var/central-store.key"
    assert settings.known_hosts_path == tmp_path / "var/known_hosts"
    assert settings.log_directory == tmp_path / "var/log/aspera"


def test_the_system_prefix_uses_the_systems_places() -> None:
    settings = config.defaults(Path("/"))
    assert settings.log_directory == Path("/var/log/aspera")
    assert settings.pid_file == Path("/var/run/aspera/asperacentral.pid")
    assert settings.store_path == Path("/var/lib/asperacentral/central-store.db")


def test_the_store_path_may_be_a_file_or_a_directory_absolute_or_below_the_prefix(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    settings = config.defaults(tmp_path)

    def store(path: str) -> Path:
        return dataclasses.replace(settings, persistent_store_path=path).store_path

    assert store("there") == tmp_path / "there/central-store.db"
    assert store("new/") == tmp_path / "new/central-store.db"
    assert store("new/my.db") == tmp_path / "new/my.db"
    assert store("/srv/my.db") == Path("/srv/my.db")


def test_relative_log_and_known_hosts_paths_start_at_the_prefix(tmp_path: Path) -> None:
    settings = dataclasses.replace(config.defaults(tmp_path), logging_directory="logs", known_hosts="/kh")
    assert settings.log_directory == tmp_path / "logs"
    assert settings.known_hosts_path == Path("/kh")


def test_the_example_file_names_no_option_that_the_table_lacks() -> None:
    root = etree.fromstring(re.sub(rb"<!-- (<(\w+)>.*?</\2>) -->", rb"\1", EXAMPLE.read_bytes()))
    for group in root.iterchildren(tag=etree.Element):
        assert {e.tag for e in group.iterchildren(tag=etree.Element)} == {
            o.element for o in OPTIONS[group.tag]
        }
