# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server says: the envelope, the refusals, times and durations."""
import datetime
import json
import re
import secrets
import string
import uuid
from dataclasses import dataclass, field

ALPHABET = string.ascii_letters + string.digits
DAY = 86400
DEFAULT_TTL = MAX_TTL = 32 * DAY


class Refusal(Exception):
    """An answer with errors, or with a body of its own."""

    def __init__(self, status, *errors, answer=None, headers=()):
        super().__init__(status, errors)
        self.status, self.errors = status, list(errors)
        self.answer, self.headers = answer, dict(headers)


DENIED = "permission denied"


def listed(error):
    """As hashicorp's multierror prints one error."""
    return f"1 error occurred:\n\t* {error}\n\n"


@dataclass
class Answer:
    """What goes into an envelope; body: sent as it is instead."""
    data: dict | None = None
    lease: object = None
    auth: dict | None = None
    lease_duration: int = 0
    warnings: list = field(default_factory=list)
    top: bool = False  # keys of data at the top, too, as sys/ has them
    body: bytes | None = None
    status: int = 200
    headers: dict = field(default_factory=dict)


@dataclass
class Request:
    method: str
    path: str  # without /v1/
    query: dict
    headers: object  # case-insensitive
    body: bytes
    data: dict
    token: str = ""
    login: object = None  # the Token
    ns: object = None
    peer: bytes | None = None  # the client's certificate, DER
    mount: object = None
    rest: str = ""  # of the path, below the mount

    @property
    def list(self):
        return self.method == "LIST"

    def want(self, name, message=None):
        value = self.data.get(name)
        if value in (None, ""):
            raise Refusal(400, message or f"missing {name}")
        return value


def dumps(value):
    """As Go writes JSON: sorted maps are the caller's, HTML is escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for c in "<>&\u2028\u2029":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return text.encode() + b"\n"


def ordered(value):
    if isinstance(value, dict):
        return {k: ordered(value[k]) for k in sorted(value)}
    if isinstance(value, list):
        return [ordered(v) for v in value]
    return value


def envelope(answer, request_id=None, wrap_info=None):
    it = {"request_id": str(uuid.uuid4()) if request_id is None else request_id,
          "lease_id": answer.lease.id if answer.lease else "",
          "renewable": bool(answer.lease and answer.lease.renewable),
          "lease_duration": answer.lease.ttl if answer.lease
          else answer.lease_duration,
          "data": ordered(answer.data), "wrap_info": wrap_info,
          "warnings": answer.warnings or None, "auth": answer.auth}
    if answer.top and answer.data:
        it = {**ordered(answer.data), **it}
    return it


def errors(*messages):
    return dumps({"errors": list(messages)})


def random_id(length=24):
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def stamp(seconds, digits=9):
    """RFC 3339 in UTC, as Go prints it; digits 0: whole seconds."""
    when = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
    text = when.strftime("%Y-%m-%dT%H:%M:%S")
    if digits:
        text += f"{seconds % 1:.9f}"[1:]
    return text + "Z"


def duration(value, default=0):
    """Seconds of 60, "60", "1h30m", "2d"."""
    if value in (None, ""):
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Refusal(400, f"invalid duration {value!r}")
    if isinstance(value, str):
        if re.fullmatch(r"-?\d+", value):
            value = int(value)
        elif re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", value):
            unit = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": DAY}
            value = sum(float(n) * unit[u] for n, _, u in
                        re.findall(r"(\d+(\.\d+)?)(ms|s|m|h|d)", value))
        else:
            raise Refusal(400, f'time: invalid duration "{value}"')
    return int(value)


def strings(value):
    """A list that may have been given as text with commas."""
    if value is None:
        return []
    if isinstance(value, str):
        return [v.strip() for v in value.split(",") if v.strip()]
    return [str(v) for v in value]
