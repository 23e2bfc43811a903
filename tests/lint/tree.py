# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tree as the lint tests see it: tracked sources, folders, layers."""
import pathlib
import re
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]


def tracked(*patterns):
    """Files that git tracks (outside git: that are there), by glob."""
    try:
        out = subprocess.run(
            ["git", "-c", f"safe.directory={TOP}", "ls-files", "--", *patterns],
            cwd=TOP, check=True, capture_output=True, text=True).stdout
        names = out.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = [str(p.relative_to(TOP)) for pat in patterns
                 for p in TOP.rglob(pat) if "build" not in p.parts]
    return [TOP / n for n in names if (TOP / n).is_file()]


def layers():
    """{library: (folder, [libraries it may include])} from CMake."""
    table = {}
    for path in tracked("*CMakeLists.txt"):
        text = path.read_text()
        for call in re.findall(r"nfo_library\(([^)]*)\)", text):
            words = call.split()
            name, rest = words[0], words[1:]
            allowed, into = [], None
            for word in rest:
                if word in ("LAYERS", "LIBS"):
                    into = word
                elif into == "LAYERS":
                    allowed.append(word)
            table[name] = (path.parent, allowed)
    return table


def closure(table, name):
    seen, todo = set(), [name]
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        todo.extend(table[one][1])
    return seen


def folder_of(include, table):
    """The library whose header "a/b.h" is, or None."""
    head = include.rsplit("/", 1)[0] if "/" in include else None
    for name, (path, _) in table.items():
        if head in (str(path.relative_to(TOP)),
                    str(path.relative_to(TOP)).removeprefix("src/")):
            return name
    return None
