# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs by the clock.  What is due when is tested as a simulated year in
tests/unit/schedule_test.c; here that a time makes a run, once."""
import sqlite3

JOBS = "/v1/projects/default/jobs"
YAML = {"Content-Type": "application/yaml"}


def put(nfo, schedule, run="echo tick", name="clock", status=201, more=""):
    text = (f"nfo: 1\nname: {name}\n{more}triggers: {{ schedule: [ "
            f"{schedule} ] }}\ntasks: {{ t: {{ run: '{run}' }} }}\n")
    a = nfo.ask("PUT", f"{JOBS}/{name}", text.encode(),
                {**YAML, "If-Match" if status == 200 else "X-Y": "*"})
    assert a.status == status, a
    return a


def rewind(nfo, seconds, **columns):
    """The server was down, and has last dealt with a time so long ago."""
    nfo.stop()
    db = sqlite3.connect(nfo.state / "server/nfo.db")
    db.execute("UPDATE revisions SET put_us = put_us - ?",
               (seconds * 10**6,))
    db.execute("UPDATE schedules SET last_s = last_s - ?", (seconds,))
    db.commit()
    db.close()
    nfo("runs")


def runs(nfo):
    return nfo.get("/v1/runs?trigger=schedule").json["items"]


def schedule(nfo, name="s", job="clock"):
    a = nfo.get(f"{JOBS}/{job}/schedules/{name}")
    assert a.status == 200, a
    return a.json


def test_a_missed_time_makes_one_run(nfo):
    put(nfo, "{ name: s, cron: '* * * * *' }",
        more="inputs: { who: { type: string, default: x } }\n")
    rewind(nfo, 600)
    first = nfo.until(lambda: runs(nfo))[0]
    assert first["submitter"] == "schedule:s" and first["job"] == "clock"
    assert nfo.ended(first)["state"] == "succeeded"
    assert nfo.log(first, "t") == b"tick\n"
    s = schedule(nfo)
    assert s["last_run"] == first["id"] and s["error"] is None
    assert s["next_at"] > first["created_at"]
    n = len(runs(nfo))
    nfo.stop()
    nfo("runs")  # what was dealt with is not dealt with again
    assert len(runs(nfo)) - n <= 1  # a minute may just have passed


def test_all_that_was_missed(nfo):
    put(nfo, "{ name: s, cron: '0 * * * *', missed: all }")
    rewind(nfo, 5 * 3600)
    nfo.until(lambda: len(runs(nfo)) == 5)
    for run in runs(nfo):
        assert nfo.ended(run)["state"] == "succeeded"
    ends = sorted((r["started_at"], r["finished_at"])
                  for r in map(nfo.fresh, runs(nfo)))
    assert all(a[1] <= b[0] for a, b in zip(ends, ends[1:]))  # one by one


def test_nothing_that_was_missed(nfo):
    put(nfo, "{ name: s, cron: '0 0 1 1 *', missed: skip }")
    rewind(nfo, 370 * 86400)
    assert schedule(nfo)["next_at"]
    assert runs(nfo) == []


def test_overlap_replace_ends_the_earlier(nfo):
    put(nfo, "{ name: s, cron: '0 * * * *', missed: all, overlap: replace }",
        run="sleep 300")
    rewind(nfo, 2 * 3600)
    nfo.until(lambda: len(runs(nfo)) == 2)
    last, first = runs(nfo)
    assert nfo.ended(first)["state"] == "cancelled"
    nfo.until_state(last, "running")
    nfo.ask("POST", f"/v1/runs/{last['id']}/cancel")


def test_overlap_skip_leaves_it_out(nfo):
    put(nfo, "{ name: s, cron: '0 * * * *', missed: all, overlap: skip }",
        run="sleep 300")
    rewind(nfo, 3 * 3600)
    (run,) = nfo.until(lambda: runs(nfo))
    assert "had not ended" in schedule(nfo)["error"]
    nfo.ask("POST", f"/v1/runs/{run['id']}/cancel")


def test_inputs_and_what_is_wrong_with_them(nfo):
    more = "inputs: { n: { type: int, max: 5 } }\n"
    put(nfo, "{ name: s, cron: '0 * * * *', inputs: { n: '3' } }, "
        "{ name: bad, cron: '0 * * * *', inputs: { n: '9' } }",
        run="echo $NFO_INPUT_N", more=more)
    rewind(nfo, 3600)
    (run,) = nfo.until(lambda: runs(nfo))
    nfo.ended(run)
    assert nfo.log(run, "t") == b"3\n"
    assert schedule(nfo, "bad")["error"]


def test_pause_and_resume(nfo):
    put(nfo, "{ name: s, cron: '0 * * * *' }")
    path = f"{JOBS}/clock/schedules/s"
    a = nfo.ask("POST", f"{path}/pause")
    assert a.status == 200 and a.json["paused"] and not a.json["next_at"]
    rewind(nfo, 3 * 3600)
    assert schedule(nfo)["paused"]
    assert nfo.ask("POST", f"{path}/resume").json["paused"] is False
    assert runs(nfo) == []  # what passed meanwhile is left out
    assert nfo.ask("POST", f"{JOBS}/clock/schedules/no/pause").status == 404


def test_a_new_line_is_not_late_for_old_times(nfo):
    put(nfo, "{ name: s, cron: '0 0 1 1 *' }")
    rewind(nfo, 86400)
    put(nfo, "{ name: s, cron: '0 * * * *' }", status=200)
    assert len(nfo.get(f"{JOBS}/clock/schedules").json["items"]) == 1
    assert runs(nfo) == []


def test_when_it_comes_over_the_changes_of_the_clock(nfo):
    put(nfo, "{ name: s, cron: '30 2 * * *', timezone: Europe/Berlin }")
    path = f"{JOBS}/clock/schedules/s/preview"
    spring = nfo.get(f"{path}?count=3&after=2026-03-28T00:00:00Z").json
    assert [i["local"] for i in spring["items"]] == [
        "2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00"]
    autumn = nfo.get(f"{path}?count=2&after=2026-10-24T12:00:00Z").json
    assert [i["at"][:19] for i in autumn["items"]] == [
        "2026-10-25T00:30:00", "2026-10-26T01:30:00"]
    assert len(nfo.get(path).json["items"]) == 10
    assert nfo.get(f"{path}?count=0").status == 400
    assert nfo.get(f"{path}?after=x").status == 400


def test_what_is_refused(nfo):
    for bad, code in (("{ name: s, cron: '0 0 31 2 *' }", "never"),
                      ("{ name: s, cron: '* * * * *', timezone: No/Where }",
                       "bad-timezone"),
                      ("{ name: s, cron: '* * * *' }", "bad-cron"),
                      ("{ name: s, cron: '0 0 * * *' }, "
                       "{ name: s, cron: '0 1 * * *' }", "duplicate-name")):
        a = put(nfo, bad, status=422)
        assert [e["code"] for e in a.json["errors"]] == [code], (bad, a)
        assert a.json["errors"][0]["line"] == 3


def test_a_job_that_goes_takes_its_schedules_along(nfo):
    put(nfo, "{ name: s, cron: '0 * * * *' }")
    nfo.ask("POST", f"{JOBS}/clock/schedules/s/pause")
    nfo.ask("DELETE", f"{JOBS}/clock", headers={"If-Match": "*"})
    put(nfo, "{ name: s, cron: '0 * * * *' }")
    assert schedule(nfo)["paused"] is False


def test_the_command_line(nfo):
    put(nfo, "{ name: s, cron: '30 2 * * *', timezone: Asia/Kolkata }")
    listed = nfo("schedule", "list", "clock").out
    assert "30 2 * * *" in listed and "Asia/Kolkata" in listed
    times = nfo("schedule", "next", "clock", "s").out.splitlines()
    assert len(times) == 10 and all(t.endswith("T02:30:00+05:30")
                                    for t in times)
    nfo("schedule", "pause", "clock", "s")
    assert "paused" in nfo("schedule", "list", "clock").out
    nfo("schedule", "resume", "clock", "s")
    assert "paused" not in nfo("schedule", "list", "clock").out
    assert "no such job" in nfo("schedule", "list", "absent", code=2).err
