# SPDX-License-Identifier: AGPL-3.0-or-later
"""What tasks do to each other: order, conditions, retries, values, files."""
import json
import socket
from datetime import datetime

import nfo as programs


def states(nfo, run):
    return {n: t["state"] for n, t in nfo.tasks(run).items()}


def test_typed_outputs_are_passed_on(nfo):
    run = nfo.run("""
tasks:
  make:
    run: |
      echo 42 > "$NFO_OUTPUT/size"
      printf v1.2 > "$NFO_OUTPUT/version"
    outputs: { size: { type: int }, version: { pattern: "^v[0-9.]+$" } }
  use:
    needs: [make]
    env: { SIZE: "${{ tasks.make.outputs.size }}" }
    args: ["${{ tasks.make.outputs.version }}"]
    run: echo "$SIZE $1"
""")
    assert nfo.log(run, "use") == b"42 v1.2\n"
    assert nfo.tasks(run)["make"]["outputs"] == {"size": 42,
                                                 "version": "v1.2"}


def test_expressions_know_the_run(nfo):
    run = nfo.run("""
concurrency: { group: "g-${{ run.id }}" }
tasks:
  t: { env: { A: "${{ run.id }} ${{ run.job }}" }, run: echo "$A $NFO_RUN_ID" }
""")
    assert nfo.log(run, "t").decode() == f"{run['id']} test {run['id']}\n"
    assert run["group"] == f"g-{run['id']}"
    assert nfo.get(f"/v1/runs/{run['id']}/why").status == 200


def test_output_of_the_wrong_type_fails(nfo):
    run = nfo.run("""
tasks:
  make:
    run: echo many > "$NFO_OUTPUT/size"
    outputs: { size: { type: int } }
""")
    assert (run["state"], nfo.tasks(run)["make"]["kind"]) == \
        ("failed", "output")


def test_output_not_written_fails(nfo):
    run = nfo.run("tasks: { t: { run: 'true', outputs: { x: {} } } }")
    assert nfo.tasks(run)["t"]["kind"] == "output"


def test_output_that_is_a_link_fails(nfo):
    run = nfo.run("""
tasks:
  t: { run: 'ln -s /etc/passwd "$NFO_OUTPUT/x"', outputs: { x: {} } }
""")
    assert nfo.tasks(run)["t"]["kind"] == "output"


def test_files_of_another_task_are_read_only(nfo):
    run = nfo.run("""
tasks:
  make: { run: echo content > a.txt, artifacts: { a: { path: a.txt } } }
  use:
    needs: [make]
    files: [make.a]
    run: |
      cat "$NFO_FILES/make/a.txt"
      if echo x > "$NFO_FILES/make/a.txt"; then exit 9; fi 2>/dev/null
""")
    assert run["state"] == "succeeded", run
    assert nfo.log(run, "use") == b"content\n"


def test_matrix_makes_instances(nfo):
    run = nfo.run("""
tasks:
  t:
    matrix: { a: [x, y], b: [1, 2], exclude: [ { a: y, b: 2 } ] }
    run: echo "$NFO_MATRIX_A-$NFO_MATRIX_B"
  after: { needs: [t], run: echo all }
""")
    assert sorted(states(nfo, run)) == ["after", "t@x,1", "t@x,2", "t@y,1"]
    assert nfo.log(run, "t@x,2") == b"x-2\n"
    assert run["state"] == "succeeded"


def test_a_list_runs_in_order_and_shares_files(nfo):
    run = nfo.run("""
tasks:
  - { name: write, run: echo shared > f }
  - { name: read, run: cat f }
""")
    assert nfo.log(run, "read") == b"shared\n"


def test_workspaces_of_a_map_are_separate(nfo):
    run = nfo.run("""
tasks:
  write: { run: echo mine > f }
  look: { needs: [write], run: ls -A }
""")
    assert nfo.log(run, "look") == b""


def test_needs_of_a_failed_task_are_skipped(nfo):
    run = nfo.run("""
tasks:
  bad: { run: exit 3 }
  next: { needs: [bad], run: echo never }
  after: { needs: [next], run: echo never }
  mend: { needs: [bad], if: failed('bad'), run: echo mended }
  any: { needs: [bad], if: always(), run: echo any }
  well: { needs: [bad], if: "!failed()", run: echo never }
""")
    assert states(nfo, run) == {
        "bad": "failed", "next": "skipped", "after": "skipped",
        "mend": "succeeded", "any": "succeeded", "well": "skipped"}
    assert run["state"] == "failed"


def test_condition_over_an_input(nfo):
    job = """nfo: 1
name: cond
inputs: { go: { type: bool, default: false } }
tasks: { t: { if: inputs.go, run: echo went } }
"""
    assert states(nfo, nfo.run(job)) == {"t": "skipped"}
    assert states(nfo, nfo.run(job, inputs={"go": True})) == \
        {"t": "succeeded"}


def test_finally_runs_after_failure_and_its_failure_counts(nfo):
    run = nfo.run("""
tasks: { bad: { run: exit 1 } }
finally: { tidy: { run: echo tidied } }
""")
    assert nfo.log(run, "tidy") == b"tidied\n"
    assert run["state"] == "failed"
    run = nfo.run("tasks: { t: { run: 'true' } }\n"
                  "finally: { tidy: { run: exit 4 } }\n")
    assert run["state"] == "failed"


