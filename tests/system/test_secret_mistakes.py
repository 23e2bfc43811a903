# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an author of jobs does wrong with secrets, from end to end: refused before
anything starts where it can be known, else the task fails with kind `secret`; the
words name the secret, hold no value, and say what to do."""
import json

import pytest

from vaultkit import POLICY, READS, job, settings

VALUE = "correct/horse+battery$staple"


@pytest.fixture(scope="module")
def store():
    """path -> fields, all of them wrong in some way."""
    return {
        "app": {"token": VALUE, "user": "ann"},
        "empty": {},
        "nothing": {"a": None},
        "many": {f"f{i}": VALUE for i in range(65)},
        "large": {"token": VALUE + "x" * (1 << 20)},
        "odd": {"none": None, "lines": VALUE + "\n" + VALUE,
                "long": VALUE + "y" * 4096},
        "up": {"../x": VALUE},
        "slash": {"a/b": VALUE},
        "dots": {"..": VALUE},
        "hidden": {".ssh": VALUE},
        "line": {"a\nnfo: all is well\x1b[2J": VALUE},
        "unnamed": {"": VALUE},
        "nul": {"a\0b": VALUE},
        "longname": {"n" * 300: VALUE},
        "longpath": {"n" * 127: VALUE},
    }


@pytest.fixture
def policy():
    return POLICY


@pytest.fixture
def vault(cold, bao, store, policy):
    bao.policy("jobs", READS)
    for path, fields in store.items():
        bao.kv("kv", path, fields)
    bao.kv("closed", "app", {"token": VALUE})
    cold.write("policies/test.yaml", policy)
    cold.serve("--policy", "policies", "--config",
               settings(cold, bao, bao.token(["jobs"])))
    cold.secrets.add(VALUE.encode())
    cold.bao = bao
    return cold


def whole(tasks):
    return tasks if "nfo: 1" in tasks else "nfo: 1\nname: test\n" + tasks


def no_value(*texts):
    for text in texts:
        assert VALUE not in text and "battery" not in text, text


def refused(nfo, tasks, code=422):
    """(code, message, hint) of each problem; nothing has begun."""
    a = nfo.submit(whole(tasks))
    assert a.status == code, a
    no_value(a.body.decode())
    assert nfo.get("/v1/runs").json["items"] == []
    return [(e["code"], e["message"], e["hint"]) for e in a.json["errors"]]


def fails(nfo, tasks):
    """The task's error and hint."""
    run = nfo.run(whole(tasks))
    (task,) = nfo.fresh(run)["tasks"]
    assert (task["state"], task["kind"]) == ("failed", "secret"), task
    no_value(json.dumps(nfo.fresh(run)), nfo.log(run, "t").decode(),
             nfo("show", run["id"]).out, nfo("why", run["id"]).out)
    assert 'secret "x' in task["error"], task
    return task["error"], task["hint"] or ""


# --- known before

TASK = "tasks: { t: { run: 'true'%s } }\n"
X = "secrets: { x: { vault: kv/app, field: token } }\n"


@pytest.mark.parametrize("tasks, code, says, hint", [
    (TASK % ", secrets: [x]", "unknown-secret", '"x"', "declare it"),
    (X + TASK % ", env: { A: '${{ secrets.x.path }}' }", "bad-expression",
     'not granted the secret "x"', "add it to `secrets`"),
    (X + TASK % ", templates: { a: { text: '${{ secrets.x.value }}' } }",
     "bad-expression", 'not granted the secret "x"', "add it to `secrets`"),
    (X + TASK % ", secrets: [x], templates: { x: { text: a } }", "bad-name",
     'that of the secret "x"', "name another"),
    (X + TASK % ", secrets: [x], templates: { a: { file: ../x, text: a } }",
     "bad-name", "no name of a file", "letters"),
    (X + TASK % ", secrets: [x, x]", "duplicate-secret", '"x"', ""),
    (X + TASK % ", secrets: [x], env: { A: '${{ secrets.x.value }}' }",
     "bad-expression", 'value of the secret "x"', "secrets.NAME.path"),
])
def test_of_the_job_itself(vault, tasks, code, says, hint):
    problems = refused(vault, tasks)
    assert any(c == code and says in m and hint in h
               for c, m, h in problems), problems


