# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ways to log in, against a real server: what the double is taken for, and
what only the real one can say."""
import json
import pathlib
import types

import pytest

import real as servers
from api import Api
from fakebao.tls import Authority
from test_vault_login import JOB, PUBLIC, Vaulted, jwt


class Real(servers.Dev):
    """Dressed as the double, as far as Vaulted asks."""
    requests = ()

    def __init__(self, where, *more, scheme="http", ca_file=None):
        (port,) = servers.free_ports(1)
        self.address = f"{scheme}://127.0.0.1:{port}"
        self.process = servers.Process(
            [servers.program(), "server", "-dev", "-dev-no-store-token",
             "-dev-root-token-id=root", *more,
             f"-dev-listen-address=127.0.0.1:{port}"], where / "dev.log")
        if ca_file:
            servers.until(ca_file.exists)
        self.api = Api(self.address, "root", ca_file=ca_file)
        servers.until(lambda: self.api("GET", "sys/health").status == 200)

    def must(self, method, path, data=None, headers=None):
        said = self.api.must(method, path, data, **{
            k.replace("-", "_"): v for k, v in (headers or {}).items()})
        return said.json if said.body else None

    def policy(self, name, text):
        self.api.policy(name, text)

    def kv(self, mount, path, values):
        self.api.engine(mount, "kv", options={"version": "2"})
        servers.until(lambda: self.api(
            "POST", f"{mount}/data/{path}", {"data": values}).status == 200)

    def approle(self, name, policies, **role):
        if self.api("GET", "sys/auth/approle").status != 200:
            self.api.login("approle", "approle")
        at = f"auth/approle/role/{name}"
        self.must("POST", at, {"token_policies": policies, **role})
        return (self.must("GET", at + "/role-id")["data"]["role_id"],
                self.must("POST", at + "/secret-id")["data"]["secret_id"])

    def tokens(self):
        """Accessors of all but the root token's."""
        root = self.must("GET", "auth/token/lookup-self")["data"]["accessor"]
        said = self.must("LIST", "auth/token/accessors")
        return set(said["data"]["keys"]) - {root}


@pytest.fixture
def vault(cold):
    bao = Real(cold.home)
    it = Vaulted(cold, bao)
    yield it
    it.written_nowhere()
    cold.stop()
    bao.stop()


def eventually(vault):
    vault.nfo.until(lambda: vault.nfo.run(JOB)["state"] == "succeeded")


def test_approle_renewed_and_revoked(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"], token_ttl="4s",
                                           secret_id_num_uses=1)
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.run()
    (first,) = vault.bao.tokens()

    def renewed():
        said = vault.bao.must("POST", "auth/token/lookup-accessor",
                              {"accessor": first})["data"]
        return said.get("last_renewal_time")
    vault.nfo.until(renewed)
    vault.run()
    assert vault.bao.tokens() == {first}
    vault.nfo.stop()
    assert vault.bao.tokens() == set()


def test_at_its_longest_life_there_is_another(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"], token_ttl="4s",
                                           token_max_ttl="6s")
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.run()
    (first,) = vault.bao.tokens()
    vault.nfo.until(lambda: vault.bao.tokens() and
                    first not in vault.bao.tokens())
    vault.run()


