"""A throw-away certificate authority for test origins, and certificates for any names."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def _subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def new_key():
    """PEM of a key that no certificate is for."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


class TestAuthority:
    """Its files live in `directory`: `origin-ca.pem`, and a `.pem` with key a certificate."""

    __test__ = False  # not a test class, whatever its name

    def __init__(self, directory, name="Egret test origin CA"):
        self.directory = Path(directory)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._now = datetime.datetime.utcnow()
        self._certificate = (
            self._builder(_subject(name), self._key.public_key(), days=2)
            .issuer_name(_subject(name))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(self._ca_usage(), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = self.directory / "origin-ca.pem"
        self.ca_file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self._made = 0

    def certificate(self, *names, days=1, client=False):
        """A file with a server's certificate for exactly these names (or a client's), and its
        key."""
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(_subject("test origin"), key.public_key(), days)
            .issuer_name(self._certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([_alternative(n) for n in names]), critical=False
            )
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        self._made += 1
        path = self.directory / f"origin-{self._made}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + _pem(key))
        path.chmod(0o600)
        return path

    def server_context(self, *names, days=1):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate(*names, days=days))
        return context

    def _builder(self, subject, public_key, days):
        # `days` may be negative: a certificate that ran out yesterday.
        start = self._now - datetime.timedelta(days=2)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(self._now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        )

    @staticmethod
    def _ca_usage():
        off = dict.fromkeys(
            (
                "content_commitment key_encipherment data_encipherment key_agreement "
                "encipher_only decipher_only digital_signature"
            ).split(),
            False,
        )
        return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **off)


def client_context(ca_file):
    """Trusts only this file, as a client inside a sandbox trusts the bundle."""
    return ssl.create_default_context(cafile=str(ca_file))
