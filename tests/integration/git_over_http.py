"""Git over smart HTTP on loopback: git's own server behind a door that wants GitHub's kind of token."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from loopback import Handler, Loopback


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

    def serve(self, environ: dict[str, str], body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
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
        return status, content, headers


class _Handler(Handler):
    def serve(self) -> None:
        owner, url = self.server.owner, urlsplit(self.path)
        owner.requests.append(f"{self.command} {self.path}")
        body = self.body()
        if self.headers.get("Authorization") != owner.expected:
            return self.answer(401, b"", [("WWW-Authenticate", 'Basic realm="GitHub"')])
        if any(service in self.path for service in owner.refused):
            return self.answer(403, b"Access to repository not granted.\n")
        environ = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        return self.answer(*owner.serve(environ, body))
