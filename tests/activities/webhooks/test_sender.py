"""Attempts at a delivery, to a real server: signatures, checked addresses, and answers that are none."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import WebhookVerificationError

from activities.contracts.webhooks import EVENT_TYPES, TEST_EVENT
from activities.errors import DeliveryFailed
from activities.stores.catalog.webhooks.records import ToSend
from activities.webhooks import sender as sending
from activities.webhooks.addresses import Gate
from activities.webhooks.sender import Sender, new_secret
from tests.receiver import LOOPBACK, Receiver, receiving

SECRET = new_secret()
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver without TLS."""
    with receiving() as found:
        yield found


def message(url: str, *secrets: str) -> ToSend:
    """A message to this address."""
    return ToSend(
        event_id="0123", type="webhook.test", at=AT, data={"name": "年假.pdf"}, url=url, disabled=False,
        secrets=list(secrets or [SECRET]),
    )  # fmt: skip


def gate(*addresses: str, allowed: str = LOOPBACK) -> Gate:
    """Lets loopback through; names resolve to these addresses, one list after the other."""

    async def resolver(host: str, port: int) -> list[str]:
        return list(addresses) or ["127.0.0.1"]

    return Gate([ip_network(allowed)], resolver)


async def test_what_is_sent_verifies(receiver: Receiver) -> None:
    """By the library of Standard Webhooks; the host is the one of the address."""
    assert await Sender(gate()).send(message(f"http://hooks.test:{receiver.port}/hook?of=test")) == 204
    (sent,) = receiver.messages
    assert sent.path == "/hook?of=test"
    assert sent.headers["host"] == f"hooks.test:{receiver.port}"
    assert sent.id == "0123"
    assert sent.verified(SECRET) == {
        "type": "webhook.test", "timestamp": "2026-03-01T12:00:00Z", "data": {"name": "年假.pdf"},
    }  # fmt: skip
    with pytest.raises(WebhookVerificationError):
        sent.verified(new_secret())
    sent.body += b" "
    with pytest.raises(WebhookVerificationError):
        sent.verified(SECRET)


async def test_both_secrets_sign_after_a_rotation(receiver: Receiver) -> None:
    """A receiver that has the old or the new one finds a good signature."""
    old, new = new_secret(), new_secret()
    await Sender(gate()).send(message(receiver.url, new, old))
    assert receiver.messages[0].verified(old) == receiver.messages[0].verified(new)


async def test_an_address_is_checked_when_it_is_connected_to(receiver: Receiver) -> None:
    """A name that led elsewhere when the endpoint was added reaches nothing by now."""
    for found in ("127.0.0.1", "::ffff:127.0.0.1"):
        with pytest.raises(DeliveryFailed, match="no public"):
            await Sender(gate(found, allowed="10.0.0.0/8")).send(message(f"https://hooks.test:{receiver.port}/"))
    with pytest.raises(DeliveryFailed, match="no public"):
        await Sender(Gate()).send(message(receiver.url))
    assert not receiver.messages


async def test_a_redirect_is_an_answer(receiver: Receiver) -> None:
    """It is not followed."""
    with receiving() as elsewhere:
        receiver.statuses, receiver.location = [302], elsewhere.url
        assert await Sender(gate()).send(message(receiver.url)) == 302
        assert not elsewhere.messages


async def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could reach what is refused here."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await Sender(gate()).send(message(receiver.url)) == 204


async def test_the_next_address_is_tried(receiver: Receiver) -> None:
    """If nobody answers at the first."""
    url = f"http://hooks.test:{receiver.port}/"
    assert await Sender(gate("127.255.0.7", "127.0.0.1")).send(message(url)) == 204


async def test_a_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody there, nothing said, and what is not HTTP; no sentence has the address."""
    monkeypatch.setattr(sending, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DeliveryFailed, match="no answer within"):
            await Sender(gate()).send(message(f"http://hooks.test:{port}/token"))
    with pytest.raises(DeliveryFailed, match="no connection") as caught:
        await Sender(gate()).send(message(f"http://hooks.test:{port}/token"))
    assert "token" not in str(caught.value)
    assert "hooks.test" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    """A message in a log or a traceback has none."""
    assert SECRET not in repr(message("https://hooks.test/token"))
    assert "token" not in repr(message("https://hooks.test/token"))
    assert len(SECRET) <= 100
    assert SECRET.startswith("whsec_")


def test_every_type_is_described_to_receivers() -> None:
    """As a row of the table of types, and nothing else."""
    page = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()
    assert re.findall(r"^\| `([a-z.]+)` \|", page, re.M) == [*EVENT_TYPES, TEST_EVENT]


# --- TLS --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of hooks.test with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def test_tls_asks_for_the_name(certificate: Path) -> None:
    """The connection goes to the checked address, the certificate is that of the name; another's is refused."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    asked: list[str | None] = []
    serving.sni_callback = lambda _socket, name, _context: asked.append(name)
    with receiving(serving) as receiver:
        trusting = Sender(gate(), ssl.create_default_context(cafile=str(certificate)))
        assert await trusting.send(message(f"https://hooks.test:{receiver.port}/")) == 204
        assert asked == ["hooks.test"]
        with pytest.raises(DeliveryFailed, match="certificate"):
            await trusting.send(message(f"https://other.test:{receiver.port}/"))
        with pytest.raises(DeliveryFailed, match="certificate"):
            await Sender(gate()).send(message(f"https://hooks.test:{receiver.port}/"))
        assert len(receiver.messages) == 1
