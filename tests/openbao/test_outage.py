# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server that comes back by and by, as a cluster does: unsealed it answers,
but nobody leads yet.  The run goes through all of it and is not failed."""
import json

import pytest

from test_cluster import JOB, POLICY, VALUE

NOBODY_LEADS = "local node not active but active cluster node not found"


@pytest.fixture
def vault(cold, double):
    double.kv("secret", "app", {"token": VALUE})
    double.policy("jobs",
                  'path "secret/data/*" { capabilities = ["read"] }')
    path = cold.write("token", double.token(["jobs"]))
    path.chmod(0o600)
    cold.write("policies/test.yaml", POLICY)
    cold.serve("--policy", "policies", "--config", cold.write(
        "server.yaml", json.dumps({"secret_providers": [{
            "address": double.address, "token_file": str(path),
            "timeout": "5s"}]})))
    cold.double = double
    return cold


@pytest.mark.parametrize("route", ("auth/token/lookup-self",
                                   "secret/data/app"))
def test_sealed_then_nobody_leads_then_fine(vault, route):
    vault.double.seal()
    run = vault.run(JOB, wait=None)
    vault.until_state(run, "blocked", task="t")
    away = vault.double.fault(f"GET {route}", "failed", message=NOBODY_LEADS)
    vault.double.unseal()
    assert away.hit.wait(40)
    vault.until(lambda: any(
        NOBODY_LEADS in t["error"]
        for t in attempts(vault, run)))
    vault.double.clear()
    ended = vault.ended(run)
    assert ended["state"] == "succeeded", ended["error"]


def attempts(nfo, run):
    said = nfo.get(f"/v1/runs/{run['id']}/tasks/t/attempts").json["items"]
    return [t for t in said if t["error"]]


def test_who_leads_is_not_agreed_on_yet(vault):
    """A standby refers to one that refers back: it is asked again."""
    vault.double.standby(vault.double.address)
    run = vault.run(JOB, wait=None)
    vault.double.wait(("auth/token/lookup-self", 3))
    vault.double.active()
    ended = vault.ended(run)
    assert ended["state"] == "succeeded", ended["error"]
    assert len(attempts(vault, run)) == 0
