"""Every field of the contract's records, from order and transfer process to the answer, as a whole."""

from __future__ import annotations

import time
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from lxml import etree

from asperacentral.fasp.management import MessageType as M
from asperacentral.soap.service import Dispatcher
from asperacentral.soap.site import ENDPOINTS
from tests.central.world import World
from tests.soap.contract import NAMESPACES, assert_valid, payload

ORDER = """<Order><Version>2</Version><Agent>Acme.App</Agent><Operation>Pull</Operation>
<ApplicationData><Token>secret</Token><Cookie>reel 7</Cookie></ApplicationData>
<PrivateData><Key>mine</Key></PrivateData>
<RemoteLocation><System><Address>far.example</Address><Port>2222</Port><UserName>ingest</UserName>
<Password>geheim</Password></System><Authentication><Methods><Method>Public Key</Method></Methods>
<KeyPath>/keys/id</KeyPath></Authentication><Files><Path>/reels/7</Path><Path>/reels/8</Path></Files></RemoteLocation>
<LocalLocation><Files><Path>/data</Path></Files></LocalLocation>
<FileParameters><CreatePath>Yes</CreatePath><ResumeCheck>Full Checksum</ResumeCheck>
<PreCalculateJobSize>Yes</PreCalculateJobSize></FileParameters>
<LinkParameters><RemoteCapacity>90000</RemoteCapacity><LocalCapacity>80000</LocalCapacity></LinkParameters>
<ChannelParameters><Port>33009</Port><DatagramSize>1400</DatagramSize></ChannelParameters>
<RateParameters><Policy>Fair</Policy><TargetRate>50000</TargetRate><MinimumRate>70</MinimumRate>
<BandwidthCap>60000</BandwidthCap><LockMinimumRate>Yes</LockMinimumRate></RateParameters>
<SecurityParameters><EncryptionCipher>AES-192</EncryptionCipher></SecurityParameters>
<RetryParameters><Count>3</Count><BaseInterval>5</BaseInterval><MaximumInterval>60</MaximumInterval></RetryParameters>
</Order>"""

FILE_ID = "00000001-00000002-00000003-00000004-00000005"


def ask(world: World, key: str, message: str, inner: str) -> Any:
    """The answer to a message, valid by the contract."""
    uri = NAMESPACES[key]
    body: Element = fromstring(f'<n:{message} xmlns:n="{uri}">{inner}</n:{message}>')
    dispatcher: Any = Dispatcher(world.central, ENDPOINTS)
    answered: Future[bytes] = Future()
    called = dispatcher.call(f"{{{uri}}}{message}", body, world.clock)
    called.addCallbacks(answered.set_result, lambda failed: answered.set_exception(failed.value))
    deadline = time.monotonic() + 30
    while not answered.done() and time.monotonic() < deadline:
        world.settle()  # both the store's readers and slices of the answer may be waited for
    answer = answered.result(0)
    assert_valid(answer)
    return payload(answer)


def texts(element: Any) -> dict[str, str]:
    """Texts of the leaves by their path of local names."""
    found: dict[str, str] = {}
    for leaf in element.iter(etree.Element):
        if not len(leaf):
            names = [etree.QName(each).localname for each in (leaf, *leaf.iterancestors())]
            inner = names[: names.index(etree.QName(element).localname)]
            path = "/".join(reversed(inner))
            found[path] = f"{found[path]}, {leaf.text}" if path in found else leaf.text or ""
    return found


def moment(seconds: float) -> str:
    shown = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return shown.isoformat(timespec="milliseconds") + "Z"


