"""An open Aspera Central: SOAP job orders in, files moved over SSH, events back.

The package is a library first and a daemon second: `asperacentral.daemon.CentralDaemon` can be built and
started by any program; the command line (`asperacentral.cli`) only does that with settings from a file.
"""

__version__ = "0.1.0"
