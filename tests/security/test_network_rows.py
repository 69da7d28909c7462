"""Rows 45-49 of the threat model: prompts and keys go where main's policy says, and nowhere else. Each test is named by
its row; servers are real, and what must not be called would notice."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from http_server import Answer, Server, Spoken
from making import answers
from repo import Repo

from ci_eval import config
from ci_eval.config import Policy
from ci_eval.deadline import Deadline
from ci_eval.errors import InputError
from ci_eval.evaluation.suite import Suite, required_keys
from ci_eval.origin import origin_of
from ci_eval.providers.base import Message, ProviderError, Request
from ci_eval.providers.endpoint import Endpoint
from ci_eval.providers.openai import OpenAIProvider
from ci_eval.providers.registry import connect
from ci_eval.reader import read_yaml, validate
from ci_eval.secrets import Secret, take
from ci_eval.transport.pacing import Limits
from ci_eval.transport.send import Transport, TransportError

KEY = "sk-test-0123456789abcdef"
REPLY = Answer(body=b'{"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}')
ASKED = Request("house", "m", (Message("user", "hi"),))


def ask(url: str) -> str:
    """One question with the key, as a gate asks it."""
    provider = OpenAIProvider(Endpoint("openai", url, "KEY", limits=Limits(1), timeout_seconds=600), Secret(KEY))
    provider._caller.transport.sleep = lambda _: None
    return provider.complete(ASKED, 0, Deadline.after(600)).text.text()


def policy(provider: str, suite_extra: str = "") -> str:
    return (
        f"version: 1\nproviders: {{{provider}}}\nsuites:\n  s:\n    target: {{prompt: p.md, model: m.yaml}}\n"
        f"    golden: g.jsonl\n    scorers: [{{type: exact}}]\n{suite_extra}"
    )


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        validate(Policy, read_yaml(text.encode(), "ci-eval.yaml"))
    return str(caught.value)


# --- 45: the key is sent to the attacker ------------------------------------------------------------------------------


@pytest.fixture
def product(repo: Repo) -> Repo:
    """Main, with one provider on loopback."""
    repo.write("ci-eval.yaml", policy('house: {api: openai, base_url: "http://localhost:9/v1", key_env: HOUSE_KEY}'))
    repo.write("p.md", "Say hello.")
    repo.write("m.yaml", "provider: house\nmodel: m\n")
    repo.write("g.jsonl", '{"id": "a", "input": "hi", "expected": "hello"}\n')
    return repo


@pytest.mark.parametrize(
    "model",
    [
        "provider: evil\nmodel: m\n",
        "provider: house\nmodel: m\nbase_url: {url}\n",
        "provider: house\nmodel: m\napi_base: {url}\n",
        "provider: house\nmodel: m\nendpoint: {url}\n",
        "provider: house\nmodel: m\nproxy: {url}\n",
        "provider: house\nmodel: m\nheaders: {{Host: attacker.example}}\n",
        "provider: house\nmodel: m\nextra_body: {{x: 1}}\n",
        "provider: {{name: house, base_url: '{url}'}}\nmodel: m\n",
        "provider: '{url}'\nmodel: m\n",
    ],
)
def test_45_a_host_that_head_brings_is_never_called(product: Repo, model: str) -> None:
    """In its model config, with or without a provider of its own in its ci-eval.yaml."""
    base = product.at()
    with Server(REPLY) as evil:
        added = f'house: {{api: openai, base_url: "{evil.origin}"}}, evil: {{api: openai, base_url: "{evil.origin}"}}'
        product.write("ci-eval.yaml", policy(added))
        product.write("m.yaml", model.format(url=evil.origin))
        head = product.at()
        suite = Suite.load(config.load(base), base, "s")
        with pytest.raises(InputError, match=r"^m\.yaml:"):
            suite.side(head, config.load(head))
    assert evil.connections == 0


def test_45_a_provider_that_head_points_elsewhere_leads_where_main_says(product: Repo) -> None:
    with Server(REPLY) as honest, Server(REPLY) as evil:
        product.write(
            "ci-eval.yaml", policy(f'house: {{api: openai, base_url: "{honest.origin}", key_env: HOUSE_KEY}}')
        )
        base = product.at()
        product.write("ci-eval.yaml", policy(f'house: {{api: openai, base_url: "{evil.origin}", key_env: HOUSE_KEY}}'))
        head = product.at()
        suite = Suite.load(config.load(base), base, "s")
        target = suite.side(head, config.load(head)).target
        evaluator = suite.evaluator(target, {"HOUSE_KEY": Secret(KEY)})
        (record,) = answers(evaluator, suite.golden.cases.values(), 600)
    assert record.output is not None
    assert (honest.received[0].headers["Authorization"], evil.connections) == (f"Bearer {KEY}", 0)


@pytest.mark.parametrize(
    "url", ["http://attacker.example/v1", "http://8.8.8.8/", "http://[2001:4860:4860::8888]/", "http://134744072/",
            "ftp://a.example", "file:///etc/passwd", "https://user:pw@api.openai.com", "https://", "//a.example"]
)  # fmt: skip
def test_45_main_itself_names_no_host_in_the_clear(url: str) -> None:
    assert "base_url" in refusal(policy(f'house: {{api: openai, base_url: "{url}"}}'))


# --- 46: two parsers of one URL ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://attacker.example\\@api.openai.com/",
        "https://api.openai.com@attacker.example/",
        "https://api.openai.com:443@attacker.example/",
        "https://api.openai.com\\.attacker.example/",
        "https:\\\\attacker.example/",
        "https://attacker.example#@api.openai.com/",
        "https://attacker.example?@api.openai.com/",
        "https://api.openai.com\t.attacker.example/",
        "https://api.openai.com\n.attacker.example/",
        "https://api.openai.com /",
        " https://api.openai.com/",
        "https://api.openai.com\x00.attacker.example/",
        "https://api.openai.com%00.attacker.example/",
        "https://api%2eopenai.com/",
        "https://api.openai.com。attacker.example/",
        "https://ⓐttacker.example/",
        "https://аpi.openai.com/",
        "https://api.openai.com[::1]/",
        "https://[::1]attacker.example/",
        "https://api.openai.com:80:443/",
        "https://api.openai.com:/",
        "https:///attacker.example/",
        "https:attacker.example/",
        "https://;@attacker.example/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://2130706433/",
    ],
)
def test_46_what_two_parsers_could_read_otherwise_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        origin_of(url)
    with pytest.raises(InputError):
        Transport(url)
    assert "base_url" in refusal(policy(f"house: {{api: openai, base_url: {_quoted(url)}}}"))


def _quoted(url: str) -> str:
    """For double quotes in YAML."""
    return '"' + "".join(char if char.isalnum() else f"\\u{ord(char):04x}" for char in url) + '"'


@pytest.mark.parametrize("path", ["@127.0.0.2/", "\\@127.0.0.2/", ":1/", "//127.0.0.2/", "/..//127.0.0.2", "?a", "#a"])
def test_46_no_path_leads_to_another_host(path: str) -> None:
    with Server(REPLY) as server:
        transport = Transport(server.origin, sleep=lambda _: None)
        try:
            transport.post(path, {}, {}, Deadline.after(600))
        except (InputError, TransportError, ValueError):
            return
        assert len(server.received) == 1


# --- 47: the config names another secret ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN", "GITHUB_ENV", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "RUNNER_TRACKING_ID",
        "INPUT_GITHUB_TOKEN", "INPUT_GITHUB-TOKEN", "github_token", "Github_Token", "GITHUB_TOKEN ", " GITHUB_TOKEN",
        "GITHUB_TOKEN=", "$GITHUB_TOKEN", "${GITHUB_TOKEN}", "A B", "", "9KEY", "KEY\\n", "GITHUB\\u005fTOKEN",
        "\\uff27ITHUB_TOKEN", "K" * 65,
    ],
)  # fmt: skip
def test_47_variables_of_the_runner_are_no_keys(name: str) -> None:
    assert "providers.house.key_env" in refusal(policy(f'house: {{api: openai, key_env: "{name}"}}'))


def test_47_only_main_says_which_variables_are_read(product: Repo) -> None:
    base = product.at()
    product.write("ci-eval.yaml", policy("house: {api: openai, key_env: DEPLOY_KEY}"))
    product.write("m.yaml", "provider: house\nmodel: m\n")
    product.commit()
    assert required_keys(config.load(base)) == {"HOUSE_KEY"}


def test_47_keys_leave_the_environment_and_nothing_else_is_read() -> None:
    environ = {"HOUSE_KEY": f" {KEY}\n", "DEPLOY_KEY": "other", "EMPTY": " "}
    table = take(environ, ["HOUSE_KEY", "EMPTY", "MISSING"])
    assert (list(table), environ) == (["HOUSE_KEY"], {"DEPLOY_KEY": "other"})
    assert table["HOUSE_KEY"].header("Authorization", "Bearer ") == ("Authorization", f"Bearer {KEY}")


def test_47_a_key_shows_itself_to_nobody() -> None:
    secret = Secret(KEY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        repr({"k": secret}),
        repr([secret]),
    ]
    assert all(KEY not in text for text in shown)
    provider = connect(Endpoint("openai", "http://localhost:9", "HOUSE_KEY", Limits(1), 1), {"HOUSE_KEY": secret})
    assert KEY not in repr(provider)


@pytest.mark.parametrize("value", ["sk-1\nX-Injected: 1", "sk-1\r\nx", "sk-\x00", "sk-é", "sk-\u2028x", "sk\t1"])
def test_47_a_key_that_no_header_can_carry_is_refused_unseen(value: str) -> None:
    """The library's own error would quote all of it."""
    with pytest.raises(InputError, match="HOUSE_KEY holds") as caught:
        take({"HOUSE_KEY": value}, ["HOUSE_KEY"])
    assert "sk" not in str(caught.value)


