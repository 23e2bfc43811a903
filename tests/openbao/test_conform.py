# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a client relies on, told from the double and from the real server."""
import base64
import itertools
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

import provider
import real as servers
from api import Api

COUNT = itertools.count()


@pytest.fixture(params=["double", "real"])
def bao(request):
    it = request.getfixturevalue(
        "module_double" if request.param == "double" else "real")
    return Api(it.address, it.root_token)


def fresh(word):
    return f"{word}{next(COUNT)}"


@pytest.fixture
def kv(bao):
    return bao.engine(fresh("kv"), "kv", options={"version": "2"})


def test_an_envelope(bao, kv):
    bao.must("POST", f"{kv}/data/a", {"data": {"x": "y"}})
    said = bao("GET", f"{kv}/data/a")
    assert said.body.startswith(b'{"request_id":"')
    assert list(said.json) == ["request_id", "lease_id", "renewable",
                               "lease_duration", "data", "wrap_info",
                               "warnings", "auth"]
    assert said.headers["cache-control"] == "no-store"
    assert said.headers["content-type"] == "application/json"


def test_three_kinds_of_404(bao, kv):
    assert bao("GET", f"{kv}/data/none").json == {"errors": []}
    bao.must("POST", f"{kv}/data/a", {"data": {"x": "y"}})
    bao.must("DELETE", f"{kv}/data/a")
    gone = bao("GET", f"{kv}/data/a")
    assert gone.status == 404 and gone.data["data"] is None
    assert gone.data["metadata"]["deletion_time"]
    bao.must("POST", f"{kv}/destroy/a", {"versions": [1]})
    assert bao("GET", f"{kv}/data/a").data["metadata"]["destroyed"]
    wrong = bao("GET", f"{kv}/a")
    assert wrong.status == 404 and "versioned" in wrong.json["warnings"][0]
    none = bao("GET", "nowhere/a")
    assert (none.status, len(none.errors)) == (404, 1)


def test_check_and_set(bao, kv):
    def put(cas):
        return bao("POST", f"{kv}/data/a",
                   {"data": {"n": cas}, "options": {"cas": cas}})

    assert put(0).data["version"] == 1
    assert put(0).status == 400
    assert put(1).data["version"] == 2
    assert bao("GET", f"{kv}/data/a?version=1").data["data"] == {"n": 0}


def test_a_deletion_in_the_future_is_readable(bao, kv):
    bao.must("POST", f"{kv}/metadata/a", {"delete_version_after": "1h"})
    bao.must("POST", f"{kv}/data/a", {"data": {"x": "y"}})
    said = bao("GET", f"{kv}/data/a")
    assert said.status == 200 and said.data["metadata"]["deletion_time"]


def test_values_of_any_bytes(bao, kv):
    value = {"nul": "a\0b", "long": "x" * (1 << 20), "odd": "é\u2028<&>\U0001f600",
             "empty": "", "deep": {"a": [1, None, True]}}
    bao.must("POST", f"{kv}/data/a", {"data": value})
    assert bao("GET", f"{kv}/data/a").data["data"] == value


def test_who_may_what(bao, kv):
    p = bao.policy(fresh("p"), f'''
        path "{kv}/data/*" {{ capabilities = ["read", "list"] }}
        path "{kv}/data/no/*" {{ capabilities = ["deny"] }}
        path "{kv}/data/+/made" {{ capabilities = ["create"] }}
        path "{kv}/data/exact" {{ capabilities = ["update"] }}''')
    for name in ("a", "no/a", "exact"):
        bao.must("POST", f"{kv}/data/{name}", {"data": {}})
    token = bao.new_token([p])

    def status(method, path, data=None):
        return bao(method, f"{kv}/{path}", data, token=token).status

    assert status("GET", "data/a") == 200
    assert status("GET", "data/no/a") == status("GET", "data/exact") == 403
    assert status("POST", "data/exact", {"data": {}}) == 200
    assert status("POST", "data/x/made", {"data": {}}) == 200
    assert status("POST", "data/x/made", {"data": {}}) == 403
    assert status("GET", "metadata/a") == 403
    paths = [f"{kv}/data/{n}" for n in ("a", "no/a", "x/made", "exact")]
    assert bao("POST", "sys/capabilities-self", {"paths": paths},
               token=token).data == dict(zip(paths, (
                   ["list", "read"], ["deny"], ["create"], ["update"])))


