# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs go when their time is over, with logs and artifacts; others stay."""
import sqlite3

DAY = 24 * 3600 * 1000000
MAKES = """
nfo: 1
name: makes
tasks:
  t: { run: 'echo %d | tee a', artifacts: { a: { path: a } } }
"""
OTHER = "nfo: 1\nname: other\ntasks: { t: { run: 'exit %d' } }\n"


def keep(nfo, **rules):
    path = "/v1/projects/default"
    headers = {"If-Match": "*"} if nfo.get(path).status == 200 else {}
    a = nfo.ask("PUT", path, {"retention": rules}, headers)
    assert a.status in (200, 201), a
    assert a.json["retention"] == rules


def there(nfo, run):
    status = nfo.get(f"/v1/runs/{run['id']}").status
    assert status in (200, 404)
    return status == 200


def directory(nfo, run):
    return nfo.state / "server/runs" / run["id"].removeprefix("run_")


def age(nfo, runs, days):
    """They ended so many days earlier; the server is down."""
    db = sqlite3.connect(nfo.state / "server/nfo.db")
    for run in runs:
        db.execute("UPDATE runs SET finished_us=finished_us-? WHERE ulid=?",
                   (days * DAY, run["id"].removeprefix("run_")))
    db.commit()
    db.close()


def test_so_many_of_each_job(nfo):
    runs = [nfo.run(MAKES % i) for i in range(6)]
    others = [nfo.run(OTHER % 0) for _ in range(3)]
    keep(nfo, keep_runs=3)
    for run in runs[:3]:
        nfo.until(lambda run=run: not there(nfo, run))
        nfo.until(lambda run=run: not directory(nfo, run).exists())
        assert nfo.get(f"/v1/runs/{run['id']}/artifacts/t.a").status == 404
    for run in runs[3:]:
        assert there(nfo, run) and directory(nfo, run).exists()
        assert nfo.get(f"/v1/runs/{run['id']}/artifacts/t.a").status == 200
    assert all(there(nfo, run) for run in others)
    keep(nfo, keep_runs=1)
    nfo.until(lambda: [there(nfo, r) for r in runs[3:]] ==
              [False, False, True])
    assert [there(nfo, r) for r in others] == [False, False, True]


def test_the_last_that_succeeded_stays_unless_it_is_said(nfo):
    good = nfo.run(OTHER % 0)
    bad = [nfo.run(OTHER % 1) for _ in range(4)]
    keep(nfo, keep_runs=1)
    nfo.until(lambda: [there(nfo, r) for r in bad] == [False] * 3 + [True])
    assert there(nfo, good)
    keep(nfo, keep_runs=1, keep_last_success=False)
    nfo.until(lambda: not there(nfo, good))
    assert there(nfo, bad[-1])


def test_by_age_and_what_failed_for_longer(nfo):
    old, failed, older = (nfo.run(OTHER % 0), nfo.run(OTHER % 1),
                          nfo.run(OTHER % 1))
    new = nfo.run(OTHER % 0)
    keep(nfo, keep_days=30, keep_failed_days=90)
    nfo.stop()
    age(nfo, [old, failed], 40)
    age(nfo, [older], 100)
    nfo("runs")
    nfo.until(lambda: not there(nfo, old) and not there(nfo, older))
    assert there(nfo, failed) and there(nfo, new)


def test_none_that_a_living_run_was_made_from(nfo):
    first = nfo.run("tasks: { t: { run: 'echo x > a', artifacts: { a: { "
                    "path: a } } }, u: { needs: [t], run: exit 1 } }")
    a = nfo.ask("PUT", "/v1/system/maintenance", {"on": True})
    assert a.status in (200, 201), a
    again = nfo.ask("POST", f"/v1/runs/{first['id']}/rerun",
                    {"from": "failed"})
    assert again.status == 201, again
    keep(nfo, keep_days=1, keep_last_success=False)
    nfo.stop()
    age(nfo, [first], 5)
    nfo("runs")
    # one that nobody needs goes meanwhile: the walk has been there
    nfo.ask("PUT", "/v1/system/maintenance", {"on": False})
    run = nfo.ended(again.json)
    assert nfo.get(f"/v1/runs/{run['id']}/artifacts/t.a").status == 200
    keep(nfo, keep_days=2, keep_last_success=False)
    nfo.until(lambda: not there(nfo, first))
    assert nfo.get(f"/v1/runs/{run['id']}/artifacts/t.a").body == b"x\n"


def test_a_server_has_rules_of_its_own(cold):
    config = cold.write("nfo.yaml", "retention: { keep_runs: 1 }\n")
    cold.serve("--config", config)
    runs = [cold.run(OTHER % 0) for _ in range(2)]
    cold.stop()
    cold.serve("--config", config)
    cold.until(lambda: not there(cold, runs[0]))
    assert there(cold, runs[1])


def test_an_artifact_that_does_not_say_how_long(nfo):
    keep(nfo, artifact_days=3)
    run = nfo.run(MAKES % 1)
    nfo.stop()
    db = sqlite3.connect(nfo.state / "server/nfo.db")
    (created, expires), = db.execute(
        "SELECT created_us,expires_us FROM artifacts")
    db.close()
    assert expires - created == 3 * DAY
    nfo("runs")
    assert nfo.get(f"/v1/runs/{run['id']}/artifacts/t.a").status == 200