# --- 48: a redirect carries the key away ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
@pytest.mark.parametrize("location", ["{url}/x", "//127.0.0.1:{port}/x", "/elsewhere", "", None])
def test_48_no_redirect_is_followed(status: int, location: str | None) -> None:
    with Server(REPLY) as evil:
        headers = {} if location is None else {"Location": location.format(url=evil.origin, port=evil.port)}
        with Server(Answer(status, headers=headers)) as server, pytest.raises(ProviderError, match="redirect refused"):
            ask(server.origin)
        assert (len(server.received), evil.connections) == (1, 0)


@pytest.mark.parametrize("headers", [{"Refresh": "0; url={url}"}, {"Content-Location": "{url}"}, {"Link": "<{url}>"},
                                     {"Alt-Svc": 'h2="127.0.0.1:{port}"'}])  # fmt: skip
def test_48_no_other_header_leads_anywhere(headers: dict[str, str]) -> None:
    with Server(REPLY) as evil:
        named = {name: value.format(url=evil.origin, port=evil.port) for name, value in headers.items()}
        with Server(Answer(200, REPLY.body, named)) as server:
            assert ask(server.origin) == ask(server.origin) == "hello"
        assert evil.connections == 0


# --- 49: ambient network settings -------------------------------------------------------------------------------------


