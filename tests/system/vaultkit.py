# SPDX-License-Identifier: AGPL-3.0-or-later
"""What tests with a Vault share: the double as a fixture (in conftest.py), a
server that has it as its provider, jobs with secrets of it."""
import json
import sys

import pytest

import nfo as programs

sys.path.insert(0, str(programs.TOP / "tests"))
from fakebao import FakeBao  # noqa: E402


@pytest.fixture
def bao():
    """A server of the double on loopback without TLS, see tests/fakebao."""
    with FakeBao() as it:
        yield it


@pytest.fixture
def tls_bao():
    """The same with TLS; .ca_file is what to trust."""
    with FakeBao(tls="good") as it:
        yield it


KV = "kv"
READS = 'path "%s/data/*" { capabilities = ["read"] }' % KV
VALUE = "correct/horse+battery$staple"
ONE = {"x": "{ vault: kv/app, field: token }"}
ASKED = "GET kv/data/app"

POLICY = """policy: test
rules:
  - name: all
    projects: ["*"]
    submitters: ["*"]
    allow:
      profiles: [default]
      networks: [none]
      secrets: ["store:{project}/*", "vault:**"]
      deliver: [file, fd, stdin]
"""


def settings(nfo, bao, token, address=None, **more):
    path = nfo.write("token", token)
    path.chmod(0o600)
    given = {"address": address or bao.address, "auth": "token",
             "token_file": str(path), **more}
    return nfo.write("server.yaml",
                     json.dumps({"secret_providers": [given]}))


def serve(nfo, bao, **more):
    token = bao.token(["jobs"])
    nfo.token = token
    nfo.write("policies/test.yaml", POLICY)
    nfo.serve("--policy", "policies",
              "--config", settings(nfo, bao, token, **more))


@pytest.fixture
def vault(cold, bao):
    """A server with the double as its provider, with one token that reads."""
    bao.policy("jobs", READS)
    bao.kv(KV, "app", {"token": VALUE, "user": "ann"})
    serve(cold, bao)
    cold.bao = bao
    return cold


def job(secrets, script, tasks="t", extra=""):
    """secrets: name -> declaration, as YAML in one line."""
    names = [f"{n}=$NFO_SECRETS/{n}" for n in secrets]
    body = "\n".join("      " + line for line in names + script.splitlines())
    declared = "".join(f"  {n}: {d}\n" for n, d in secrets.items())
    return (f"secrets:\n{declared}tasks:\n"
            f"  {tasks}:\n    run: |\n{body}\n"
            f"    secrets: [{', '.join(secrets)}]\n{extra}")


def said(nfo, run):
    """The words of its log, without the server's own lines."""
    lines = nfo.log(run, "t").decode().splitlines()
    return " ".join(x for x in lines if not x.startswith("nfo: ")).split()


def succeeds(nfo, secrets, script):
    run = nfo.run(job(secrets, script))
    assert run["state"] == "succeeded", nfo.fresh(run)
    return said(nfo, run)


def fails(nfo, secret):
    """What the run says of it."""
    run = nfo.run(job({"x": secret}, "cat $x"))
    assert (run["state"], run["kind"]) == ("failed", "secret"), run
    return run["error"]


def reads(bao, path="kv/data/app"):
    return [r for r in bao.requests if r.path == path]


def everything(nfo):
    """What the server keeps and has said, but the secret store."""
    found = (nfo.home / "serve.err").read_bytes()
    for path in (nfo.state / "server").rglob("*"):
        if path.is_file():
            found += path.read_bytes()
    return found
