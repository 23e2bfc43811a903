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
