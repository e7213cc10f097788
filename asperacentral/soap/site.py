"""The SOAP face, put together: `soap_face` gives what it serves."""

from __future__ import annotations

from typing import Any

from asperacentral.central.api import CentralService
from asperacentral.soap import faspsession200601, faspsession200911, iscptransfer, jobnet, transfer201210
from asperacentral.soap.contract_files import contract_files
from asperacentral.soap.faults import CLIENT, SoapFault, render_fault
from asperacentral.soap.resources import XML, ContractFile, EndpointResource, Recorder
from asperacentral.soap.schema import ContractSchema
from asperacentral.soap.service import Dispatcher
from asperacentral.web.resources import Directory
from asperacentral.web.site import Face

ENDPOINTS = tuple(
    module.ENDPOINT for module in (jobnet, iscptransfer, faspsession200601, faspsession200911, transfer201210)
)
"""The five services of the contract (§1)."""

HINT = "SOAP services are at /services/soap/<NAME>"


def soap_face(service: CentralService, *, strict: bool = False, recorder: Recorder | None = None) -> Face:
    """What the SOAP face serves.

    With `strict`, requests must be valid by the contract's XSD files; without, what is unknown is skipped. A
    `recorder` is told of every exchange. The service is called, and its Futures must complete, in the reactor's
    thread.
    """
    files = contract_files()
    dispatcher = Dispatcher(service, ENDPOINTS)
    schema = ContractSchema() if strict else None
    shown: dict[str, Any] = {name: ContractFile(content) for name, content in files.items()}
    endpoints = {
        each.name: EndpointResource(each, dispatcher, files[each.wsdl], schema, recorder)
        for each in ENDPOINTS
    }
    # The files are beside the endpoints too, since a WSDL got by ?wsdl names its XSD files relative to there.
    return Face(
        {
            "services/soap": Directory(shown | endpoints, HINT),
            "console/services/soap": Directory(shown, HINT),
        },
        _refusal,
        HINT,
    )


def _refusal(reason: str) -> tuple[bytes, bytes]:
    return XML, render_fault(SoapFault(CLIENT, f"the message was refused: {reason}"))
