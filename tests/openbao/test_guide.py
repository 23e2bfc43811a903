# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/VAULT.md, as an operator follows it: against a real server all of its
commands, and what they set up does what the page says."""
import re
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization as ser

import nfo as programs
import pg
import provider
import real as servers
from api import Api
from test_docs import BLOCKS

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def postgres(home):
    where = home / "pg"
    where.mkdir()
    it = pg.Postgres(where)
    yield it
    it.stop()


@pytest.fixture
def dev(home):
    it = servers.Dev(home)
    Api(it.address, "root").must("DELETE", "sys/mounts/secret")
    yield it
    it.stop()


@pytest.fixture
def followed(nfo, dev, postgres):
    """The page's commands were run; what they printed."""
    bin_ = nfo.home / "bin"
    bin_.mkdir()
    (bin_ / "bao").symlink_to(servers.program())
    nfo.env.update(PATH=f"{bin_}:{programs.BIN}:{nfo.env['PATH']}",
                   BAO_ADDR=dev.address, BAO_TOKEN="root",
                   VAULT_ADDR=dev.address, VAULT_TOKEN="root")
    script = "".join(f"echo '=== {b}' >&2\n{b.text}" for b in BLOCKS
                     if b.page == "VAULT.md" and b.kind == "sh bao")
    there = f"127.0.0.1:{postgres.port}/postgres?sslmode=disable"
    script = script.replace("db.example.com:5432/app?sslmode=verify-full",
                            there)
    assert there in script
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script],
                          env=nfo.env, cwd=nfo.home, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=programs.LIMIT)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    nfo.bao = Api(dev.address, "root")
    nfo.said = done.stdout
    return nfo


def approle(nfo):
    """Logs in as the page's server would; its token."""
    wrap = (nfo.home / "vault-secret-id").read_text().strip()
    assert (nfo.home / "vault-secret-id").stat().st_mode & 0o77 == 0
    look = nfo.bao.must("POST", "sys/wrapping/lookup", {"token": wrap})
    assert look.data["creation_path"] == "auth/approle/role/nfo/secret-id"
    inner = nfo.bao.must("POST", "sys/wrapping/unwrap", token=wrap)
    role_id = ID.search(nfo.said)[0]
    return nfo.bao.must("POST", "auth/approle/login", {
        "role_id": role_id, "secret_id": inner.data["secret_id"]},
        token="").json["auth"]["client_token"]


def test_approle_and_what_it_reads(followed, postgres):
    bao, token = followed.bao, approle(followed)
    read = bao("GET", "secret/data/web/deploy", token=token)
    assert read.data["data"] == {"user": "deployer", "token": "6n3cPq0vX2"}
    assert bao("GET", "secret/metadata/web/deploy", token=token).status == 403
    lease = bao("GET", "database/creds/web-ro", token=token).json
    user = lease["data"]
    assert postgres.accepts(user["username"], user["password"])
    assert bao("PUT", "sys/leases/revoke", {"lease_id": lease["lease_id"],
                                            "sync": True},
               token=token).status == 204
    assert postgres.users() == []
    with open(followed.home / "vault-ssh-ca.pub") as f:
        key = f.read()
    signed = bao("POST", "ssh/sign/web-deploy", {"public_key": key},
                 token=token)
    assert signed.data["signed_key"].startswith("ssh-ed25519-cert-v01@")


@pytest.fixture
def claims(followed):
    """What a token of a task of project web says, in a test of its own."""
    key = provider.Key("k")
    pem = key.key.public_key().public_bytes(
        ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo).decode()
    ours = followed.bao.must("GET", "auth/jwt/config").data
    assert len(ours["jwt_validation_pubkeys"]) == 2
    followed.bao.must("POST", "auth/jwt/config",
                      {"jwt_validation_pubkeys": [pem]})
    return lambda **more: key.token(aud="https://vault.example.com",
                                    sub="nfo:x", **more)


def test_a_project_reads_its_own(followed, claims):
    bao = followed.bao
    bao.must("POST", "secret/data/shop/x", {"data": {"a": "b"}})

    def login(role, **more):
        return bao("POST", "auth/jwt/login", {
            "role": role, "jwt": claims(**more)}, token="")

    token = login("task", nfo_project="web").json["auth"]["client_token"]
    assert bao("GET", "secret/data/web/deploy", token=token).status == 200
    assert bao("GET", "database/creds/web-ro", token=token).status == 200
    assert bao("GET", "secret/data/shop/x", token=token).status == 403
    shop = login("task", nfo_project="shop").json["auth"]["client_token"]
    assert bao("GET", "secret/data/web/deploy", token=shop).status == 403
    assert bao("GET", "database/creds/web-ro", token=shop).status == 403
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    assert login("web-release", nfo_project="web",
                 nfo_definition_sha256=digest).status == 200
    assert login("web-release", nfo_project="web",
                 nfo_definition_sha256="0" * 64).status == 400
    assert login("web-release", nfo_project="shop",
                 nfo_definition_sha256=digest).status == 400
