"""Notifications to real servers: as asked for, in order, at least once, until they are taken."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.observers import observer as observers
from tests.observers.observer import Observer, answer, closed_port
from tests.observers.teller import Teller, event, subscription


def names(count: int) -> list[str]:
    return [f"e{number}" for number in range(count)]


def test_a_notification_is_a_soap_post_with_the_observers_own_action(teller: Teller) -> None:
    with Observer() as observer:
        teller.tell("e", to=observer.address)
        observer.wait_for_posts(1)
    (post,) = observer.posts
    assert (post.line, post.body) == ("POST /observer HTTP/1.1", "e")
    assert post.headers["soapaction"] == '"Urn#Action"'
    assert post.headers["content-type"] == "text/xml;charset=UTF-8"
    assert post.headers["content-length"] == "1"
    assert post.headers["host"] == f"127.0.0.1:{observer.port}"
    assert "transfer-encoding" not in post.headers
    assert "expect" not in post.headers


def test_an_action_cannot_add_a_header(teller: Teller) -> None:
    with Observer() as observer:
        evil = subscription(observer.address, action='a"\r\nX-Evil: 1\r\n\r\nGET / HTTP/1.1\x00')
        teller.write(event("e"), to=[evil])
        observer.wait_for_posts(1)
    assert observer.posts[0].headers["soapaction"] == '"aX-Evil: 1GET / HTTP/1.1"'
    assert len(observer.posts) == 1


def test_events_arrive_in_order_each_once_over_few_connections(teller: Teller) -> None:
    with Observer() as observer:
        teller.tell(*names(120), to=observer.address)
        teller.tell("last", to=observer.address)
        assert observer.wait_for_body("last") == [*names(120), "last"]
    assert observer.connections <= 2


def test_whoever_wakes_the_notifier_need_not_wait_for_its_next_look(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asperacentral.observers.sender.POLL_INTERVAL", 3600.0)
    with Observer() as observer:
        for name in names(3):
            teller.tell(name, to=observer.address)
            observer.wait_for_body(name)


def test_what_was_committed_is_found_without_being_woken(teller: Teller) -> None:
    with Observer() as observer:
        teller.write(event("e"), to=[subscription(observer.address)])
        assert observer.wait_for_posts(1) == ["e"]


@pytest.mark.parametrize(
    "trouble",
    [
        answer(500),
        answer(500, "<Fault/>"),
        answer(404),
        answer(204 + 96),
        observers.soap_fault,
        observers.dying_in_the_answer,
        observers.hanging_up,
        observers.talking_no_http,
        observers.talking_without_end,
    ],
    ids=lambda trouble: trouble.__name__,
)
def test_what_was_not_taken_is_told_again_before_anything_later(
    teller: Teller, trouble: observers.Answer
) -> None:
    with Observer([observers.good, trouble, trouble]) as observer:
        teller.tell("a", "b", "c", to=observer.address)
        assert observer.wait_for_body("c") == ["a", "b", "b", "b", "c"]


@pytest.mark.usefixtures("short_timeout")
@pytest.mark.parametrize("trouble", [observers.hanging, observers.hanging_in_the_answer])
def test_an_observer_that_hangs_counts_as_not_having_taken_it(
    teller: Teller, trouble: observers.Answer
) -> None:
    with Observer([observers.good, trouble]) as observer:
        teller.tell("a", "b", "c", to=observer.address)
        assert observer.wait_for_body("c") == ["a", "b", "b", "c"]


@pytest.mark.parametrize("success", [answer(202), answer(204), observers.answering_like_old_servers])
def test_every_kind_of_success_counts(teller: Teller, success: observers.Answer) -> None:
    with Observer([success]) as observer:
        teller.tell("a", "b", to=observer.address)
        assert observer.wait_for_body("b") == ["a", "b"]


def test_an_observer_that_refuses_connections_is_told_all_when_it_is_back(teller: Teller) -> None:
    port = closed_port()
    teller.tell(*names(5), to=f"http://127.0.0.1:{port}/observer")
    with Observer(port=port) as observer:
        assert observer.wait_for_posts(5) == names(5)


def test_redirects_are_not_followed(teller: Teller) -> None:
    with Observer() as elsewhere, Observer([answer(307, "", f"Location: {elsewhere.address}")]) as observer:
        teller.tell("e", to=observer.address)
        assert observer.wait_for_posts(2) == ["e", "e"]
    assert elsewhere.connections == 0


def test_no_more_of_an_answer_is_read_than_the_limit(teller: Teller) -> None:
    with Observer([observers.talking_without_end]) as observer:
        teller.tell("e", to=observer.address)
        observer.wait_for_posts(2)
    # What the two sockets' buffers hold is on its way before anybody can object.
    assert observer.said < 20_000_000


def test_a_slow_observer_is_told_one_thing_at_a_time(teller: Teller) -> None:
    gate = observers.Gate()
    with Observer([gate]) as observer:
        teller.tell("a", "b", to=observer.address)
        observer.wait_for_posts(1)
        teller.tell("c", to=observer.address)
        assert observer.bodies == ["a"]
        gate.open()
        assert observer.wait_for_posts(3) == ["a", "b", "c"]


def test_an_ipv6_observer_is_reached(teller: Teller) -> None:
    try:
        observer = Observer(host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with observer:
        teller.tell("e", to=observer.address)
        assert observer.wait_for_posts(1) == ["e"]


@pytest.fixture
def certificate(tmp_path: Path, teller: Teller, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for 127.0.0.1 and localhost that vouches for itself, with its key, in one file."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "observer")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "observer.pem"
    encoding = serialization.Encoding.PEM
    kind = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(encoding, kind, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(encoding))
    # Twisted's TLS asks the process's one reactor for the time; ours is another.
    clock = teller.thread.reactor
    monkeypatch.setattr("twisted.protocols.tls._get_default_clock", lambda: clock, raising=False)
    return path


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_an_https_observer_with_a_trusted_certificate_is_told(
    teller: Teller, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Observer(tls=tls(certificate)) as observer:
        teller.tell("e", to=observer.address)
        assert observer.wait_for_posts(1) == ["e"]


def test_an_https_observer_with_an_untrusted_certificate_is_told_nothing(
    teller: Teller, certificate: Path
) -> None:
    with Observer(tls=tls(certificate)) as observer:
        teller.tell("e", to=observer.address)
        observer.wait_for(lambda: observer.connections >= 3)
    assert observer.posts == []
    assert teller.waiting(observer.address) == ["e"]
