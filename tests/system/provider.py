# SPDX-License-Identifier: AGPL-3.0-or-later
"""A little OpenID provider: keys, tokens signed with them, and its key set over
HTTP or HTTPS, as long as the test wants it to answer."""
import base64
import http.server
import json
import socket
import ssl
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (ec, ed25519, padding,
                                                       rsa, utils)

ISSUER = "https://login.example.com"


def b64(data):
    if isinstance(data, dict):
        data = json.dumps(data).encode()
    if isinstance(data, int):
        data = data.to_bytes((data.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """One signing key and what the provider shows of it."""

    def __init__(self, kid, alg="ES256"):
        self.kid, self.alg = kid, alg
        self.key = {
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "RS256": lambda: rsa.generate_private_key(65537, 2048),
            "EdDSA": ed25519.Ed25519PrivateKey.generate}[alg]()

    def public(self):
        shown = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        public = self.key.public_key()
        if self.alg == "RS256":
            n = public.public_numbers()
            return {**shown, "kty": "RSA", "n": b64(n.n), "e": b64(n.e)}
        if self.alg == "ES256":
            n = public.public_numbers()
            return {**shown, "kty": "EC", "crv": "P-256",
                    "x": b64(n.x.to_bytes(32, "big")),
                    "y": b64(n.y.to_bytes(32, "big"))}
        from cryptography.hazmat.primitives import serialization as s
        raw = public.public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
        return {**shown, "kty": "OKP", "crv": "Ed25519", "x": b64(raw)}

    def sign(self, text):
        if self.alg == "RS256":
            return self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        if self.alg == "EdDSA":
            return self.key.sign(text)
        r, s = utils.decode_dss_signature(
            self.key.sign(text, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def token(self, header=None, **claims):
        """claims with None are left out."""
        header = {"alg": self.alg, "kid": self.kid, "typ": "JWT",
                  **(header or {})}
        now = int(time.time())
        all_claims = {"iss": ISSUER, "aud": "nfo", "sub": "ann", "iat": now,
                      "exp": now + 600, **claims}
        text = b64({k: v for k, v in header.items() if v is not None}) + \
            "." + b64({k: v for k, v in all_claims.items() if v is not None})
        return f"{text}.{b64(self.sign(text.encode()))}"


def key_set(*keys):
    return json.dumps({"keys": [k.public() for k in keys]})


def serve(cold, config):
    """A server with these settings that also listens on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        cold.port = s.getsockname()[1]
    path = cold.write("server.json", json.dumps(config))
    cold.serve("--config", path, "--listen", f"127.0.0.1:{cold.port}")
    return cold


class Provider:
    """Its key set at .uri; .asked counts, .wait() waits for the n-th time."""

    def __init__(self, *keys, certificate=None):
        self.body, self.status = key_set(*keys), 200
        self.headers = {"Content-Type": "application/json"}
        self.asked, self.changed = 0, threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket,
                                                     server_side=True)
        scheme = "https" if certificate else "http"
        self.uri = f"{scheme}://127.0.0.1:{self.server.server_port}/keys"
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       daemon=True)
        self.thread.start()

    def answer(self, handler):
        body = self.body.encode()
        handler.send_response(self.status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        with self.changed:
            self.asked += 1
            self.changed.notify_all()

    def show(self, *keys):
        self.body = key_set(*keys)

    def wait(self, n, limit=40):
        with self.changed:
            assert self.changed.wait_for(lambda: self.asked >= n, limit)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