def test_a_token_that_was_revoked(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"])
    vault.serve(auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    vault.run()
    (first,) = vault.bao.tokens()
    vault.bao.must("POST", "auth/token/revoke-accessor", {"accessor": first})
    eventually(vault)
    (second,) = vault.bao.tokens()
    assert second != first


def wrapped(vault, role="nfo"):
    return vault.bao.must("POST", f"auth/approle/role/{role}/secret-id", {},
                          {"X-Vault-Wrap-TTL": "300"})["wrap_info"]["token"]


def test_a_wrapped_secret_id(vault):
    role_id, _ = vault.bao.approle("nfo", ["jobs"])
    vault.bao.approle("other", ["jobs"])
    more = {"auth": "approle", "role_id": role_id, "auth_role": "nfo",
            "secret_id_wrapped": True}
    elsewhere = wrapped(vault, "other")
    vault.serve(**more, secret_id_file=vault.file("sid", elsewhere))
    vault.fails("auth/approle/role/other/secret-id", "somebody else's")
    # which was only looked at
    vault.bao.must("POST", "sys/wrapping/unwrap", {"token": elsewhere})
    vault.file("sid", wrapped(vault))
    eventually(vault)
    # the same file serves again, by what was in it
    (first,) = vault.bao.tokens()
    vault.bao.must("POST", "auth/token/revoke-accessor", {"accessor": first})
    eventually(vault)


def test_a_wrapping_that_somebody_opened(vault):
    role_id, _ = vault.bao.approle("nfo", ["jobs"])
    token = wrapped(vault)
    vault.bao.must("POST", "sys/wrapping/unwrap", {"token": token})
    vault.serve(auth="approle", role_id=role_id, auth_role="nfo",
                secret_id_wrapped=True, secret_id_file=vault.file("sid",
                                                                  token))
    vault.fails("was it used")


def test_jwt(vault):
    vault.bao.api.login("jwt", "jwt")
    vault.bao.must("POST", "auth/jwt/config",
                   {"jwt_validation_pubkeys": [PUBLIC]})
    vault.bao.must("POST", "auth/jwt/role/nfo", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["bao"],
        "bound_claims": {"team": "web"}, "token_policies": ["jobs"]})
    vault.serve(auth="jwt", auth_role="nfo",
                jwt_file=vault.file("jwt", jwt(team="ops"), 0o644))
    vault.fails("claim", "team")
    vault.file("jwt", jwt(team="web"), 0o644)
    eventually(vault)


def test_identity_of_each_attempt(vault):
    vault.bao.api.login("jwt", "jwt")
    vault.serve(auth="identity", auth_role="nfo", audience="bao")
    keys = vault.nfo.get("/.well-known/jwks.json").json["keys"]
    vault.bao.must("POST", "auth/jwt/config", {
        "jwt_validation_pubkeys": [pem_of(k) for k in keys]})
    vault.bao.must("POST", "auth/jwt/role/nfo", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["bao"],
        "bound_claims": {"nfo_project": "default"},
        "token_policies": ["jobs"]})
    vault.hide("nothing-else-is-hidden")
    vault.run()
    vault.run()
    # each with a login of its own, which has ended with it
    vault.nfo.until(lambda: vault.bao.tokens() == set())
    vault.bao.must("POST", "auth/jwt/role/nfo", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["bao"],
        "bound_claims": {"nfo_project": "elsewhere"},
        "token_policies": ["jobs"]})
    vault.fails("nfo_project")


def pem_of(jwk):
    from fakebao.jwt import from_jwk
    from cryptography.hazmat.primitives import serialization as ser
    return from_jwk(jwk).public_bytes(
        ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo).decode()


def test_certificate(cold):
    where = cold.home / "tls"
    where.mkdir()
    ca_file = where / "vault-ca.pem"
    bao = Real(cold.home, "-dev-tls", f"-dev-tls-cert-dir={where}",
               scheme="https", ca_file=ca_file)
    try:
        vault = Vaulted(cold, bao)
        ours = Authority(str(where), "ours")
        cert, key = ours.pair("nfo")
        bao.api.login("cert", "cert")
        bao.must("POST", "auth/cert/certs/nfo", {
            "certificate": pathlib.Path(ours.path).read_text(),
            "allowed_common_names": ["nfo"], "token_policies": ["jobs"]})
        vault.hide(pathlib.Path(key).read_text().splitlines()[1])
        vault.serve(auth="cert", auth_role="nfo", client_cert=cert,
                    client_key=key, ca_file=str(ca_file))
        vault.run()
        vault.written_nowhere()
        cold.stop()
        assert bao.tokens() == set()
    finally:
        bao.stop()


def test_a_check_of_a_real_one(vault):
    role_id, secret_id = vault.bao.approle("nfo", ["jobs"])
    vault.serve(name="default", auth="approle", role_id=role_id,
                secret_id_file=vault.file("sid", secret_id))
    a = vault.nfo.ask("PUT", "/v1/projects/default/jobs/j",
                      ("nfo: 1\nname: j\n" + JOB).encode(),
                      {"Content-Type": "application/yaml"})
    assert a.status == 201, a
    said = json.loads(vault.nfo("secret", "provider", "check", "default",
                                "--output", "json").out)
    steps = {s["step"]: types.SimpleNamespace(**s) for s in said["steps"]}
    assert steps["health"].text.startswith("unsealed, active, version")
    assert "jobs" in steps["token"].text
    assert steps["path kv/app"].text == "may read kv/data/app"
