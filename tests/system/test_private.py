# SPDX-License-Identifier: AGPL-3.0-or-later
"""`private` artifacts: encrypted at rest, for later tasks of the run only, and
gone with it."""
import hashlib
import shutil
import sqlite3

import pytest

VALUE = "correct-horse-battery-staple-9"

JOB = """nfo: 1
name: plan
secrets: { key: { store: key } }
tasks:
  plan:
    secrets: [key]
    run: |
      (cat "$NFO_SECRETS/key"; head -c 200000 /dev/zero | tr '\\0' x) > tfplan
      sha256sum < tfplan; touch empty
    artifacts:
      tfplan: { path: tfplan, private: true }
      empty: { path: empty, private: true }
      open: { path: empty }
  apply:
    needs: [plan]
    secrets: [key]
    files: [plan.tfplan, plan.empty, plan.open]
    run: |
      sha256sum < "$NFO_FILES/plan/tfplan"
      test -f "$NFO_FILES/plan/empty"; test ! -s "$NFO_FILES/plan/empty"
      head -c 30 "$NFO_FILES/plan/tfplan"; echo
      %s
"""


@pytest.fixture
def key(nfo):
    nfo("secret", "put", "key", stdin=VALUE)
    return VALUE


def sql(path, text, *args):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute(text, args).fetchall()


def keys(nfo):
    """Keys of runs that the keeper still has.  It keeps others off its
    database, but not off its files."""
    copy = nfo.home / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in (nfo.state / "keeper").glob("secrets.db*"):
        if not path.name.endswith("-shm"):
            shutil.copy(path, copy)
    with sqlite3.connect(copy / "secrets.db") as db:
        return db.execute(
            "SELECT h.name FROM heads h JOIN versions v ON v.path=h.path "
            "WHERE h.name LIKE 'run-%' AND v.wrap<>zeroblob(length(v.wrap)) "
            "AND length(v.value)>0").fetchall()


def files(nfo):
    return [p for p in nfo.state.rglob("*") if p.is_file()
            and not p.is_symlink()]


def holders(nfo, but=None):
    """Files with the artifact's content in them."""
    found = []
    for path in files(nfo):
        if but in path.relative_to(nfo.state).parts[:1]:
            continue
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue  # it was there for a moment
        if VALUE.encode() in content or b"x" * 100 in content:
            found.append(path)
    return found


def test_only_later_tasks_of_the_run(nfo, key):
    run = nfo.submit(JOB % "echo up; sleep 300").json
    nfo.until(lambda: b"up" in nfo.log(run, "apply"))
    lines = nfo.log(run, "apply").decode().split("\n")
    assert lines[0] == nfo.log(run, "plan").decode().split("\n")[0]
    assert lines[0].split()[0] == hashlib.sha256(
        (VALUE + 200000 * "x").encode()).hexdigest()
    assert lines[1] == "[REDACTED]"
    assert len(keys(nfo)) == 1
    # Nobody downloads it, and nothing of it lies anywhere.
    a = nfo.get(f"/v1/runs/{run['id']}/artifacts/plan.tfplan")
    assert (a.status, a.json["code"]) == (403, "private")
    assert nfo.get(f"/v1/runs/{run['id']}/artifacts/plan.open").status == 200
    items = nfo.get(f"/v1/runs/{run['id']}/artifacts").json["items"]
    assert {i["name"]: i["private"] for i in items} == {
        "plan.tfplan": True, "plan.empty": True, "plan.open": False}
    assert holders(nfo, but="work") == []  # the task's own is there
    nfo("cancel", run["id"])
    nfo.ended(run)
    assert holders(nfo) == []


def test_gone_with_the_run(nfo, key):
    """The key goes at once, the content when it is swept."""
    run = nfo.run(JOB % "true")
    assert run["state"] == "succeeded", run
    a = nfo.get(f"/v1/runs/{run['id']}/artifacts/plan.tfplan")
    assert a.status == 403
    nfo.until(lambda: not keys(nfo))
    rows = sql(nfo.state / "server/nfo.db", "SELECT name FROM artifacts WHERE "
               "private AND expires_us=0")
    assert rows == []


def test_a_key_that_was_missed_goes_at_the_next_start(nfo, key):
    """The server dies before the run's end is told to the keeper."""
    run = nfo.submit(JOB % "echo up; sleep 300").json
    nfo.until(lambda: b"up" in nfo.log(run, "apply"))
    assert len(keys(nfo)) == 1
    nfo.stop(9)
    nfo("runs")
    nfo.ended(run)
    nfo.until(lambda: not keys(nfo))


CHANGED = JOB.replace("needs: [plan]", "needs: [plan, wait]").replace(
    "  apply:", "  wait: { needs: [plan], run: echo up; sleep 2 }\n  apply:")


def test_changed_at_rest_is_refused(nfo, key):
    """By somebody who can write to the state directory."""
    run = nfo.submit(CHANGED % "true").json
    nfo.until(lambda: nfo.get(f"/v1/runs/{run['id']}/tasks/wait/log").body)
    ((digest,),) = sql(nfo.state / "server/nfo.db",
                       "SELECT sha256 FROM artifacts WHERE name=?",
                       "plan.tfplan")
    (blob,) = [p for p in files(nfo) if "".join(p.parts).endswith(digest)]
    content = bytearray(blob.read_bytes())
    content[70000] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(content)
    nfo.ended(run)
    task = nfo.tasks(nfo.fresh(run))["apply"]
    assert (task["state"], task["kind"]) == ("failed", "setup"), task


def test_a_rerun_makes_it_again(nfo, key):
    run = nfo.run(JOB % "false")
    assert run["state"] == "failed"
    a = nfo.ask("POST", f"/v1/runs/{run['id']}/rerun?wait=30s",
                {"from": "failed"})
    again = a.json
    assert a.status == 201, a
    assert nfo.log(again, "plan") == nfo.log(run, "plan") != b""
