# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every row of the table, in every profile it names, as root and as a user;
and the harmless ones without a sandbox, where they must get through."""
import os

import pytest

import table


def name(row):
    return f"{row.item:02}-{row.probe}" + "".join(f"-{a}" for a in row.args[:1])


def cases(rows):
    return [pytest.param(row, profile, id=f"{name(row)}-{profile}")
            for row in rows for profile in row.profiles]


def filled(row, host, who):
    return [a.format_map({**host, "who": who}) if a.startswith(("{", "@{")) else a
            for a in row.args]


def check(jail, host, who, profile, row, *options):
    if row.needs == "root" and os.geteuid() != 0:
        pytest.skip("its scenery is made by root")
    result = jail.run_probe(who, profile, row.probe, row.expect,
                            filled(row, host, who), (*row.options, *options))
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
    return [pytest.param(row, id=f"{name(row)}-{row.profiles[0]}")
            for row in rows if row.bare]


@pytest.mark.parametrize("row", bare_cases())
def test_probe_can_tell(jail, host, who, row):
    """Without a sandbox the same probe must say ALLOWED."""
    if who not in row.bare:
        pytest.skip("only root gets through here without a sandbox")
    result = jail.run_bare(who, row.probe, row.expect, filled(row, host, who))
    assert result.code == 1, (result.code, result.out, result.err)
    assert ": ALLOWED " in result.line(row.probe)
