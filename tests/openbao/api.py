# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asks a server of either kind over HTTP, and sets it up through its API."""
import http.client
import json
import ssl
import urllib.parse
from typing import NamedTuple

LIMIT = 40  # seconds that no answer takes


class Said(NamedTuple):
    status: int
    headers: dict  # names in lower case
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        return self.json["data"]

    @property
    def errors(self):
        return self.json["errors"]


class Api:
    """token: what a request without one of its own is made with."""

    def __init__(self, address, token=None, ca_file=None, pair=None):
        self.address, self.token = address, token
        self.ca_file, self.pair = ca_file, pair

    def connection(self):
        url = urllib.parse.urlsplit(self.address)
        if url.scheme == "http":
            return http.client.HTTPConnection(url.netloc, timeout=LIMIT)
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.pair:
            context.load_cert_chain(*self.pair)
        return http.client.HTTPSConnection(url.netloc, timeout=LIMIT,
                                           context=context)

    def __call__(self, method, path, data=None, token=None, **headers):
        """token "": none.  A header's name with _ for -."""
        headers = {k.replace("_", "-"): str(v) for k, v in headers.items()}
        token = self.token if token is None else token
        if token:
            headers["X-Vault-Token"] = token
        body = data if isinstance(data, (bytes, type(None))) \
            else json.dumps(data).encode()
        connection = self.connection()
        try:
            connection.request(method, "/v1/" + path, body, headers)
            a = connection.getresponse()
            return Said(a.status, {k.lower(): v for k, v in a.getheaders()},
                        a.read())
        finally:
            connection.close()

    def must(self, method, path, data=None, token=None, **headers):
        said = self(method, path, data, token, **headers)
        assert said.status in (200, 202, 204), (method, path, said)
        return said

    def engine(self, path, type_, **more):
        self.must("POST", f"sys/mounts/{path}", {"type": type_, **more})
        return path

    def login(self, path, type_, **more):
        self.must("POST", f"sys/auth/{path}", {"type": type_, **more})
        return path

    def policy(self, name, text):
        self.must("PUT", f"sys/policies/acl/{name}", {"policy": text})
        return name

    def new_token(self, policies, **more):
        return self.must("POST", "auth/token/create", {
            "policies": policies, **more}).json["auth"]["client_token"]
