# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every row of the table, in every profile it names, as root and as a user;
and the harmless ones without a sandbox, where they must get through."""
import ctypes
import os

import pytest

import table
from jail import WHO


def name(row):
    first = [a for a in row.args[:1] if "{" not in a and "/" not in a]
    return "-".join([f"{row.item:02}", row.probe, *first])


def cases(rows):
    return [pytest.param(row, profile, id=f"{name(row)}-{profile}")
            for row in rows for profile in row.profiles
            if row.needs != "root" or "root" in WHO]


def filled(row, host, who):
    """The row's arguments and options with the names of the scenery."""
    names = {**host, "who": who}
    return [a.format_map(names) if "{" in a else a for a in row.args]


def landlock_abi():
    """What landlock_create_ruleset says of itself."""
    return ctypes.CDLL(None).syscall(444, None, 0, 1)


def check(jail, host, who, profile, row, *options):
    if row.needs == "scope" and landlock_abi() < 6:
        pytest.skip("this kernel's Landlock has no scopes (Linux 6.12)")
    mine = [o.format_map(host) for o in row.options]
    result = jail.run_probe(who, profile, row.probe, row.expect,
                            filled(row, host, who), (*mine, *options))
    if "not enforced" in result.err and options:
        pytest.skip(f"no control group for {who}: {result.err.strip()}")
    # Where the memory of all is counted together, the probe may go too.
    if result.code == 137 and "SIGKILL" in row.expect.split(","):
        return
    assert result.line(row.probe), (result.code, result.err)
    assert result.code == 0, result.line(row.probe)


@pytest.mark.parametrize("row,profile", cases(table.ROWS))
def test_probe(jail, host, who, profile, row):
    check(jail, host, who, profile, row)


@pytest.mark.parametrize("row,profile", cases(table.SHARES))
def test_share(jail, host, who, profile, row):
    check(jail, host, who, profile, row, *table.LIMITED)


@pytest.mark.parametrize("row,profile", cases(table.UNLIMITED))
def test_limit(jail, host, who, profile, row):
    check(jail, host, who, profile, row)


def bare_cases():
    rows = table.ROWS + table.SHARES + table.UNLIMITED
    return [pytest.param((row, who), id=f"{name(row)}-{row.profiles[0]}-{who}")
            for row in rows for who in row.bare if who in WHO]


@pytest.mark.parametrize("bare", bare_cases())
def test_probe_can_tell(jail, host, bare):
    """Without a sandbox the same probe must say ALLOWED."""
    row, who = bare
    result = jail.run_bare(who, row.probe, row.expect, filled(row, host, who))
    assert result.code == 1, (result.code, result.out, result.err)
    assert ": ALLOWED " in result.line(row.probe)


def test_as_root_too():
    """Says that half of the suite was not run."""
    if os.geteuid() != 0:
        pytest.skip("not started as root: root's sandbox, and what only root "
                    "can plant, was not tried")
