# SPDX-License-Identifier: AGPL-3.0-or-later
"""Completion, as the shells themselves do it: bash and fish complete for real,
zsh at least reads the script."""
import os
import shutil
import subprocess

import pytest

import nfo as programs

HELLO = """nfo: 1
name: hello
tasks:
  hello: { run: "echo hi > f.txt", artifacts: { text: { path: f.txt } } }
"""


def shell(nfo, *line, stdin=""):
    env = nfo.env | {"PATH": f"{programs.BIN}:{nfo.env['PATH']}"}
    r = subprocess.run(line, input=stdin, env=env, cwd=nfo.home,
                       capture_output=True, text=True, timeout=programs.LIMIT)
    assert r.returncode == 0, r.stderr
    return r.stdout.splitlines()


def in_bash(nfo, *words):
    """What bash offers in the place of the last word."""
    script = """
        source <(nfo completion bash)
        complete -p nfo >/dev/null
        COMP_WORDS=(nfo "$@") COMP_CWORD=$#
        _nfo
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    return [line for line in shell(nfo, "bash", "-euc", script, "bash",
                                   *words) if line]


def in_fish(nfo, text):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    script = 'nfo completion fish | source; complete -C "$argv"'
    return [line.split("\t")[0]
            for line in shell(nfo, "fish", "--no-config", "-c", script, text)]


@pytest.fixture
def files(cold):
    cold.write("hello.yaml", HELLO)
    cold.write("two words.yaml", HELLO)
    (cold.home / "here").mkdir()
    return cold


@pytest.fixture
def ran(nfo):
    return nfo, nfo.run(HELLO)["id"]


def test_bash_completes_commands(cold):
    assert in_bash(cold, "ru") == ["run", "runs"]
    assert in_bash(cold, "doc") == ["doctor"]
    every = in_bash(cold, "")
    assert {"run", "sandbox", "completion"} <= set(every)
    assert not any(word.startswith("_") for word in every)
    assert in_bash(cold, "nosuch", "") == []


def test_bash_completes_options(cold):
    assert in_bash(cold, "run", "--so") == ["--source"]
    assert in_bash(cold, "convert", "x.yaml", "--to", "") == [
        "yaml", "json", "toml"]
    assert in_bash(cold, "runs", "-o", "j") == ["json"]
    assert in_bash(cold, "sandbox", "--n") == ["--net"]
    assert in_bash(cold, "sandbox", "--net", "h") == ["host"]
    assert "--help" in in_bash(cold, "doctor", "-")
    assert "--state" not in in_bash(cold, "doctor", "-")


def test_bash_completes_words(cold):
    assert in_bash(cold, "secret", "p") == ["put"]
    assert in_bash(cold, "explain", "limits.me") == ["limits.memory"]


def test_bash_completes_files(files):
    assert in_bash(files, "run", "hel") == ["hello.yaml"]
    assert in_bash(files, "check", "hello.yaml", "two") == ["two words.yaml"]
    assert in_bash(files, "run", "hello.yaml", "--source", "h") == ["here"]
    assert in_bash(files, "sandbox", "--", "hel") == ["hello.yaml"]


def test_bash_completes_runs_tasks_and_artifacts(ran):
    nfo, run = ran
    assert in_bash(nfo, "show", "run_") == [run]
    assert in_bash(nfo, "logs", "-f", run[:-2]) == [run]
    assert in_bash(nfo, "logs", run, "") == ["hello"]
    assert in_bash(nfo, "artifact", run, "h") == ["hello.text"]
    state = nfo.env.pop("NFO_STATE")
    assert in_bash(nfo, "show", "") == []
    assert in_bash(nfo, "show", "--state", state, "") == [run]


def test_completing_starts_no_server(cold):
    assert in_bash(cold, "show", "") == []
    assert not cold.state.exists() and not cold.monitor()


def test_fish(files):
    assert in_fish(files, "nfo ru") == ["run", "runs"]
    assert in_fish(files, "nfo run --so") == ["--source"]
    assert in_fish(files, "nfo run hel") == ["hello.yaml"]
    assert "put" in in_fish(files, "nfo secret ")


def test_fish_completes_runs(ran):
    nfo, run = ran
    assert in_fish(nfo, "nfo show ") == [run]


def test_zsh_reads_the_script(cold):
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    script = "\n".join(shell(cold, "nfo", "completion", "zsh"))
    assert script.startswith("#compdef nfo\n")
    path = cold.write("_nfo", script + "\n")
    assert shell(cold, "zsh", "-f", "-n", path) == []
    out = shell(cold, "zsh", "-fc", f"autoload -U compinit && compinit -u -d "
                f"{cold.home}/dump && source {path} && echo $_comps[nfo]")
    assert out == ["_nfo"]


def test_other_shells_are_refused(cold):
    assert "usage" in cold("completion", "csh", code=2).err
    assert os.listdir(cold.home) == []