class Story:
    """A job in its second session: one file whole, one failed, one that moves, and 10,000 bytes lost on the way."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.job = world.result(world.central.submit("Aspera.IScpTransfer", ORDER)).id
        world.settle()
        world.fails()
        world.advance(5)
        self.began = world.clock.seconds()
        self.session = world.session_id
        self._tell()

    def _tell(self) -> None:
        world = self.world
        world.says(
            M.SESSION,
            User="ingest",
            LocalIP="192.0.2.1",
            TCPPort=2222,
            Port=33009,
            Cipher="aes-192",
            Source="/reels/7",
            Destination="/data",
            Rate=50000,
            MinRate=70,
            Adaptive="Adaptive",
            Priority=2,
        )
        world.says(
            M.NOTIFICATION, PreTransferFiles=5, PreTransferDirs=2, PreTransferBytes=9000, RateInfo="steady"
        )
        world.says(M.START, File="/reels/7/a", Size=4000, StartByte=1000, FaspFileID=FILE_ID)
        world.clock.advance(2)
        world.says(
            M.STOP,
            File="/reels/7/a",
            Size=4000,
            StartByte=1000,
            Written=4000,
            FaspFileID=FILE_ID,
            FileChecksum="abcd",
            FileChecksumType="md5",
        )
        world.says(M.FILEERROR, File="/reels/7/b", Size=10, Code=5, Description="no permission")
        world.clock.advance(1)
        world.says(
            M.STATS,
            File="/reels/8",
            Size=5000,
            Written=2000,
            Bytescont=1500,
            TransferBytes=30000,
            FileBytes=6000,
            Loss=10000,
            Elapsedusec=3000000,
            Delay=42,
            Rate=50000,
        )
        world.clock.advance(1)
        world.says(M.STATS, File="/reels/8", Size=5000, Written=2000, Bytescont=1500, Elapsedusec=4000000)

    @property
    def filter(self) -> str:
        return f"<SessionUUID>{self.session}</SessionUUID>"


@pytest.fixture
def story(world: World) -> Story:
    return Story(world)


def test_every_field_of_a_session_info(story: Story) -> None:
    answer = ask(
        story.world,
        "fasp09",
        "GetSessionInfoRequest",
        f"<SessionFilter>{story.filter}</SessionFilter>",
    )
    (info,) = answer.iter("SessionInfo")
    assert texts(info) == {
        "UUID": story.session,
        "JobId": story.job,
        "Status": "running",
        "ErrorCode": "0",
        "ErrorDescription": "",
        "ExpectedFileCount": "5",
        "ExpectedDirCount": "2",
        "ExpectedByteCount": "9000",
        "FileCount": "3",
        "FilesComplete": "1",
        "FilesFailed": "1",
        "FilesTransferring": "1",
        "BytesWritten": "6000",
        "BytesTransferred": "30000",
        "BytesLost": "10000",
        "Elapsed": "4000000",
        "NetworkDelay": "42",
        "RateInfo": "steady",
        "StartDate": moment(story.began),
        "Cookie": "reel 7",
        "Direction": "incoming",
        "ServerEndpoint": "Remote",
        "ServerAddress": "far.example",
        "ServerSSHPort": "2222",
        "ServerFASPPort": "33009",
        "User": "ingest",
        "ClientEndpoint": "Local",
        "ClientAddress": "192.0.2.1",
        "ClientFASPPort": "33009",
        "RatePolicy": "fair",
        "TargetRate": "50000",
        "MinimumRate": "70",
        "BandwidthCap": "60000",
        "EncryptionCipher": "aes-192",
        "JobRetryCount": "1",
        "JobMaxRetries": "3",
        "PrivateKey": "mine",
        "SourcePath": "/reels/7",
        "DestinationPath": "/data",
    }


def test_an_ended_session_has_its_end_and_its_error(story: Story) -> None:
    story.world.fails(19, "no such user")
    answer = ask(
        story.world,
        "fasp09",
        "GetSessionInfoRequest",
        f"<SessionFilter>{story.filter}</SessionFilter>",
    )
    (info,) = answer.iter("SessionInfo")
    shown = texts(info)
    expected = {
        "Status": "error",
        "ErrorCode": "19",
        "ErrorDescription": "no such user",
        "EndDate": moment(story.world.clock.seconds()),
        "FilesFailed": "2",
        "FilesTransferring": "0",
    }
    assert {name: shown[name] for name in expected} == expected


def test_every_field_of_a_file_transfer_info(story: Story) -> None:
    answer = ask(
        story.world,
        "fasp09",
        "GetFileTransferInfoRequest",
        f"<FileTransferFilter>{story.filter}</FileTransferFilter>",
    )
    files = {shown["Path"]: shown for shown in map(texts, answer.iter("FileTransferInfo"))}
    assert len({shown["LocalId"] for shown in files.values()}) == len(files) == 3
    for shown in files.values():
        assert int(shown.pop("LocalId")) > 0
    began = story.began
    whole, failed, moving = files["/reels/7/a"], files["/reels/7/b"], files["/reels/8"]
    assert whole == {
        "SessionUUID": story.session,
        "Path": "/reels/7/a",
        "UUID": FILE_ID,
        "Status": "completed",
        "ErrorCode": "0",
        "ErrorDescription": "",
        "Size": "4000",
        "StartOffset": "1000",
        "BytesWritten": "4000",
        "BytesContiguous": "4000",
        "BytesLost": "0",
        "Elapsed": "2000000",
        "StartDate": moment(began),
        "EndDate": moment(began + 2),
        "Checksum": "abcd",
        "ChecksumType": "md5",
        "FileType": "file",
    }
    assert failed.pop("UUID") != moving.pop("UUID")
    assert failed == {
        "SessionUUID": story.session,
        "Path": "/reels/7/b",
        "Status": "error",
        "ErrorCode": "5",
        "ErrorDescription": "no permission",
        "Size": "10",
        "StartOffset": "0",
        "BytesWritten": "0",
        "BytesContiguous": "0",
        "BytesLost": "0",
        "Elapsed": "0",
        "StartDate": moment(began + 2),
        "EndDate": moment(began + 2),
        "FileType": "file",
    }
    assert moving == {
        "SessionUUID": story.session,
        "Path": "/reels/8",
        "Status": "running",
        "ErrorCode": "0",
        "ErrorDescription": "",
        "Size": "5000",
        "StartOffset": "0",
        "BytesWritten": "2000",
        "BytesContiguous": "1500",
        "BytesLost": "0",
        "Elapsed": "1000000",
        "StartDate": moment(began + 3),
        "FileType": "file",
    }


def test_every_field_of_a_session_in_the_older_service(story: Story) -> None:
    answer = ask(story.world, "fasp06", "QuerySessionRequest", f"<SessionID>{story.session}</SessionID>")
    (session,) = answer.iter("Session")
    assert texts(session) == {
        "SessionID": story.session,
        "ApplicationData/Token": "",
        "ApplicationData/Cookie": "reel 7",
        "Operation/Operation": "Pull",
        "Operation/SourcePath": "/reels/7",
        "Operation/DestinationPath": "/data",
        "Server/Endpoint": "Remote",
        "Server/Address": "far.example",
        "Server/SSHPort": "2222",
        "Server/FASPPort": "33009",
        "Server/User": "ingest",
        "Client/Endpoint": "Local",
        "Client/Address": "192.0.2.1",
        "Client/FASPPort": "33009",
        "RateParameters/Policy": "fair",
        "RateParameters/TargetRate": "50000",
        "RateParameters/MinimumRate": "70",
        "RateParameters/BandwidthCap": "60000",
        "SecurityParameters/EncryptionCipher": "aes-192",
        "Statistics/Aggregate/FileCount": "3",
        "Statistics/Aggregate/FilesComplete": "1",
        "Statistics/Aggregate/FilesFailed": "1",
        "Statistics/Aggregate/FilesTransferring": "1",
        "Statistics/Aggregate/BytesWritten": "6000",
        "Statistics/Aggregate/BytesTransferred": "30000",
        "Statistics/Aggregate/BytesLost": "10000",
        "Statistics/Aggregate/uSecondsElapsed": "4000000",
        "Statistics/File/Name": "/reels/8",
        "Statistics/File/Size": "5000",
        "Statistics/File/BytesWritten": "2000",
        "Statistics/File/BytesContiguous": "1500",
        "Statistics/File/BytesLost": "0",
        "Statistics/File/StartByte": "0",
        "Statistics/File/uSecondsElapsed": "1000000",
        "Statistics/File/ErrorCode": "0",
        "Statistics/File/ErrorDescription": "",
        "Statistics/Network/Delay": "42",
        "Statistics/Network/Efficiency": "0.75",
        "Error/Code": "0",
        "Error/Description": "",
    }


def test_every_field_of_a_job(story: Story) -> None:
    answer = ask(story.world, "iscp", "QueryJobRequest", f"<JobID>{story.job}</JobID>")
    (job,) = answer.iter("IScpTransfer")
    assert texts(job) == {
        "ID": story.job,
        "Order/Agent": "Acme.App",
        "Order/ApplicationData/Token": "",
        "Order/ApplicationData/Cookie": "reel 7",
        "Order/Operation": "Pull",
        "Order/RemoteLocation/System/Address": "far.example",
        "Order/RemoteLocation/System/Port": "2222",
        "Order/RemoteLocation/System/UserName": "ingest",
        "Order/RemoteLocation/System/Password": "",
        "Order/RemoteLocation/Authentication/Methods/Method": "Public Key",
        "Order/RemoteLocation/Authentication/KeyPath": "/keys/id",
        "Order/RemoteLocation/Files/Path": "/reels/7, /reels/8",
        "Order/LocalLocation/Files/Path": "/data",
        "Order/FileParameters/CreatePath": "true",
        "Order/FileParameters/ResumeCheck": "Full Checksum",
        "Order/LinkParameters/RemoteCapacity": "90000",
        "Order/LinkParameters/LocalCapacity": "80000",
        "Order/LinkParameters/AutoDetectCapacity": "false",
        "Order/ChannelParameters/Port": "33009",
        "Order/ChannelParameters/DatagramSize": "1400",
        "Order/ChannelParameters/AutoDetectPathMTU": "false",
        "Order/RateParameters/Policy": "Fair",
        "Order/RateParameters/TargetRate": "50000",
        "Order/RateParameters/TargetRateAsPercent": "false",
        "Order/RateParameters/MinimumRate": "70",
        "Order/RateParameters/MinimumRateAsPercent": "false",
        "Order/RateParameters/BandwidthCap": "60000",
        "Order/RateParameters/LockPolicy": "false",
        "Order/RateParameters/LockTargetRate": "false",
        "Order/RateParameters/LockMinimumRate": "true",
        "Order/SecurityParameters/EncryptionCipher": "AES-192",
        "Order/RetryParameters/Count": "3",
        "Order/RetryParameters/BaseInterval": "5",
        "Order/RetryParameters/MaximumInterval": "60",
        "Order/PrivateDataType/Key": "mine",
        "Status/SessionID": story.session,
        "Status/Statistics/Retry/FailedAttempts": "1",
    }
