# SPDX-License-Identifier: AGPL-3.0-or-later
"""Three nodes of the real server: what jobs of ours see of a step-down, a
seal, an end and a revocation, and what the audit device has of them."""
import json

import pytest

import real as servers

POLICY = """policy: test
rules:
  - allow:
      profiles: [default]
      networks: [none]
      secrets: ["vault:**"]
      deliver: [file]
"""
VALUE = "a-value-of-the-cluster-7Qx"
JOB = """
secrets:
  x: { vault: secret/app, field: token }
tasks:
  t:
    secrets: [x]
    run: test "$(cat "$NFO_SECRETS/x")" = a-value-of""" + \
    """-the-cluster-7Qx && echo it is
"""


@pytest.fixture(scope="session")
def filled(cluster):
    """The cluster with a secret, and a policy "jobs" that reads it."""
    api = cluster.leader().api
    api.engine("secret", "kv", options={"version": "2"})
    servers.until(lambda: api("POST", "secret/data/app", {
        "data": {"token": VALUE}}).status == 200)  # it upgrades for a moment
    api.policy("jobs", 'path "secret/data/*" { capabilities = ["read"] }')
    return cluster


@pytest.fixture
def vault(cold, filled):
    """Our server, with the first node as its provider; .mark() is where the
    audit's records begin that .asked() has."""
    token = filled.leader().api.new_token(["jobs"], period="1h")
    path = cold.write("token", token)
    path.chmod(0o600)
    cold.write("policies/test.yaml", POLICY)
    first, *others = [n.address for n in filled.nodes]
    config = cold.write("server.yaml", json.dumps({"secret_providers": [{
        "address": first, "redirects": others, "token_file": str(path),
        "timeout": "5s"}]}))
    cold.serve("--policy", "policies", "--config", config)
    cold.vault_token, cold.cluster = token, filled
    cold.begun = len(filled.audited())
    return cold


def asked(nfo, path):
    """What the audit device has of a path since the test began."""
    return [r for r in nfo.cluster.audited()[nfo.begun:]
            if r["request"]["path"] == path]


def works(nfo):
    run = nfo.run(JOB)
    assert run["state"] == "succeeded", nfo.fresh(run)
    assert "it is" in nfo.log(run, "t").decode()


# --- the cluster itself

def test_a_standby_forwards_or_refers(filled):
    standby = filled.standbys()[0]
    assert standby.health() == 429
    assert standby.api("GET", "secret/data/app").status == 200
    said = standby.api("GET", "secret/data/app",
                       X_Vault_No_Request_Forwarding="true")
    assert said.status == 307
    assert said.headers["location"] == \
        f"{filled.leader().address}/v1/secret/data/app"


def test_a_token_ends(filled):
    api = filled.leader().api
    token = api.new_token(["jobs"], ttl="1s")
    assert api("GET", "secret/data/app", token=token).status == 200
    servers.until(lambda: api("GET", "secret/data/app",
                              token=token).status == 403)


def test_the_audit_device_has_no_value(filled):
    api = filled.leader().api
    api.must("GET", "secret/data/app")
    assert filled.audited("response")[-1]["request"]["path"] == \
        "secret/data/app"
    assert VALUE not in filled.audit.read_text()


# --- jobs with it

def test_what_was_asked(vault):
    works(vault)
    (one,) = asked(vault, "secret/data/app")
    assert one["request"]["operation"] == "read"
    assert one["auth"]["token_policies"] == ["default", "jobs"]
    assert VALUE not in vault.cluster.audit.read_text()


def test_a_step_down(vault):
    """Whichever node leads, by will or by accident."""
    works(vault)
    vault.cluster.step_down()
    works(vault)
    dead = vault.cluster.kill_leader()
    assert dead is not vault.cluster.nodes[0]
    works(vault)
    vault.cluster.revive(dead)
    works(vault)
    assert len(asked(vault, "secret/data/app")) == 4


def test_sealed_is_blocked_and_goes_on(vault):
    vault.cluster.seal()
    run = vault.run(JOB, wait=None)
    vault.until_state(run, "blocked", task="t")
    why = vault("why", run["id"]).out
    assert "ealed" in why or "away" in why, why
    vault.cluster.unseal()
    ended = vault.ended(run)
    assert ended["state"] == "succeeded", ended["error"]
    (task,) = vault.fresh(run)["tasks"]
    assert len(asked(vault, "secret/data/app")) == 1, task


def test_a_revoked_token_is_said(vault):
    """No login and no retry makes it good: the run fails, and says why."""
    works(vault)
    vault.cluster.leader().api.must("POST", "auth/token/revoke",
                                    {"token": vault.vault_token})
    run = vault.run(JOB)
    assert (run["state"], run["kind"]) == ("failed", "secret"), run
    assert VALUE not in json.dumps(vault.fresh(run))
    assert vault.vault_token not in json.dumps(vault.fresh(run))
