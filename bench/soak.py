"""The long version of the end-to-end tests: 1 GiB and 2,000 small files both ways through a real sshd, with kills.

    python -m bench.soak [--size MIB] [--files N] [--kills N]

Every file is hash-checked on both sides. Exit status 0 only if everything held.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from asperacentral.commands.local import LocalDaemon
from tests.e2e.site import FarSide, Site, hashes, make_tree, order
from tests.e2e.test_kills import watch_for_wrong_files
from tests.openascp.sshd import MISSING, SSHD, Sshd


def main() -> int:
    """Run it all; 0 if everything held."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--size", type=int, default=1024, metavar="MIB", help="the big file (default: %(default)s)"
    )
    parser.add_argument(
        "--files", type=int, default=2000, metavar="N", help="small files (default: %(default)s)"
    )
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="SIGKILLs (default: %(default)s)")
    options = parser.parse_args()
    if SSHD is None:
        print(MISSING, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="asperacentral-soak-") as name:
        folder = Path(name)
        root = folder / "far"
        root.mkdir()
        with Sshd(folder / "sshd") as server, LocalDaemon(folder / "central") as daemon:
            far = FarSide("sshd", server.port, server.user, root, str(root), key=server.key)
            site = Site(daemon)
            for label, big, small in (
                ("1 big file", options.size << 20, 0),
                ("small files", 0, options.files),
            ):
                _both_ways(site, far, folder / label.replace(" ", "-"), label, big, small)
            _killed(site, far, folder / "killed", options.kills)
    print("everything held")
    return 0


def _both_ways(site: Site, far: FarSide, source: Path, label: str, big: int, small: int) -> None:
    sent = make_tree(source, big=big, small=small)
    size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    began = time.monotonic()
    (pushed,) = site.finish(site.client.submit(order(far, "Push", [str(source)], far.path("pushed"))), 600)
    _expect(
        pushed.status == "completed" and hashes(far.root / "pushed" / source.name) == sent, f"push of {label}"
    )
    middle = time.monotonic()
    text = order(far, "Pull", [far.path(f"pushed/{source.name}")], str(source.parent / "pulled"))
    (pulled,) = site.finish(site.client.submit(text), 600)
    _expect(
        pulled.status == "completed" and hashes(source.parent / "pulled" / source.name) == sent,
        f"pull of {label}",
    )
    for verb, seconds in (("push", pushed.elapsed), ("pull", pulled.elapsed)):
        print(
            f"{verb} of {label}: {size >> 20} MiB in {len(sent)} files, {seconds:.1f} s, hashes the same",
            flush=True,
        )
    print(f"  (with hashing {middle - began:.1f} s and {time.monotonic() - middle:.1f} s)", flush=True)


def _killed(site: Site, far: FarSide, source: Path, kills: int) -> None:
    sent = make_tree(source, big=64 << 20, small=400)
    target = far.root / "killed-target" / source.name
    stop = threading.Event()
    wrong: list[str] = []
    watcher = threading.Thread(target=watch_for_wrong_files, args=(target, sent, stop, wrong))
    watcher.start()
    job = site.client.submit(
        order(far, "Push", [str(source)], far.path("killed-target"), rate=400_000, retries=255)
    )
    seen: set[str] = set()
    while len(seen) < kills and job in site.client.list_jobs():
        live = [view for view in site.sessions(job) if view.status == "running" and view.id not in seen]
        if not live:
            time.sleep(0.005)
            continue
        process = site.daemon.transfer_process(live[0].id)
        time.sleep(random.uniform(0, 1.2))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            seen.add(live[0].id)
    sessions = site.finish(job, 300)
    stop.set()
    watcher.join()
    _expect(sessions[-1].status == "completed", "the killed job completes")
    _expect(hashes(target) == sent and not wrong, "no wrong or half-named file")
    print(
        f"{len(seen)} SIGKILLs, {len(sessions)} sessions: complete, hashes the same, no wrong name seen",
        flush=True,
    )


def _expect(held: bool, what: str) -> None:
    if not held:
        raise SystemExit(f"did not hold: {what}")


if __name__ == "__main__":
    sys.exit(main())
