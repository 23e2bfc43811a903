# SPDX-License-Identifier: AGPL-3.0-or-later
"""Parts of the program, and all of it, killed in the middle of a run."""
import os
import signal

import pytest

import nfo as programs

COUNT = """
tasks:
  t:
    run: |
      i=0
      while [ $i -lt 150 ]; do echo "line $i"; i=$((i+1)); sleep 0.01; done
      echo x > a
    artifacts: { a: { path: a } }
  after: { needs: [t], run: echo after }
"""
WHOLE = "".join(f"line {i}\n" for i in range(150)).encode()


def kill(nfo, role):
    """SIGKILL for a role; returns when it is gone."""
    pid = nfo.role(role)
    assert pid, role
    watched = programs.Watched([pid])
    os.kill(pid, signal.SIGKILL)
    assert watched.wait() == []
    return pid


def answers(nfo):
    try:
        return nfo.get("/readyz").status == 200
    except (OSError, programs.http.client.HTTPException):
        return False


def begun(nfo, job):
    run = nfo.run(job, wait=None)
    nfo.until(lambda: b"line 20\n" in nfo.log(run, "t"))
    return run


@pytest.mark.parametrize("times", (1, 3))
def test_the_server_killed_and_the_task_goes_on(nfo, times):
    """The monitor starts it again; no hole, no second attempt."""
    run = begun(nfo, COUNT)
    for _ in range(times):
        old = kill(nfo, "server")
        nfo.until(lambda: answers(nfo))
        assert nfo.role("server") not in (0, old)
    run = nfo.ended(run)
    assert run["state"] == "succeeded", run
    assert nfo.log(run, "t") == WHOLE
    assert nfo.tasks(run)["t"]["attempt"] == 1
    assert nfo.log(run, "after") == b"after\n"
    assert nfo.get(f"/v1/runs/{run['id']}/artifacts/t.a").body == b"x\n"


def test_a_follower_goes_on_where_it_was(nfo):
    """Event ids survive; nothing is seen twice, nothing is left out."""
    run = begun(nfo, COUNT)
    seen, last = [], 0
    kill(nfo, "server")
    nfo.until(lambda: answers(nfo))
    for number, kind, data in nfo.events(run):
        seen.append(number)
        last = max(last, number)
    assert seen == sorted(set(seen))
    assert [e for e in nfo.events(run)][-1][2]["state"] == "succeeded"


def test_the_keeper_killed_between_two_tasks(nfo):
    nfo("secret", "put", "key", stdin=b"a value of some length")
    kill(nfo, "keeper")
    nfo.until(lambda: answers(nfo) and nfo.role("keeper"))
    job = ("secrets: { key: { store: key } }\n"
           "tasks: { t: { secrets: [key], run: 'wc -c < $NFO_SECRETS/key' } }")
    nfo.until(lambda: nfo.role("server") and answers(nfo))
    run = nfo.run(job)
    assert nfo.log(run, "t").strip() == b"22", run


@pytest.mark.parametrize("role", ("spawner", "zygote"))
def test_the_spawner_or_the_zygote_killed_loses_what_ran(nfo, role):
    if not nfo.role(role):
        names = [n for n in ("zygote", "runner", "spawner") if nfo.role(n)]
        raise AssertionError(f"no role {role}, but {names}")
    run = begun(nfo, COUNT)
    kill(nfo, role)
    run = nfo.ended(run)
    assert nfo.tasks(run)["t"]["kind"] == "lost"
    nfo.until(lambda: nfo.role(role))
    assert nfo.run("tasks: { t: { run: echo again } }")["state"] == \
        "succeeded"


def test_all_of_it_killed_loses_the_task_and_leaves_nothing(nfo):
    run = begun(nfo, COUNT)
    nfo.stop(signal.SIGKILL)
    nfo("runs")
    run = nfo.ended(run)
    assert run["state"] == "failed"
    assert nfo.tasks(run)["t"]["kind"] == "lost"
    assert WHOLE.startswith(nfo.log(run, "t")[:100])
    nfo.stop()
    assert nfo.left_behind() == []


def test_all_of_it_killed_and_tried_again(nfo):
    run = begun(nfo, COUNT.replace(
        "    artifacts:", "    retry: { max: 1, backoff: 1s, when: [lost] }\n"
        "    artifacts:"))
    nfo.stop(signal.SIGKILL)
    nfo("runs")
    run = nfo.ended(run)
    assert run["state"] == "succeeded", run
    assert nfo.tasks(run)["t"]["attempt"] == 2
    assert nfo.log(run, "t") == WHOLE


def test_no_acknowledged_run_is_lost(nfo):
    """A job that waits for its turn starts after the restart."""
    running = begun(nfo, COUNT)
    ids = [nfo.run("tasks: { t: { run: echo late } }", wait=None)["id"]
           for _ in range(5)]
    nfo.stop(signal.SIGKILL)
    nfo("runs")
    for run in [running["id"], *ids]:
        assert nfo.ended({"id": run})["state"] in ("succeeded", "failed")
