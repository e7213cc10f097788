from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asperacentral.node.docroot import Docroot, OutsideDocrootError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root-beside").mkdir()
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("name", "local"),
    [
        (b"", ""),
        (b".", ""),
        (b"/", ""),
        (b"//", ""),
        (b"a", "a"),
        (b"/a/b", "a/b"),
        (b"sub/../a", "a"),
        (b"../secret", "secret"),
        (b"/../../etc/passwd", "etc/passwd"),
        (b"sub/../../../secret", "secret"),
    ],
)
def test_every_name_starts_at_the_docroot_and_dots_end_there(folder: Path, name: bytes, local: str) -> None:
    assert Docroot(folder).resolve(name) == os.fsencode(folder / local).rstrip(b"/")


@pytest.mark.parametrize("target", ["../secret", "../../secret", "/etc/passwd", "../root-beside", ".."])
def test_a_link_that_leads_outside_is_refused_at_the_end_and_on_the_way(folder: Path, target: str) -> None:
    (folder / "link").symlink_to(target)
    for name in (b"link", b"link/below", b"sub/../link"):
        with pytest.raises(OutsideDocrootError):
            Docroot(folder).resolve(name)
    with pytest.raises(OutsideDocrootError):
        Docroot(folder).entry(b"link/below")
    assert Docroot(folder).entry(b"link") == os.fsencode(folder / "link")


def test_a_link_that_stays_inside_is_followed(folder: Path) -> None:
    (folder / "link").symlink_to("sub")
    (folder / "absolute").symlink_to(folder / "sub")
    assert Docroot(folder).resolve(b"link/x") == os.fsencode(folder / "sub" / "x")
    assert Docroot(folder).resolve(b"absolute/x") == os.fsencode(folder / "sub" / "x")


def test_a_loop_of_links_stays_inside(folder: Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    local = Docroot(folder).resolve(b"a/x")
    assert local.startswith(os.fsencode(folder) + b"/")


def test_the_docroot_may_itself_be_reached_through_a_link(folder: Path) -> None:
    other = folder.parent / "other"
    other.symlink_to(folder)
    assert Docroot(other).resolve(b"a") == os.fsencode(folder / "a")


def test_the_machines_root_may_be_a_docroot() -> None:
    assert Docroot(Path("/")).resolve(b"/usr/../usr") == os.path.realpath(b"/usr")
    assert Docroot(Path("/")).shown(b"/usr/x") == b"/usr/x"


def test_the_docroot_itself_is_no_entry_that_could_be_removed_or_renamed(folder: Path) -> None:
    for name in (b"", b"/", b".", b"sub/.."):
        with pytest.raises(OutsideDocrootError, match="itself"):
            Docroot(folder).entry(name)


def test_a_nul_is_refused(folder: Path) -> None:
    with pytest.raises(OutsideDocrootError, match="NUL"):
        Docroot(folder).resolve(b"a\0b")
    with pytest.raises(OutsideDocrootError, match="NUL"):
        Docroot(folder).link_text(b"a\0b", os.fsencode(folder / "link"))


def test_an_absolute_link_target_means_the_docroot_and_is_stored_relative(folder: Path) -> None:
    entry = os.fsencode(folder / "sub" / "link")
    assert Docroot(folder).link_text(b"/a", entry) == b"../a"
    assert Docroot(folder).link_text(b"/../../a", entry) == b"../a"


def test_a_link_target_outside_is_refused(folder: Path) -> None:
    entry = os.fsencode(folder / "sub" / "link")
    assert Docroot(folder).link_text(b"../a", entry) == b"../a"
    for target in (b"../../a", b"../../root-beside", b"../sub/../../secret"):
        with pytest.raises(OutsideDocrootError):
            Docroot(folder).link_text(target, entry)


def test_a_link_is_shown_in_the_clients_terms_and_not_at_all_if_it_leads_outside(folder: Path) -> None:
    docroot = Docroot(folder)
    entry = os.fsencode(folder / "link")
    assert docroot.shown_link(b"sub", entry) == b"sub"
    assert docroot.shown_link(os.fsencode(folder / "sub"), entry) == b"/sub"
    with pytest.raises(OutsideDocrootError):
        docroot.shown_link(b"/etc/passwd", entry)


parts = st.sampled_from(["a", "b", "c", "..", ".", ""])
names = st.lists(parts, max_size=6).map("/".join)
targets = st.one_of(names, names.map("/".__add__), names.map("../../".__add__))


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "a/a", "a/b", "b/c"]), targets), max_size=5), names)
@settings(max_examples=150, deadline=None)
def test_whatever_links_there_are_a_name_leads_inside_or_is_refused(
    links: list[tuple[str, str]], name: str
) -> None:
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top, "x", "root")
        folder.mkdir(parents=True)
        for link, target in links:
            place = folder / link
            if not os.path.lexists(place) and place.parent.is_dir():
                place.symlink_to(target or ".")
        try:
            local = os.fsdecode(Docroot(folder).resolve(name.encode()))
        except OutsideDocrootError:
            return
        real = os.path.realpath(folder)
        assert local == real or local.startswith(real + "/")
        if Path(local).exists():
            assert os.path.realpath(local) == local