def test_bad_rules_are_refused(nfo):
    for rules in ({"keep_days": -1}, {"keep_days": 36501}, {"keep_runs": "3"},
                  {"keep_weeks": 1}, [], {"keep_last_success": 1}):
        a = nfo.ask("PUT", "/v1/projects/default", {"retention": rules})
        assert a.status == 422, (rules, a)


# --- logs alone


def gone(nfo, run):
    return nfo.get(f"/v1/runs/{run['id']}/log").status == 410


def test_logs_go_and_the_run_stays(nfo):
    old, new = nfo.run(MAKES % 1), nfo.run(MAKES % 2)
    again = nfo.ask("POST", f"/v1/runs/{old['id']}/rerun",
                    {"from": "task", "task": "t"})
    again = nfo.ended(again.json)
    keep(nfo, keep_log_days=30)
    nfo.stop()
    age(nfo, [old], 31)
    age(nfo, [new], 29)
    nfo("runs")
    nfo.until(lambda: gone(nfo, old))
    nfo.until(lambda: not directory(nfo, old).exists())
    at = f"/v1/runs/{old['id']}"
    for path in ("/log", "/tasks/t/log", "/tasks/t/attempts/1/log",
                 "/log?follow=true", "/tasks/t/log?tail=1"):
        a = nfo.get(at + path)
        assert (a.status, a.json["code"]) == (410, "gone"), path
        a = nfo.get(at + path, Accept="text/event-stream")
        assert a.status == 410, path
    assert nfo.get(at + "/tasks/u/log").status == 404
    assert nfo.get(at).json["state"] == "succeeded"
    assert nfo.get(at + "/artifacts/t.a").body == b"1\n"
    assert nfo.get(f"/v1/runs/{new['id']}/tasks/t/log").body == b"2\n"
    assert nfo.get(f"/v1/runs/{again['id']}/log").body == b"[t] 1\n"
    for words in ((old["id"],), (old["id"], "t"), ("-f", old["id"])):
        p = nfo("logs", *words, code=None)
        assert p.code and "no longer kept" in p.err, p
    # it can be made again, and goes with its row in the end
    more = nfo.ask("POST", f"{at}/rerun", {"from": "start"})
    assert nfo.ended(more.json)["state"] == "succeeded"
    keep(nfo, keep_log_days=30, keep_days=30)
    nfo.until(lambda: not there(nfo, old))
    assert nfo.get(at + "/log").status == 404


def test_what_was_kept_from_an_earlier_run_has_its_log_there(nfo):
    first = nfo.run("tasks: { t: { run: echo x }, "
                    "u: { needs: [t], run: exit 1 } }")
    again = nfo.ask("POST", f"/v1/runs/{first['id']}/rerun",
                    {"from": "failed"})
    again = nfo.ended(again.json)
    at = f"/v1/runs/{again['id']}/tasks"
    assert nfo.get(f"{at}/t/log").body == b"x\n"
    keep(nfo, keep_log_days=1)
    nfo.stop()
    age(nfo, [first], 2)
    nfo("runs")
    nfo.until(lambda: gone(nfo, first))
    assert nfo.get(f"{at}/t/log").status == 410
    assert nfo.get(f"{at}/u/log").status == 200


def test_logs_that_were_to_go_when_the_server_was_killed(nfo):
    run, live = nfo.run(MAKES % 1), nfo.run(MAKES % 2)
    nfo.stop()
    db = sqlite3.connect(nfo.state / "server/nfo.db")
    db.execute("UPDATE runs SET logs_gone=1 WHERE ulid=?",
               (run["id"].removeprefix("run_"),))
    db.commit()
    db.close()
    assert directory(nfo, run).exists()
    nfo("runs")
    assert gone(nfo, run)
    nfo.until(lambda: not directory(nfo, run).exists())
    assert directory(nfo, live).exists()


# --- who did what


def test_the_audit_has_an_end(cold):
    config = cold.write("nfo.yaml", "retention: { audit_days: 9 }\n")
    cold.serve("--config", config)
    cold.run(OTHER % 0)
    cold.stop()

    def rows():
        db = sqlite3.connect(cold.state / "server/nfo.db")
        try:
            return [what for what, in db.execute("SELECT what FROM audit "
                                                 "WHERE who='old'")]
        finally:
            db.close()
    db = sqlite3.connect(cold.state / "server/nfo.db")
    db.executemany("INSERT INTO audit(ts_us,who,action,what) VALUES("
                   "unixepoch()*1000000-?,'old','a',?)",
                   [(days * DAY, str(days))
                    for days in [10] * 1000 + [8, 11, 2]])
    (kept,), = db.execute("SELECT count(*) FROM audit WHERE who<>'old'")
    db.commit()
    db.close()
    assert kept
    cold.serve("--config", config)
    cold.until(lambda: rows() == ["8", "2"])
    cold.stop()
    db = sqlite3.connect(cold.state / "server/nfo.db")
    (after,), = db.execute("SELECT count(*) FROM audit WHERE who<>'old'")
    db.close()
    assert after >= kept
