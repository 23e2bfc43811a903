# SPDX-License-Identifier: AGPL-3.0-or-later
"""A secret goes to the task that was granted it, and nowhere else."""
import base64
import hashlib
import json
import pathlib
import random
import re
import urllib.parse

import pytest

PRINTS = {
    "plain": 'cat "$key"',
    "base64": 'base64 -w0 "$key"',
    "base64-within": '(printf a; cat "$key") | base64 -w0; '
                     '(printf bc; cat "$key"; printf d) | base64 -w0',
    "base64-lines": 'base64 -w 20 "$key"',
    "hex": "od -An -tx1 -v \"$key\" | tr -d ' \\n'",
    "hex-upper": "od -An -tx1 -v \"$key\" | tr -d ' \\n' | tr a-f A-F",
    "hex-spaced": 'od -An -tx1 -v "$key"',
    "two-writes": 'head -c 15 "$key"; sleep 0.2; tail -c +16 "$key"',
    "bytes": 'while IFS= read -r -n 1 c; do printf %s "$c"; done < "$key"',
    "stderr": 'cat "$key" >&2',
    "both-streams": 'head -c 15 "$key"; tail -c +16 "$key" >&2',
    "reversed-order": 'cat "$key" "$key"',
    "coloured": "printf '\\033[31m%s\\033[0m' \"$(cat \"$key\")\"",
    "set-x": 'set -x; : "$(cat "$key")"',
    "url": 'printf "token=%s&x=1" "$(cat "$key")"',
}


def forms(value):
    """What must be found nowhere; also each half of it."""
    text = value.decode()
    found = {value, value[:20], value[20:], value.hex().encode(),
             value.hex().upper().encode(), value.hex(" ").encode(),
             urllib.parse.quote(text, safe="").encode()}
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + value)
        found.add(coded[4:-4])
    return found


def value_of(n=40):
    """Half letters, half signs that encodings change."""
    dice = random.Random(n)
    return "".join(dice.choice("abcXYZ0189+/%$ &") if i % 2 else
                   dice.choice("bcdfghkmp") for i in range(n)).encode()


def put(nfo, name, value):
    assert "version" in nfo("secret", "put", name, stdin=value).out


def job(script, extra=""):
    body = "\n".join("      " + line for line in script.splitlines())
    return f"""
secrets: {{ key: {{ store: key }} }}
tasks:
  t:
    secrets: [key]
    shell: /bin/bash
{extra}    run: |
      key=$NFO_SECRETS/key
{body}
"""


def files_below(state):
    """All but the keeper's own."""
    for path in state.rglob("*"):
        if state / "keeper" not in path.parents and path.is_file() \
                and not path.is_symlink():
            yield path


def assert_nowhere(nfo, value):
    looked = 0
    for path in files_below(nfo.state):
        content = path.read_bytes()
        for form in forms(value):
            assert form not in content, (path, form)
        looked += 1
    assert looked > 3
    for pid in nfo.processes():
        for name in ("cmdline", "environ"):
            try:
                content = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
            except OSError:
                continue  # not even we may look: good
            for form in forms(value):
                assert form not in content, (pid, name)


def test_put_list_remove(nfo):
    put(nfo, "key", b"first value of it")
    assert ": version 2" in nfo("secret", "put", "key", stdin=b"second one").out
    (item,) = json.loads(nfo("secret", "list", "-o", "json").out)["items"]
    assert (item["name"], item["version"]) == ("key", 2)
    assert "key" in nfo("secret", "list").out
    nfo("secret", "rm", "key")
    assert json.loads(nfo("secret", "list", "-o", "json").out)["items"] == []
    assert "not" in nfo("secret", "rm", "key", code=2).err


def test_a_secret_too_large_is_refused(nfo):
    assert nfo("secret", "put", "key", stdin=b"x" * 70000, code=2).err


def test_value_is_a_file_for_its_owner_only(nfo):
    value = value_of()
    put(nfo, "key", value)
    run = nfo.run(job('stat -c "%a %F" "$key"; stat -f -c %T "$key"\n'
                      'wc -c < "$key"; sha256sum < "$key"\n'
                      'touch "$NFO_SECRETS/new" 2>/dev/null || echo closed'))
    lines = nfo.log(run, "t").decode().split("\n")
    assert lines[:3] == ["400 regular file", "tmpfs", "40"]
    assert lines[3].split()[0] == hashlib.sha256(value).hexdigest()
    assert lines[4] == "closed"


