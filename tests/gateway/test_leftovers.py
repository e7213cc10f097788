"""What a gateway that was killed has left of uploads: gone when it runs again, and nothing else is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from asperacentral.gateway.leftovers import Leftovers
from asperacentral.openascp.confined import confined
from tests.gateway.site import Site, send_spec, until
from tests.gateway.test_websocket import Client, record


def test_a_killed_gateway_removes_its_partial_files_when_it_starts_again(tmp_path: Path) -> None:
    with Site(tmp_path / "s") as site:
        (site.root / "alice/mine.partial").write_bytes(b"a user's")
        with Client(site) as client:
            client.say({"transfer_spec": send_spec("whole", "half", destination_root="/in")})
            client.say(record("whole", 3, 0, 1))
            client.data(b"123")
            client.say(record("half", 10, 0, 2))
            client.data(b"12345")
            until(lambda: any(name.startswith("in/half.") for name in site.files()), "a partial file")
            site.stop(signal.SIGKILL)
        assert len(site.files()) == 3
        (site.folder / "var/run/aspera/httpgateway.http").unlink()
        site.start()
        assert site.files() == {"mine.partial", "in/whole"}
        assert "removed 1 partial files" in site.log
        assert not list((site.folder / "var/gateway-uploads").iterdir())


def test_the_note_of_an_upload_that_is_under_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a.partial").write_bytes(b"x")
    with confined(os.fsencode(tmp_path / "root")) as files:
        note = Leftovers(tmp_path / "notes").note(files)
        note.write(b"a longer name.partial")
        note.write(b"a.partial")
        assert Leftovers(tmp_path / "notes").clear() == 0
        assert (tmp_path / "root/a.partial").exists()
        note.close()
        note.close()
    assert not list((tmp_path / "notes").iterdir())


def test_a_note_says_which_file_came_last_and_waits_for_its_docroot(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "in/\udce4.partial").write_bytes(b"x")
    held = tmp_path / "held"
    with confined(os.fsencode(root)) as files:
        note = Leftovers(tmp_path / "notes").note(files)
        note.write(b"in/a name that is longer.partial")
        note.write(b"in/\xe4.partial")
    (kept,) = (tmp_path / "notes").iterdir()
    text = kept.read_bytes()
    note.close()
    kept.write_bytes(text)
    root.rename(held)
    assert Leftovers(tmp_path / "notes").clear() == 0, "the docroot is not there now"
    held.rename(root)
    assert Leftovers(tmp_path / "notes").clear() == 1
    assert not list((root / "in").iterdir())
    assert not list((tmp_path / "notes").iterdir())


def test_a_note_that_was_never_written_means_nothing(tmp_path: Path) -> None:
    leftovers = Leftovers(tmp_path / "notes")
    (tmp_path / "notes/empty").write_bytes(b"")
    (tmp_path / "notes/half").write_bytes(os.fsencode(tmp_path) + b"\0no")
    assert leftovers.clear() == 0
    assert not list((tmp_path / "notes").iterdir())
