# SPDX-License-Identifier: AGPL-3.0-or-later
"""TLS with a given certificate: versions, reload without a lost connection,
and clients that are known by a certificate of theirs."""
import os
import signal
import socket
import ssl
import subprocess
import threading

import pytest

import nfo as programs
import tlskit


@pytest.fixture
def ca(home):
    return tlskit.CA(home / "ca")


def start(nfo, ca, *more):
    """A server with TLS; its port is the kernel's choice."""
    nfo.pair = nfo.home / "server.pem", nfo.home / "server.key"
    tlskit.install(ca.server(), nfo.pair)
    nfo.serve("--tls-listen", "127.0.0.1:0", "--tls-cert", nfo.pair[0],
              "--tls-key", nfo.pair[1], *more)
    nfo.port = tlskit.listening(nfo)[0]
    nfo.token = (nfo.state / "server/token").read_text().strip()


@pytest.fixture
def tls(cold, ca):
    start(cold, ca)
    return cold


def ask(nfo, ca, path="/v1/whoami", cert=None, version=None, **headers):
    c = tlskit.connect(nfo.port, ca, cert, version)
    a = nfo.ask("GET", path, headers=headers, connection=c)
    c.close()
    return a


def bearer(nfo):
    return {"Authorization": f"Bearer {nfo.token}"}


def test_a_token_over_tls(tls, ca):
    a = ask(tls, ca, **bearer(tls))
    assert (a.status, a.json["name"]) == (200, "token:local")
    assert ask(tls, ca).status == 401


@pytest.mark.parametrize("version", (ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3))
def test_both_versions(tls, ca, version):
    assert ask(tls, ca, "/healthz", version=version).status == 200


@pytest.mark.parametrize("old", (ssl.TLSVersion.TLSv1,
                                 ssl.TLSVersion.TLSv1_1))
def test_no_older_one(tls, old):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.set_ciphers("ALL:@SECLEVEL=0")
    c.minimum_version = c.maximum_version = old
    with socket.create_connection(("127.0.0.1", tls.port)) as s, \
            pytest.raises((ssl.SSLError, ConnectionError)):
        c.wrap_socket(s)


def test_no_cipher_without_forward_secrecy(tls):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    c.set_ciphers("AES128-GCM-SHA256:AES256-GCM-SHA384")
    with socket.create_connection(("127.0.0.1", tls.port)) as s, \
            pytest.raises((ssl.SSLError, ConnectionError)):
        c.wrap_socket(s)


def test_any_host_that_the_certificate_has_but_no_foreign_origin(tls, ca):
    assert ask(tls, ca, Host="ci.example", **bearer(tls)).status == 200
    a = ask(tls, ca, Origin="https://evil.example", **bearer(tls))
    assert a.status == 403


def test_plain_http_on_the_tls_port_is_no_answer(tls):
    with socket.create_connection(("127.0.0.1", tls.port)) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        s.settimeout(programs.LIMIT)
        assert b"HTTP/1.1 200" not in s.recv(4096)


def test_curl_and_the_command_line(tls, ca):
    out = subprocess.run(
        ["curl", "-sS", "--cacert", ca.pem, "-H",
         f"Authorization: Bearer {tls.token}",
         f"https://localhost:{tls.port}/v1/whoami"],
        check=True, capture_output=True, timeout=programs.LIMIT).stdout
    assert b"token:local" in out
    tls.env |= {"NFO_TOKEN": tls.token, "NFO_CA": str(ca.pem),
                "NFO_SERVER": f"https://localhost:{tls.port}"}
    job = tls.write("j.yaml", "nfo: 1\nname: j\ntasks: "
                    "{ t: { run: echo over tls } }\n")
    assert "over tls" in tls("run", job).out


def test_the_unix_socket_is_there_too(tls):
    assert tls.get("/healthz").status == 200


# --- refused at the start ---------------------------------------------------

def refused(nfo, *options):
    p = nfo("serve", "--cgroups", "prefer", *options, code=None)
    assert p.code in (2, 4), p
    return p.err


def test_a_key_of_another_certificate(cold, ca):
    cert, _ = ca.server()
    _, key = ca.server("other")
    err = refused(cold, "--tls-listen", "127.0.0.1:0", "--tls-cert", cert,
                  "--tls-key", key)
    assert "certificate and key" in err


def test_a_key_that_others_may_read(cold, ca):
    cert, key = ca.server()
    key.chmod(0o644)
    err = refused(cold, "--tls-listen", "127.0.0.1:0", "--tls-cert", cert,
                  "--tls-key", key)
    assert "others may read it" in err


