"""What the log shows of messages: a line each at -DD, whole bodies at -DDD, secrets never."""

from __future__ import annotations

import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.logs import BODIES, MESSAGES
from asperacentral.soap.masking import loggable, masked
from asperacentral.soap.text import escape
from tests.soap.conftest import Server, enveloped
from tests.soap.contract import NAMESPACES

ORDER = (
    "<Order><Operation>Push</Operation><ApplicationData><Token>s3cret</Token><Cookie>shown</Cookie></ApplicationData>"
    "<RemoteLocation><System><UserName>me</UserName><Password>s3cret</Password></System></RemoteLocation>"
    "<FileParameters><Passphrase>s3cret</Passphrase></FileParameters></Order>"
)


def submit(definition: str) -> str:
    return enveloped(
        f'<m:SubmitRequest xmlns:m="{NAMESPACES["job"]}"><Type>Aspera.IScpTransfer</Type>'
        f"<Definition>{definition}</Definition></m:SubmitRequest>"
    )


FORMS = {
    "escaped": submit(escape(ORDER)),
    "CDATA": submit(f"<![CDATA[{ORDER}]]>"),
    "CDATA in pieces": submit(ORDER.replace("Pass", "Pa]]><![CDATA[ss").join(("<![CDATA[", "]]>"))),
    "decimal references": submit(escape(ORDER).replace("&lt;", "&#60;").replace("&gt;", "&#62;")),
    "references in names": submit(escape(ORDER).replace("Password", "Pass&#119;ord")),
    "a comment in a name": submit(escape(ORDER).replace("Password", "Pass<!-- -->word")),
    "with a prefix": submit(
        escape(re.sub(r"<(/?)", r"<\1p:", ORDER).replace("<p:Order>", "<p:Order xmlns:p='u'>"))
    ),
    "as child elements": submit(ORDER),
    "with a declaration": submit(escape('<?xml version="1.0" encoding="UTF-8"?>\n' + ORDER)),
    "a secret in CDATA": submit(escape(ORDER.replace("s3cret", "<![CDATA[</Password>s3cret]]>"))),
    "elements in a secret": submit(escape(ORDER.replace("s3cret", "a<b>s3cret</b>s3cret"))),
    "an order within an order": submit(escape(f"<Order><Cookie>{escape(ORDER)}</Cookie></Order>")),
    "an unfinished order": submit(escape(ORDER[:-8])),
    "an order that is not well-formed": submit(escape(ORDER.replace("</Token>", ""))),
    "an unfinished message": submit(escape(ORDER))[:-10],
    "other letters": submit(escape(ORDER.replace("Password", "PASSWORD").replace("Token", "token"))),
    "a DOCTYPE": "<!DOCTYPE x []>" + submit(escape(ORDER)),
    "a DOCTYPE in the order": submit(escape("<!DOCTYPE Order []>" + ORDER)),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_is_shown_however_it_is_written(form: str) -> None:
    shown = masked(FORMS[form])
    assert "s3cret" not in shown
    assert "SubmitRequest" in shown


def test_all_but_the_secrets_is_shown() -> None:
    shown = masked(FORMS["escaped"])
    for kept in ("Aspera.IScpTransfer", "shown", "me", "Push", "***"):
        assert kept in shown


def test_a_message_without_secrets_is_shown_as_it_came() -> None:
    message = submit(escape("<Order><Operation>Push</Operation><IterationToken>t</IterationToken></Order>"))
    assert masked(message) == message


def test_credentials_in_addresses_are_hidden() -> None:
    assert (
        masked("<a>http://me:s3cret@host/x@y dnat://s3cret@p</a>")
        == "<a>http://***@host/x@y dnat://***@p</a>"
    )


def test_nothing_can_forge_a_line_or_steer_a_terminal() -> None:
    assert loggable("<a>\r\n&#27;\t</a>\x1b[2J\x00\x85") == r"<a>\r\n&#27;	</a>\x1b[2J\x00\x85"


@given(st.text(), st.sampled_from(["Password", "Passphrase", "Token", "p:Password"]))
def test_any_secret_is_hidden(before: str, name: str) -> None:
    order = f"<Order xmlns:p='u'><Cookie>{escape(before)}</Cookie><{name}>s3cret</{name}></Order>"
    assert "s3cret" not in masked(submit(escape(order)))
    assert "s3cret" not in masked(submit(f"<![CDATA[{order}]]>"))


def test_a_message_is_one_line_at_level_dd(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(MESSAGES):
        server.request(FORMS["escaped"].encode())
        server.request(b"nonsense")
    first, second = [record.getMessage() for record in caplog.records if record.levelno == MESSAGES]
    assert re.fullmatch(
        r"Transfer-201210 SubmitRequest from 127\.0\.0\.1:\d+, \d+ bytes: 200, \d+ bytes, [\d.]+ ms", first
    )
    assert re.fullmatch(
        r"Transfer-201210 \? from 127\.0\.0\.1:\d+, 8 bytes: 500, \d+ bytes \(Client: .*\), [\d.]+ ms", second
    )


def test_bodies_are_in_the_log_at_level_ddd_only(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(MESSAGES):
        server.request(FORMS["escaped"].encode())
    assert "Envelope" not in caplog.text
    with caplog.at_level(BODIES):
        for form in FORMS.values():
            server.request(form.encode())
            server.request(form.encode("utf-16"), headers={"Content-Type": "text/xml; charset=utf-16"})
    assert "job-1" in caplog.text
    assert "UserName" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_body_that_cannot_be_decoded_is_told_by_its_reason(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(BODIES):
        server.request(b"<Password>s3cret\xff</Password>")
    assert "sent 28 bytes: [the message is not valid UTF-8]" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_message_nested_too_deep_to_be_written_again_is_not_shown() -> None:
    shown = masked("<a>" * 5000 + "<Token>s3cret</Token>" + "</a>" * 5000)
    assert shown == "[nested too deep to be shown]"


def test_credentials_of_the_transport_are_never_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.NOTSET + 1):
        server.request(FORMS["escaped"].encode(), headers={"Authorization": "Basic bm9kZTpwYXNz"})
    assert "bm9kZTpwYXNz" not in caplog.text


def test_an_unknown_message_cannot_write_into_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(BODIES):
        server.soap("<x&#10;y/>")
        server.soap(f"<{'ä' * 500}/>")
        server.soap(f'<m:SubmitRequest xmlns:m="{NAMESPACES["job"]}"><Ty\u0085pe/></m:SubmitRequest>')
    for record in caplog.records:
        assert not set("\n\r\x85") & set(record.getMessage())
        if record.levelno != BODIES:
            assert len(record.getMessage()) < 1000
