# SPDX-License-Identifier: AGPL-3.0-or-later
"""`nfo run` and the commands about runs: tables and exit codes."""
import json
import re

HELLO = "nfo: 1\nname: hello\ntasks: { hello: { run: echo hi there } }\n"
FAILS = "nfo: 1\nname: fails\ntasks: { bad: { run: exit 7 } }\n"
LONG = "nfo: 1\nname: long\ntasks: { long: { run: echo up; sleep 300 } }\n"


def run_id(text):
    return re.search(r"run_[0-9A-Z]{26}", text).group()


def test_hello_succeeds_with_a_table(cold):
    result = cold("run", cold.write("hello.yaml", HELLO))
    assert re.search(r"^hello +\| hi there$", result.out, re.M)
    assert re.search(r"^TASK +STATE +TIME +MEMORY$", result.out, re.M)
    assert re.search(r"^hello +succeeded +[0-9.]+s +\S+$", result.out, re.M)
    assert re.search(r"^run_\w{26}: succeeded$", result.out, re.M)


def test_first_command_says_where_the_state_is(cold):
    result = cold("runs")
    for name in ("policies/default.yaml", "keeper/key", "server/token"):
        assert f"{cold.state}/{name}" in result.err
    assert (cold.state / "server/token").stat().st_mode & 0o777 == 0o600
    assert cold("runs").err == ""


def test_failing_task_exits_1_with_its_kind(nfo):
    result = nfo("run", nfo.write("fails.yaml", FAILS), code=1)
    assert re.search(r"^bad +failed: exit ", result.out, re.M)
    run = nfo.fresh({"id": run_id(result.out)})
    assert nfo.tasks(run)["bad"]["exit_code"] == 7


def test_killed_task_has_the_signal(nfo):
    task = nfo.tasks(nfo.run("tasks: { t: { run: kill -SEGV $$ } }"))["t"]
    assert (task["kind"], task["signal"]) == ("signal", 11)


def test_missing_program_is_127(nfo):
    run = nfo.run("tasks: { t: { run: no-such-program-here } }")
    assert nfo.tasks(run)["t"]["exit_code"] == 127


def test_invalid_job_exits_2(nfo):
    bad = nfo.write("bad.yaml", HELLO.replace("run:", "runn:"))
    assert "unknown-key" in nfo("run", bad, code=2).err


def test_wrong_usage_exits_2(nfo):
    assert "usage" in nfo("run", code=2).err
    assert "no command" in nfo("rnu", code=2).err
    assert nfo("run", "--no-such-option", "x", code=2).err


def test_missing_file_exits_2(nfo):
    assert "absent.yaml" in nfo("run", "absent.yaml", code=2).err


def test_no_server_exits_4(cold):
    job = cold.write("hello.yaml", HELLO)
    result = cold("run", "--server", f"unix:{cold.home}/absent", job, code=4)
    assert "absent" in result.err
    assert not cold.state.exists()


def test_unknown_run_is_said(nfo):
    nobody = "run_01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert "not-found" in nfo("show", nobody, code=2).err


def test_input_reaches_the_task(nfo):
    job = nfo.write("in.yaml", HELLO.replace(
        "tasks:", "inputs: { who: { pattern: '^[a-z]+$' } }\ntasks:")
        .replace("echo hi there", "'echo hi $NFO_INPUT_WHO'"))
    assert "hi moon" in nfo("run", job, "--input", "who=moon").out
    assert "who" in nfo("run", job, "--input", "who=MOON", code=2).err
    assert "absent" in nfo("run", job, "--input", "absent=1", code=2).err


def test_listings_as_json_agree_with_the_table(nfo):
    shown = nfo("run", nfo.write("hello.yaml", HELLO)).out
    run = run_id(shown)
    assert run in nfo("runs").out
    listed = json.loads(nfo("runs", "--output", "json").out)
    assert [r["id"] for r in listed["items"]] == [run]
    one = json.loads(nfo("show", run, "--output", "json").out)
    assert one["tasks"][0]["exit_code"] == 0
    assert "succeeded" in nfo("show", run).out


def test_logs_of_one_task_and_of_all(nfo):
    run = run_id(nfo("run", nfo.write("hello.yaml", HELLO)).out)
    assert nfo("logs", run, "hello").out == "hi there\n"
    assert nfo("logs", run).out == "[hello] hi there\n"
    assert "hi there" in nfo("logs", "-f", run).out


def test_script_runs_as_a_job(nfo):
    script = nfo.write("it.sh", "#!/bin/sh\necho from a script $0\n")
    assert "from a script" in nfo("run", "--script", script).out


def test_cancel_ends_a_run_and_runs_finally(nfo):
    job = nfo.write("long.yaml", LONG +
                    "finally: { tidy: { run: echo tidied } }\n")
    run = {"id": run_id(nfo("run", "--detach", job).out)}
    nfo.until_state(run, "running", "long")
    assert "being cancelled" in nfo("cancel", run["id"]).out
    run = nfo.ended(run)
    assert run["state"] == "cancelled"
    assert nfo.tasks(run)["long"]["state"] == "cancelled"
    assert nfo.log(run, "tidy") == b"tidied\n"


def test_source_becomes_the_workspace(nfo):
    nfo.write("tree/a.txt", "one\n")
    nfo.write("tree/sub/b.bin", bytes(range(256)))
    job = nfo.write("src.yaml", HELLO.replace("tasks:", "source: upload\n"
                    "tasks:").replace("echo hi there", "sha256sum a.txt "
                                      "sub/b.bin"))
    out = nfo("run", job, "--source", nfo.home / "tree").out
    assert "40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880"\
        in out
    assert "--source" in nfo("run", job, code=2).err
