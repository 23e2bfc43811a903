# SPDX-License-Identifier: AGPL-3.0-or-later
"""`nfo run --secret`: other values in the place of a Vault's, for one run."""
import json
import os
import signal

import pytest

VALUE = "squeamish/ossifrage+7"
JOB = """nfo: 1
name: deploy
secrets:
  token: { vault: kv/app, field: token, refresh: true, on_leak: warn }
  all: { vault: kv/app }
  local: { store: here }
tasks:
  t:
    secrets: [token]
    run: |
      echo "$(wc -c < "$NFO_SECRETS/token") bytes"
      printf 'it is %s\\n' "$(cat "$NFO_SECRETS/token")"
"""
WAITS = JOB + '      echo waits\n      exec sleep 60\n'


@pytest.fixture
def here(nfo):
    nfo.write("job.yaml", JOB)
    nfo.write("waits.yaml", WAITS)
    nfo.write("value", VALUE)
    nfo.secrets.add(VALUE.encode())
    return nfo


def names(nfo):
    return [s["name"] for s in json.loads(
        nfo("secret", "list", "--output", "json").out)["items"]]


def test_one_of_the_store(here):
    here("secret", "put", "mine", stdin=VALUE)
    told = here("run", "job.yaml", "--secret", "token=store:mine")
    assert f"{len(VALUE)} bytes" in told.out and "it is [REDACTED]" in told.out
    assert names(here) == ["mine"]


@pytest.mark.parametrize("syntax", ["json", "toml"])
def test_in_each_syntax(here, syntax):
    here.write(f"job.{syntax}",
               here("convert", "job.yaml", "--to", syntax).out)
    told = here("run", f"job.{syntax}", "--secret", "token=@value")
    assert f"{len(VALUE)} bytes" in told.out
    assert names(here) == []


def test_a_file_is_stored_for_the_run_only(here):
    told = here("run", "job.yaml", "--secret", "token=@value")
    assert f"{len(VALUE)} bytes" in told.out and "it is [REDACTED]" in told.out
    assert VALUE not in told.out + told.err
    assert names(here) == []


def test_it_is_removed_when_the_run_fails(here):
    here.write("bad.yaml", JOB + "      exit 3\n")
    here("run", "bad.yaml", "--secret", "token=@value", code=1)
    assert names(here) == []


def test_it_is_removed_when_the_run_is_refused(here):
    here.write("job.yaml", JOB.replace("secrets: [token]",
                                       "secrets: [token, local]"))
    told = here("run", "job.yaml", "--secret", "token=@value", code=2)
    assert 'no secret "here"' in told.err and VALUE not in told.err
    assert names(here) == []


def test_it_is_removed_after_an_interrupt(here):
    with here.popen("run", "waits.yaml", "--secret", "token=@value",
                    preexec_fn=lambda: signal.signal(
                        signal.SIGINT, signal.SIG_DFL)) as p:
        while b"waits" not in p.stdout.readline():
            pass
        assert [n[:11] for n in names(here)] == ["once-token-"]
        os.kill(p.pid, signal.SIGINT)
        out, err = p.communicate(timeout=60)
    assert p.returncode == 1 and b"cancelled" in out, (out, err)
    assert names(here) == []


def test_a_killed_one_leaves_what_the_help_says(here):
    with here.popen("run", "waits.yaml", "--secret", "token=@value") as p:
        while b"waits" not in p.stdout.readline():
            pass
        p.kill()
    (left,) = names(here)
    assert left.startswith("once-token-")
    assert "once-NAME-" in here("run", "--help").out
    here("secret", "rm", left)
    run = here.get("/v1/runs").json["items"][0]
    here("cancel", run["id"])
    here.ended(run)


@pytest.mark.parametrize("given, says", [
    (f"token={VALUE}", "a value is not taken here"),
    (VALUE, "a value is not taken here"),
    (f"{VALUE}=", "a value is not taken here"),
    ("token=store:", "NAME=store:SECRET"),
    ("token=@", "@FILE"),
    ("token=@none", "none"),
    ("other=store:x", "declares no such secret"),
    ("local=store:x", "not of a Vault"),
    ("all=store:x", "name one with `field`"),
    ("token=store:a/b/c", "NAME=store:SECRET"),
    ("token=store:" + VALUE.upper(), "a value is not taken here"),
])
def test_what_is_refused(here, given, says):
    told = here("run", "job.yaml", "--secret", given, code=2)
    assert says in told.err and VALUE not in told.out + told.err
    assert VALUE.upper() not in told.err
    assert names(here) == []
    assert here.get("/v1/runs").json["items"] == []


def test_more_that_is_refused(here):
    told = here("run", "job.yaml", "-d", "--secret", "token=@value", code=2)
    assert "--detach" in told.err
    told = here("run", "job.yaml", "--secret", "token=store:a", "--secret",
                "token=store:b", code=2)
    assert "given twice" in told.err
    here.write("empty", "")
    told = here("run", "job.yaml", "--secret", "token=@empty", code=2)
    assert names(here) == []
    here.write("long", "x" * 65537)
    here("run", "job.yaml", "--secret", "token=@long", code=2)
    assert names(here) == []


def test_a_stored_job_runs_as_it_is_stored(here):
    here("job", "put", "job.yaml")
    told = here("job", "run", "deploy", "--secret", f"token={VALUE}", code=2)
    assert "nfo job get" in told.err and VALUE not in told.err