@pytest.mark.parametrize("options, text", (
    (("--tls-listen", "127.0.0.1:0"), "tls.cert and tls.key are needed"),
    (("--tls-cert", "/nowhere"), "go together"),
    (("--tls-listen", "127.0.0.1:0", "--tls-cert", "/nowhere", "--tls-key",
      "/nowhere"), "/nowhere"),
    (("--tls-client", "required"), "tls.client_ca is needed"),
    (("--tls-client", "maybe"), "optional"),
    (("--listen", "0.0.0.0:0"), "plain_listen_anywhere"),
    (("--listen", "[::]:0"), "plain_listen_anywhere"),
    (("--listen", "::1:0"), "[::1]:7070"),
))
def test_what_is_asked_wrongly(cold, options, text):
    assert text in refused(cold, *options)


def test_a_file_that_is_no_certificate(cold, ca):
    _, key = ca.server()
    err = refused(cold, "--tls-listen", "127.0.0.1:0", "--tls-cert",
                  cold.write("x.pem", "nothing\n"), "--tls-key", key)
    assert "certificate and key" in err


# --- reload -----------------------------------------------------------------

def hup(nfo, text):
    """Until the log has said so once more."""
    log = nfo.home / "serve.err"
    before = log.read_text().count(text)
    os.kill(nfo.monitor(), signal.SIGHUP)
    nfo.until(lambda: log.read_text().count(text) > before)


def serial(nfo, ca):
    with socket.create_connection(("127.0.0.1", nfo.port)) as s, \
            tlskit.context(ca).wrap_socket(s, server_hostname="localhost") \
            as t:
        return t.getpeercert()["serialNumber"]


def test_a_new_certificate_on_hup_and_no_lost_connection(tls, ca):
    first, server = serial(tls, ca), tls.role("server")
    old = tlskit.connect(tls.port, ca)
    assert tls.ask("GET", "/healthz", connection=old).status == 200
    held = old.sock
    tlskit.install(ca.server("second"), tls.pair)
    hup(tls, "a new certificate")
    assert serial(tls, ca) != first
    assert tls.ask("GET", "/healthz", connection=old).status == 200
    assert old.sock is held
    assert tls.role("server") == server
    old.close()


def test_a_bad_pair_is_refused_and_said(tls, ca):
    first = serial(tls, ca)
    tls.pair[0].write_bytes(ca.server("other")[0].read_bytes())
    hup(tls, "it stays as it was: certificate and key")
    assert serial(tls, ca) == first
    os.kill(tls.role("server"), signal.SIGKILL)  # also for the next server
    tls.until(lambda: "starting it again"
              in (tls.home / "serve.err").read_text())
    tls.until(lambda: tls.role("server") and tls.socket.exists())
    assert serial(tls, ca) == first


def test_a_missing_file_is_refused_and_said(tls, ca):
    first = serial(tls, ca)
    tls.pair[1].unlink()
    hup(tls, "it stays as it was: --tls-key")
    assert serial(tls, ca) == first


def test_reload_under_load(tls, ca):
    """Keep-alive clients ask all the time; certificates change under them."""
    stop, failures, asked = threading.Event(), [], []

    def client():
        c = tlskit.connect(tls.port, ca)
        n = 0
        try:
            c.connect()
            held = c.sock
            while not stop.is_set():
                a = tls.ask("GET", "/healthz", connection=c)
                if a.status != 200 or c.sock is not held:
                    failures.append(a)
                n += 1
        except OSError as e:
            failures.append(e)
        asked.append(n)
        c.close()

    threads = [threading.Thread(target=client) for _ in range(8)]
    for t in threads:
        t.start()
    for i in range(5):
        tlskit.install(ca.server(f"s{i}"), tls.pair)
        hup(tls, "a new certificate")
        assert ask(tls, ca, "/healthz").status == 200
    stop.set()
    for t in threads:
        t.join()
    assert not failures
    assert len(asked) == 8 and all(asked)


# --- clients' certificates --------------------------------------------------

def user(nfo, name, *certificates, role="developer"):
    a = nfo.ask("PUT", f"/v1/users/{name}", {"certificates": certificates})
    assert a.status in (200, 201), a
    if role:
        a = nfo.ask("PUT", f"/v1/roles/{name}",
                    {"role": role, "projects": ["*"],
                     "members": [f"user/{name}"]})
        assert a.status in (200, 201), a


@pytest.fixture
def clients(home):
    return tlskit.CA(home / "clients", "clients")


