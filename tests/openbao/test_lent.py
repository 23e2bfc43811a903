# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the real server lends to jobs: a login to a real PostgreSQL, a
certificate that a real sshd takes, one that openssl verifies; all of it is given
back, also when everything is killed in the middle."""
import glob
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess

import pytest

import nfo as programs
import pg
from api import Api
from real import Dev, free_ports, until

RIGHTS = """
path "database/creds/*" { capabilities = ["read"] }
path "ssh/sign/*" { capabilities = ["update"] }
path "pki/sign/*" { capabilities = ["update"] }
path "transit/decrypt/*" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"""

POLICY = """policy: test
rules:
  - name: all
    projects: ["*"]
    submitters: ["*"]
    allow:
      profiles: [default, net]
      networks: [none, host]
      secrets: ["vault:**"]
      keep_leases: true
      deliver: [file]
"""

MAKE = ("CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' "
        "VALID UNTIL '{{expiration}}'")

DB = "{ vault: database/creds/app, kind: read }"


def psql():
    """The program itself, not Debian's wrapper."""
    return sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))[-1]


@pytest.fixture(scope="module")
def postgres(place):
    where = place / "pg"
    where.mkdir()
    place.chmod(0o755)
    it = pg.Postgres(where)
    yield it
    it.stop()


@pytest.fixture(scope="module")
def dev(place):
    where = place / "lent"
    where.mkdir()
    it = Dev(where)
    yield it
    it.stop()


@pytest.fixture(scope="module")
def lender(dev, postgres):
    """The real server with engines that lend."""
    api = Api(dev.address, dev.root_token)

    must = api.must
    for engine in ("database", "ssh", "pki", "transit"):
        must("POST", f"sys/mounts/{engine}", {"type": engine})
    must("POST", "database/config/pg", {
        "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
        "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:"
                          f"{postgres.port}/postgres?sslmode=disable",
        "username": "admin", "password": "admin"})
    for role, ttl, longest in (("app", "1h", "2h"), ("short", "5s", "1h"),
                               ("brief", "3s", "6s")):
        must("POST", f"database/roles/{role}", {
            "db_name": "pg", "creation_statements": [MAKE],
            "default_ttl": ttl, "max_ttl": longest})
    must("POST", "ssh/config/ca", {"generate_signing_key": True,
                                   "key_type": "ed25519"})
    must("POST", "ssh/roles/deploy", {
        "key_type": "ca", "allow_user_certificates": True,
        "allowed_users": "*", "ttl": "10m", "max_ttl": "1h",
        "allowed_extensions": "permit-pty",
        "default_extensions": {"permit-pty": ""}})
    must("POST", "pki/root/generate/internal", {
        "common_name": "root.example", "ttl": "24h"})
    must("POST", "pki/roles/web", {
        "allowed_domains": "example", "allow_subdomains": True,
        "max_ttl": "1h", "key_type": "any"})
    must("PUT", "sys/policies/acl/lent", {"policy": RIGHTS})
    must("POST", "sys/auth/approle", {"type": "approle"})
    must("POST", "auth/approle/role/nfo", {
        "token_policies": ["lent"], "token_ttl": "1h"})
    return api


def open_leases(api, prefix="database/creds"):
    """Ids below the prefix, as the server has them."""
    a = api("LIST", f"sys/leases/lookup/{prefix}/")
    if a.status == 404:
        return []
    found = []
    for key in a.json["data"]["keys"]:
        found += open_leases(api, f"{prefix}/{key[:-1]}") \
            if key.endswith("/") else [f"{prefix}/{key}"]
    return found


def token(api):
    return {"auth": "token"}, {"token_file": api.must(
        "POST", "auth/token/create", {"policies": ["lent"]}
    ).json["auth"]["client_token"]}


def approle(api):
    role = api.must("GET", "auth/approle/role/nfo/role-id")
    secret = api.must("POST", "auth/approle/role/nfo/secret-id", {})
    return {"auth": "approle", "role_id": role.data["role_id"]}, \
        {"secret_id_file": secret.data["secret_id"]}


LOGINS = {"token": token, "approle": approle}


def serve(nfo):
    nfo.serve("--policy", "policies", "--config", str(nfo.home /
                                                      "server.yaml"))


@pytest.fixture(params=LOGINS)
def vault(request, cold, lender):
    given, files = LOGINS[request.param](lender)
    for name, text in files.items():
        path = cold.write(name, text)
        path.chmod(0o600)
        given[name] = str(path)
    cold.write("policies/test.yaml", POLICY)
    cold.write("server.yaml", json.dumps({"secret_providers": [
        {"address": lender.address, **given}]}))
    serve(cold)
    cold.lender = lender
    return cold


