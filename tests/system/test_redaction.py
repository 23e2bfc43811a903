# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a task that knows its secret does to get it past the redactor."""
import json
import random
import sqlite3

import pytest

SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/_-"


def value_of(seed, n=24):
    dice = random.Random(seed)
    return "".join(dice.choice(SIGNS) for _ in range(n))


def job(script, uses="key: { store: key }", more=""):
    body = "\n".join("      " + line for line in script.splitlines())
    return f"""
secrets: {{ {uses} }}
tasks:
  t:
    secrets: [key]
    shell: /bin/bash
{more}    run: |
      key=$NFO_SECRETS/key
{body}
"""


@pytest.fixture
def key(nfo):
    nfo.value = value_of(1)
    nfo("secret", "put", "key", stdin=nfo.value)
    return nfo.value


HALVES = 'head -c 12 "$key"; tail -c +13 "$key" >&2'
# Two pipes have no common order, but for the time between the writes.
BYTES = ('v=$(cat "$key"); for ((i = 0; i < ${#v}; i++)); do\n'
         '  printf %s "${v:i:1}" >&$((1 + i % 2)); sleep 0.02\ndone')


@pytest.mark.parametrize("script", [HALVES, BYTES], ids=["halves", "bytes"])
def test_both_streams_as_one(nfo, key, script):
    """Neither stream has it, a reader of both would: no form is kept in
    the order of arrival, and who asked for it fails."""
    run = nfo.run(job(script, "key: { store: key, on_leak: fail }"))
    assert nfo.tasks(run)["t"]["kind"] == "leak", run
    run = nfo.run(job(script))
    assert run["state"] == "succeeded", run
    (seen,) = nfo.tasks(run)["t"]["secrets"]
    # Half of it is a line of a hex dump, and masked by itself.
    assert seen["seen"] >= 1 and (seen["joined"] or script == HALVES)


def test_counts(nfo, key):
    """How often which secret was seen: in the run, for people, in the
    audit; a secret that is not printed is not named."""
    other = value_of(2)
    nfo("secret", "put", "other", stdin=other)
    run = nfo.run(job('cat "$key"; echo .; cat "$key"; echo; base64 -w0 "$key" >&2',
                      "key: { store: key }, other: { store: other }")
                  .replace("secrets: [key]", "secrets: [key, other]"))
    assert nfo.tasks(run)["t"]["secrets"] == \
        [{"name": "key", "seen": 3, "joined": 0}]
    assert 't: secret "key" was printed and redacted: 3' in \
        nfo("show", run["id"]).out
    with sqlite3.connect(f"file:{nfo.state}/server/nfo.db?mode=ro", uri=True) as db:
        rows = db.execute("SELECT what FROM audit WHERE action=?",
                          ("secret.seen",)).fetchall()
    assert rows == [(f"{run['id'][4:]}/t/1 key=3",)]
    assert "nfo_redactions_total" in nfo.get("/metrics").body.decode()


@pytest.mark.parametrize("path", ["'*'", "['*', 'x*']"], ids=["one", "tar"])
def test_an_artifact_called_as_a_secret(nfo, path):
    value = value_of(3).replace("/", "_")
    nfo("secret", "put", "key", stdin=value)
    run = nfo.run(job('touch "$(cat "$key")"',
                      more=f"    artifacts: {{ a: {{ path: {path} }} }}\n"))
    task = nfo.tasks(run)["t"]
    assert task["kind"] == "leak" and '"key"' in task["error"]
    assert value not in json.dumps(run)
    assert nfo.fresh(run)["tasks"][0]["artifacts"] == []


def test_an_output_that_holds_one(nfo, key):
    run = nfo.run(job('cp "$key" "$NFO_OUTPUT/x"',
                      more="    outputs: { x: {} }\n"))
    task = nfo.tasks(run)["t"]
    assert (task["kind"], task["outputs"]) == ("leak", {})
    assert task["secrets"] == [{"name": "key", "seen": 1, "joined": 0}]


