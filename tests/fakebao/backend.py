# SPDX-License-Identifier: AGPL-3.0-or-later
"""What answers below a mount: one table of routes each, tried in order."""
import re

from .answers import Answer, Refusal, listed

METHODS = {"GET": "read", "HEAD": "read", "LIST": "list", "POST": "update",
           "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def route(pattern, **operations):
    """pattern: its named groups become arguments; operations: names of
    methods by read, update, list, patch, delete."""
    return re.compile(pattern), operations


class Backend:
    routes = ()
    open = ()  # paths that need no token, as patterns

    def __init__(self, core, ns, mount):
        self.core, self.ns, self.mount = core, ns, mount
        self.store = core.store

    def __call__(self, request):
        operation = METHODS[request.method]
        for pattern, operations in self.routes:
            m = pattern.fullmatch(request.rest)
            if m and operation in operations:
                method = getattr(self, operations[operation])
                return method(request, **m.groupdict())
            if m:
                raise Refusal(405, listed("unsupported operation"))
        raise Refusal(404, listed("unsupported path"))

    def is_open(self, rest):
        return any(re.fullmatch(p, rest) for p in self.open)

    def exists(self, rest, token):
        """Whether a write is an update; else it is a create."""
        return True


class Roles(Backend):
    """A backend with roles that are kept as they were given."""
    defaults = {}

    def __init__(self, core, ns, mount):
        super().__init__(core, ns, mount)
        self.roles = {}

    def role_write(self, request, name):
        self.roles[name] = {**self.defaults, **self.roles.get(name, {}),
                            **request.data}

    def role_read(self, request, name):
        return Answer(self.role(name))

    def role_list(self, request):
        if not self.roles:
            raise Refusal(404)
        return Answer({"keys": sorted(self.roles)})

    def role_delete(self, request, name):
        self.roles.pop(name, None)

    def role(self, name):
        if name not in self.roles:
            raise Refusal(404)
        return self.roles[name]
