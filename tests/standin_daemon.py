"""The program `asperacentral` with a daemon that serves nothing: for tests of the way into the background.

$STANDIN tells what it does: `run` (until SIGTERM), `refuse`, `crash`, `vanish`. It leaves what it sees at its start
in $STANDIN_FACTS, if set.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import types
from collections.abc import Callable
from pathlib import Path

from asperacentral import cli
from asperacentral.config import Settings
from asperacentral.daemonize import StartError


def run_daemon(settings: Settings, *, ready: Callable[[str], None]) -> int:
    """Stands in for `asperacentral.daemon.run_daemon`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    if "STANDIN_FACTS" in os.environ:
        facts = {
            "pid": os.getpid(),
            "level": settings.log_level,
            "log_directory": str(settings.log_directory),
            "prefix": str(settings.prefix),
            "port": settings.port,
            "reactor": "twisted.internet.reactor" in sys.modules,
        }
        Path(os.environ["STANDIN_FACTS"]).write_text(json.dumps(facts))
    match os.environ["STANDIN"]:
        case "refuse":
            raise StartError("cannot listen on 127.0.0.1:40001: Address already in use")
        case "crash":
            raise RuntimeError("boom\nsecond line")
        case "vanish":
            os._exit(7)
    ready("listening on 127.0.0.1:40001")
    signal.sigwait([signal.SIGTERM])
    return 0


if __name__ == "__main__":
    module = types.ModuleType("asperacentral.daemon")
    vars(module)["run_daemon"] = run_daemon
    sys.modules[module.__name__] = module
    sys.exit(cli.main())
