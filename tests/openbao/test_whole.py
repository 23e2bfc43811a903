# SPDX-License-Identifier: AGPL-3.0-or-later
"""One job with values, a database login and an SSH certificate of a real server,
set up as docs/VAULT.md has it: it works, and no lease stays open, whatever dies."""
import json
import os
import signal

import pytest

import nfo as programs
import real as servers
from test_guide import ID, dev, followed, postgres  # noqa: F401

POLICY = """policy: test
rules:
  - allow:
      profiles: [default]
      networks: [none]
      secrets: ["vault:**"]
      deliver: [file]
"""
SECRETS = """
secrets:
  kv: { vault: secret/web/deploy }
  db: { vault: database/creds/web-ro, kind: read }
  login: { vault: ssh/sign/web-deploy, kind: ssh-cert,
           params: { valid_principals: deploy } }
tasks:
  t:
    secrets: [kv, db, login]
"""
LOOK = """    run: |
      cd "$NFO_SECRETS"
      test "$(cat kv/user)" = deployer
      case $(cat db/username) in v-*) ;; *) exit 1 ;; esac
      ssh-keygen -Lf login/cert.pub | grep -q 'ed25519-cert'
      ssh-keygen -y -f login/key > /dev/null
      echo all three
"""
WAIT = """    run: |
      cat "$NFO_SECRETS/db/username" > /dev/null
      echo begun
      sleep 600
"""


@pytest.fixture
def whole(followed, postgres, dev):  # noqa: F811
    followed.stop()
    followed.write("policies/test.yaml", POLICY)
    followed.config = followed.write("server.yaml", json.dumps({
        "secret_providers": [{
            "address": dev.address, "auth": "approle", "auth_role": "nfo",
            "role_id": ID.search(followed.said)[0],
            "secret_id_file": str(followed.home / "vault-secret-id"),
            "secret_id_wrapped": True}]}))
    followed.postgres = postgres
    serve(followed)
    return followed


def serve(nfo):
    nfo.serve("--policy", "policies", "--config", nfo.config)


def open_leases(nfo):
    said = nfo.bao("LIST", "sys/leases/lookup/database/creds/web-ro")
    return said.data["keys"] if said.status == 200 else []


def nothing_open(nfo):
    return not open_leases(nfo) and not nfo.postgres.users()


def test_a_job(whole):
    run = whole.run(SECRETS + LOOK)
    assert run["state"] == "succeeded", whole.fresh(run)
    assert "all three" in whole.log(run, "t").decode()
    servers.until(lambda: nothing_open(whole))


def began(nfo):
    run = nfo.run(SECRETS + WAIT, wait=None)
    nfo.until(lambda: b"begun" in nfo.log(run, "t"))
    assert len(open_leases(nfo)) == len(nfo.postgres.users()) == 1
    return run


def test_one_that_is_cancelled(whole):
    run = began(whole)
    assert whole.ask("POST", f"/v1/runs/{run['id']}/cancel").status in (200,
                                                                       202)
    assert whole.ended(run)["state"] == "cancelled"
    servers.until(lambda: nothing_open(whole))


def test_all_of_us_are_killed(whole):
    """The journal has what was open, and the next start sweeps it."""
    began(whole)
    whole.stop(signal.SIGKILL)
    assert len(open_leases(whole)) == 1
    # The wrapping token is used up: the login of before is in the journal.
    serve(whole)
    servers.until(lambda: nothing_open(whole))


def test_the_keeper_is_killed(whole):
    """What lives goes on, and its lease with it; what ends gives it back."""
    run = began(whole)
    os.kill(whole.role("keeper"), signal.SIGKILL)

    def cancelled():  # the server starts anew with its keeper
        try:
            whole.ask("POST", f"/v1/runs/{run['id']}/cancel")
            return whole.fresh(run)["state"] in programs.FINAL
        except OSError:
            return False
    whole.until(cancelled)
    servers.until(lambda: nothing_open(whole))
