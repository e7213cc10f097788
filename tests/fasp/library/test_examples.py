"""The programs in examples/, run as written against a node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import asperacentral
from asperacentral.commands.local import LocalNode

EXAMPLES = Path(asperacentral.__file__).parent.parent / "examples"


def run(example: str, node: LocalNode, home: Path, *arguments: str) -> str:
    """What it prints; it must end well."""
    environment = {
        **os.environ,
        "HOME": str(home),
        "PASSWORD": "secret",
        "PYTHONPATH": str(EXAMPLES.parent),
    }
    command = [sys.executable, str(EXAMPLES / example), f"127.0.0.1:{node.port}", "me", *arguments]
    done = subprocess.run(
        command,
        check=False,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_examples_run_as_written(tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    sources = [tmp_path / name for name in ("one", "two")]
    for source in sources:
        source.write_bytes(os.urandom(700_000))
    with LocalNode(tmp_path, far, "me", "secret") as node:
        said = run("push.py", node, tmp_path, *map(str, sources), "/push")
        assert f"FILE_STOP    {sources[0]} (700000 bytes)" in said
        assert "Completed: 1400000 bytes moved" in said
        said = run("several.py", node, tmp_path, *map(str, sources), "/several")
        assert f"{sources[0]}: 100 %" in said
        assert f"{sources[1]}: 100 %" in said
        assert "1400000 bytes moved" in said
        said = run("steer.py", node, tmp_path, str(sources[0]), "/steer")
        rates = [line for line in said.splitlines() if line.startswith("rate: ")]
        assert rates[0] == "rate: 2000 Kbps"
        assert "rate: 0 Kbps" in rates
        assert rates[-1] == "rate: 500000 Kbps"
        assert "Completed: 700000 bytes moved" in said
    for folder in ("push", "several"):
        for source in sources:
            assert (far / folder / source.name).read_bytes() == source.read_bytes()
    assert (far / "steer" / "one").read_bytes() == sources[0].read_bytes()
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"push.py", "several.py", "steer.py"}
