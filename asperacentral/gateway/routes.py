"""What the gateway serves where, and to which pages: the router of `http.GatewaySite`.

Base path `/aspera/http-gwy`. All protocols are served whatever version is announced; `info` and `v1/info` say the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from asperacentral.gateway.http import Answer, Body, GatewayRequest, Router
from asperacentral.gateway.origins import Origins
from asperacentral.gateway.page import CONNECTED
from asperacentral.gateway.transfers import Transfers
from asperacentral.gateway.v3 import Downloads, FormUpload

BASE = "/aspera/http-gwy"
NAME = "asperacentral HTTP Gateway"
UPLOADS = (f"{BASE}/v1/upload", f"{BASE}/v2/upload", f"{BASE}/v3/upload")
DOWNLOADS = (f"{BASE}/v1/download", f"{BASE}/v3/download")
NO_STREAMS = Answer.error(501, "videos are not streamed here; download the file")

Handler = Callable[[GatewayRequest], None]

log = logging.getLogger(__name__)


class Routes(Router):
    """The addresses of one gateway that announces `version`. `more` are handlers by path and method."""

    def __init__(
        self,
        transfers: Transfers,
        downloads: Downloads,
        origins: Origins,
        version: str,
        more: Mapping[str, Mapping[str, Handler]],
    ) -> None:
        self._transfers = transfers
        self._origins = origins
        self._info = Answer.document(
            {
                "version": version,
                "name": NAME,
                "endpoints": [f"{BASE}/v1/info", *UPLOADS, *DOWNLOADS, f"{BASE}/v3/presign"],
                "upload_endpoint": list(UPLOADS),
                "download_endpoint": list(DOWNLOADS),
            }
        )
        info = {"GET": self._give_info}
        self._handlers: dict[str, Mapping[str, Handler]] = {
            f"{BASE}/info": info,
            f"{BASE}/v1/info": info,
            f"{BASE}/v3/upload": {"POST": self._no_body},
            f"{BASE}/v3/download": {"GET": downloads.download},
            f"{BASE}/v3/presign": {"POST": downloads.presign},
            f"{BASE}/v3/package": {"POST": downloads.package},
            f"{BASE}/v1/start-stream": {"POST": lambda request: request.answer(NO_STREAMS)},
            "/": {"GET": lambda request: request.answer(CONNECTED)},
            **more,
        }

    def stream(self, request: GatewayRequest, method: str, path: str) -> Body | None:
        """See Router."""
        origin = request.header("origin")
        if not self._origins.permits(origin, self._own(request)):
            request.answer(Answer.error(403, "pages of this origin may not use the gateway"))
            return None
        if (method, path) == ("POST", f"{BASE}/v3/upload") and request.declared != 0:
            return FormUpload(request, self._transfers)
        return None

    def process(self, request: GatewayRequest) -> None:
        """See Router."""
        method, path = request.method.decode("latin-1"), request.path.decode("latin-1")
        handlers = self._handler(path)
        if handlers is None:
            request.answer(Answer.error(404, f"nothing here; the gateway is below {BASE}"))
        elif method == "OPTIONS":
            request.answer(Answer(204, headers=self._origins.preflight()))
        elif method not in handlers:
            request.answer(Answer.error(405, f"{', '.join(handlers)} only"))
        else:
            handlers[method](request)

    def loggable(self, path: str) -> str:
        """See Router: what stands for `*` in the table is an id that brings files."""
        folder = path.rpartition("/")[0]
        return f"{folder}/*" if path not in self._handlers and f"{folder}/*" in self._handlers else path

    def headers(self, request: GatewayRequest) -> Mapping[str, str]:
        """See Router."""
        return self._origins.headers(request.header("origin"), self._own(request))

    def _handler(self, path: str) -> Mapping[str, Handler] | None:
        """That of the path; a last part may be anything where the table has `*`."""
        return self._handlers.get(path) or self._handlers.get(path.rpartition("/")[0] + "/*")

    def _give_info(self, request: GatewayRequest) -> None:
        request.answer(self._info)

    def _no_body(self, request: GatewayRequest) -> None:
        request.answer(Answer.error(400, "multipart/form-data is expected"))

    @staticmethod
    def _own(request: GatewayRequest) -> str:
        return f"{'https' if request.secure else 'http'}://{request.asked_host}"