@pytest.fixture
def approle(bao):
    at = bao.login(fresh("ar"), "approle")

    def make(uses=0, **role):
        bao.must("POST", f"auth/{at}/role/r", {
            "secret_id_num_uses": uses, "token_policies": ["default"],
            **role})
        ids = {"role_id": bao.must("GET", f"auth/{at}/role/r/role-id"
                                   ).data["role_id"]}
        ids["secret_id"] = bao.must("POST", f"auth/{at}/role/r/secret-id"
                                    ).data["secret_id"]
        return lambda **more: bao("POST", f"auth/{at}/login",
                                  {**ids, **more}, token="")

    make.mount = at
    return make


def test_a_secret_id_has_its_uses(approle):
    login = approle(uses=2)
    assert login(secret_id="wrong").status == 400
    assert [login().status for _ in range(3)] == [200, 200, 400]


def test_a_token_has_its_uses(bao, approle):
    token = approle(token_num_uses=2)().json["auth"]["client_token"]
    assert [bao("GET", "auth/token/lookup-self", token=token).status
            for _ in range(3)] == [200, 200, 403]


def test_the_life_of_a_token(bao, approle):
    auth = approle(token_ttl="10m", token_max_ttl="1h")().json["auth"]
    assert auth["lease_duration"] == 600 and auth["renewable"]
    token = auth["client_token"]
    more = bao("POST", "auth/token/renew-self", {"increment": "30m"},
               token=token).json
    assert 1799 <= more["auth"]["lease_duration"] <= 1800
    most = bao("POST", "auth/token/renew-self", {"increment": 7200},
               token=token).json
    assert 3590 <= most["auth"]["lease_duration"] <= 3600
    assert "exceeded the effective max_ttl" in most["warnings"][0]
    assert bao("POST", "auth/token/revoke-self", token=token).status == 204
    dead = bao("POST", "auth/token/renew-self", token=token)
    assert (dead.status, dead.errors) == (403, ["permission denied"])


def test_a_batch_token_is_not_renewed(bao, approle):
    auth = approle(token_type="batch", token_ttl="1h")().json["auth"]
    assert auth["token_type"] == "batch" and not auth["renewable"]
    assert bao("POST", "auth/token/renew-self",
               token=auth["client_token"]).status == 400


def test_a_wrapped_secret_id(bao, approle):
    login = approle()
    at = f"auth/{approle.mount}/role/r/secret-id"
    said = bao("POST", at, X_Vault_Wrap_TTL="60s").json
    wrap = said["wrap_info"]
    assert said["request_id"] == "" and said["data"] is None
    assert (wrap["ttl"], wrap["creation_path"]) == (60, at)
    look = bao("POST", "sys/wrapping/lookup", {"token": wrap["token"]})
    assert look.data["creation_path"] == at
    inner = bao("POST", "sys/wrapping/unwrap", token=wrap["token"])
    assert login(secret_id=inner.data["secret_id"]).status == 200
    again = bao("POST", "sys/wrapping/unwrap", token=wrap["token"])
    assert (again.status, again.errors) == (
        400, ["wrapping token is not valid or does not exist"])