@pytest.fixture
def evil() -> Iterator[Server]:
    with Server(REPLY) as server:
        yield server


PROXIES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]


def test_49_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch, evil: Server) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, evil.origin)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Server(REPLY) as server:
        assert requests.post(server.origin, timeout=600).status_code == 200  # the library by itself goes by the proxy
        assert (len(evil.received), server.connections) == (1, 0)
        assert ask(server.origin) == "hello"
    assert (len(evil.received), len(server.received)) == (1, 1)


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_49_no_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    netrc = tmp_path / name
    netrc.write_text("default login mallory password hunter2\nmachine 127.0.0.1 login mallory password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with Server(Answer(401), REPLY) as server:
        Transport(server.origin).post("/x", {}, {}, Deadline.after(600))
        assert ask(server.origin) == "hello"
    assert [request.headers.get("Authorization") for request in server.received] == [None, f"Bearer {KEY}"]


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_49_no_certificates_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """A server whose certificate only the environment vouches for gets nothing."""
    certificate = self_signed(tmp_path)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(name, str(certificate.parent if name.endswith("DIR") else certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Server(REPLY, tls=context) as server:
        url = f"https://localhost:{server.port}"
        if name.endswith("BUNDLE"):  # the library by itself believes it
            assert requests.post(url, timeout=600).status_code == 200
            server.received.clear()
        with pytest.raises(ProviderError, match="connection failed"):
            ask(url)
    assert server.received == []


def test_49_no_log_of_tls_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With which whoever listens reads the provider's key."""
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    with trusted(monkeypatch, tmp_path) as server:
        assert ask(f"https://localhost:{server.port}") == "hello"
    assert not log.exists()


def test_49_a_certificate_of_another_name_gets_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with trusted(monkeypatch, tmp_path) as server, pytest.raises(ProviderError, match="connection failed"):
        ask(f"https://127.0.0.1:{server.port}")
    assert server.received == []


def test_what_tls_holds_back_is_no_answer_to_the_next_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first answer ends where one read of the socket does, in the middle of what was decrypted at once."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 8000\r\nX: "
    first = head + b"x" * (8192 - 8000 - len(head) - 4) + b"\r\n\r\n" + b"1" * 8000
    stray = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
    with trusted(monkeypatch, tmp_path, Spoken(first + stray), Answer(body=b"2")) as server:
        transport = Transport(f"https://localhost:{server.port}")
        bodies = [transport.post("/x", {}, {}, Deadline.after(600)).body for _ in range(2)]
    assert bodies == [b"1" * 8000, b"2"]


def trusted(monkeypatch: pytest.MonkeyPatch, folder: Path, *script: Answer | Spoken) -> Server:
    """A server with TLS whose certificate is in our own list of them, for once."""
    certificate = self_signed(folder)
    monkeypatch.setattr("ci_eval.transport.send.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return Server(*script or (REPLY,), tls=context)


def test_49_no_dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"HOUSE_KEY={KEY}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOUSE_KEY", raising=False)
    assert take({}, ["HOUSE_KEY"]) == {}


def self_signed(folder: Path) -> Path:
    """A certificate for localhost that nobody has signed, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
