# SPDX-License-Identifier: AGPL-3.0-or-later
"""Key/value engines: versions 1 and 2, and each token's cubbyhole."""
from .answers import DEFAULT_TTL, Answer, Refusal, duration, ordered, stamp
from .backend import Backend, route

NOT_VERSIONED = (
    "Invalid path for a versioned K/V secrets engine. See the API docs for "
    "the appropriate API endpoints to use. If using the OpenBao CLI, use "
    "'bao kv get' for this operation.")
ROOT = "Non-listing operations on the root of a K/V v2 mount are not supported."
NOT_A_MAP = (
    "error converting input for field \"data\": '' expected type "
    "'map[string]interface {}', got unconvertible type 'string'")
CAS = "check-and-set parameter did not match the current version"


def make(core, ns, mount):
    version = str((mount.options or {}).get("version", "1"))
    return (Two if version == "2" else One)(core, ns, mount)


def keys(names, under):
    under = under.rstrip("/") + "/" if under.rstrip("/") else ""
    found = {n[len(under):].split("/")[0]
             + ("/" if "/" in n[len(under):] else "")
             for n in names if n.startswith(under) and n != under}
    if not found:
        raise Refusal(404)
    return Answer({"keys": sorted(found)})


class One(Backend):
    routes = (route("(?P<path>.*)", read="read", update="write",
                    list="list", delete="delete"),)

    def __init__(self, core, ns, mount):
        super().__init__(core, ns, mount)
        self.values = {}

    def table(self, request):
        return self.values

    def exists(self, rest, token):
        return rest in self.values

    def read(self, request, path):
        table = self.table(request)
        if path not in table:
            raise Refusal(404)
        value = table[path]
        ttl = DEFAULT_TTL
        for key in ("ttl", "lease"):
            if key in value:
                try:
                    ttl = duration(value[key])
                    break
                except Refusal:
                    pass
        return Answer(dict(value), lease_duration=ttl)

    def write(self, request, path):
        if not request.data:
            raise Refusal(400, "missing data fields")
        self.table(request)[path] = request.data

    def list(self, request, path):
        return keys(self.table(request), path)

    def delete(self, request, path):
        self.table(request).pop(path, None)


class Cubbyhole(One):
    def table(self, request):
        return request.login.cubbyhole

    def exists(self, rest, token):
        return rest in token.cubbyhole

    def read(self, request, path):
        answer = super().read(request, path)
        answer.lease_duration = 0
        return answer


class Entry:
    """One path of version 2: its versions and what is said about it."""

    def __init__(self, now):
        self.versions, self.current, self.oldest = {}, 0, 0
        self.created = self.updated = now
        self.max_versions, self.cas_required = 0, False
        self.delete_after, self.custom = 0, None