def test_another_task_does_not_have_it(nfo):
    put(nfo, "key", value_of())
    run = nfo.run("""
secrets: { key: { store: key } }
tasks:
  with: { secrets: [key], run: 'ls "$NFO_SECRETS"' }
  without: { run: 'ls -A "${NFO_SECRETS:-/nonexistent}" || true' }
""")
    assert nfo.log(run, "with") == b"key\n"
    assert b"key" not in nfo.log(run, "without")


def test_a_missing_secret_is_said_before_anything_starts(nfo):
    a = nfo.submit("nfo: 1\nname: s" + job("true"))
    assert (a.status, a.json["code"]) == (422, "secret-missing"), a
    (error,) = a.json["errors"]
    assert (error["code"], error["pointer"], error["line"]) == \
        ("secret-missing", "/secrets/key/store", 3)
    assert nfo.get("/v1/runs").json["items"] == []
    # What no task is granted need not be there.
    run = nfo.run("secrets: { key: { store: key } }\n"
                  "tasks: { t: { run: 'true' } }\n")
    assert run["state"] == "succeeded"


def test_a_secret_that_goes_meanwhile_fails_with_its_kind(nfo):
    """Asked for, and gone before it is its task's turn."""
    put(nfo, "key", b"there for a moment")
    run = nfo.run("secrets: { key: { store: key } }\n"
                  "tasks:\n"
                  "  ask: { approval: { from: [user/ann], not: nobody } }\n"
                  "finally:\n"
                  "  t: { secrets: [key], run: 'true' }\n", wait=None)
    nfo.until_state(run, "blocked", "ask")
    nfo("secret", "rm", "key")
    nfo("cancel", run["id"])
    nfo.until_state(run, "failed", "t")
    assert nfo.tasks(nfo.fresh(run))["t"]["kind"] == "secret"


@pytest.mark.parametrize("how", PRINTS)
def test_no_printed_form_is_kept(nfo, how):
    value = value_of()
    put(nfo, "key", value)
    run = nfo.run(job(f"echo begin; {PRINTS[how]}; echo; echo the end"))
    assert run["state"] == "succeeded", run
    log = nfo.log(run, "t")
    assert log.startswith(b"begin") or how == "stderr"
    # Two streams have no common order: what the other one lets out, a marker or
    # ordinary bytes, may stand anywhere in the line.
    between = b".*" if how == "both-streams" else b""
    assert re.search(between.join(re.escape(bytes([c])) for c in b"the end"),
                     log.replace(b"[REDACTED]", b""), re.S), log
    for form in forms(value):
        assert form not in log, (how, log)
    assert nfo.tasks(run)["t"]["log"]["redactions"] > 0
    assert_nowhere(nfo, value)


def test_live_log_shows_no_form(nfo):
    """`nfo run` prints what is redacted, as it comes."""
    value = value_of()
    put(nfo, "key", value)
    path = nfo.write("job.yaml", "nfo: 1\nname: x" +
                     job("; ".join(PRINTS[h] for h in
                                   ("plain", "base64", "two-writes"))))
    result = nfo("run", path)
    for form in forms(value):
        assert form not in (result.out + result.err).encode()


def test_no_process_and_no_file_has_it_while_it_runs(nfo):
    value = value_of()
    put(nfo, "key", value)
    run = nfo.run(job('cat "$key"; echo up; sleep 300'), wait=None)
    nfo.until(lambda: b"up" in nfo.log(run, "t"))
    assert_nowhere(nfo, value)
    nfo("cancel", run["id"])
    nfo.ended(run)
    assert_nowhere(nfo, value)


def test_a_leak_can_fail_the_task(nfo):
    put(nfo, "key", value_of())
    run = nfo.run(job('cat "$key"').replace("store: key }",
                                            "store: key, on_leak: fail }"))
    assert nfo.tasks(run)["t"]["kind"] == "leak"


def test_a_secret_in_an_output_fails(nfo):
    value = value_of()
    put(nfo, "key", value)
    run = nfo.run(job('cat "$key" > "$NFO_OUTPUT/x"',
                      "    outputs: { x: {} }\n"))
    assert run["state"] == "failed"
    assert nfo.tasks(run)["t"]["kind"] == "leak"
    assert_nowhere(nfo, value)


