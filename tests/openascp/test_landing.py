from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from asperacentral.openascp.confined import BadPathError, confined
from asperacentral.openascp.landing import landing


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home" / "dest").mkdir(parents=True)
    (tmp_path / "home" / "secret").write_text("secret")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


@pytest.mark.parametrize("destination", ["dest", "dest/", "./dest", "{home}/dest", "{home}/dest//", ".", ""])
def test_a_link_that_leads_out_of_the_destination_is_neither_made_nor_followed(
    home: Path, destination: str
) -> None:
    folder = os.fsencode(destination.format(home=home))
    prefix = b"" if folder in (b"", b".") else folder.rstrip(b"/") + b"/"
    for text in ("/etc", "../..", str(home.parent)):
        with landing(confined(None), [folder]) as files:
            with pytest.raises(BadPathError):
                files.make_link(os.fsencode(text), prefix + b"link")
            os.symlink(os.fsencode(text), prefix + b"link")  # by an earlier session, perhaps  # noqa: PTH211
            calls: list[Callable[[], object]] = [
                lambda files=files: files.open_file(prefix + b"link/new", os.O_WRONLY | os.O_CREAT),  # type: ignore[misc]
                lambda files=files: files.make_folder(prefix + b"link/new"),  # type: ignore[misc]
                lambda files=files: files.stat(prefix + b"link"),  # type: ignore[misc]
                lambda files=files: files.rename(prefix + b"link", prefix + b"link/new"),  # type: ignore[misc]
            ]
            for call in calls:
                with pytest.raises(BadPathError):
                    call()
            assert files.read_link(prefix + b"link") == os.fsencode(text)
            files.remove(prefix + b"link")
    assert sorted(path.name for path in home.iterdir()) == ["dest", "secret"]


def test_links_that_stay_inside_and_everything_beside_the_destination_work(home: Path) -> None:
    with landing(confined(None), [b"dest"]) as files:
        files.make_folders(b"dest/a")
        files.make_link(b"a", b"dest/link")
        os.close(files.open_file(b"dest/link/file", os.O_WRONLY | os.O_CREAT))
        files.rename(b"dest/link/file", b"dest/a/moved", replace=False)
        assert (home / "dest" / "a" / "moved").exists()
        os.close(files.open_file(b"secret", os.O_RDONLY))
        assert files.resolve(b"dest/link") == os.fsencode(home / "dest" / "a")


def test_the_destination_may_be_the_users_own_link_and_may_be_made_later(home: Path) -> None:
    (home / "door").symlink_to("dest")
    with landing(confined(None), [b"door", b"later"]) as files:
        files.make_folder(b"door/a")
        files.make_folders(b"later")
        files.make_folder(b"later/b")
    assert (home / "dest" / "a").is_dir()
    assert (home / "later" / "b").is_dir()


def test_a_name_that_only_begins_alike_is_not_beneath(home: Path) -> None:
    (home / "dest-beside").mkdir()
    (home / "dest-beside" / "out").symlink_to("..")
    with landing(confined(None), [b"dest"]) as files:
        assert files.stat(b"dest-beside/out/secret").st_size == 6
