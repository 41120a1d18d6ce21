"""TLS is always verified, and never given up for plain text."""

import asyncio
import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hostile_server import hostile, ok

from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.fetch import connector
from pipelines.fetch.client import Fetcher
from pipelines.fetch.exchange import FetchError

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def certificate(names, issuer=None, valid=(-DAY, DAY)):
    """Return (certificate, key); self-signed and an authority without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternatives = [x509.DNSName(name) for name in names if name[0].isalpha()]
    alternatives += [x509.IPAddress(ipaddress.ip_address(name)) for name in names if not name[0].isalpha()]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + valid[0])
        .not_valid_after(NOW + valid[1])
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def served(folder, pair):
    certificate_, key = pair
    path = folder / "served.pem"
    none = serialization.NoEncryption()
    path.write_bytes(
        certificate_.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """An authority that this process trusts, as a system's owner would make it: by OpenSSL's own variable."""
    pair = certificate(["authority.example"])
    path = tmp_path / "authority.pem"
    path.write_bytes(pair[0].public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    connector._verified.cache_clear()  # settings are read once a process
    yield pair
    connector._verified.cache_clear()


def fetch(port, url="https://www.example/"):
    async def main():
        fetcher = Fetcher("corpusmill/0 (+https://c.example/)", CrawlLimits(), loopback_port=port)
        try:
            return await fetcher.fetch(url, max_bytes=100)
        except FetchError as error:
            return error
        finally:
            await fetcher.close()

    return asyncio.run(main())


def test_a_certificate_of_a_trusted_authority_is_accepted(tmp_path, authority):
    with hostile({"/": ok(b"hello")}, served(tmp_path, certificate(["www.example"], authority))) as server:
        exchange = fetch(server.port)
    assert (exchange.body, exchange.ip) == (b"hello", "127.0.0.1")
    assert server.heads[0].startswith(b"GET / HTTP/1.1\r\nHost: www.example\r\n")


@pytest.mark.parametrize(
    ("names", "trusted", "valid"),
    [
        pytest.param(["www.example"], False, (-DAY, DAY), id="self-signed"),
        pytest.param(["other.example"], True, (-DAY, DAY), id="of another host"),
        pytest.param(["www.example"], True, (-2 * DAY, -DAY), id="expired"),
        pytest.param(["www.example"], True, (DAY, 2 * DAY), id="not yet valid"),
        pytest.param(["127.0.0.1"], True, (-DAY, DAY), id="of the address"),
    ],
)
def test_no_request_is_sent_over_what_can_t_be_verified(tmp_path, authority, names, trusted, valid):
    pair = certificate(names, authority if trusted else None, valid)
    with hostile({"/": ok(b"hello")}, served(tmp_path, pair)) as server:
        error = fetch(server.port)
    assert isinstance(error, FetchError) and error.reason is FetchFailed.TLS_FAILED
    assert server.heads == []


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Plain text only\r\n\r\n", b"220 mail.example ESMTP\r\n"])
def test_a_server_without_tls_is_not_asked_again_without(greeting):
    with hostile({"/": ok(b"plain")}, greeting=greeting) as server:
        error = fetch(server.port)
        assert isinstance(error, FetchError) and error.reason is FetchFailed.TLS_FAILED
        assert (server.connections, server.heads) == (1, [])
