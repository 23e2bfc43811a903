# SPDX-License-Identifier: AGPL-3.0-or-later
"""The same requests to the double and to the real server get the same bytes,
but for what is random or a time: the order of keys is compared, too."""
import json
import re
import time

import pytest
from cryptography.hazmat.primitives import serialization as ser

import provider
import real as servers
from api import Api


class Key(provider.Key):
    def pem(self):
        return self.key.public_key().public_bytes(
            ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo).decode()


GOOD, OTHER = Key("one"), Key("two")

# name of what varies -> what stands for it
VARIES = [
    (r'"[sb]\.[A-Za-z0-9_-]{20,}(\.\w{6})?"', '"<token>"'),
    (r'"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"', '"<uuid>"'),
    (r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"', '"<time>"'),
    (r'accessor":"[a-z]+_[a-z0-9]{8}"', 'accessor":"<accessor>"'),
    (r'accessor":"[A-Za-z0-9]{24}(\.\w{6})?"', 'accessor":"<accessor>"'),
    (r'"id":"\w{6}"', '"id":"<id>"'),
    (r'"keys":\["\w{24}"\]', '"keys":["<id>"]'),
    (r'(failed to parse policy: ).*"', r'\1<why>"'),
    (r'"(creation_time|server_time_utc|expiration|revocation_time|not_before)":\d+',
     r'"\1":<seconds>'),
    (r'(/[a-z-]+/)[A-Za-z0-9]{24}"', r'\1<id>"'),
    (r'"(running_plugin_)?version":"[^"]*"', r'"\1version":"<version>"'),
    (r'"(username|password|secret_id|role_id)":"[^"]*"', r'"\1":"<made>"'),
    (r"(\"keys\":){[^}]*:1\d{9}}", r"\1<keys>"),
    (r'vault:v(\d):[A-Za-z0-9+/=]+', r'vault:v\1:<ciphertext>'),
    (r'vault-cluster-[0-9a-z]{8}', 'vault-cluster-<id>'),
    (r'"-----BEGIN [^"]*"', '"<pem>"'),
    (r'"([0-9a-f]{2}:){7,}[0-9a-f]{2}"', '"<serial>"'),
    (r'"serial_number":"[0-9a-f]{8,}"', '"serial_number":"<serial>"'),
    (r'"(ssh-[a-z0-9-]+(@openssh\.com)?) [^"]*"', r'"\1 <key>"'),
    (r'"(ttl|lease_duration)":(3599|3600)\b', r'"\1":<hour>'),
    (r'"ttl":27647(99|98)\b', '"ttl":2764800'),
]


def plain(said, path):
    text = said.body.decode()
    if path.startswith("sys/") and text:  # Go's order of a map is random
        text = json.dumps(said.json, sort_keys=True, separators=(",", ":"))
    for pattern, to in VARIES:
        text = re.sub(pattern, to, text)
    return f"{said.status} {said.headers.get('content-type')} " \
        f"{said.headers.get('cache-control')} {text}"


class Tape:
    """Asks, and keeps what was asked and said."""

    def __init__(self, api):
        self.api, self.kept = api, []

    def __call__(self, method, path, data=None, token=None, **headers):
        said = self.api(method, path, data, token, **headers)
        sent = ", ".join(data) if isinstance(data, dict) else data
        if path.startswith("pki/roles/"):  # the double shows what was given
            said = said._replace(body=b"")
        self.kept.append(f"{method} {path} {sent}\n  " + plain(said, path))
        return said


def kv(ask):
    ask("POST", "sys/mounts/k2", {"type": "kv", "options": {"version": "2"}})
    for data in ({"data": {"a": "<&>", "n": 1, "o": {"z": None, "b": [1.5]}}},
                 {"data": {}, "options": {"cas": 0}}, {},
                 {"data": "x"}, {"data": {"b": "c"}, "options": {"cas": 1}}):
        ask("POST", "k2/data/a/b", data)
    for path in ("k2/data/a/b", "k2/data/a/b?version=1", "k2/data/a/b?version=9",
                 "k2/data/none", "k2/a/b", "k2/data", "k2/metadata/a/b",
                 "k2/metadata/none", "none/x", "k2/data/a/b?list=maybe"):
        ask("GET", path)
    for path in ("k2/metadata", "k2/metadata/a", "k2/metadata/none",
                 "k2/data/a", "k2/metadata/a/"):
        ask("LIST", path)
        ask("GET", path + "?list=true")
    ask("PATCH", "k2/data/a/b", {"data": {"b": None}})
    ask("PATCH", "k2/data/a/b", {"data": {"b": None, "z": 1}},
        Content_Type="application/merge-patch+json")
    ask("GET", "k2/data/a/b")
    ask("DELETE", "k2/data/a/b")
    ask("GET", "k2/data/a/b")
    ask("POST", "k2/undelete/a/b", {"versions": [3]})
    ask("GET", "k2/data/a/b")
    ask("POST", "k2/delete/a/b", {"versions": [1]})
    ask("GET", "k2/data/a/b?version=1")
    ask("POST", "k2/destroy/a/b", {"versions": [2]})
    ask("GET", "k2/data/a/b?version=2")
    ask("POST", "k2/delete/a/b", {})
    ask("GET", "k2/metadata/a/b")
    ask("POST", "k2/metadata/a/b", {"custom_metadata": {"x": "y"}})
    ask("GET", "k2/data/a/b")
    ask("DELETE", "k2/metadata/a/b")
    ask("GET", "k2/data/a/b")
    ask("POST", "sys/mounts/k1", {"type": "kv", "options": {"version": "1"}})
    ask("POST", "k1/a", {"x": "y", "n": 12345678901234567890})
    ask("GET", "k1/a")
    ask("POST", "k1/t", {"x": "y", "ttl": "1h"})
    ask("GET", "k1/t")
    ask("POST", "k1/e", {})
    ask("GET", "k1/none")
    ask("LIST", "k1/")
    ask("LIST", "k1")
    ask("DELETE", "k1/a")
    ask("DELETE", "k1/a")
    ask("POST", "sys/mounts/k1", {"type": "kv"})
    ask("POST", "sys/mounts/zz", {"type": "nothing"})
    ask("GET", "sys/mounts/k2")
    ask("GET", "sys/internal/ui/mounts/k2/x")
    ask("GET", "sys/internal/ui/mounts/nowhere/x")


def tokens(ask):
    ask("GET", "auth/token/lookup-self", token="")
    ask("GET", "auth/token/lookup-self", token="s.bad")
    ask("PUT", "sys/policies/acl/none", {"policy": "nonsense"})
    ask("PUT", "sys/policies/acl/p1", {"policy":
        'path "x/*" { capabilities = ["read"] }'})
    ask("GET", "sys/policies/acl/none")
    made = ask("POST", "auth/token/create", {
        "policies": ["p1"], "ttl": "1h", "meta": {"a": "b"},
        "display_name": "d"}).json["auth"]["client_token"]
    ask("GET", "auth/token/lookup-self", token=made)
    ask("POST", "auth/token/renew-self", {"increment": 3600}, token=made)
    ask("POST", "auth/token/lookup", {"token": "s.bad"})
    ask("POST", "auth/token/renew", {"token": "s.bad"})
    ask("POST", "auth/token/create", {"policies": ["root"]}, token=made)
    ask("GET", "k2/data/none", token=made)
    ask("GET", "nowhere/x", token=made)
    ask("GET", "sys/internal/ui/mounts/nowhere/x", token=made)
    ask("POST", "sys/capabilities-self", {"paths": ["x/a"]}, token=made)
    ask("POST", "sys/capabilities-self", {"paths": [
        "x/a", "y", "cubbyhole/z", "sys/leases/revoke"]}, token=made)
    ask("POST", "sys/capabilities-self", {}, token=made)
    ask("POST", "cubbyhole/a", {"x": "y"}, token=made)
    ask("GET", "cubbyhole/a", token=made)
    ask("GET", "cubbyhole/b", token=made)
    ask("POST", "auth/token/revoke-self", token=made)
    ask("GET", "auth/token/lookup-self", token=made)
    once = ask("POST", "auth/token/create", {
        "policies": ["p1"], "num_uses": 1, "ttl": "1h"}
        ).json["auth"]["client_token"]
    ask("GET", "auth/token/lookup-self", token=once)
    ask("GET", "auth/token/lookup-self", token=once)
    batch = ask("POST", "auth/token/create", {
        "policies": ["p1"], "type": "batch", "ttl": "1h"}
        ).json["auth"]["client_token"]
    ask("POST", "auth/token/renew-self", token=batch)
    ask("POST", "auth/token/revoke-self", token=batch)
    short = ask("POST", "auth/token/create", {
        "policies": ["p1"], "ttl": "1h", "explicit_max_ttl": "1h",
        "renewable": False}).json["auth"]["client_token"]
    ask("POST", "auth/token/renew-self", token=short)
    for method, path in (("GET", "sys/none"), ("DELETE", "sys/wrapping/wrap"),
                         ("GET", "auth/none/login"), ("GET", "sys/health"),
                         ("DELETE", "sys/health"), ("GET", "sys/seal-status"),
                         ("GET", "sys/init"), ("PATCH", "k1/x")):
        ask(method, path)
    ask("POST", "sys/wrapping/wrap", b"{nonsense")
    ask("POST", "k1/x", b"[1]")


def approle(ask):
    ask("POST", "sys/auth/ar", {"type": "approle"})
    at = "auth/ar/role/r"
    ask("GET", at)
    ask("POST", at, {"token_policies": "p1", "secret_id_num_uses": 1,
                     "token_ttl": "1h", "secret_id_ttl": "10m"})
    ask("GET", at)
    ask("LIST", "auth/ar/role")
    role_id = ask("GET", at + "/role-id").data["role_id"]
    secret = ask("POST", at + "/secret-id").data["secret_id"]
    ask("POST", at + "/secret-id/lookup", {"secret_id": secret})
    ask("POST", at + "/secret-id/lookup", {"secret_id": "x"})
    login = "auth/ar/login"
    for data in ({}, {"role_id": role_id}, {"role_id": "x", "secret_id": "y"},
                 {"role_id": role_id, "secret_id": "y"},
                 {"role_id": role_id, "secret_id": secret},
                 {"role_id": role_id, "secret_id": secret}):
        ask("POST", login, data, token="")
    ask("POST", at + "/secret-id", X_Vault_Wrap_TTL=60)
    secret = ask("POST", at + "/secret-id").data["secret_id"]
    ask("POST", login, {"role_id": role_id, "secret_id": secret}, token="",
        X_Vault_Wrap_TTL="1m")
    secret = ask("POST", at + "/secret-id").data["secret_id"]
    token = ask("POST", login, {"role_id": role_id, "secret_id": secret},
                token="").json["auth"]["client_token"]
    ask("GET", "auth/token/lookup-self", token=token)


def wrapping(ask):
    ask("POST", "sys/wrapping/wrap", {"a": "b"})
    wrap = ask("POST", "sys/wrapping/wrap", {"a": "b"}, X_Vault_Wrap_TTL=60
               ).json["wrap_info"]["token"]
    ask("POST", "sys/wrapping/lookup", {"token": wrap}, token="")
    ask("POST", "sys/wrapping/lookup", {"token": wrap})
    ask("POST", "sys/wrapping/lookup", {"token": "s.bad"})
    ask("POST", "sys/wrapping/unwrap", token=wrap)
    ask("POST", "sys/wrapping/unwrap", token=wrap)
    ask("POST", "sys/wrapping/unwrap", {"token": wrap})
    ask("POST", "sys/wrapping/lookup", {"token": wrap})
    ask("POST", "k2/data/w", {"data": {"x": "y"}})
    for path in ("k2/data/w", "k2/data/none"):
        said = ask("GET", path, X_Vault_Wrap_TTL=60)
        if said.json.get("wrap_info"):
            ask("POST", "sys/wrapping/unwrap",
                {"token": said.json["wrap_info"]["token"]})
    wrap = ask("POST", "k1/w", {"x": "y"}, X_Vault_Wrap_TTL=60)
    again = ask("POST", "sys/wrapping/wrap", {"a": "b"}, X_Vault_Wrap_TTL=60
                ).json["wrap_info"]["token"]
    ask("POST", "sys/wrapping/rewrap", {"token": again})
    ask("POST", "sys/wrapping/unwrap", {"token": again})


def leases(ask):
    ask("POST", "sys/mounts/pki", {"type": "pki"})
    ask("POST", "pki/issue/none", {"common_name": "a.example"})
    ask("POST", "pki/root/generate/internal", {"common_name": "root.example",
                                               "key_type": "ec"})
    ask("POST", "pki/roles/web", {
        "allowed_domains": ["example"], "allow_subdomains": True,
        "generate_lease": True, "key_type": "ec", "ttl": "1h"})
    ask("POST", "pki/issue/web", {"common_name": "a.other"})
    ask("POST", "pki/sign/web", {})
    ask("POST", "pki/sign/web", {"csr": "x", "common_name": "a.example"})
    lease = ask("POST", "pki/issue/web", {"common_name": "a.example"}
                ).json["lease_id"]
    ask("POST", "sys/leases/lookup", {"lease_id": lease})
    ask("POST", "sys/leases/lookup", {"lease_id": "a/b"})
    ask("LIST", "sys/leases/lookup/pki/issue/web")
    ask("PUT", "sys/leases/renew", {"lease_id": lease})
    ask("PUT", "sys/leases/renew", {"lease_id": "a/b"})
    ask("PUT", "sys/leases/renew", {})
    ask("PUT", "sys/leases/revoke", {})
    ask("PUT", "sys/leases/revoke", {"lease_id": "a/b"})
    ask("PUT", "sys/leases/revoke", {"lease_id": lease, "sync": True})
    ask("PUT", "sys/leases/revoke", {"lease_id": lease, "sync": True})
    lease = ask("POST", "pki/issue/web", {"common_name": "a.example"}
                ).json["lease_id"]
    ask("PUT", "sys/leases/revoke", {"lease_id": lease})
    ask("GET", "database/creds/x")


def ssh_and_transit(ask):
    key = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJZ5k2MmvPe2nKgRhQKmOpeFh0AQ"
           "hcKDVOZzZ5mn+u3R")
    ask("POST", "sys/mounts/ssh", {"type": "ssh"})
    ask("POST", "ssh/sign/r", {"public_key": key})
    ask("POST", "ssh/config/ca", {"generate_signing_key": True,
                                  "key_type": "ed25519"})
    ask("POST", "ssh/roles/r", {
        "key_type": "ca", "allow_user_certificates": True,
        "allowed_users": "deploy,root", "ttl": "5m", "max_ttl": "10m",
        "default_user": ""})
    for data in ({}, {"public_key": "x", "valid_principals": "deploy"},
                 {"public_key": key},
                 {"public_key": key, "valid_principals": "other"},
                 {"public_key": key, "cert_type": "host",
                  "valid_principals": "a"},
                 {"public_key": key, "cert_type": "zzz",
                  "valid_principals": "a"},
                 {"public_key": key, "valid_principals": "deploy"}):
        ask("POST", "ssh/sign/r", data)
    ask("POST", "sys/mounts/transit", {"type": "transit"})
    ask("POST", "transit/decrypt/k", {"ciphertext": "vault:v1:xxxx"})
    ask("POST", "transit/keys/k")
    ask("POST", "transit/encrypt/k", {})
    ask("POST", "transit/encrypt/k", {"plaintext": "???"})
    sealed = ask("POST", "transit/encrypt/k", {
        "plaintext": "aGVsbG8=", "associated_data": "YQ=="}
        ).data["ciphertext"]
    for data in ({"ciphertext": sealed},
                 {"ciphertext": sealed, "associated_data": "YQ=="},
                 {"ciphertext": "hello"}, {"ciphertext": "vault:v9:aaaa"},
                 {"ciphertext": "vault:v1:"}, {}):
        ask("POST", "transit/decrypt/k", data)
    ask("POST", "transit/keys/k/rotate")
    ask("POST", "transit/rewrap/k", {"ciphertext": sealed,
                                     "associated_data": "YQ=="})


