# SPDX-License-Identifier: AGPL-3.0-or-later
"""/metrics: right by Debian's promtool, true, and of bounded size."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import nfo as programs

UNPACKED = programs.TOP / "build/share/prometheus/usr/bin/promtool"
PROMTOOL = os.environ.get("NFO_PROMTOOL") or shutil.which("promtool") or \
    (UNPACKED if UNPACKED.exists() else None)


def scrape(nfo):
    a = nfo.get("/metrics")
    assert a.status == 200
    return a.body.decode()


def samples(text):
    """(name, labels) -> value."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        m = re.fullmatch(r'([a-z_]+)(?:\{(.*)\})? ([0-9.]+)', line)
        assert m, line
        labels = frozenset(re.findall(r'(\w+)="([^"]*)"', m[2] or ""))
        assert (m[1], labels) not in found, f"twice: {line}"
        found[m[1], labels] = float(m[3])
    return found


def value(found, name, **labels):
    return found[name, frozenset(labels.items())]


def work(nfo):
    nfo.run("tasks: { t: { run: echo hi } }")
    nfo.run("tasks: { t: { run: exit 3 } }")
    nfo.get("/v1/runs/run_01AAAAAAAAAAAAAAAAAAAAAAAA")
    nfo.get("/nothing")
    nfo.ask("POST", "/v1/validate", b"nfo: [", {
        "Content-Type": "application/yaml"})


@pytest.mark.skipif(not PROMTOOL, reason="there is no promtool (`./check` "
                    "unpacks it; NFO_PROMTOOL names one)")
def test_promtool_has_nothing_to_say(nfo):
    work(nfo)
    p = subprocess.run([pathlib.Path(PROMTOOL), "check", "metrics"],
                       input=scrape(nfo), capture_output=True, text=True)
    assert (p.returncode, p.stdout, p.stderr) == (0, "", "")


def test_what_they_say_is_true(nfo):
    work(nfo)
    scrape(nfo)
    m = samples(scrape(nfo))
    assert value(m, "nfo_runs_created_total") == 2
    assert value(m, "nfo_runs_ended_total", state="succeeded") == 1
    assert value(m, "nfo_runs_ended_total", state="failed") == 1
    assert value(m, "nfo_runs_live") == 0
    assert value(m, "nfo_runs", state="queued") == 0
    assert value(m, "nfo_runs", state="running") == 0
    assert value(m, "nfo_attempts_ended_total", state="failed",
                 kind="exit") == 1
    assert value(m, "nfo_attempts_ended_total", state="succeeded",
                 kind="") == 1
    assert value(m, "nfo_log_bytes_total") == 3
    assert value(m, "nfo_run_duration_seconds_count") == 2
    assert 0 < value(m, "nfo_run_duration_seconds_sum") < 60
    assert value(m, "nfo_attempt_duration_seconds_count") == 2
    assert value(m, "nfo_store_commits_total") == \
        value(m, "nfo_store_commit_duration_seconds_count") > 3
    assert value(m, "nfo_http_requests_total", route="metrics",
                 **{"class": "2xx"}) == 1
    assert value(m, "nfo_http_requests_total", route="none",
                 **{"class": "4xx"}) == 1
    assert value(m, "nfo_http_requests_total", route="getRun",
                 **{"class": "4xx"}) == 1
    assert value(m, "nfo_ready") == 1
    assert value(m, "process_cpu_seconds_total") > 0
    assert value(m, "nfo_store_bytes", file="nfo.db") >= 4096
    assert value(m, "nfo_disk_free_bytes") > 0


def test_histograms_only_grow(nfo):
    work(nfo)
    m = samples(scrape(nfo))
    series = {}
    for (name, labels), v in m.items():
        if not name.endswith("_bucket"):
            continue
        labels = dict(labels)
        le = float(labels.pop("le").replace("+Inf", "inf"))
        series.setdefault((name, frozenset(labels.items())), []).append(
            (le, v))
    assert len(series) > 4
    for (name, labels), buckets in series.items():
        counts = [v for _, v in sorted(buckets)]
        assert counts == sorted(counts), name
        assert counts[-1] == m[name.replace("_bucket", "_count"), labels]


def test_what_lives_is_counted(nfo):
    run = nfo.run("tasks: { t: { run: sleep 60 } }", wait=None)
    nfo.until_state(run, "running")
    nfo.ask("PUT", "/v1/system/maintenance", {"on": True})
    nfo.run("tasks: { t: { run: echo hi } }", wait=None)
    before = value(samples(scrape(nfo)), "nfo_followers")
    c = nfo.connect()
    c.request("GET", "/v1/events")
    a = c.getresponse()
    m = samples(scrape(nfo))
    assert value(m, "nfo_runs", state="running") == 1
    assert value(m, "nfo_runs", state="blocked") == 1
    assert value(m, "nfo_runs_live") == 2
    assert value(m, "nfo_attempts_running") == 1
    assert value(m, "nfo_followers") == before + 1
    a.close()
    c.close()
    # and after a restart it is counted anew
    nfo.stop()
    nfo("runs")
    m = samples(scrape(nfo))
    live = value(m, "nfo_runs_live")
    assert live >= 1
    assert sum(v for (name, _), v in m.items() if name == "nfo_runs") == live


def test_strangers_do_not_make_it_longer(nfo):
    work(nfo)
    before = scrape(nfo).count("\n")
    for i in range(50):
        nfo.get(f"/v1/x{i}")
        nfo.get(f"/v1/runs/run_x{i}")
        nfo.get(f"/v1/projects/p{i}/jobs/j{i}")
    after = scrape(nfo).count("\n")
    assert after - before < 60  # one more route