PACKED = {
    "gz": 'gzip < "$key" > a',
    "tar": 'mkdir d; cp "$key" d/x; tar cf a d',
    "tgz": 'mkdir d; cp "$key" d/x; tar czf a d',
    "zip": 'cp "$key" x; python3 -m zipfile -c a x',
    "zip-stored": 'python3 -c "import zipfile, sys; zipfile.ZipFile(\'a\','
                  ' \'w\').write(sys.argv[1], \'x\')" "$key"',
    "second-of-zip": 'seq 1 9999 > b; cp "$key" x; '
                     'python3 -m zipfile -c a b x',
    "zip-to-a-pipe": 'cp "$key" x; python3 -c "import zipfile, sys; '
                     'z = zipfile.ZipFile(sys.stdout.buffer, \'w\', 8); '
                     'z.write(\'/etc/passwd\'); z.write(\'x\'); z.close()" '
                     '| cat > a',
    "zip-in-tgz": 'cp "$key" x; python3 -m zipfile -c y.zip x; '
                  'tar czf a y.zip',
    "gz-in-tar-in-gz": 'gzip < "$key" > x.gz; tar czf a x.gz',
    "two-gz": '(seq 1 999 | gzip; base64 "$key" | gzip) > a',
}


@pytest.mark.parametrize("how", PACKED)
def test_packed_in_an_artifact(nfo, key, how):
    """Held back, nothing of it is kept; what is packed alike and holds
    none is fine."""
    script = PACKED[how]
    more = "    artifacts: { a: { path: a } }\n"
    run = nfo.run(job(script, more=more))
    task = nfo.tasks(run)["t"]
    assert (task["kind"], task["artifacts"]) == ("leak", []), run
    assert 'holds secret "key"' in task["error"]
    assert task["secrets"][0]["seen"] == 1
    other = nfo.run(job("echo something else > other; key=$PWD/other\n"
                        + script, more=more))
    assert other["state"] == "succeeded", other


def test_packed_on_stdout(nfo, key):
    more = "    stdout: { artifact: out, log: none }\n"
    run = nfo.run(job('gzip < "$key"', more=more))
    assert nfo.tasks(run)["t"]["kind"] == "leak"
    assert nfo.run(job("echo x | gzip", more=more))["state"] == "succeeded"


def allow(nfo, what):
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    path.write_text(path.read_text() + f"  - allow: {{ {what}: true }}\n")
    nfo("runs")


BOMB = "head -c 100M /dev/zero | gzip -9 | gzip -9 > a"


def test_an_archive_that_cannot_be_looked_through(nfo, key):
    """Not kept, unless job and policy say that it may hold what it likes."""
    more = "    artifacts: { a: { path: a } }\n"
    task = nfo.tasks(nfo.run(job(BOMB, more=more)))["t"]
    assert task["kind"] == "leak" and "looked through" in task["error"]


@pytest.mark.parametrize("script", [BOMB, PACKED["tgz"]],
                         ids=["bomb", "secret"])
def test_allow_secret_needs_job_and_policy(nfo, key, script):
    text = job(script,
               more="    artifacts: { a: { path: a, allow_secret: true } }\n")
    a = nfo.submit("nfo: 1\nname: test\n" + text)
    assert (a.status, a.json["code"]) == (403, "policy")
    assert a.json["errors"][0]["hint"] == "allow: { artifact_secrets: true }"
    allow(nfo, "artifact_secrets")
    assert nfo.run(text)["state"] == "succeeded"


def test_short_and_common_ones(nfo):
    """Refused, or told so when it is put and in the log of its task."""
    for value in (b"a", b"abc", b" ab\n"):
        assert "under 4 bytes" in nfo("secret", "put", "key", stdin=value,
                                      code=2).err
    for value, why in ((b"abcd", "under 8 bytes"),
                       (b"password", "an everyday word"),
                       (b"0000000000", "an everyday word"),
                       (b"default", "an everyday word"),  # the project
                       (b"REDACTED", "a part of the marker")):
        assert why in nfo("secret", "put", "key", stdin=value).err
        a = nfo.ask("PUT", "/v1/projects/default/secrets/key", value,
                    {"Content-Type": "application/octet-stream"})
        assert why in a.json["redaction"]
        run = nfo.run(job('cat "$key"; echo; echo a password 00000000000'))
        log = nfo.log(run, "t").decode()
        assert f'nfo: secret "key": {why}' in log
        assert "a password 00000000000" in log
        assert (value.decode() in log) == (value != b"abcd")
    for value in (b"correct horse", b"a-longer-password"):
        put = nfo("secret", "put", "key", stdin=value)
        assert put.err == ""
        assert "redaction" not in nfo.ask(
            "PUT", "/v1/projects/default/secrets/key", value,
            {"Content-Type": "application/octet-stream"}).json
    nfo.secrets.clear()  # everyday words are everywhere
