from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh
import pytest

from .support import docroot_of, sftp_client

Scenario = Callable[[asyncssh.SFTPClient], Awaitable[None]]


def with_client(docroot: Path, scenario: Scenario, **changes: object) -> None:
    async def whole() -> None:
        async with sftp_client(docroot, **changes) as sftp:
            await scenario(sftp)

    asyncio.run(whole())


async def read(sftp: asyncssh.SFTPClient, name: str, size: int, offset: int) -> bytes:
    async with sftp.open(name, "rb") as file:
        data = await file.read(size, offset)
        assert isinstance(data, bytes)
        return data


def test_a_file_of_many_blocks_comes_back_as_it_was_sent(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    content = os.urandom(3_000_001)
    (tmp_path / "sent").write_bytes(content)

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        await sftp.put(tmp_path / "sent", "there", preserve=True)
        await sftp.get("there", tmp_path / "back")

    with_client(docroot, scenario)
    assert (docroot / "there").read_bytes() == content
    assert (tmp_path / "back").read_bytes() == content
    assert int((docroot / "there").stat().st_mtime) == int((tmp_path / "sent").stat().st_mtime)


def test_folders_with_awkward_names_go_and_come_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("plain", "with space", "ümläut/日本", "-dash", "new\nline", "a/b/c/deep", "empty"):
        file = source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("" if name == "empty" else name)
    (source / "no files").mkdir()

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        await sftp.put(source, "there", recurse=True)
        await sftp.get("there", tmp_path / "back", recurse=True)

    with_client(docroot_of(tmp_path), scenario)

    def tree(top: Path) -> dict[str, str | None]:
        return {str(p.relative_to(top)): p.read_text() if p.is_file() else None for p in top.rglob("*")}

    assert tree(tmp_path / "back") == tree(source)


def test_writing_resumes_in_the_middle_and_appends_at_the_end(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    (docroot / "file").write_bytes(b"0123456789")

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        async with sftp.open("file", "r+b") as file:
            await file.write(b"ABC", 4)
        async with sftp.open("file", "ab") as file:
            await file.write(b"!")
        assert await read(sftp, "file", 3, 4) == b"ABC"
        assert await read(sftp, "file", 10, 1 << 62) == b""

    with_client(docroot, scenario)
    assert (docroot / "file").read_bytes() == b"0123ABC789!"


def test_a_partial_file_is_renamed_over_the_old_one_in_one_step(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    (docroot / "file").write_text("old")
    (docroot / "file.partial").write_text("new")

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        with pytest.raises(asyncssh.SFTPFailure):
            await sftp.rename("file.partial", "file")
        await sftp.posix_rename("file.partial", "file")

    with_client(docroot, scenario)
    assert (docroot / "file").read_text() == "new"
    assert not (docroot / "file.partial").exists()


def test_attributes_can_be_set_but_no_owner_and_no_set_user_id(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    (docroot / "file").write_bytes(b"0123456789")

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        await sftp.chmod("file", 0o6755)
        await sftp.truncate("file", 4)
        await sftp.utime("file", (1_000_000_000, 1_100_000_000))
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await sftp.chown("file", 12345, 12345)
        assert (await sftp.stat("file")).size == 4
        assert (await sftp.statvfs(".")).bsize > 0

    with_client(docroot, scenario)
    state = (docroot / "file").stat()
    assert state.st_mode & 0o7777 == 0o755
    assert state.st_mtime == 1_100_000_000
    assert state.st_uid == os.getuid()


def test_listings_show_the_login_and_no_account_of_the_machine(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    (docroot / "file").write_text("x")

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        (entry,) = await sftp.readdir(".")
        assert entry.filename == "file"
        assert str(entry.longname).split()[2:4] == ["alice", "alice"]

    with_client(docroot, scenario)


def test_missing_things_are_reported_as_missing(tmp_path: Path) -> None:
    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        for request in (
            sftp.stat("absent"),
            sftp.lstat("absent"),
            sftp.open("absent", "rb"),
            sftp.open("absent/file", "wb"),
            sftp.remove("absent"),
            sftp.readdir("absent"),
            sftp.mkdir("absent/folder"),
        ):
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await request
        assert await sftp.realpath("absent/../x") == "/x"
        assert not await sftp.exists("absent")

    with_client(docroot_of(tmp_path), scenario)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A docroot with every kind of way out, and a secret outside."""
    docroot = docroot_of(tmp_path)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "outside").mkdir()
    (docroot / "sub").mkdir()
    (docroot / "file-out").symlink_to("../secret")
    (docroot / "folder-out").symlink_to("../outside")
    (docroot / "absolute-out").symlink_to(tmp_path / "secret")
    (docroot / "chain").symlink_to("sub/next")
    (docroot / "sub" / "next").symlink_to("../../outside")
    (docroot / "dangling-out").symlink_to("../new-file")
    return docroot


def test_links_out_of_the_docroot_cannot_be_used_for_anything(tmp_path: Path, trap: Path) -> None:
    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        for request in (
            sftp.open("file-out", "rb"),
            sftp.open("file-out", "wb"),
            sftp.open("absolute-out", "rb"),
            sftp.open("dangling-out", "wb"),
            sftp.open("folder-out/new", "wb"),
            sftp.open("chain/new", "wb"),
            sftp.open("sub/../folder-out/new", "wb"),
            sftp.stat("file-out"),
            sftp.stat("folder-out/x"),
            sftp.readdir("folder-out"),
            sftp.readdir("chain"),
            sftp.readlink("file-out"),
            sftp.readlink("absolute-out"),
            sftp.realpath("folder-out"),
            sftp.mkdir("folder-out/new"),
            sftp.rmdir("folder-out/new"),
            sftp.remove("folder-out/new"),
            sftp.chmod("file-out", 0o777),
            sftp.truncate("file-out", 0),
            sftp.utime("file-out", (0, 0)),
            sftp.rename("sub", "folder-out/sub"),
            sftp.posix_rename("sub", "folder-out/sub"),
            sftp.link("file-out", "here"),
            sftp.link("absolute-out", "here"),
            sftp.statvfs("folder-out"),
        ):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await request
        assert (await sftp.lstat("file-out")).type == asyncssh.FILEXFER_TYPE_SYMLINK
        await sftp.remove("file-out")

    with_client(trap, scenario)
    assert (tmp_path / "secret").read_text() == "secret"
    assert list((tmp_path / "outside").iterdir()) == []
    assert not (tmp_path / "new-file").exists()


def test_dots_and_absolute_names_stay_inside(tmp_path: Path, trap: Path) -> None:
    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        for name in ("../secret", "/../secret", "sub/../../secret", str(tmp_path / "secret"), "/etc/passwd"):
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await sftp.open(name, "rb")
        async with sftp.open("../../written", "wb") as file:
            await file.write(b"inside")
        assert await sftp.realpath("../..") == "/"
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await sftp.open(b"nul\0inside", "wb")

    with_client(trap, scenario)
    assert (trap / "written").read_text() == "inside"


def test_links_pointing_outside_cannot_be_made_nor_become_usable_by_moving(
    tmp_path: Path, trap: Path
) -> None:
    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        for target in ("../secret", "sub/../../secret", "folder-out/x"):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await sftp.symlink(target, "new-link")
        await sftp.symlink("/etc/passwd", "new-link")
        await sftp.symlink("../x", "sub/inner")
        assert await sftp.readlink("new-link") == "etc/passwd"
        await sftp.rename("sub/inner", "moved")
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await sftp.open("moved", "wb")

    with_client(trap, scenario)
    assert str((trap / "new-link").readlink()) == "etc/passwd"
    assert not (tmp_path / "x").exists()


def test_links_inside_work(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    (docroot / "sub").mkdir()

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        await sftp.symlink("/sub", "sub/self")
        async with sftp.open("sub/self/file", "wb") as file:
            await file.write(b"x")
        await sftp.link("sub/file", "second")
        await sftp.utime("sub/self", (5, 5), follow_symlinks=False)
        with pytest.raises(asyncssh.SFTPError):
            await sftp.chmod("sub/self", 0o700, follow_symlinks=False)
        await sftp.chmod("second", 0o600, follow_symlinks=False)

    with_client(docroot, scenario)
    assert str((docroot / "sub" / "self").readlink()) == "."
    assert (docroot / "second").read_bytes() == b"x"
    assert os.lstat(docroot / "sub" / "self").st_mtime == 5


def test_pipes_devices_and_folders_are_not_opened_and_nothing_hangs(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    os.mkfifo(docroot / "pipe")
    (docroot / "sub").mkdir()

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        for name, mode in (("pipe", "rb"), ("pipe", "r+b"), ("sub", "rb"), ("sub", "wb"), ("/", "rb")):
            with pytest.raises(asyncssh.SFTPError):
                await asyncio.wait_for(sftp.open(name, mode), 5)

    with_client(docroot, scenario)


def test_the_docroot_itself_cannot_be_removed_or_renamed(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        for request in (sftp.rmdir("/"), sftp.rename("/", "x"), sftp.remove(".")):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await request
        assert (await sftp.lstat("/")).type == asyncssh.FILEXFER_TYPE_DIRECTORY

    with_client(docroot, scenario)
    assert docroot.is_dir()


def test_a_user_who_may_only_read_changes_nothing(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    (docroot / "file").write_text("as it was")

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        assert await sftp.readdir(".")
        async with sftp.open("file", "rb") as file:
            assert await read(sftp, "file", 99, 0) == b"as it was"
            with pytest.raises(asyncssh.SFTPError):
                await file.write(b"x", 0)
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await file.truncate(0)
        for request in (
            sftp.open("file", "wb"),
            sftp.open("file", "r+b"),
            sftp.open("file", "ab"),
            sftp.open("new", "wb"),
            sftp.open("new", asyncssh.FXF_READ | asyncssh.FXF_CREAT),
            sftp.open("file", asyncssh.FXF_READ | asyncssh.FXF_TRUNC),
            sftp.remove("file"),
            sftp.mkdir("new"),
            sftp.rmdir("new"),
            sftp.rename("file", "new"),
            sftp.posix_rename("file", "new"),
            sftp.symlink("file", "new"),
            sftp.link("file", "new"),
            sftp.chmod("file", 0o777),
            sftp.utime("file", (5, 5), follow_symlinks=False),
        ):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await request

    with_client(docroot, scenario, write=False)
    assert [entry.name for entry in docroot.iterdir()] == ["file"]
    assert (docroot / "file").read_text() == "as it was"


def test_a_user_who_may_only_write_fetches_and_lists_nothing(tmp_path: Path) -> None:
    docroot = docroot_of(tmp_path)
    (docroot / "file").write_text("secret")

    async def scenario(sftp: asyncssh.SFTPClient) -> None:
        for request in (
            sftp.readdir("."),
            sftp.open("file", "rb"),
            sftp.open("file", "r+b"),
            sftp.readlink("file"),
        ):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await request
        async with sftp.open("dropped", "wb") as file:
            await file.write(b"x")

    with_client(docroot, scenario, read=False)
    assert (docroot / "dropped").read_bytes() == b"x"
