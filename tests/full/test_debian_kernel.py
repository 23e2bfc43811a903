# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian 12's kernel 6.1 with cgroup v2: doctor, the escape tests and the
main job, as root and as an ordinary user, in a machine of their own."""
import os
import pathlib
import xml.etree.ElementTree as ElementTree

import pytest

import machine

BIN = pathlib.Path(os.environ.get("NFO_BIN",
                                  machine.TOP / "build/release/bin"))
WHO = ("root", "user")


@pytest.fixture(scope="module")
def guest():
    assert (BIN / "nfo").exists(), f"{BIN / 'nfo'} is not built"
    try:
        accel = machine.run(BIN)
    except machine.Missing as why:
        pytest.skip(str(why))
    print("accelerator:", accel)
    return machine.OUT


def succeeded(out, name):
    log, code = out / f"{name}.log", out / f"{name}.code"
    text = log.read_text(errors="replace") if log.exists() else "never begun"
    assert code.exists(), f"{name} did not end in time:\n{text[-4000:]}"
    assert code.read_text().strip() == "0", text[-8000:]
    return text


def test_kernel(guest):
    assert (guest / "uname").read_text().startswith("6.1.")
    kinds = [line.split()[2]
             for line in (guest / "mounts").read_text().splitlines()]
    assert "cgroup2" in kinds and "cgroup" not in kinds


@pytest.mark.parametrize("who", WHO)
def test_doctor(guest, who):
    assert "landlock" in succeeded(guest, f"doctor-{who}").lower()


@pytest.mark.parametrize("who", WHO)
def test_main_job(guest, who):
    succeeded(guest, f"job-{who}")


@pytest.mark.parametrize("who", WHO)
def test_escape(guest, who):
    text = succeeded(guest, f"escape-{who}")
    suite = ElementTree.parse(guest / f"escape-{who}.xml").find("testsuite")
    ran = int(suite.get("tests")) - int(suite.get("skipped"))
    assert ran > 100, text
    print(f"{who}: {text.splitlines()[-1]}")
