"""`origins.client_certs`: a certificate of the gate's for chosen origins, shown to nobody else."""

import json
import ssl

import pytest

from support.clients import curl, curl_status
from support.demo_config import demo_config
from support.origin import Origin
from support.pki import TestAuthority, new_key

API = "api.demo.test"
OTHER = "other.demo.test"


class AskingOrigin(Origin):
    """Asks each client for a certificate, and refuses those without one if `required`. Says in
    x-client who it was."""

    def __init__(self, authority, required=True):
        self.seen = []
        super().__init__(authority)
        self._context.load_verify_locations(str(authority.ca_file))
        self._context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL

    def _requests(self, sock, connection):
        self.seen.append((connection.sni, sock.getpeercert() or None))
        super()._requests(sock, connection)


@pytest.fixture
def files(authority, directory):
    """(certificate, key) in two files, as `egret` wants them."""
    both = authority.certificate("client.demo.test", client=True).read_text()
    at = both.index("-----BEGIN PRIVATE KEY-----")
    certificate, key = directory / "client.pem", directory / "client.key"
    certificate.write_text(both[:at])
    key.write_text(both[at:])
    key.chmod(0o600)
    return certificate, key


@pytest.fixture
def showing(authority, files):
    """showing(config, hosts) → the config whose gate shows the certificate to these hosts."""

    def config(made, hosts=(API,), key=None):
        entry = {"hosts": list(hosts), "cert": str(files[0]), "key": str(key or files[1])}
        made["origins"]["client_certs"] = [entry]
        return made

    return config


def names_of(certificate):
    return certificate and [value for kind, value in certificate["subjectAltName"]]


def test_an_origin_that_asks_for_a_certificate_gets_it(start_gate, authority, showing):
    with AskingOrigin(authority) as origin:
        gate = start_gate(showing(demo_config(authority, origin)))
        assert curl_status(gate, f"https://{API}/") == 200
        assert [(sni, names_of(who)) for sni, who in origin.seen] == [(API, ["client.demo.test"])]


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_other_origin_gets_it_even_if_it_asks(start_gate, authority, showing, tls):
    with AskingOrigin(authority, required=False) as origin:
        origin._context.maximum_version = tls
        gate = start_gate(showing(demo_config(authority, origin)))
        assert curl_status(gate, f"https://{OTHER}/") == 200
        assert curl_status(gate, f"https://{API}/") == 200
        assert [(sni, names_of(who)) for sni, who in origin.seen] == [
            (OTHER, None),
            (API, ["client.demo.test"]),
        ]


def test_without_one_for_its_host_such_an_origin_is_not_reached(start_gate, authority, showing):
    with AskingOrigin(authority) as origin:
        gate = start_gate(showing(demo_config(authority, origin), hosts=[OTHER]))
        done = curl(gate, f"https://{API}/", check=None)
        assert json.loads(done.stdout)["error"] == "gateway_error"
        assert origin.requests == []


def test_an_origin_that_does_not_prove_its_name_sees_no_certificate(
    start_gate, authority, showing, directory
):
    (directory / "evil").mkdir()
    evil = TestAuthority(directory / "evil", "Somebody")
    for tls in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with AskingOrigin(evil, required=False) as origin:
            origin._context.maximum_version = tls
            gate = start_gate(showing(demo_config(authority, origin)))
            done = curl(gate, f"https://{API}/", check=None)
            assert json.loads(done.stdout)["reason"] == "upstream_tls"
            origin.wait_for(lambda o: o.connections and o.connections[0].closed)
            assert origin.seen == []
            gate.stop()


def loose(key):
    key.chmod(0o640)
    return key


def linked(key):
    link = key.with_name("link.key")
    link.symlink_to(key)
    return link


def gone(key):
    return key.with_name("gone.key")


def strange(key):
    other = key.with_name("other.key")
    other.write_bytes(new_key())
    other.chmod(0o600)
    return other


BAD_KEYS = {
    loose: "other users may read or change it; run `chmod 600 ",
    linked: "is a symbolic link",
    gone: "cannot be opened: No such file",
    strange: "is not the key of the first certificate",
}


@pytest.mark.parametrize("spoil", BAD_KEYS)
def test_a_key_that_is_not_ours_alone_or_does_not_fit_stops_the_start(
    make_home, demo, showing, files, spoil
):
    key = spoil(files[1])
    home = make_home(showing(demo(), key=key))
    for done in (home.cli("serve", check=2), home.run("true", check=2)):
        assert f"origins.client_certs: {key}: {BAD_KEYS[spoil]}" in done.stderr
        assert "egret.yaml:" in done.stderr


def test_the_key_is_hidden_from_the_sandbox_wherever_it_lies(make_home, demo, showing, files):
    home = make_home()
    key = home.work / "client.key"
    key.write_text(files[1].read_text())
    key.chmod(0o600)
    home.has_config = True
    home.write_config(showing(demo(), key=key))
    done = home.run("cat", "client.key")
    assert "PRIVATE KEY" not in done.stdout, "the key is readable inside"
    assert "PRIVATE KEY" in key.read_text()
