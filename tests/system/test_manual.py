# SPDX-License-Identifier: AGPL-3.0-or-later
"""The manual pages: made from the program's tables, whole, and good roff."""
import pathlib
import re
import subprocess

import pytest

import nfo as programs


def ask(*words):
    return subprocess.run([programs.BIN / "nfo", *words], check=True,
                          capture_output=True, text=True,
                          stdin=subprocess.DEVNULL).stdout


def rendered(roff, *options):
    r = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-c", "-P-b",
                        "-P-u", "-rLL=200n", *options], input=roff,
                       capture_output=True, text=True)
    assert r.returncode == 0 and r.stderr == "", r.stderr
    return r.stdout


def verbs():
    listed = ask("--help").split("COMMAND [OPTION...]")[1]
    found = re.findall(r"^  ([a-z]+) +\S", listed, re.M)
    assert len(found) > 10
    return found


@pytest.fixture(scope="module", params=("1", "5"))
def roff(request):
    return ask("__man", request.param)


def test_groff_has_nothing_to_complain_about(roff):
    assert rendered(roff).count("\n") > 100


def test_groff_complains_about_bad_roff(roff):
    with pytest.raises(AssertionError, match="warning"):
        rendered(roff + "\n.nosuchmacro\n")


def test_every_command_and_option_is_in_nfo_1():
    page = rendered(ask("__man", "1"))
    for verb in verbs():
        section = re.search(rf"^ +nfo {verb}\n(.*?)(?=^ {{1,3}}nfo |^[A-Z])",
                            page, re.M | re.S)
        assert section, verb
        text = ask("help", verb).split("\nOptions of every command")[0]
        assert text == ask(verb, "--help").split(
            "\nOptions of every command")[0]
        for option in re.findall(r"^ +(?:-\w, )? *(--[a-z-]+)", text, re.M):
            assert option in section[1], (verb, option)
    for option in re.findall(r"--[a-z-]+", ask("run", "--help")):
        assert option in page


def test_every_command_has_a_page_of_its_own(tmp_path):
    ask("__man", "1", str(tmp_path))
    pages = {p.name: rendered(p.read_text()) for p in tmp_path.iterdir()}
    assert set(pages) == {f"nfo-{verb}.1" for verb in verbs()}
    for verb in verbs():
        page = pages[f"nfo-{verb}.1"]
        assert f"nfo {verb}" in page.split("SYNOPSIS")[1]
        for option in re.findall(r"^ +(?:-\w, )? *(--[a-z-]+)",
                                 ask(verb, "--help"), re.M):
            assert option in page, (verb, option)


def test_every_key_is_in_nfo_job_5():
    page = rendered(ask("__man", "5"))
    keys = [line.split()[:2] for line in ask("explain").splitlines()]
    assert len(keys) > 150
    for where, name in keys:
        section = page.split(f"\nKEYS OF {where}\n")[1].split("\nKEYS OF")[0]
        assert re.search(rf"^ +{name}( |$)", section, re.M), (where, name)


def test_what_is_not_live_says_so():
    page = rendered(ask("__man", "5"))
    told = page.count("Not supported yet")
    keys = {" ".join(line.split()[:2])
            for line in ask("explain").splitlines()}
    dead = sum("not supported yet" in ask("explain", key.replace(" ", "."))
               for key in keys)
    assert told == dead > 10


def test_the_built_pages_are_the_programs(roff):
    name = "nfo.1" if roff.startswith(".TH NFO 1") else "nfo-job.5"
    built = programs.BIN.parent / "share" / name
    if not built.exists():
        pytest.skip(f"{built} is not built (a build for tests)")
    assert built.read_text() == roff


def test_man_finds_them(tmp_path):
    """As `man` would show them, with its own checks."""
    man = pathlib.Path("/usr/bin/man")
    if not man.exists():
        pytest.skip("man-db is not installed")
    for page in ("1", "5"):
        path = tmp_path / f"page.{page}"
        path.write_text(ask("__man", page))
        r = subprocess.run([man, "--warnings", "-l", path],
                           env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                                "MANPAGER": "cat"},
                           capture_output=True, text=True)
        assert r.returncode == 0 and r.stderr == "", r.stderr
        assert "NAME" in r.stdout
