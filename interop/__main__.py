"""`python -m interop`: a daemon and a node of its own, and every client that can be made here against them."""

# ruff: noqa: T201 - telling what happened is what this program does

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from asperacentral.commands.local import LocalDaemon, LocalNode
from interop.toolkits import TOOLKITS, Failed, Toolkit
from tests.e2e.site import PASSWORD, FarSide, make_tree, order

_WSDL = "/services/soap/Transfer-201210?wsdl"
_FILE_BYTES = 64 << 20
_RATE = 2000
"""Kbps: the file takes four minutes, so every client meets its session under way."""


def main() -> int:
    """Run all clients; 0 if each that could be run did all it should."""
    here = [toolkit for toolkit in TOOLKITS if toolkit.is_here()]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="interop-") as name:
        folder = Path(name)
        docroot = folder / "docroot"
        docroot.mkdir()
        make_tree(folder / "send", big=_FILE_BYTES)
        with LocalNode(folder, docroot, "far", PASSWORD) as node, LocalDaemon(folder / "central") as daemon:
            far = FarSide("node", node.port, "far", docroot, "", password=PASSWORD)
            for toolkit in here:
                failed += not _holds(toolkit, folder, far, daemon.url + _WSDL)
    missing = [toolkit for toolkit in TOOLKITS if toolkit not in here]
    for toolkit in missing:
        print(f"{toolkit.name}: NOT RUN, not installed here. To run it: {toolkit.install}")
    print(f"{len(here) - failed} held, {failed} failed, {len(missing)} did not run")
    return 1 if failed else 0


def _holds(toolkit: Toolkit, folder: Path, far: FarSide, wsdl: str) -> bool:
    """Whether the toolkit's client, made and run in a folder of its own, did all it should; tells what it did."""
    place = folder / toolkit.folder
    place.mkdir()
    document = place / "order.xml"
    sources = [str(folder / "send" / "big.bin")]
    document.write_text(
        order(far, "Push", sources, f"/{toolkit.folder}", cookie=toolkit.folder, rate=_RATE), encoding="utf-8"
    )
    try:
        said = toolkit.try_client(place, wsdl, document)
    except Failed as problem:
        print(f"{toolkit.name}: FAILED\n{problem}", flush=True)
        return False
    print(f"{toolkit.name}: held")
    print("".join(f"  {line}\n" for line in said.splitlines()), end="", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
