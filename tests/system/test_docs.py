# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages in docs/ do what they say.  A fenced block is, by its first line,

    sh run              run by bash; all of a page's in one shell, in order
    sh bao              the same, beside a real OpenBao: tests/openbao
    sh                  not run; its options are checked, as everywhere
    yaml|json|toml job  given to `nfo check`, and with `run` to `nfo run`
    yaml policy         a policy that a server starts with
    yaml settings       a server's, given to `nfo config check`"""
import json
import os
import re
import subprocess
from typing import NamedTuple

import pytest

import nfo as programs

TOP = programs.TOP
DOCS = sorted((TOP / "docs").glob("*.md"))
PAGES = [*DOCS, *sorted(TOP.glob("*.md")), TOP / "policies/README.md"]
KINDS = {"sh", "sh run", "sh bao", "yaml policy", "yaml settings"} | {
    f"{syntax} job{more}" for syntax in ("yaml", "json", "toml")
    for more in ("", " run")}
# As root a sandbox is tried where no mount of it could stay.
APART = ("unshare", "-m", "--propagation", "private") \
    if os.geteuid() == 0 else ()


class Block(NamedTuple):
    page: str
    line: int
    kind: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def fenced(path):
    kind = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if kind is None and line.startswith("```"):
            kind, start, lines = line[3:], number, []
        elif line == "```":
            yield Block(path.name, start, kind, "\n".join(lines) + "\n")
            kind = None
        elif kind is not None:
            lines.append(line)
    assert kind is None, f"{path.name}:{start} has no end"


BLOCKS = [block for path in DOCS for block in fenced(path)]


def of_kind(word):
    return [b for b in BLOCKS if word in b.kind.split()]


def test_every_block_says_what_it_is():
    assert not [str(b) for b in BLOCKS if b.kind not in KINDS]
    assert len(of_kind("job")) > 8


@pytest.mark.parametrize("block", of_kind("job"), ids=str)
def test_a_job(cold, block):
    path = cold.write(f"job.{block.kind.split()[0]}", block.text)
    checked = cold("check", path)
    assert ": ok, " in checked.out and checked.err == ""
    if "run" in block.kind.split():
        assert ": succeeded" in cold("run", path).out


@pytest.mark.parametrize("block", of_kind("settings"), ids=str)
def test_settings(cold, block):
    cold("config", "check", cold.write("server.yaml", block.text))


@pytest.mark.parametrize("page", sorted({b.page for b in of_kind("sh")
                                         if "run" in b.kind.split()}))
def test_the_commands_of_a_page(cold, page):
    cold.env["PATH"] = f"{programs.BIN}:{cold.env['PATH']}"
    script = "".join(f"echo '=== {b}' >&2\n{b.text}"
                     for b in of_kind("sh")
                     if b.page == page and b.kind == "sh run")
    done = subprocess.run(
        [*(APART if "nfo sandbox" in script else ()), "bash", "-euo",
         "pipefail", "-c", script], env=cold.env, cwd=cold.home,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=2 * programs.LIMIT)
    cold.note_monitor()
    assert done.returncode == 0, done.stderr[-2000:]
    if page == "getting-started.md":
        assert "hello, you" in done.stdout and "[REDACTED]" in done.stdout
        assert done.stdout.splitlines().count("you") == 1
    if page == "operations.md":
        restored = programs.Nfo(cold.home)
        restored.state = cold.home / "restored"
        restored.stop()


def test_the_secrets_of_a_job_reach_it(cold):
    """What secrets.md shows, with the secret it puts first."""
    (job,) = [b for b in of_kind("job") if b.page == "secrets.md"]
    cold("secret", "put", "api_key", stdin=b"correct horse battery")
    result = cold("run", cold.write("job.yaml", job.text))
    assert "this is [REDACTED]" in result.out
    for name in ("api_key", "by_fd"):  # one value, the strictest counts
        leaks = cold("run", cold.write("job.yaml", job.text.replace(
            f"{name}: {{", f"{name}: {{ on_leak: fail,")), code=1)
        assert "failed: leak" in leaks.out


# --- the command line and the routes that they speak of

def ask(*words):
    return subprocess.run([programs.BIN / "nfo", *words], check=True,
                          capture_output=True, text=True).stdout


def commands(path):
    """(line, words) of each `nfo ...` in code, indented or between ticks."""
    text = path.read_text()
    code = re.findall(r"`(nfo [^`]+)`", text.replace("\n", " ").replace(
        "|", "\\|"))
    code += re.findall(r"(?:^|[|(] ?|=)(nfo [a-z][^|)#\n]*)", "\n".join(
        line.strip() for line in text.splitlines()
        if line.startswith("    ")) + "\n" + "\n".join(
            b.text for b in fenced(path)), re.M)
    for line in code:
        yield line, line.replace("\\|", "|").split()


def test_commands_and_options_exist():
    listed = ask("--help").split("COMMAND [OPTION...]")[1]
    helps = {verb: ask("help", verb) for verb in
             re.findall(r"^  ([a-z]+) +\S", listed, re.M)}
    seen, bad = set(), []
    for path in PAGES:
        for line, words in commands(path):
            verb = words[1].rstrip(".,:;")
            if not re.fullmatch("[a-z]+", verb):
                continue
            seen.add(verb)
            text = helps.get(verb, "") + " --help"
            mine = words[2:words.index("--")] if "--" in words else words[2:]
            if verb not in helps or any(
                    word.split("=")[0] not in text.split()
                    for word in mine if word.startswith("--")):
                bad.append(f"{path.name}: {line}")
    assert not bad, bad
    assert seen == set(helps), set(helps) ^ seen


def test_every_command_is_in_the_overview():
    page = (TOP / "docs/cli.md").read_text()
    listed = ask("--help").split("COMMAND [OPTION...]")[1]
    for verb in re.findall(r"^  ([a-z]+) +\S", listed, re.M):
        assert f"| `nfo {verb}" in page, verb


def test_every_route_has_an_example(nfo):
    document = nfo.get("/v1/openapi.json").json
    routes = {f"{method.upper()} {path}"
              for path, methods in document["paths"].items()
              for method in methods}
    text = (TOP / "docs/api.md").read_text()
    sections = dict(re.findall(r"^### (.*)\n((?:(?!^##).*\n)*)", text, re.M))
    assert set(sections) == routes, set(sections) ^ routes
    for route, section in sections.items():
        method, path = route.split()
        calls = [line.replace("\\\n", " ") for line in
                 re.findall(r"api (?:.|\\\n)*", section)]
        parts = [re.escape(p) for p in re.split(r"\{[a-z]+\}", path)]
        pattern = r"\$H" + r"(\$\([^)]*\)|[$\w.-]+)".join(parts) + r"(?=[\s?\"]|$)"
        assert any(re.search(pattern, call) for call in calls), route
        if method in ("PUT", "DELETE"):
            assert any(f"-X {method}" in call for call in calls), route


def test_links_lead_somewhere():
    bad = []
    for path in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)",
                                 path.read_text()):
            if not (path.parent / target).exists():
                bad.append(f"{path.name}: {target}")
    assert not bad, bad


def test_every_page_is_reached():
    reached = "".join(p.read_text() for p in PAGES)
    for path in DOCS:
        assert f"{path.name})" in reached, path.name


def test_json_blocks_are_json():
    for block in BLOCKS:
        if block.kind.startswith("json"):
            json.loads(block.text)
