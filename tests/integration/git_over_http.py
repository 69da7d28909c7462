"""Git over smart HTTP on loopback: git's own server behind a door that wants GitHub's kind of token."""

from __future__ import annotations

import base64
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from loopback import Loopback, LoopbackServer


class GitServer(Loopback):
    """Serves the bare repositories under `root` as `<url>/owner/name`. Reading and writing need the token."""

    def __init__(self, root: Path, token: str) -> None:
        self.root = root
        self.expected = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode("ascii")
        self.refused: set[str] = set()
        """Services that the token may not use: `git-upload-pack` reads, `git-receive-pack` writes."""
        self.requests: list[str] = []
        super().__init__(_Handler)

    @property
    def url(self) -> str:
        return self.origin

    def serve(self, environ: dict[str, str], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """One request through `git http-backend`, which speaks CGI."""
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={
                "PATH": "/usr/bin:/bin",
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_CONFIG_NOSYSTEM": "1",
                "REMOTE_USER": "x-access-token",
                **environ,
            },
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [tuple(line.split(": ", 1)) for line in head.decode("ascii").split("\r\n")]
        headers = [(name, value) for name, value in fields if name != "Status"]
        status = next((int(value.split()[0]) for name, value in fields if name == "Status"), 200)
        return status, headers, content


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        owner, url = self.server.owner, urlsplit(self.path)
        owner.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != owner.expected:
            return self._answer(401, [("WWW-Authenticate", 'Basic realm="GitHub"')], b"")
        if any(service in self.path for service in owner.refused):
            return self._answer(403, [], b"Access to repository not granted.\n")
        environ = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        return self._answer(*owner.serve(environ, body))

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Nothing: `requests` remembers."""
