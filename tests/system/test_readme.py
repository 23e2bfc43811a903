# SPDX-License-Identifier: AGPL-3.0-or-later
"""The README does what it says: its commands are run as they stand there."""
import os
import re
import socket
import subprocess

import pytest

import nfo as programs

README = (programs.TOP / "README.md").read_text()
# As root a sandbox is tried where no mount of it could stay.
APART = ("unshare", "-m", "--propagation", "private") \
    if os.geteuid() == 0 else ()


def blocks(heading):
    """The indented blocks below a heading, as scripts."""
    part = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found, block = [], []
    for line in part.splitlines() + ["end"]:
        if line.startswith("    "):
            block.append(line[4:])
        elif line.strip() and block:
            found.append("\n".join(block))
            block = []
    return found


@pytest.fixture
def shell(cold):
    cold.env["PATH"] = f"{programs.BIN}:{cold.env['PATH']}"

    def run(script, *front):
        done = subprocess.run([*front, "bash", "-euo", "pipefail", "-c",
                               script], env=cold.env, cwd=cold.home,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=programs.LIMIT)
        cold.note_monitor()
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        return done.stdout
    return run


NO_SERVER = {"nfo sandbox -- id"}


def commands(block):
    """Its lines without what they say about themselves."""
    return [re.sub(r"  +# .*", "", line).strip()
            for line in block.splitlines() if line.strip()]


def test_a_job_of_your_own(cold, shell):
    path, job, more, _ = blocks("A job of your own in five minutes")
    assert "build/release/bin" in path
    out = shell(f"{path}\n{job}")
    assert "hello, you" in out and "sum: 15" in out and "succeeded" in out
    run = re.search(r"run_[0-9A-Z]{26}", out)[0]
    seen = {}
    for line in more.splitlines():
        command = line.split("  #")[0]
        sandboxed = "nfo sandbox" in command or "nfo doctor" in command
        seen[command.split("RUN")[0].strip()] = shell(
            command.replace("RUN", run), *(APART if sandboxed else ()))
    assert run in seen["nfo runs"]
    assert "hello, you" in seen["nfo logs"]
    assert seen["nfo artifact"].strip() == "you"
    assert "uid=" in seen["nfo sandbox -- id"]
    assert shell("nfo check job.yaml") is not None
    assert cold.home.joinpath("job.yaml").read_text().startswith("nfo: 1")


def test_stored_jobs_and_the_same_with_curl(cold, shell):
    """Line for line: each command that asks a server is there as a request, and
    each of both is run as it stands."""
    path, job, one, two = blocks("A job of your own in five minutes")
    setting, *pairs = "\n".join(blocks("The same with curl alone")
                               ).split("\n    \n")[0].split("\n# ")
    run = re.search(r"run_[0-9A-Z]{26}", shell(f"{path}\n{job}"))[0]
    shell("head -c 24 /dev/urandom | base64 > key.txt; "
          "echo 'echo hello' > script.sh")
    said = {}
    for pair in pairs:
        command, *request = pair.splitlines()
        said[command.split("   ")[0]] = "\n".join(request)
    wanted = [c for c in commands("nfo check hello.yaml\n"
                                  "nfo run hello.yaml --input who=you\n"
                                  f"{one}\n{two}")
              if c.startswith("nfo ") and c not in NO_SERVER]
    assert list(said) == wanted
    for command, request in said.items():
        apart = APART if command == "nfo doctor" else ()
        told = shell(f"{setting}\n{request}".replace("RUN", run))
        assert shell(command.replace("RUN", run), *apart) is not None
        if command.startswith(("nfo artifact", "nfo logs")):
            assert told == shell(command.replace("RUN", run)), command
        elif "-o backup.tar" not in request:
            assert told.lstrip()[:1] in "{n", command  # JSON, or a job


def test_a_server_that_stays(cold, shell):
    start, asks = blocks("A server that stays")
    assert start == "nfo serve --state STATE --listen 127.0.0.1:7070"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cold.serve("--state", cold.state, "--listen", f"127.0.0.1:{port}")
    runs, api = (shell(line.replace("STATE", str(cold.state))
                       .replace("7070", str(port)))
                 for line in asks.splitlines())
    assert '"items"' in runs and '"openapi"' in api