@pytest.mark.parametrize("secret, says, hint", [
    ("{ vault: kv/app, provider: nobody }", '"nobody" on this server',
     "nfo secret provider list"),
    ("{ vault: kv/../sys }", '"kv/../sys" is no path', "MOUNT/PATH"),
    ("{ vault: /kv/app }", "is no path", "MOUNT/PATH"),
    ("{ vault: kv/app, deliver: env }", "several fields", "`field`"),
    ("{ vault: kv/app, deliver: fd }", "several fields", "`field`"),
    ("{ vault: kv/app, field: '' }", "1 to 128 bytes", ""),
    ("{ vault: kv/app, field: %s }" % ("f" * 300), "1 to 128 bytes", ""),
    ('{ vault: kv/app, field: "a\\0b" }', "NUL", ""),
    ("{ vault: kv/app, store: app }", "store", ""),
    ("{ store: none }", 'no secret "none"', "nfo secret put"),
])
def test_of_a_declaration(vault, secret, says, hint):
    problems = refused(vault, job({"x": secret}, "true"))
    assert any(says in m and hint in h for _, m, h in problems), problems


@pytest.mark.parametrize("policy", [POLICY.replace(
    "vault:**", "vault:default:kv/open/**")])
@pytest.mark.parametrize("secret, says, hint", [
    ("{ vault: kv/app, field: token }", "vault:default:kv/app#token",
     "allow: { secrets"),
    ("{ vault: kv/open/app, field: token, deliver: env }", '"env"',
     "allow: { deliver"),
])
def test_what_the_policy_forbids(vault, secret, says, hint):
    problems = refused(vault, job({"x": secret}, "true"), code=403)
    assert any("test.yaml:" in m and says in m and hint in h
               for _, m, h in problems), problems
    no_value(vault("run", vault.write("job.yaml", whole(
        job({"x": secret}, "true"))), code=3).err)


def test_too_large_for_the_store(vault):
    a = vault.ask("PUT", "/v1/projects/default/secrets/x", b"x" * 65537,
                  {"Content-Type": "application/octet-stream"})
    vault.secrets.clear()
    assert a.status == 413 and "xxxx" not in a.body.decode(), a


# --- known when it is read

CHECK = "nfo secret provider check default"


@pytest.mark.parametrize("secret, says, hint", [
    ("{ vault: kv/app, field: nope }", 'no field "nope" (it has: token, user)',
     CHECK),
    ("{ vault: kv/none, field: token }", "kv/none: there is nothing", CHECK),
    ("{ vault: kv/data/app, field: token }", "there is nothing",
     "no `data/`"),
    ("{ vault: kv, field: token }", "the engine itself", "nfo explain"),
    ("{ vault: closed/app, field: token }", "permission denied", "policy"),
    ("{ vault: none/app, field: token }", "permission denied",
     "policy of the Vault"),
    ("{ vault: kv/empty }", "it has no fields", CHECK),
    ("{ vault: kv/nothing }", "it has no fields", CHECK),
    ("{ vault: kv/odd, field: none }", 'no field "none"', CHECK),
    ("{ vault: kv/many }", "more than 64 fields", "a path each"),
    ("{ vault: kv/large, field: token }", "over 1048576 bytes",
     "at most 1 MiB"),
    ("{ vault: kv/up }", '"../x" is no name of a file', "field: NAME"),
    ("{ vault: kv/slash }", '"a/b" is no name of a file', "field: NAME"),
    ("{ vault: kv/dots }", '".." is no name of a file', "field: NAME"),
    ("{ vault: kv/hidden }", '".ssh" is no name of a file', "field: NAME"),
    ("{ vault: kv/line }", '"a?nfo: all is well?[2J" is no name',
     "field: NAME"),
    ("{ vault: kv/unnamed }", "name is empty or longer than 128", "nfo explain"),
    ("{ vault: kv/longname }", "name is empty or longer", "nfo explain"),
    ("{ vault: kv/longpath }", "over 127 bytes are no name", "`field`"),
    ("{ vault: kv/nul }", "a name twice or with a NUL", CHECK),
])
def test_of_what_there_is(vault, secret, says, hint):
    error, told = fails(vault, job({"x": secret}, "ls -R $NFO_SECRETS"))
    assert says in error and hint in told, (error, told)
    assert not any(ord(c) < 32 for c in error + told)


@pytest.mark.parametrize("policy", [POLICY.replace("stdin]", "stdin, env]")])
@pytest.mark.parametrize("field, says", [("lines", "of several lines"),
                                         ("long", "over 4 KiB")])
def test_not_fit_for_a_variable(vault, field, says):
    secret = "{ vault: kv/odd, field: %s, deliver: env }" % field
    error, _ = fails(vault, job({"x": secret}, "true"))
    assert says in error and "deliver: file" in error


def test_a_task_that_was_not_granted_it(vault):
    """Nothing asks for it, and nothing is there."""
    run = vault.run(X + TASK.replace("'true'", "'ls -A $NFO_SECRETS; "
                                     "! cat $NFO_SECRETS/x'") % "")
    assert run["state"] == "succeeded", run
    assert b"No such file" in vault.log(run, "t")
    assert [r for r in vault.bao.requests if "kv/data" in r.path
            and r.method == "GET"] == []
