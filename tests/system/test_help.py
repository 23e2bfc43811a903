# SPDX-License-Identifier: AGPL-3.0-or-later
"""What --help says: every command has it, and no option means two things."""
import re
import subprocess

import nfo as programs


def say(*args):
    return subprocess.run([programs.BIN / "nfo", *args], text=True,
                          capture_output=True, timeout=programs.LIMIT,
                          stdin=subprocess.DEVNULL)


def verbs():
    found = re.findall(r"^  ([a-z]+)  ", say("--help").stdout, re.M)
    assert {"run", "runs", "serve", "sandbox", "doctor"} <= set(found)
    return found


def test_every_command_explains_itself():
    for verb in verbs():
        done = say(verb, "--help")
        assert done.returncode == 0 and not done.stderr, verb
        assert done.stdout.startswith(f"nfo {verb}"), verb


def test_no_option_means_two_things():
    for verb in verbs():
        text = say(verb, "--help").stdout
        for pattern in (r"^  +(?:-\w, )?(--[a-z][a-z-]*)", r"^  +(-\w), --"):
            names = re.findall(pattern, text, re.M)
            assert len(names) == len(set(names)), (verb, names)


def test_a_run_without_its_prefix(nfo):
    run = nfo.run("tasks: { t: { run: echo hi } }")["id"]
    bare = run.removeprefix("run_")
    assert nfo("show", bare).out == nfo("show", run).out
    assert nfo("logs", bare, "t").out == "hi\n"
    assert nfo("logs", "-f", bare).out.endswith("| hi\n")
    assert "no such run" in nfo("show", bare[:-1], code=2).err


def test_runs_of_some_states(nfo):
    nfo.run("nfo: 1\nname: good\ntasks: {a: {run: 'true'}}\n")
    nfo.run("nfo: 1\nname: bad\ntasks: {a: {run: 'false'}}\n")
    assert "default/bad" in nfo("runs", "-s", "failed").out
    assert "default/good" not in nfo("runs", "-s", "failed").out
    both = nfo("runs", "--status", "failed", "--status=succeeded").out
    assert "default/bad" in both and "default/good" in both
    wrong = nfo("runs", "--status", "lazy", code=2)
    assert "state" in wrong.err
