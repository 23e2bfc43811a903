# SPDX-License-Identifier: AGPL-3.0-or-later
"""An independent client, Debian's python3-hvac, is at home with the double."""
import hvac
import pytest
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec

import provider


@pytest.fixture
def client(double):
    return hvac.Client(url=double.address, token=double.root_token)


def test_kv_2(client):
    client.sys.enable_secrets_engine("kv", "kv", options={"version": "2"})
    kv = client.secrets.kv.v2
    one = kv.create_or_update_secret("a/b", {"x": "1"}, mount_point="kv")
    assert one["data"]["version"] == 1
    kv.create_or_update_secret("a/b", {"x": "2"}, cas=1, mount_point="kv")
    with pytest.raises(hvac.exceptions.InvalidRequest, match="check-and-set"):
        kv.create_or_update_secret("a/b", {"x": "3"}, cas=1, mount_point="kv")
    kv.patch("a/b", {"y": "3"}, mount_point="kv")
    now = kv.read_secret_version("a/b", mount_point="kv")
    assert now["data"]["data"] == {"x": "2", "y": "3"}
    old = kv.read_secret_version("a/b", version=1, mount_point="kv")
    assert old["data"]["data"] == {"x": "1"}
    assert kv.list_secrets("a", mount_point="kv")["data"]["keys"] == ["b"]
    kv.delete_latest_version_of_secret("a/b", mount_point="kv")
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.read_secret_version("a/b", mount_point="kv")
    kv.undelete_secret_versions("a/b", [3], mount_point="kv")
    kv.destroy_secret_versions("a/b", [2], mount_point="kv")
    meta = kv.read_secret_metadata("a/b", mount_point="kv")["data"]
    assert meta["current_version"] == 3 and meta["versions"]["2"]["destroyed"]
    kv.delete_metadata_and_all_versions("a/b", mount_point="kv")
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.read_secret_metadata("a/b", mount_point="kv")


def test_kv_1(client):
    client.sys.enable_secrets_engine("kv", "old", options={"version": "1"})
    kv = client.secrets.kv.v1
    kv.create_or_update_secret("a", {"x": "1"}, mount_point="old")
    answer = kv.read_secret("a", mount_point="old")
    assert (answer["data"], answer["lease_duration"]) == ({"x": "1"}, 2764800)
    kv.delete_secret("a", mount_point="old")
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.read_secret("a", mount_point="old")


def test_approle_policies_and_tokens(client, double):
    client.sys.create_or_update_policy(
        "jobs", 'path "kv/data/*" { capabilities = ["read"] }')
    client.sys.enable_auth_method("approle")
    client.auth.approle.create_or_update_approle(
        "nfo", token_policies=["jobs"], token_ttl="10m", secret_id_num_uses=1)
    role_id = client.auth.approle.read_role_id("nfo")["data"]["role_id"]
    secret = client.auth.approle.generate_secret_id("nfo")["data"]["secret_id"]
    double.kv("kv", "a", {"x": "1"})
    other = hvac.Client(url=double.address)
    assert other.auth.approle.login(role_id, secret)["auth"]["lease_duration"] \
        == 600
    assert other.is_authenticated()
    assert other.lookup_token()["data"]["meta"] == {"role_name": "nfo"}
    assert other.secrets.kv.v2.read_secret_version(
        "a", mount_point="kv")["data"]["data"] == {"x": "1"}
    with pytest.raises(hvac.exceptions.Forbidden):
        other.secrets.kv.v2.list_secrets("", mount_point="kv")
    assert other.sys.get_capabilities(["kv/data/a", "kv/metadata/a"])[
        "data"] == {"kv/data/a": ["read"], "kv/metadata/a": ["deny"]}
    with pytest.raises(hvac.exceptions.InvalidRequest):
        hvac.Client(url=double.address).auth.approle.login(role_id, secret)
    other.auth.token.renew_self(increment=60)
    assert 0 < other.lookup_token()["data"]["ttl"] <= 60
    double.advance(61)
    with pytest.raises(hvac.exceptions.Forbidden):
        other.lookup_token()


def test_wrapping(client):
    wrapped = client.write("sys/wrapping/wrap", wrap_ttl="60s", a="b")
    token = wrapped["wrap_info"]["token"]
    assert client.sys.unwrap(token)["data"] == {"a": "b"}
    with pytest.raises(hvac.exceptions.InvalidRequest):
        client.sys.unwrap(token)


def test_leases(client, double):
    double.database("ro")
    lease = client.secrets.database.generate_credentials("ro")
    assert lease["data"]["username"] == double.users[0].username
    renewed = client.sys.renew_lease(lease["lease_id"], increment=100)
    assert renewed["lease_duration"] == 100
    assert client.sys.read_lease(lease["lease_id"])["data"]["renewable"]
    client.sys.revoke_lease(lease["lease_id"])
    assert double.users[0].dropped.is_set() and double.leases == []


def test_transit_pki_and_health(client):
    client.sys.enable_secrets_engine("transit")
    client.secrets.transit.create_key("k")
    sealed = client.secrets.transit.encrypt_data("k", "aGVsbG8=")["data"]
    assert client.secrets.transit.decrypt_data(
        "k", sealed["ciphertext"])["data"]["plaintext"] == "aGVsbG8="
    client.sys.enable_secrets_engine("pki")
    client.secrets.pki.generate_root("internal", "root.example")
    client.secrets.pki.create_or_update_role(
        "web", {"allowed_domains": ["example"], "allow_subdomains": True})
    made = client.secrets.pki.generate_certificate("web", "a.example")
    assert made["data"]["certificate"].startswith("-----BEGIN CERT")
    assert client.sys.read_health_status().status_code == 200
    client.sys.seal()
    assert client.sys.is_sealed()
    assert client.sys.read_health_status().status_code == 503
    with pytest.raises(hvac.exceptions.VaultDown):
        client.secrets.transit.read_key("k")


def test_a_jwt(client, double):
    key = provider.Key("k1")
    assert isinstance(key.key, ec.EllipticCurvePrivateKey)
    pem = key.key.public_key().public_bytes(
        ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo).decode()
    client.sys.enable_auth_method("jwt")
    client.auth.jwt.configure(jwt_validation_pubkeys=pem)
    client.auth.jwt.create_role(
        "r", "sub", ["http://localhost"], bound_audiences=["vault"],
        role_type="jwt", token_policies=["default"])
    other = hvac.Client(url=double.address)
    other.auth.jwt.jwt_login("r", key.token(aud="vault"))
    with pytest.raises(hvac.exceptions.InvalidRequest, match="audience"):
        other.auth.jwt.jwt_login("r", key.token(aud="else"))