def job(secrets, script, extra=""):
    body = "\n".join("      " + line for line in script.splitlines())
    declared = "".join(f"  {n}: {d}\n" for n, d in secrets.items())
    return (f"secrets:\n{declared}tasks:\n  t:\n    run: |\n{body}\n"
            f"    secrets: [{', '.join(secrets)}]\n{extra}")


def start(nfo, secrets, script, extra=""):
    """Its run, with the task's first word heard."""
    a = nfo.submit("nfo: 1\nname: test\n" +
                   job(secrets, "echo begun\n" + script, extra))
    assert a.status == 201, a
    log = f"/v1/runs/{a.json['id']}/tasks/t/log"
    nfo.until(lambda: b"begun" in nfo.get(log).body)
    return a.json


def none_left(nfo, postgres):
    until(lambda: not open_leases(nfo.lender) or None)
    until(lambda: not postgres.users() or None)


def test_a_login_is_used_and_gone(vault, postgres):
    run = vault.run(job(
        {"db": DB}, f"""export PGPASSWORD="$(cat $NFO_SECRETS/db/password)"
{psql()} -h 127.0.0.1 -p {postgres.port} -d postgres -At \\
    -U "$(cat $NFO_SECRETS/db/username)" -c "SELECT 6 * 7"
""", "    sandbox: { profile: net, network: host }\n"))
    assert run["state"] == "succeeded", (vault.fresh(run),
                                         vault.log(run, "t"))
    assert b"\n42\n" in b"\n" + vault.log(run, "t")
    none_left(vault, postgres)


@pytest.mark.parametrize("script,extra", [
    ("false", ""), ("sleep 60", "    timeout: 1s\n"), ("kill -9 $$", "")])
def test_gone_however_it_ends(vault, postgres, script, extra):
    run = vault.run(job({"db": DB}, script, extra))
    assert run["state"] == "failed" and run["kind"] != "secret", run
    none_left(vault, postgres)


def test_gone_after_a_cancel(vault, postgres):
    run = start(vault, {"db": DB}, "sleep 60")
    assert len(open_leases(vault.lender)) == 1
    assert vault.ask("POST", f"/v1/runs/{run['id']}/cancel").status == 202
    none_left(vault, postgres)


@pytest.mark.parametrize("who", ["runner", "keeper", "monitor", "all"])
def test_gone_after_a_kill(vault, postgres, who):
    run = start(vault, {"db": DB}, "sleep 3")
    lease, = open_leases(vault.lender)
    if who == "all":
        vault.stop(signal.SIGKILL)
    else:
        pid = vault.monitor() if who == "monitor" else vault.role(who)
        assert pid > 1
        killed = programs.Watched([pid])
        os.kill(pid, signal.SIGKILL)
        assert not killed.wait()
    if who in ("monitor", "all"):
        assert open_leases(vault.lender) == [lease]
        serve(vault)
    elif who == "keeper":
        # the server is a new one too
        until(lambda: vault.get("/v1/leases").json["items"])
        assert open_leases(vault.lender) == [lease]
        assert vault.ended(run)["state"] == "succeeded"
    none_left(vault, postgres)


def test_a_long_task_keeps_its_login(vault, postgres):
    run = start(vault, {"db": "{ vault: database/creds/short, kind: read }"},
                "sleep 9")
    lease = open_leases(vault.lender)
    assert len(lease) == 1
    assert vault.ended(run)["state"] == "succeeded"
    renewed = re.search(rb"not renewed", vault.log(run, "t"))
    assert not renewed
    none_left(vault, postgres)


def test_at_its_limit_it_is_read_anew(vault, postgres):
    run = start(vault, {"db": "{ vault: database/creds/brief, kind: read, "
                              "refresh: true }"},
                "cp $NFO_SECRETS/db/username old\n"
                "while cmp -s old $NFO_SECRETS/db/username; do sleep 0.1; "
                "done\ncat old $NFO_SECRETS/db/username; echo changed")
    assert vault.ended(run)["state"] == "succeeded"
    log = vault.log(run, "t")
    assert b"changed" in log and b"v-" not in log
    none_left(vault, postgres)


