# SPDX-License-Identifier: AGPL-3.0-or-later
"""Programs of the settings that give secrets: in a sandbox of their own, and
only for who may have them."""
import json
import os
import subprocess

import pytest

POLICY = """
rules:
  - allow:
      profiles: [default]
      networks: [none]
      secrets: ["exec:**", "store:**"]
      deliver: [file, fd, stdin]
"""
HELPERS = {
    "plain": """#!/bin/sh
        cat > /tmp/asked; echo a-value-of-one-line""",
    "fields": """#!/usr/bin/python3
        import json, sys
        asked = json.load(sys.stdin)
        print(json.dumps({"user": asked["params"]["entry"], "n": 7,
                          "ref": asked["ref"], "name": asked["name"]}))""",
    "fails": """#!/bin/sh
        echo half-of-a-secret; echo first >&2
        echo 'no entry for half-of-a-secret here' >&2; exit 3""",
    "empty": """#!/bin/sh
        exit 0""",
    "slow": """#!/bin/sh
        sleep 60""",
    "floods": """#!/bin/sh
        exec cat /dev/zero""",
    "full": """#!/bin/sh
        head -c 65536 /dev/zero | tr '\\0' x; echo""",
    "over": """#!/bin/sh
        head -c 65537 /dev/zero | tr '\\0' x""",
    "chatters": """#!/bin/sh
        head -c 3000000 /dev/zero | tr '\\0' x >&2; echo the-value-behind-it""",
    "looks": """#!/bin/sh
        id -u; env | sort | tr '\\n' ' '; ls -A /work /run/nfo/secrets 2>&1
        ls -A / | tr '\\n' ' '; cat /proc/net/dev | wc -l; ls /proc/self/fd""",
    "binary": """#!/bin/sh
        printf 'a\\000b\\377'""",
}


@pytest.fixture
def served(cold):
    helpers = []
    for name, text in HELPERS.items():
        first, *rest = text.split("\n")
        path = cold.write(f"helpers/{name}",
                          "\n".join([first, *(l[8:] for l in rest)]) + "\n")
        path.chmod(0o755)
        helpers.append({"name": name, "argv": [str(path)]})
        if name == "slow":
            helpers[-1]["timeout"] = "1s"
    helpers.append({"name": "usr", "argv": ["/usr/bin/printf", "of-usr-%s",
                                            "bin"]})
    helpers.append({"name": "gone", "argv": ["/nowhere/at/all"]})
    cold.write("policies/test.yaml", POLICY)
    cold.serve("--policy", "policies", "--config", cold.write(
        "server.yaml", json.dumps({"secret_helpers": helpers})))
    return cold


def run(nfo, secret, script='cat "$NFO_SECRETS/k"'):
    got = nfo.run(f"secrets: {{ k: {secret} }}\n"
                  f"tasks: {{ t: {{ secrets: [k], run: {json.dumps(script)} "
                  "} }\n")
    return nfo.tasks(got)["t"], nfo.log(got, "t").decode()


HEX = 'od -An -tx1 -v "%s" | tr -d "\\n" | tr 0-9a-f g-v'


def plain(nfo, secret, name="k"):
    task, log = run(nfo, secret, HEX % f"$NFO_SECRETS/{name}")
    assert task["state"] == "succeeded", ((nfo.home / "serve.err").read_text(), task["error"])
    table = str.maketrans("ghijklmnopqrstuv", "0123456789abcdef")
    return bytes.fromhex("".join(
        line for line in log.splitlines()
        if not line.startswith("nfo: ")).translate(table))


def test_a_value_and_fields(served):
    assert plain(served, "{ exec: plain }") == b"a-value-of-one-line"
    assert plain(served, "{ exec: usr }") == b"of-usr-bin"
    assert plain(served, "{ exec: binary }") == b"a\0b\xff"
    secret = "{ exec: fields, params: { entry: web/token }%s }"
    assert plain(served, secret % "", "k/user") == b"web/token"
    assert plain(served, secret % ", field: n") == b"7"
    assert plain(served, secret % ", field: ref") == \
        b"exec:fields?p.entry=web%2Ftoken#ref"
    _, log = run(served, "{ exec: full }", 'wc -c < "$NFO_SECRETS/k"')
    assert log.strip().endswith("65536")  # the line end does not count
    _, log = run(served, "{ exec: plain }")
    assert log.strip() == "[REDACTED]"


@pytest.mark.parametrize("name, words", [
    ("empty", ["it gave no value"]),
    ("floods", ["over 64 KiB"]),
    ("over", ["over 64 KiB"]),
    ("gone", ["/nowhere/at/all"]),
])
def test_what_goes_wrong_says_so(served, name, words):
    task, _ = run(served, f"{{ exec: {name} }}")
    assert (task["state"], task["kind"]) == ("failed", "secret"), task
    for word in words:
        assert word in task["error"], task


def test_an_error_has_the_last_line_and_no_value(served):
    task, _ = run(served, "{ exec: fails }")
    assert task["kind"] == "secret"
    assert 'helper "fails": exit code 3: no entry for ' in task["error"]
    assert "half-of" not in json.dumps(task)


def test_a_field_that_there_is_not(served):
    task, _ = run(served, "{ exec: fields, params: { entry: x }, field: no }")
    assert 'it has no field "no"' in task["error"]
    task, _ = run(served, "{ exec: plain, field: no }")
    assert "no JSON object" in task["error"]


def test_one_that_chatters_is_drained(served):
    assert plain(served, "{ exec: chatters }") == b"the-value-behind-it"


def test_it_sees_nothing_of_ours(served):
    out = plain(served, "{ exec: looks }").decode()
    assert "NFO" not in out and str(served.home) not in out
    assert "home" not in out.split("\n")[3].split()
    if os.geteuid() == 0:
        assert int(out.split("\n")[0]) > 0x4e460000


def test_a_slow_one_is_ended_and_may_be_had_later(served):
    """Its time is up: that is no fault of the task's."""
    a = served.submit("nfo: 1\nname: s\ntimeout: 4s\n"
                      "secrets: { k: { exec: slow } }\n"
                      "tasks: { t: { secrets: [k], run: 'true' } }\n",
                      wait="60s")
    assert (a.json["state"], a.json["kind"]) == ("failed", "timeout"), a
    attempts = served.get(f"/v1/runs/{a.json['id']}/tasks/t/attempts").json
    tried = attempts["items"]
    assert tried[0]["kind"] == "secret" and len(tried) > 1
    assert "took too long" in tried[0]["error"]
    assert "when it is back" in tried[0]["hint"]
    ps = subprocess.run(["ps", "axo", "args"], capture_output=True, text=True)
    assert "sleep 60" not in ps.stdout


def test_a_helper_that_is_not_there_is_refused(served):
    a = served.submit("nfo: 1\nname: s\nsecrets: { k: { exec: other } }\n"
                      "tasks: { t: { secrets: [k], run: 'true' } }\n")
    assert (a.status, a.json["code"]) == (422, "secret-missing"), a
    assert a.json["errors"][0]["pointer"] == "/secrets/k/exec"


def test_a_program_that_others_may_change_is_not_run(served):
    (served.home / "helpers/plain").chmod(0o777)
    task, _ = run(served, "{ exec: plain }")
    assert "may change it" in task["error"], task


def test_many_at_once(served):
    tasks = "".join(f"  t{i}: {{ secrets: [k], run: 'test -s "
                    "\"$NFO_SECRETS/k\"' }\n" for i in range(24))
    got = served.run("secrets: { k: { exec: plain } }\ntasks:\n" + tasks)
    assert got["state"] == "succeeded", got