def namespaces(ask):
    ask("GET", "sys/mounts/x", X_Vault_Namespace="nowhere")
    ask("POST", "sys/namespaces/team")
    ask("POST", "sys/mounts/kv", {"type": "kv"}, X_Vault_Namespace="team")
    ask("POST", "kv/a", {"x": "y"}, X_Vault_Namespace="team/")
    ask("GET", "kv/a", X_Vault_Namespace="team")
    ask("GET", "team/kv/a")
    ask("GET", "kv/a")
    token = ask("POST", "auth/token/create", {"policies": ["default"]},
                X_Vault_Namespace="team").json["auth"]["client_token"]
    ask("GET", "auth/token/lookup-self", token=token,
        X_Vault_Namespace="team")
    ask("GET", "auth/token/lookup-self", token=token)
    ask("GET", "kv/a", token=token, X_Vault_Namespace="team")
    ask("GET", "kv/a", token=token)
    ask("GET", "cubbyhole/a", token=token)


def jwt(ask):
    ask("POST", "auth/jw/login", {"role": "r", "jwt": "x"}, token="")
    ask("POST", "sys/auth/jw", {"type": "jwt"})
    ask("POST", "auth/jw/login", {"role": "r", "jwt": "x"}, token="")
    ask("POST", "auth/jw/config", {"jwt_validation_pubkeys": ["nonsense"]})
    ask("POST", "auth/jw/config", {})
    ask("POST", "auth/jw/config", {"jwt_validation_pubkeys":
                                   GOOD.pem() + OTHER.pem()})
    ask("POST", "auth/jw/config", {"jwt_validation_pubkeys": [GOOD.pem()],
                                   "bound_issuer": provider.ISSUER})
    ask("POST", "auth/jw/role/r", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
        "bound_claims": {"nfo_project": "p", "n": ["1", "2"]},
        "claim_mappings": {"nfo_project": "project"}, "token_ttl": "1h",
        "token_policies": ["p1"]})
    ask("POST", "auth/jw/role/free", {"role_type": "jwt", "user_claim": "sub",
                                      "bound_subject": "ann"})
    ask("POST", "auth/jw/role/glob", {
        "role_type": "jwt", "user_claim": "who", "bound_audiences": ["vault"],
        "bound_claims_type": "glob", "bound_claims": {"nfo_project": "p*"}})
    now = int(time.time())
    fine = {"aud": "vault", "nfo_project": "p", "n": "1"}
    for role, key, claims in (
            ("none", GOOD, fine), ("r", GOOD, fine), ("r", OTHER, fine),
            ("r", GOOD, {**fine, "aud": "else"}),
            ("r", GOOD, {**fine, "aud": None}),
            ("r", GOOD, {**fine, "aud": ["a", "vault"]}),
            ("r", GOOD, {**fine, "nfo_project": "q"}),
            ("r", GOOD, {**fine, "nfo_project": None}),
            ("r", GOOD, {**fine, "iss": "https://else.example"}),
            ("r", GOOD, {**fine, "exp": now - 1000}),
            ("r", GOOD, {**fine, "exp": now - 30}),
            ("r", GOOD, {**fine, "nbf": now + 1000}),
            ("r", GOOD, {**fine, "iat": now + 1000}),
            ("r", GOOD, {**fine, "exp": None, "iat": None}),
            ("r", GOOD, {**fine, "exp": None}),
            ("free", GOOD, fine), ("free", GOOD, {}),
            ("free", GOOD, {"aud": None, "sub": "bob"}),
            ("free", GOOD, {"aud": None}),
            ("glob", GOOD, fine),
            ("glob", GOOD, {**fine, "who": "me", "nfo_project": "pqr"})):
        ask("POST", "auth/jw/login", {
            "role": role, "jwt": key.token(**claims)}, token="")
    ask("POST", "auth/jw/login", {"role": "r"}, token="")
    ask("POST", "auth/jw/login", {"jwt": "x"}, token="")
    ask("POST", "auth/jw/login", {"role": "r", "jwt": "a.b.c"}, token="")
    ask("POST", "auth/jw/login", {"role": "r", "jwt": GOOD.token(
        {"alg": "none"}, **fine)}, token="")
    ask("GET", "auth/jw/role/none")


