# SPDX-License-Identifier: AGPL-3.0-or-later
"""Messages between processes: no two have the same number.  Each edge begins
anew at one of its own, and the compiler does not say when it runs into the
next."""
import re

import tree


def messages():
    """[(name, number)] of every enum that has some, counted as C does."""
    text = (tree.TOP / "src/proto/edges.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    found = []
    for body in re.findall(r"\benum(?: \w+)?\s*\{(.*?)\}", text, re.S):
        number = -1
        for entry in filter(None, (e.strip() for e in body.split(","))):
            name, _, value = entry.partition("=")
            if not name.startswith("MSG_"):
                break
            number = int(value, 0) if value else number + 1
            found.append((name.strip(), number))
    return found


def test_no_two_messages_have_one_number():
    names, twice = {}, []
    for name, number in messages():
        if number in names:
            twice.append((names[number], name, number))
        names[number] = name
    assert len(names) > 60 and not twice


def test_each_message_is_found():
    text = re.sub(r"/\*.*?\*/", "",
                  (tree.TOP / "src/proto/edges.h").read_text(), flags=re.S)
    assert {n for n, _ in messages()} == set(re.findall(r"\bMSG_\w+", text))
