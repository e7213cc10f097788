"""The program `asperacentral` with a recorder that checks every SOAP exchange; run by its path."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    # The directory of this file comes first, which would make modules of tests shadow others.
    sys.path[0] = str(Path(__file__).parents[1])

    from asperacentral import cli, daemon
    from tests.recording import to_directory

    vars(daemon)["run_daemon"] = partial(daemon.run_daemon, recorder=to_directory())
    sys.exit(cli.main())