def test_a_secret_in_an_artifact_fails(nfo):
    value = value_of()
    put(nfo, "key", value)
    run = nfo.run(job('cat "$key" > a', "    artifacts: { a: { path: a } }\n"))
    assert nfo.tasks(run)["t"]["kind"] == "leak"
    assert_nowhere(nfo, value)


def test_a_secret_in_a_pipe_to_a_stranger_fails(nfo):
    value = value_of()
    put(nfo, "key", value)
    run = nfo.run("""
secrets: { key: { store: key } }
tasks:
  w: { secrets: [key], run: 'cat "$NFO_SECRETS/key"' }
  r: { stdin: w.stdout, run: cat }
""")
    assert run["state"] == "failed"
    assert "leak" in {t["kind"] for t in run["tasks"]}
    assert_nowhere(nfo, value)


def test_values_come_out_of_no_endpoint(nfo):
    value = value_of()
    put(nfo, "key", value)
    for path in ("secrets", "secrets/key"):
        a = nfo.get(f"/v1/projects/default/{path}")
        assert not any(form in a.body for form in forms(value))


def test_secrets_survive_a_restart(nfo):
    put(nfo, "key", b"a value that stays")
    nfo.stop()
    run_log = nfo("run", nfo.write("j.yaml", "nfo: 1\nname: x" + job(
        'wc -c < "$key"'))).out
    assert "18" in run_log


def test_deliver_fd_is_a_descriptor_and_nothing_else(nfo):
    value = value_of()
    other = b"another value, not like it"
    put(nfo, "key", value)
    put(nfo, "two", other)
    run = nfo.run("""
secrets:
  my-key: { store: key, deliver: fd }
  two: { store: two, deliver: fd }
tasks:
  t:
    secrets: [my-key, two]
    shell: /bin/bash
    run: |
      echo "$NFO_SECRET_FD_MY_KEY $NFO_SECRET_FD_TWO"
      wc -c < "/dev/fd/$NFO_SECRET_FD_TWO"
      sha256sum <&"$NFO_SECRET_FD_MY_KEY"
      (echo x >&"$NFO_SECRET_FD_TWO") 2>/dev/null || echo sealed
      ls -A "$NFO_SECRETS" | wc -l
      for fd in 3 4 5 6 7 8 9; do [ -e /dev/fd/$fd ] && echo "fd $fd"; done
      cat "/proc/self/fd/$NFO_SECRET_FD_MY_KEY"
""")
    assert run["state"] == "succeeded", run
    lines = nfo.log(run, "t").decode().split("\n")
    assert lines[0] == "3 4"
    assert lines[1] == str(len(other))
    assert lines[2].split()[0] == hashlib.sha256(value).hexdigest()
    assert lines[3:5] == ["sealed", "0"]
    assert "[REDACTED]" in lines[-1]
    assert_nowhere(nfo, value)
    assert_nowhere(nfo, other)


def test_deliver_stdin_is_the_bytes(nfo):
    value = value_of() + b"\n\x00\xff"
    put(nfo, "key", value)
    run = nfo.run("""
secrets: { key: { store: key, deliver: stdin } }
tasks:
  t:
    secrets: [key]
    run: 'sha256sum; ls -A "$NFO_SECRETS" | wc -l; cat /dev/stdin'
  without: { run: 'wc -c' }
""")
    assert run["state"] == "succeeded", run
    lines = nfo.log(run, "t").split(b"\n")
    assert lines[0].split()[0].decode() == hashlib.sha256(value).hexdigest()
    assert lines[1] == b"0"
    assert b"REDACTED" in lines[2]
    assert nfo.log(run, "without") == b"0\n"
    assert_nowhere(nfo, value[:40])


@pytest.mark.parametrize("how", ["fd", "stdin"])
def test_no_process_of_ours_has_it_while_it_runs(nfo, how):
    value = value_of()
    put(nfo, "key", value)
    run = nfo.run("secrets: { key: { store: key, deliver: %s } }\n"
                  "tasks: { t: { secrets: [key], "
                  "run: 'echo up; sleep 300' } }\n" % how, wait=None)
    nfo.until(lambda: b"up" in nfo.log(run, "t"))
    assert_nowhere(nfo, value)
    nfo("cancel", run["id"])
    nfo.ended(run)
