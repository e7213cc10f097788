"""The names of spyne that this package uses, imported once, behind the shim. Nothing else imports spyne."""

from __future__ import annotations

import logging
import warnings

from asperacentral.soap import spyne_shim

_stand_in = spyne_shim.install()
with warnings.catch_warnings():
    # cgi is deprecated where it still exists, and pkg_resources, which spyne asks for its own version, too.
    warnings.simplefilter("ignore")
    from spyne import (
        Application,
        Boolean,
        ComplexModel,
        DateTime,
        Float,
        Integer,
        MethodContext,
        ServiceBase,
        Unicode,
        rpc,
    )
    from spyne.error import ValidationError
    from spyne.model.complex import ComplexModelBase
    from spyne.protocol.soap import Soap11
    from spyne.server import ServerBase
logging.getLogger("spyne").setLevel(logging.WARNING)  # it tells of every class it sees
if _stand_in:
    spyne_shim.remove()

__all__ = [
    "Application",
    "Boolean",
    "ComplexModel",
    "ComplexModelBase",
    "DateTime",
    "Float",
    "Integer",
    "MethodContext",
    "ServerBase",
    "ServiceBase",
    "Soap11",
    "Unicode",
    "ValidationError",
    "rpc",
]
