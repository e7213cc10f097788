"""Transfer-201210: the endpoint of transfer clients (contract §3.1).

It has no messages of its own: its operations are those of the four other services, some under other names in its
WSDL (CancelJob and CancelSession are the two CancelRequest elements).
"""

from __future__ import annotations

from asperacentral.soap.service import Endpoint

ENDPOINT = Endpoint("Transfer-201210", "Transfer201210.wsdl")
