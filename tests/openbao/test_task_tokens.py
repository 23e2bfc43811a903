# SPDX-License-Identifier: AGPL-3.0-or-later
"""A task's own token, as the real server takes it: by keys as text, by the key
set, and by discovery over TLS.  It decides by project and by what is done."""
import re
import socket

import pytest

import tlskit
from api import Api
from identity import allow, job, token_of

AUDIENCE = "https://vault.example:8200"


@pytest.fixture
def ours(cold):
    """A server with TLS that says where it is."""
    ca = tlskit.CA(cold.home / "ca")
    cert, key = ca.server()
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    cold.ca, cold.issuer = ca.pem.read_text(), f"https://localhost:{port}"
    cold("runs")
    allow(cold)
    cold.serve("--tls-listen", f"127.0.0.1:{port}", "--tls-cert", cert,
               "--tls-key", key)
    return cold


def by_text(nfo):
    pems = nfo("identity", "keys", "--pem").out
    return {"bound_issuer": nfo.issuer, "jwt_validation_pubkeys": re.findall(
        "-----BEGIN.*?END PUBLIC KEY-----\n", pems, re.S)}


def by_set(nfo):
    return {"bound_issuer": nfo.issuer, "jwks_ca_pem": nfo.ca,
            "jwks_url": nfo.issuer + "/.well-known/jwks.json"}


def by_discovery(nfo):
    return {"oidc_discovery_url": nfo.issuer, "oidc_discovery_ca_pem": nfo.ca}


@pytest.mark.parametrize("how", [by_text, by_set, by_discovery])
def test_the_real_server_takes_it(real, ours, how):
    bao = Api(real.address, real.root_token)
    mount = "jwt-" + how.__name__.replace("_", "-")
    bao.login(mount, "jwt")
    bao.must("POST", f"auth/{mount}/config", how(ours))
    text = job()
    mine, run = token_of(ours, text)
    bao.must("POST", f"auth/{mount}/role/release", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": [AUDIENCE],
        "bound_claims": {
            "nfo_project": "default", "nfo_definition_sha256":
            run["definition_digest"].removeprefix("sha256:")},
        "claim_mappings": {"nfo_run_id": "run"},
        "token_type": "batch", "token_ttl": "5m"})

    def login(token):
        return bao("POST", f"auth/{mount}/login",
                   {"role": "release", "jwt": token}, token="")

    said = login(mine)
    assert said.status == 200, said
    auth = said.json["auth"]
    assert auth["metadata"]["run"] == run["id"]
    assert auth["token_type"] == "batch"
    # the same job again is the same definition; another is not
    assert login(token_of(ours, text)[0]).status == 200
    other, _ = token_of(ours, text.replace("run: |", "run: |\n      true"))
    assert "nfo_definition_sha256" in login(other).errors[0]
    elsewhere, _ = token_of(ours, job(audience="https://other"))
    assert "aud" in login(elsewhere).errors[0]
    assert login(mine[:-4] + "AAAA").status == 400
