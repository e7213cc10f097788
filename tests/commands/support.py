"""An HTTP server that gives canned answers and keeps what it was asked, and texts as they are on the wire."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JOBS = "urn:Aspera:XML:IScpTransferNET:2006/04:Types"
JOB_NET = "urn:Aspera:XML:JobNET:2006/01:Types"
SESSIONS = "urn:Aspera:XML:FASPSessionNET:2006/01:Types"
QUERIES = "urn:Aspera:XML:FASPSessionNET:2009/11:Types"


def envelope(content: str) -> bytes:
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    return f'<e:Envelope xmlns:e="{soap}"><e:Body>{content}</e:Body></e:Envelope>'.encode()


def fault(detail: str = "", text: str = "it did not work") -> bytes:
    inner = f"<detail>{detail}</detail>" if detail else ""
    return envelope(
        f"<e:Fault><faultcode>e:Client</faultcode><faultstring>{text}</faultstring>{inner}</e:Fault>"
    )


class Canned:
    """Answers by operation (the part of SOAPAction after `#`): a list is used up, its last answer stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, bytes]]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.url = ""

    def on(self, operation: str, *bodies: bytes, status: int = 200) -> None:
        self.answers[operation] = [(status, body) for body in bodies]

    def answer(self, operation: str) -> tuple[int, bytes]:
        answers = self.answers.get(operation, [(404, b"nothing here")])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def bodies(self, operation: str) -> list[str]:
        return [body for name, _, body in self.asked if name == operation]


@contextmanager
def canned() -> Iterator[Canned]:
    shared = Canned()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            operation = self.headers.get("SOAPAction", "").strip('"').partition("#")[2]
            shared.asked.append((operation, self.path, body))
            status, answer = shared.answer(operation)
            self.send_response(status)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shared.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield shared
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def session_info(
    session: str,
    job: str,
    status: str,
    *,
    attempt: int = 0,
    start: str = "2026-01-01T00:00:00Z",
    **more: object,
) -> str:
    def given(name: str, default: object = 0) -> str:
        return f"<{name}>{more.get(name, default)}</{name}>"

    end = given("EndDate") if "EndDate" in more else ""
    return (
        f"<SessionInfo><UUID>{session}</UUID><JobId>{job}</JobId><Status>{status}</Status>"
        + given("ErrorCode")
        + given("ErrorDescription", "")
        + given("ExpectedFileCount")
        + "<ExpectedDirCount>0</ExpectedDirCount>"
        + given("ExpectedByteCount")
        + "<FileCount>0</FileCount>"
        + given("FilesComplete")
        + given("FilesFailed")
        + "<FilesTransferring>0</FilesTransferring>"
        + given("BytesWritten")
        + given("BytesTransferred")
        + "<BytesLost>0</BytesLost>"
        + given("Elapsed")
        + f"<NetworkDelay>0</NetworkDelay><StartDate>{start}</StartDate>{end}"
        + given("Cookie", "")
        + "<Direction>outgoing</Direction><ServerEndpoint>Remote</ServerEndpoint><ServerSSHPort>22</ServerSSHPort>"
        "<ServerFASPPort>33001</ServerFASPPort><User>alice</User><ClientEndpoint>Local</ClientEndpoint>"
        "<ClientFASPPort>33001</ClientFASPPort><RatePolicy>fair</RatePolicy><TargetRate>10000</TargetRate>"
        "<MinimumRate>0</MinimumRate><BandwidthCap>0</BandwidthCap><EncryptionCipher>none</EncryptionCipher>"
        f"<JobRetryCount>{attempt}</JobRetryCount><JobMaxRetries>3</JobMaxRetries></SessionInfo>"
    )


def session_infos(*infos: str, remaining: int = 0, token: str = "t1") -> bytes:
    return envelope(
        f'<q:GetSessionInfoResponse xmlns:q="{QUERIES}"><SessionInfoResult><ResultCount>{len(infos)}</ResultCount>'
        f"<RemainingResultCount>{remaining}</RemainingResultCount><IterationToken>{token}</IterationToken>"
        f"{''.join(infos)}</SessionInfoResult></q:GetSessionInfoResponse>"
    )


def job_list(*jobs: str) -> bytes:
    items = "".join(f"<JobID>{job}</JobID>" for job in jobs)
    return envelope(f'<j:ListJobsResponse xmlns:j="{JOBS}">{items}</j:ListJobsResponse>')


def job_details(job: str, session: str) -> bytes:
    """QueryJob's answer, with as much of the order as a client has to bear."""
    return envelope(
        f'<j:QueryJobResponse xmlns:j="{JOBS}"><IScpTransfer><j:ID>{job}</j:ID><j:Order><j:Agent/></j:Order>'
        f"<j:Status><j:SessionID>{session}</j:SessionID><j:Statistics><j:Retry><j:FailedAttempts>0</j:FailedAttempts>"
        "</j:Retry></j:Statistics></j:Status></IScpTransfer></j:QueryJobResponse>"
    )


def empty(name: str, space: str = JOBS) -> bytes:
    return envelope(f'<n:{name}Response xmlns:n="{space}"/>')


def job_notification(
    topic: str = "Connecting", event: str = "e1", job: str = "j1", session: str = "s1"
) -> bytes:
    return envelope(
        f'<j:JobNotification xmlns:j="{JOBS}"><SubscriptionID>sub</SubscriptionID><Topic>{topic}</Topic>'
        f"<IScpTransfer><j:ID>{job}</j:ID><j:Order><j:Agent/></j:Order><j:Status><j:SessionID>{session}</j:SessionID>"
        "<j:Statistics><j:Retry><j:FailedAttempts>2</j:FailedAttempts></j:Retry></j:Statistics></j:Status>"
        f"</IScpTransfer><EventID>{event}</EventID><Time>2026-01-01T10:20:30.5Z</Time></j:JobNotification>"
    )


def session_notification(
    topic: str = "Statistics", event: str = "e1", error: str = "0", text: str = ""
) -> bytes:
    return envelope(
        f'<s:SessionNotification xmlns:s="{SESSIONS}"><SubscriptionID>sub</SubscriptionID><Topic>{topic}</Topic>'
        "<Session><s:SessionID>s1</s:SessionID>"
        "<s:RateParameters><s:Policy>fair</s:Policy><s:TargetRate>45000</s:TargetRate></s:RateParameters>"
        "<s:Statistics><s:Aggregate><s:FilesComplete>3</s:FilesComplete><s:BytesWritten>1572864</s:BytesWritten>"
        f"</s:Aggregate></s:Statistics><s:Error><s:Code>{error}</s:Code><s:Description>{text}</s:Description></s:Error>"
        f"</Session><EventID>{event}</EventID></s:SessionNotification>"
    )


def subscription_notification(left: int) -> bytes:
    return envelope(
        f'<s:SubscriptionNotification xmlns:s="{SESSIONS}"><SubscriptionResource><s:ID>sub</s:ID><s:Topics/>'
        f"<s:TimeRemaining>{left}</s:TimeRemaining></SubscriptionResource></s:SubscriptionNotification>"
    )


def subscription_resource(name: str, space: str) -> bytes:
    return envelope(
        f'<n:{name}Response xmlns:n="{space}"><SubscriptionResource><n:ID>sub-{name}</n:ID><n:Observer><n:Address>x'
        "</n:Address><n:Action/></n:Observer><n:Topics/><n:TimeRemaining>60</n:TimeRemaining></SubscriptionResource>"
        f"</n:{name}Response>"
    )