def test_leases(bao):
    pki = bao.engine(fresh("pki"), "pki")
    bao.must("POST", f"{pki}/root/generate/internal",
             {"common_name": "root", "key_type": "ec"})
    bao.must("POST", f"{pki}/roles/r", {
        "allow_any_name": True, "generate_lease": True, "key_type": "ec",
        "enforce_hostnames": False, "ttl": "1h"})
    p = bao.policy(fresh("p"), f'path "{pki}/issue/r" '
                   '{ capabilities = ["update"] }')
    token = bao.new_token([p], ttl="2h")

    def lease():
        return bao.must("POST", f"{pki}/issue/r", {"common_name": "a"},
                        token=token).json["lease_id"]

    def there(id_):
        return bao("POST", "sys/leases/lookup", {"lease_id": id_}
                   ).status == 200

    one, two, three = lease(), lease(), lease()
    assert there(one)
    assert bao("PUT", "sys/leases/revoke", {"lease_id": one},
               token=token).status == 403
    assert bao("PUT", "sys/leases/revoke",
               {"lease_id": one, "sync": True}).status == 204
    assert not there(one) and there(two)
    assert bao("PUT", "sys/leases/revoke",
               {"lease_id": two, "sync": False}).status == 202
    assert bao("PUT", "sys/leases/renew", {"lease_id": three}
               ).errors == ["lease is not renewable"]
    assert bao("PUT", "sys/leases/renew", {"lease_id": one}
               ).errors == ["lease not found"]
    bao.must("POST", "auth/token/revoke-self", token=token)
    servers.until(lambda: not there(three))  # the real one takes its time


def test_a_csr_is_signed(bao):
    pki = bao.engine(fresh("pki"), "pki")
    root = bao.must("POST", f"{pki}/root/generate/internal", {
        "common_name": "root", "key_type": "ec"}).data["certificate"]
    bao.must("POST", f"{pki}/roles/r", {
        "allowed_domains": "example", "allow_subdomains": True,
        "key_type": "ec", "max_ttl": "1h"})
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME,
                                         "a.example")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(
        key, hashes.SHA256()).public_bytes(ser.Encoding.PEM).decode()
    data = bao.must("POST", f"{pki}/sign/r", {
        "csr": csr, "common_name": "a.example", "ttl": "10m"}).data
    cert = x509.load_pem_x509_certificate(data["certificate"].encode())
    ca = x509.load_pem_x509_certificate(root.encode())
    ca.public_key().verify(cert.signature, cert.tbs_certificate_bytes,
                           ec.ECDSA(cert.signature_hash_algorithm))
    assert cert.public_key().public_numbers() == \
        key.public_key().public_numbers()
    assert 500 < data["expiration"] - time.time() < 700
    assert "private_key" not in data
    assert data["issuing_ca"] == root == data["ca_chain"][0]


def test_an_ssh_key_is_signed(bao, tmp_path):
    ssh = bao.engine(fresh("ssh"), "ssh")
    bao.must("POST", f"{ssh}/config/ca", {"generate_signing_key": True,
                                          "key_type": "ed25519"})
    bao.must("POST", f"{ssh}/roles/r", {
        "key_type": "ca", "allow_user_certificates": True,
        "allowed_users": "deploy", "ttl": "5m", "max_ttl": "10m"})
    public = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(
        ser.Encoding.OpenSSH, ser.PublicFormat.OpenSSH).decode()
    data = bao.must("POST", f"{ssh}/sign/r", {
        "public_key": public, "valid_principals": "deploy",
        "cert_type": "user"}).data
    path = tmp_path / "cert.pub"
    path.write_text(data["signed_key"])
    shown = subprocess.run(["ssh-keygen", "-Lf", path], check=True,
                           capture_output=True, text=True).stdout
    assert "user certificate" in shown and "deploy" in shown
    assert int(data["serial_number"], 16) == int(
        shown.split("Serial: ")[1].split()[0])
    assert bao("POST", f"{ssh}/sign/r", {
        "public_key": public, "valid_principals": "root"}).status == 400


def test_transit(bao):
    transit = bao.engine(fresh("transit"), "transit")
    text = base64.b64encode(b"hello").decode()
    aad = base64.b64encode(b"store").decode()
    sealed = bao.must("POST", f"{transit}/encrypt/k", {
        "plaintext": text, "associated_data": aad}).data["ciphertext"]
    assert sealed.startswith("vault:v1:")
    back = bao("POST", f"{transit}/decrypt/k", {
        "ciphertext": sealed, "associated_data": aad})
    assert back.data == {"plaintext": text}
    for wrong in ({"ciphertext": sealed}, {"ciphertext": sealed[:-8] + "AAAAAAA=",
                                           "associated_data": aad}):
        assert bao("POST", f"{transit}/decrypt/k", wrong).status == 400