def health(ask):
    for query in ("", "?standbyok=true", "?activecode=299", "?activecode=x"):
        ask("GET", "sys/health" + query)
    ask("HEAD", "sys/health?activecode=222")
    ask("GET", "sys/leader")
    ask("GET", "sys/seal-status")
    ask("PUT", "sys/unseal", {})
    ask("PUT", "sys/seal")
    for query in ("", "?sealedcode=299", "?standbyok=true"):
        ask("GET", "sys/health" + query)
    ask("GET", "sys/seal-status")
    ask("GET", "sys/leader")
    ask("GET", "sys/init")
    ask("GET", "k1/a")
    ask("GET", "auth/token/lookup-self")
    ask("POST", "auth/ar/login", {"role_id": "x"}, token="")
    ask("POST", "sys/wrapping/unwrap", {"token": "x"})
    ask("GET", "sys/internal/ui/mounts/k1")
    ask("PUT", "sys/unseal", {"key": "nonsense"})


# The last one seals.
SCENES = (kv, jwt, tokens, approle, wrapping, leases, ssh_and_transit,
          namespaces, health)


@pytest.fixture(scope="module")
def both(tmp_path_factory, module_double):
    real = servers.Dev(tmp_path_factory.mktemp("dev"))
    yield {"real": Api(real.address, real.root_token),
           "double": Api(module_double.address, module_double.root_token)}
    real.stop()


def test_they_say_the_same(both):
    tapes = {name: [] for name in both}
    for name, api in both.items():
        for scene in SCENES:
            tape = Tape(api)
            tape.kept = tapes[name]
            scene(tape)
    differ = [f"{r}\n--double: {d.splitlines()[1]}\n" for r, d in
              zip(tapes["real"], tapes["double"]) if r != d]
    assert len(tapes["real"]) == len(tapes["double"]) > 150
    assert not differ, "\n".join(differ)
