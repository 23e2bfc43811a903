# SPDX-License-Identifier: AGPL-3.0-or-later
"""Vault is away: tasks that need it wait and say so, and go on when it is back;
also over a restart of the server."""
import os
import signal

import pytest

from nfo import FINAL
from test_events import history
from test_roles import runner
from test_vault_kv import READS, serve

JOB = """
secrets: { k: { vault: kv/app, field: token } }
tasks:
  other: { run: echo needs nothing }
  t: { secrets: [k], run: 'test -s "$NFO_SECRETS/k"' }
"""


@pytest.fixture
def vault(cold, bao):
    bao.policy("jobs", READS)
    bao.kv("kv", "app", {"token": "a-value-to-be-had"})
    serve(cold, bao)
    return cold


def kinds(nfo, run):
    path = f"/v1/runs/{run['id']}/tasks/t/attempts"
    return [a["kind"] for a in nfo.get(path).json["items"]]


def states(nfo, run):
    """What its events say of the task."""
    found = history(nfo, f"/v1/runs/{run['id']}/events")["items"]
    return [e["state"] for e in found
            if e["type"] == "task" and e["task"] == "t"]


def sealed(vault, bao):
    bao.seal()
    run = vault.run(JOB, wait=None)
    vault.until_state(run, "blocked", "t")
    return run


def test_a_run_waits_says_why_and_goes_on(vault, bao):
    run = sealed(vault, bao)
    vault.until_state(run, "blocked")
    fresh = vault.fresh(run)
    assert fresh["blocked"] == "secrets"
    task = vault.tasks(fresh)["t"]
    assert task["blocked"] == "secrets" and "sealed" in task["error"]
    assert vault.tasks(fresh)["other"]["state"] == "succeeded"
    assert 'provider "default"' in vault("why", run["id"]).out
    bao.unseal()
    vault.until_state(run, "succeeded")
    assert kinds(vault, run)[-1] is None
    assert states(vault, run).count("blocked") <= 2


def test_a_restart_in_between_changes_nothing(vault, bao):
    run = sealed(vault, bao)
    before = kinds(vault, run)
    (server,) = [p for p in vault.processes()
                 if "nfo: server" in open(f"/proc/{p}/cmdline").read()]
    os.kill(server, signal.SIGKILL)
    vault.until(lambda: vault.get("/readyz").status == 200)
    assert vault.tasks(vault.fresh(run))["t"]["blocked"] == "secrets"
    assert kinds(vault, run) == before
    bao.unseal()
    vault.until_state(run, "succeeded")


def test_the_jobs_time_counts(vault, bao):
    bao.seal()
    run = vault.run("nfo: 1\nname: x\ntimeout: 3s\n" + JOB)
    assert (run["state"], run["kind"]) == ("failed", "timeout")


def test_the_keeper_dies_while_a_task_asks_it(cold):
    """The task has not begun: it starts anew with the next keeper, and none of
    its retries is spent."""
    cold.serve()
    cold("secret", "put", "k", stdin="a-value-of-the-store")
    keeper = cold.role("keeper")
    run = cold.run("""
secrets: { k: { store: k } }
tasks:
  first: { run: sleep 2 }
  t: { needs: [first], secrets: [k], run: 'test -s "$NFO_SECRETS/k"' }
""", wait=None)
    before = runner(cold)
    os.kill(keeper, signal.SIGSTOP)
    cold.until(lambda: runner(cold) != before)
    os.kill(keeper, signal.SIGKILL)
    # its stream of events ends with the server, which starts anew as well
    cold.until(lambda: cold.fresh(run)["state"] in FINAL)
    assert cold.fresh(run)["state"] == "succeeded"
    *failed, last = kinds(cold, run)
    assert last is None and set(failed) == {"secret"}