class Two(Backend):
    routes = (
        route("config", read="config_read", update="config_write"),
        route("(data|metadata|delete|undelete|destroy|subkeys)", read="bare",
              update="bare", delete="bare", list="list_top"),
        route("data/(?P<path>.+)", read="read", update="write",
              patch="patch", delete="delete_latest"),
        route("metadata/", list="list_top"),
        route("metadata/(?P<path>.+)", read="meta_read", update="meta_write",
              list="list", delete="meta_delete"),
        route("delete/(?P<path>.+)", update="delete"),
        route("undelete/(?P<path>.+)", update="undelete"),
        route("destroy/(?P<path>.+)", update="destroy"),
        route("(?P<path>.*)", read="wrong", update="wrong", list="wrong",
              delete="wrong"))

    def __init__(self, core, ns, mount):
        super().__init__(core, ns, mount)
        self.entries = {}
        self.config = {"max_versions": 0, "cas_required": False,
                       "delete_version_after": "0s"}

    def exists(self, rest, token):
        kind, _, path = rest.partition("/")
        return kind not in ("data", "metadata") or path in self.entries

    def wrong(self, request, path):
        raise Refusal(404, answer=Answer(warnings=[NOT_VERSIONED]))

    def bare(self, request):
        raise Refusal(404, answer=Answer(warnings=[ROOT]))

    def list_top(self, request):
        return keys(self.entries, "")

    def list(self, request, path):
        return keys(self.entries, path)

    def config_read(self, request):
        return Answer(dict(self.config))

    def config_write(self, request):
        self.config.update(request.data)

    def version(self, path, number=0):
        entry = self.entries.get(path)
        number = int(number or 0)
        number = number if number > 0 else entry.current if entry else 0
        if entry is None or number not in entry.versions:
            raise Refusal(404)
        return entry, entry.versions[number], number

    def describe(self, entry, version, number):
        gone = version["deleted"]
        return {"version": number,
                "created_time": stamp(version["created"]),
                "deletion_time": stamp(gone) if gone else "",
                "destroyed": version["destroyed"],
                "custom_metadata": entry.custom}

    def read(self, request, path):
        entry, version, number = self.version(
            path, request.data.get("version"))
        answer = Answer({"data": ordered(version["data"]),
                         "metadata": self.describe(entry, version, number)})
        gone = version["deleted"] and version["deleted"] <= self.core.now()
        if gone or version["destroyed"]:
            answer.data["data"] = None
            raise Refusal(404, answer=answer)
        return answer

    def write(self, request, path):
        if "data" not in request.data:
            raise Refusal(400, "no data provided")
        if not isinstance(request.data["data"], dict):
            raise Refusal(400, NOT_A_MAP)
        return self.put(path, request.data["data"],
                        request.data.get("options") or {})

    def patch(self, request, path):
        entry, version, _ = self.version(path)
        if version["destroyed"] or version["deleted"]:
            raise Refusal(404)
        return self.put(path, merged(version["data"],
                                     request.data.get("data", {})),
                        request.data.get("options") or {})

    def put(self, path, data, options):
        entry = self.entries.get(path)
        current = entry.current if entry else 0
        required = self.config["cas_required"] or \
            (entry and entry.cas_required)
        if "cas" in options and int(options["cas"]) != current:
            raise Refusal(400, CAS)
        if required and "cas" not in options:
            raise Refusal(400, "check-and-set parameter required for this "
                          "call")
        now = self.core.now()
        entry = self.entries.setdefault(path, Entry(now))
        entry.current += 1
        entry.updated = now
        after = entry.delete_after or \
            duration(self.config["delete_version_after"])
        entry.versions[entry.current] = {
            "data": data, "created": now, "destroyed": False,
            "deleted": now + after if after else 0}
        keep = entry.max_versions or int(self.config["max_versions"]) or 10
        for old in [n for n in entry.versions if n <= entry.current - keep]:
            del entry.versions[old]
            entry.oldest = old + 1
        return Answer(self.describe(entry, entry.versions[entry.current],
                                    entry.current))

    def numbers(self, request, path):
        wanted = request.data.get("versions")
        if not wanted:
            raise Refusal(400, "No version number provided")
        if path not in self.entries:
            raise Refusal(404)
        have = self.entries[path].versions
        return [have[int(n)] for n in wanted if int(n) in have]

    def delete_latest(self, request, path):
        if path in self.entries:
            entry = self.entries[path]
            version = entry.versions[entry.current]
            version["deleted"] = version["deleted"] or self.core.now()

    def delete(self, request, path):
        for version in self.numbers(request, path):
            version["deleted"] = version["deleted"] or self.core.now()

    def undelete(self, request, path):
        for version in self.numbers(request, path):
            version["deleted"] = 0

    def destroy(self, request, path):
        for version in self.numbers(request, path):
            version.update(destroyed=True, data=None)

    def meta_read(self, request, path):
        if path not in self.entries:
            raise Refusal(404)
        entry = self.entries[path]
        versions = {str(n): {k: v for k, v in self.describe(
            entry, one, n).items() if k not in ("version", "custom_metadata")}
            for n, one in entry.versions.items()}
        after = entry.delete_after
        return Answer({
            "versions": versions, "current_metadata_version": 0,
            "metadata_cas_required": False, "current_version": entry.current,
            "oldest_version": entry.oldest, "cas_required": entry.cas_required,
            "created_time": stamp(entry.created),
            "updated_time": stamp(entry.updated),
            "max_versions": entry.max_versions,
            "delete_version_after": f"{after}s",
            "custom_metadata": entry.custom})

    def meta_write(self, request, path):
        entry = self.entries.setdefault(path, Entry(self.core.now()))
        entry.max_versions = int(request.data.get("max_versions",
                                                  entry.max_versions))
        entry.cas_required = bool(request.data.get("cas_required",
                                                   entry.cas_required))
        entry.custom = request.data.get("custom_metadata", entry.custom)
        if "delete_version_after" in request.data:
            entry.delete_after = duration(request.data["delete_version_after"])

    def meta_delete(self, request, path):
        self.entries.pop(path, None)


def merged(old, new):
    """RFC 7396, for objects."""
    out = dict(old)
    for key, value in new.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            out[key] = merged(out[key] if isinstance(out.get(key), dict)
                              else {}, value)
        else:
            out[key] = value
    return out
