# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each attempt logs in with its own token, as docs/VAULT.md sets it up: the real
server decides by project and by the digest of what is done; ours holds nothing."""
import json

import pytest

import real as servers
from test_guide import dev, followed, postgres  # noqa: F401

POLICY = """policy: test
rules:
  - allow:
      profiles: [default]
      networks: [none]
      secrets: ["vault:**"]
      deliver: [file]
"""
AUDIENCE = "https://vault.example.com"


def job(path, more="", provider="default"):
    return f"""
nfo: 1
name: release
secrets:
  x: {{ vault: {path}, field: a, provider: {provider} }}
tasks:
  t:
    secrets: [x]
    run: test "$(cat "$NFO_SECRETS/x")" = b{more}
"""


@pytest.fixture
def ours(followed, dev):  # noqa: F811
    nfo = followed
    nfo.stop()
    nfo.write("policies/test.yaml", POLICY)
    nfo.bao.must("POST", "secret/data/default/x", {"data": {"a": "b"}})
    nfo.bao.must("POST", "secret/data/other/x", {"data": {"a": "b"}})

    def provider(name, role):
        return {"name": name, "address": dev.address, "auth": "identity",
                "auth_role": role, "audience": AUDIENCE}

    nfo.serve("--policy", "policies", "--config", nfo.write(
        "server.yaml", json.dumps({
            "identity": {"issuer": "https://ci.example.org"},
            "secret_providers": [provider("default", "task"),
                                 provider("strict", "this")]})))
    return nfo


def test_a_project_reads_what_is_its_own(ours):
    run = ours.run(job("secret/default/x"))
    assert run["state"] == "succeeded", ours.fresh(run)
    run = ours.run(job("secret/other/x"))
    assert (run["state"], run["kind"]) == ("failed", "secret")
    assert "permission denied" in ours.fresh(run)["error"]
    # Nothing that we hold outlives the attempts.
    servers.until(lambda: not any(n.startswith("jwt") for n in alive(ours)))


def alive(nfo):
    """Display names of the tokens that there still are."""
    keys = nfo.bao.must("LIST", "auth/token/accessors").data["keys"]
    said = [nfo.bao("POST", "auth/token/lookup-accessor", {"accessor": k})
            for k in keys]
    return [s.data["display_name"] for s in said if s.status == 200]


def test_one_definition_and_no_other(ours):
    """The digest of a run is what a role is bound to."""
    text = job("secret/default/x", provider="strict")
    refused = ours.run(text)
    assert (refused["state"], refused["kind"]) == ("failed", "secret")
    digest = refused["definition_digest"].removeprefix("sha256:")
    ours.bao.must("POST", "auth/jwt/role/this", {
        "role_type": "jwt", "user_claim": "sub", "token_policies": ["nfo"],
        "bound_audiences": [AUDIENCE], "token_ttl": "15m",
        "bound_claims": {"nfo_definition_sha256": digest}})
    run = ours.run(text)
    assert run["state"] == "succeeded", ours.fresh(run)
    other = ours.run(job("secret/default/x", " && true", provider="strict"))
    assert (other["state"], other["kind"]) == ("failed", "secret")
