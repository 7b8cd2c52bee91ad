"""TLS as openssl s_client sees it through CONNECT: the leaf, the chain, the alerts."""

import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "api.demo.test"


def s_client(gate, *flags, target=f"{HOST}:443", sends=b""):
    host, port = gate.address()
    return subprocess.run(
        ["openssl", "s_client", "-proxy", f"{host}:{port}", "-connect", target,
         "-CAfile", gate.ca_file(), *flags],
        input=sends, capture_output=True, timeout=30,
    )  # fmt: skip


def leaf_of(done):
    pem = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", done.stdout, re.S)
    assert pem, done.stderr.decode()
    return x509.load_pem_x509_certificate(pem.group(0))


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_the_leaf_names_exactly_the_host_and_verifies(gate, version):
    done = s_client(gate, "-servername", HOST, "-verify_hostname", HOST, version)
    assert b"Verify return code: 0 (ok)" in done.stdout
    leaf = leaf_of(done)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    assert names.get_values_for_type(x509.IPAddress) == []
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (leaf.not_valid_after - leaf.not_valid_before).days <= 8


@pytest.mark.parametrize("name", ["evil.example", "other.demo.test", "API.demo.test.evil.example"])
def test_another_name_in_the_hello_is_refused_with_unrecognized_name(gate, origin, name):
    done = s_client(gate, "-servername", name)
    assert done.returncode != 0
    assert b"alert number 112" in done.stderr, done.stderr.decode()
    gate.audit.wait_for(event="connection", decision="deny", reason="sni_mismatch")
    origin.assert_untouched()


def test_the_name_in_the_hello_is_compared_without_regard_to_case(gate):
    done = s_client(gate, "-servername", HOST.upper(), sends=b"")
    assert leaf_of(done)


def test_no_name_in_the_hello_is_refused_or_means_the_tunnels_host(gate):
    """Inside CONNECT the host is known; a leaf may be given, but only for that host."""
    done = s_client(gate, "-noservername")
    if b"BEGIN CERTIFICATE" in done.stdout:
        names = leaf_of(done).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [HOST]
    else:
        assert b"alert number 112" in done.stderr
        gate.audit.wait_for(event="connection", decision="deny", reason="sni_missing")


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_of_tls_are_refused(gate, version):
    done = s_client(gate, "-servername", HOST, version, "-cipher", "ALL:@SECLEVEL=0")
    assert done.returncode != 0
    assert b"BEGIN CERTIFICATE" not in done.stdout


def test_only_http_1_1_is_negotiated_for_now(gate):
    done = s_client(gate, "-servername", HOST, "-alpn", "http/1.1")
    assert b"ALPN protocol: http/1.1" in done.stdout


def test_what_is_not_tls_inside_a_tunnel_to_443_is_closed_and_recorded(gate, origin):
    from support import raw_client
    from support.gate import refused

    stream, response = raw_client.connect(gate.address(), f"{HOST}:443")
    with stream:
        assert response.status == 200
        stream.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        left = []
        refused(lambda: left.append(stream.read_to_end()))
        assert b"SSH-2.0" not in b"".join(left)
    gate.audit.wait_for(decision="deny", reason="not_tls")
    origin.assert_untouched()


def test_each_sandbox_has_a_ca_of_its_own(gate):
    web, other = gate.ca_file("web"), gate.ca_file("other")
    host, port = gate.address("other")
    done = subprocess.run(
        ["openssl", "s_client", "-proxy", f"{host}:{port}", "-connect", f"{HOST}:443",
         "-servername", HOST, "-CAfile", web, "-verify_return_error"],
        input=b"", capture_output=True, timeout=30,
    )  # fmt: skip
    assert web != other and b"Verify return code: 0" not in done.stdout