def test_a_login_with_an_identity(bao, kv):
    """A policy with a template binds what the token says to a path."""
    key = provider.Key("k")
    pem = key.key.public_key().public_bytes(
        ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo).decode()
    at = bao.login(fresh("jwt"), "jwt")
    bao.must("POST", f"auth/{at}/config", {
        "jwt_validation_pubkeys": [pem], "bound_issuer": provider.ISSUER})
    accessor = bao.must("GET", f"sys/auth/{at}").data["accessor"]
    p = bao.policy(fresh("p"), 'path "%s/data/{{identity.entity.aliases.%s'
                   '.metadata.project}}/*" { capabilities = ["read"] }'
                   % (kv, accessor))
    bao.must("POST", f"auth/{at}/role/r", {
        "role_type": "jwt", "bound_audiences": ["vault"],
        "user_claim": "nfo_project", "token_policies": [p],
        "claim_mappings": {"nfo_project": "project"}, "token_ttl": "10m"})
    for name in ("shop/db", "other/db"):
        bao.must("POST", f"{kv}/data/{name}", {"data": {"x": "y"}})
    said = bao("POST", f"auth/{at}/login", {
        "role": "r", "jwt": key.token(aud="vault", nfo_project="shop")},
        token="")
    token = said.json["auth"]["client_token"]
    assert said.json["auth"]["metadata"] == {"project": "shop", "role": "r"}
    assert [bao("GET", f"{kv}/data/{n}", token=token).status
            for n in ("shop/db", "other/db")] == [200, 403]


def test_a_discovery(bao, home):
    """Keys that the server fetches from us by the discovery document."""
    key = provider.Key("k")
    it = provider.Provider(key)
    issuer = it.uri.removesuffix("/keys")
    keys, it.body = it.body, None
    answer = it.answer

    def both(handler):
        it.body = keys if handler.path == "/keys" else (
            '{"issuer":"%s","jwks_uri":"%s","response_types_supported":'
            '["id_token"],"subject_types_supported":["public"],'
            '"id_token_signing_alg_values_supported":["ES256"]}'
            % (issuer, it.uri))
        answer(handler)

    it.answer = both
    try:
        at = bao.login(fresh("jwt"), "jwt")
        bao.must("POST", f"auth/{at}/config", {"oidc_discovery_url": issuer,
                                               "bound_issuer": issuer})
        bao.must("POST", f"auth/{at}/role/r", {
            "role_type": "jwt", "bound_audiences": ["vault"],
            "user_claim": "sub"})
        for signer, status in ((key, 200), (provider.Key("k"), 400)):
            assert bao("POST", f"auth/{at}/login", {
                "role": "r", "jwt": signer.token(aud="vault", iss=issuer)},
                token="").status == status
    finally:
        it.close()


def test_namespaces(bao):
    ns = fresh("team")
    bao.must("POST", f"sys/namespaces/{ns}")
    bao.must("POST", "sys/mounts/kv", {"type": "kv"}, X_Vault_Namespace=ns)
    bao.must("POST", "kv/a", {"x": "y"}, X_Vault_Namespace=ns)
    said = bao("GET", "kv/a", X_Vault_Namespace=ns)
    assert said.data == {"x": "y"}
    assert said.headers["x-vault-namespace"] == ns
    assert bao("GET", f"{ns}/kv/a").data == {"x": "y"}
    assert bao("GET", "kv/a").status == 404
    assert bao("GET", "kv/a", X_Vault_Namespace="nowhere").errors == [
        "namespace not found"]


def test_limits(bao, kv):
    large = bao("POST", f"{kv}/data/a", b'{"data":{"x":"' + b"a" * (33 << 20)
                + b'"}}')
    assert large.status == 413
    assert bao("GET", f"{kv}/data/a").status == 404