def test_gone_when_the_server_stops(vault, postgres):
    start(vault, {"db": DB}, "sleep 60")
    assert len(open_leases(vault.lender)) == 1
    vault.stop()
    assert open_leases(vault.lender) == []
    none_left(vault, postgres)


# --- certificates -----------------------------------------------------------

class Sshd:
    """One that trusts the CA alone, on loopback, as this user."""

    def __init__(self, where, ca):
        self.where = where
        (self.port,) = free_ports(1)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        where / "host"], check=True)
        (where / "ca.pub").write_text(ca)
        (where / "config").write_text(f"""
Port {self.port}
ListenAddress 127.0.0.1
HostKey {where}/host
TrustedUserCAKeys {where}/ca.pub
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
PermitRootLogin prohibit-password
""")
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True) \
            if os.geteuid() == 0 else None
        self.log = open(where / "log", "wb")
        self.process = subprocess.Popen(
            [sshd_program(), "-D", "-e", "-f", where / "config"],
            stderr=self.log)
        until(lambda: socket.create_connection(("127.0.0.1", self.port), 1))

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


SSHD = ("/usr/sbin/sshd",
        str(programs.TOP / "build/share/openssh/usr/sbin/sshd"))


def sshd_program():
    for path in SSHD:
        if os.access(path, os.X_OK) and subprocess.run(
                [path, "-V"], capture_output=True).returncode != 127:
            return path
    pytest.skip("no sshd (./check unpacks Debian's)")


@pytest.fixture
def sshd(home, lender):
    ca = lender.must("GET", "ssh/config/ca").data["public_key"]
    it = Sshd(home, ca)
    yield it
    it.stop()


def test_sshd_takes_the_certificate(vault, sshd):
    me = pwd.getpwuid(os.geteuid()).pw_name
    run = vault.run(job({
        "login": "{ vault: ssh/sign/deploy, kind: ssh-cert, ttl: 5m, params: "
                 f"{{ valid_principals: {me} }} }}"},
        "cd $NFO_SECRETS/login\n"
        "ssh-keygen -L -f cert.pub\n"
        "HOME=$NFO_WORKSPACE ssh -F none -p " + f"{sshd.port} "
        "-o BatchMode=yes -o StrictHostKeyChecking=no "
        "-o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes "
        "-i key -o CertificateFile=cert.pub "
        f"{me}@127.0.0.1 'echo in as $(id -un)'", "    sandbox: { profile: net, network: host }\n"))
    assert run["state"] == "succeeded", (
        vault.fresh(run), vault.log(run, "t"),
        (sshd.where / "log").read_text())
    assert f"in as {me}".encode() in vault.log(run, "t")


def test_openssl_verifies_the_chain(vault):
    run = vault.run(job({
        "web": "{ vault: pki/sign/web, kind: pki, ttl: 10m, params: "
               "{ common_name: a.example, alt_names: b.example } }"},
        "cd $NFO_SECRETS/web\n"
        "openssl verify -CAfile chain.pem cert.pem\n"
        "openssl x509 -in cert.pem -noout -ext subjectAltName\n"
        "openssl x509 -in cert.pem -noout -pubkey > $NFO_WORKSPACE/a\n"
        "openssl pkey -in key.pem -pubout > $NFO_WORKSPACE/b\n"
        "cmp $NFO_WORKSPACE/a $NFO_WORKSPACE/b && echo same"))
    log = vault.log(run, "t")
    assert run["state"] == "succeeded", (vault.fresh(run), log)
    assert b"cert.pem: OK" in log and b"same" in log
    assert b"DNS:b.example" in log


def test_transit_decrypts(vault):
    api = vault.lender
    api.must("POST", "transit/keys/k", {})
    sealed = api.must("POST", "transit/encrypt/k",
                      {"plaintext": "Y29ycmVjdCBob3JzZQ=="})
    run = vault.run(job({
        "x": "{ vault: transit/decrypt/k, kind: read, field: plaintext, "
             f"params: {{ ciphertext: {sealed.data['ciphertext']} }} }}"},
        "base64 -d < $NFO_SECRETS/x | wc -c"))
    assert run["state"] == "succeeded", vault.fresh(run)
    assert b"13\n" in vault.log(run, "t")


def test_a_wrapped_answer_is_unwrapped(vault, postgres):
    run = vault.run(job({"db": "{ vault: database/creds/app, kind: read, "
                               "params: { wrap_ttl: 60s } }"},
                        "test -s $NFO_SECRETS/db/password"))
    assert run["state"] == "succeeded", vault.fresh(run)
    none_left(vault, postgres)
