"""`python -m asperacentral` is the program `asperacentral`."""

from __future__ import annotations

import sys

from asperacentral.cli import main

sys.exit(main())