def test_retry_counts_attempts_and_keeps_each_log(nfo):
    run = nfo.run("""
tasks:
  t:
    run: echo "attempt $NFO_ATTEMPT"; test "$NFO_ATTEMPT" = 3 || exit 75
    retry: { max: 3, backoff: 1s, max_backoff: 1s, when: [exit-75] }
""")
    assert run["state"] == "succeeded"
    assert nfo.tasks(run)["t"]["attempt"] == 3
    first = nfo.get(f"/v1/runs/{run['id']}/tasks/t/attempts/1/log")
    assert first.body == b"attempt 1\n"
    assert nfo.log(run, "t") == b"attempt 3\n"


def test_retry_waits_for_its_backoff(nfo):
    run = nfo.run("""
tasks:
  t:
    run: test "$NFO_ATTEMPT" = 2
    retry: { max: 1, backoff: 1s }
""")
    assert run["state"] == "succeeded", run
    times = [data["ts"] for _, kind, data in nfo.events(run)
             if kind == "task" and data["state"] == "running"]
    assert len(times) == 2
    a, b = (datetime.fromisoformat(t.replace("Z", "+00:00")) for t in times)
    assert (b - a).total_seconds() >= 0.9


def test_retry_only_for_what_it_names(nfo):
    run = nfo.run("""
tasks: { t: { run: exit 1, retry: { max: 3, backoff: 1s, when: [exit-75] } } }
""")
    assert nfo.tasks(run)["t"]["attempt"] == 1


def test_task_timeout_has_its_kind(nfo):
    run = nfo.run("tasks: { t: { run: sleep 60, timeout: 1s, grace: 1s } }")
    task = nfo.tasks(run)["t"]
    assert (task["state"], task["kind"]) == ("failed", "timeout")


def test_job_timeout_ends_the_run(nfo):
    run = nfo.run("timeout: 1s\ntasks: { t: { run: sleep 60, grace: 1s } }")
    assert run["state"] == "failed"
    assert run["kind"] == "timeout"


def test_log_limit_truncates_and_says_so(nfo):
    run = nfo.run("""
tasks:
  t:
    run: |
      yes 0123456789abcde | head -c 400000
    stdout: { log: 64K }
""")
    task = nfo.tasks(run)["t"]
    assert run["state"] == "succeeded"
    assert task["log"]["truncated"] is True
    assert len(nfo.log(run, "t")) <= 65536 + 4096
    assert nfo.log(run, "t").startswith(b"0123456789abcde\n")


def test_environment_is_exactly_what_is_told(nfo):
    nfo.env["SYSTEM_TEST_LEAK"] = "outside"
    run = nfo.run("env: { MINE: 'yes' }\ntasks: { t: { run: env } }")
    names = {line.split(b"=")[0].decode()
             for line in nfo.log(run, "t").splitlines()}
    allowed = {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "SHELL", "NFO", "PWD",
               "OLDPWD", "MINE", "_", "SHLVL"}
    assert "MINE" in names
    assert not [n for n in names if n not in allowed
                and not n.startswith("NFO_")]


def test_no_network_by_default(nfo):
    """A connection that works out here does not in there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = listener.getsockname()
        socket.create_connection(where).close()
        run = nfo.run("tasks: { t: { argv: [/bin/bash, -c, "
                      f"': < /dev/tcp/127.0.0.1/{where[1]}'] }} }}")
    assert nfo.tasks(run)["t"]["kind"] == "exit"
    assert b"/dev/tcp/127.0.0.1" in nfo.log(run, "t")


def test_both_streams_are_kept_apart(nfo):
    run = nfo.run("tasks: { t: { run: 'echo out; echo err >&2' } }")
    a = nfo.get(f"/v1/runs/{run['id']}/tasks/t/log",
                Accept="application/x-ndjson")
    got = {f["stream"]: f["data"] for f in
           map(json.loads, a.body.decode().splitlines())}
    assert got == {"stdout": "out\n", "stderr": "err\n"}
    assert sorted(programs.frames(a.body).splitlines()) == [b"err", b"out"]


def test_a_workspace_that_grows_past_its_limit_ends_the_task(nfo):
    run = nfo.run("""
tasks:
  many:
    sandbox: { limits: { disk: 8M } }
    timeout: 60s
    run: |
      i=0
      while :; do
        head -c 1000000 /dev/zero > f$i; i=$((i + 1))
        [ $i -lt 30 ] || sleep 60
      done
""")
    task = nfo.tasks(run)["many"]
    assert (task["state"], task["kind"]) == ("failed", "limit")
    assert "disk" in task["error"]


def test_a_file_that_grows_past_the_limit_ends_its_writer(nfo):
    run = nfo.run("""
tasks:
  one:
    sandbox: { limits: { disk: 8M } }
    argv: [dd, if=/dev/zero, of=f, bs=1M, count=20]
  less:
    sandbox: { limits: { disk: 30M } }
    run: head -c 20M /dev/zero > f && sleep 1.2
""")
    tasks = nfo.tasks(run)
    assert (tasks["one"]["state"], tasks["one"]["kind"]) == ("failed", "limit")
    assert tasks["less"]["state"] == "succeeded"


def test_files_move_and_link_between_directories(nfo):
    """As git, cargo and package managers do: rename and link themselves, not
    mv, which would copy; in the workspace and in /tmp."""
    run = nfo.run(r"""
tasks:
  t:
    run: |
      for place in . /tmp; do
        cd "$place"
        mkdir from to
        echo x > from/a
        ln from/a to/b
        python3 -c 'import os; os.rename("from/a", "to/c")'
        python3 -c 'import os; os.rename("to", "from/to")'
        cat from/to/b from/to/c
      done
""")
    assert nfo.log(run, "t") == b"x\n" * 4, run