@pytest.mark.parametrize("version", (ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3))
@pytest.mark.parametrize("how", ("sha256", "cn", "dns", "email", "uri"))
def test_a_certificate_is_a_login(cold, ca, clients, how, version):
    start(cold, ca, "--tls-client-ca", clients.pem)
    cert = clients.sign(
        "ann", san="DNS:ann.example,email:ann@example.org,URI:spiffe://x/ann")
    user(cold, "ann", {
        "sha256": tlskit.fingerprint(cert[0]), "cn": "cn:ann",
        "dns": "dns:ann.example", "email": "email:ann@example.org",
        "uri": "uri:spiffe://x/ann"}[how])
    a = ask(cold, ca, cert=cert, version=version)
    assert (a.status, a.json["name"]) == (200, "user:ann"), a
    assert ask(cold, ca, "/v1/users", cert=cert).status == 403  # no admin
    assert ask(cold, ca).status == 401  # optional: without one, nobody
    assert ask(cold, ca, **bearer(cold)).json["name"] == "token:local"
    # where both are shown it is the token's
    both = ask(cold, ca, cert=cert, **bearer(cold))
    assert both.json["name"] == "token:local"


def test_a_certificate_of_nobody_is_403_with_its_name(cold, ca, clients):
    start(cold, ca, "--tls-client-ca", clients.pem)
    cert = clients.sign("bob")
    a = ask(cold, ca, cert=cert)
    assert a.status == 403
    assert tlskit.fingerprint(cert[0]) in a.json["detail"]


def test_two_users_of_one_certificate_are_nobody(cold, ca, clients):
    start(cold, ca, "--tls-client-ca", clients.pem)
    cert = clients.sign("ann")
    user(cold, "ann", "cn:ann")
    user(cold, "bob", "cn:ann")
    assert ask(cold, ca, cert=cert).status == 403


def test_a_disabled_or_changed_user_at_once(cold, ca, clients):
    start(cold, ca, "--tls-client-ca", clients.pem)
    cert = clients.sign("ann")
    user(cold, "ann", "cn:ann")
    c = tlskit.connect(cold.port, ca, cert)
    assert cold.ask("GET", "/v1/runs", connection=c).status == 200
    a = cold.ask("PUT", "/v1/users/ann", {"certificates": ["cn:other"]},
                 {"If-Match": "*"})
    assert a.status == 200
    assert cold.ask("GET", "/v1/runs", connection=c).status == 403
    c.close()


@pytest.mark.parametrize("version", (ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3))
def test_required_means_no_answer_without_one(cold, ca, clients, version):
    start(cold, ca, "--tls-client-ca", clients.pem, "--tls-client",
          "required")
    cert = clients.sign("ann")
    user(cold, "ann", "cn:ann")
    assert ask(cold, ca, cert=cert, version=version).status == 200
    with pytest.raises((ssl.SSLError, ConnectionError, OSError)):
        ask(cold, ca, "/healthz", version=version)


@pytest.mark.parametrize("what", ("other-ca", "self-signed", "server-usage",
                                  "expired"))
def test_a_bad_certificate_is_no_connection(cold, ca, clients, what):
    start(cold, ca, "--tls-client-ca", clients.pem)
    user(cold, "ann", "cn:ann")
    if what == "other-ca":
        cert = tlskit.CA(cold.home / "evil", "clients").sign("ann")
    elif what == "self-signed":
        mine = tlskit.CA(cold.home / "evil", "ann")
        cert = mine.pem, mine.key
    elif what == "expired":
        cert = clients.sign("ann", days=-1)
    else:
        cert = clients.sign("ann", usage="serverAuth")
    with pytest.raises((ssl.SSLError, ConnectionError, OSError)):
        ask(cold, ca, "/healthz", cert=cert)


def test_a_ca_that_went_takes_its_clients_with_it(cold, ca, clients):
    """Also those that are connected: the next request is refused."""
    cas = cold.home / "clients.pem"
    cas.write_bytes(clients.pem.read_bytes())
    start(cold, ca, "--tls-client-ca", cas)
    cert = clients.sign("ann")
    user(cold, "ann", "cn:ann")
    c = tlskit.connect(cold.port, ca, cert)
    assert cold.ask("GET", "/v1/runs", connection=c).status == 200
    other = tlskit.CA(cold.home / "others", "others")
    cas.write_bytes(other.pem.read_bytes())
    hup(cold, "a new certificate")
    assert cold.ask("GET", "/v1/runs", connection=c).status == 401
    c.close()
    cas.write_bytes(clients.pem.read_bytes() + other.pem.read_bytes())
    hup(cold, "a new certificate")
    assert ask(cold, ca, cert=cert).status == 200


@pytest.mark.parametrize("bad", (["ann"], ["sha256:12"], ["cn:"], "cn:ann",
                                 ["sha256:" + "A" * 64], [1]))
def test_what_no_certificate_of_a_user_is(nfo, bad):
    a = nfo.ask("PUT", "/v1/users/ann", {"certificates": bad})
    assert a.status == 422
