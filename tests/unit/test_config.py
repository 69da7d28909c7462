"""`ci-eval.yaml`: what it takes, what it refuses and on which line, and which of it is policy."""

from __future__ import annotations

from fractions import Fraction

import pytest
from repo import Repo

from ci_eval import config
from ci_eval.config import Config, Policy
from ci_eval.errors import InputError
from ci_eval.evaluation.suite import required_keys
from ci_eval.reader import read_yaml, validate

FULL = """\
version: 1
providers:
  local: {api: local}
  house: {api: openai, base_url: "http://localhost:8000/v1", key_env: HOUSE_KEY, max_concurrency: 64}
suites:
  support:
    target:
      prompt: prompts/support.md
      model: models/support.yaml
      examples: {from: data/support.jsonl, k: 4}
      user: "{{question}}"
    datasets: [data/support*.jsonl]
    watch: [src/support/**]
    golden: golden/support/*.jsonl
    scorers:
      - {type: exact, field: category}
    gate: {max_drop: 0.5, per_dimension: {format: any, tone: 2}}
budget: {seconds: 100}
baseline: {branch: evals, repeats: 3, max_age_days: 7, outputs: hide}
"""
SMALL = """\
version: 1
providers: {local: {api: local}}
suites:
  s:
    target: {prompt: p.md, model: m.yaml}
    golden: g.jsonl
    scorers: [{type: exact}]
"""

NO_PATH = "not a path in the repository; write it relative to the root, as in prompts/support.md"
NO_NAME = "not a name; write lower-case letters, digits, _ and -, starting with a letter"
NO_VARIABLE = "not the name of an environment variable; write capitals, digits and _"
NO_BRANCH = "must match ^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$; correct the value"
NO_API = "must be 'local', 'openai', 'azure', 'github', 'anthropic' or 'google'; correct the value"
NOT_ZERO = "must be more than 0; correct the value"
LOCAL = "the local model has no base_url and no key; remove them"


def loaded(text: str = SMALL) -> Config:
    document = read_yaml(text.encode(), "ci-eval.yaml")
    return Config("ci-eval.yaml", validate(Policy, document), document)


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        loaded(text)
    return str(caught.value)


def changed(old: str, new: str, text: str = SMALL) -> str:
    assert old in text
    return text.replace(old, new, 1)


class TestLoading:
    def test_everything_that_can_be_written(self) -> None:
        policy = loaded(FULL).policy
        suite = policy.suites["support"]
        assert policy.providers["house"].max_concurrency == 64
        assert suite.target.examples is not None
        assert (suite.target.examples.from_, suite.target.examples.k) == ("data/support.jsonl", 4)
        assert suite.golden_patterns == ["golden/support/*.jsonl"]
        assert (policy.budget.seconds, policy.baseline.branch, policy.baseline.outputs) == (100, "evals", "hide")

    def test_what_is_left_out(self) -> None:
        policy = loaded().policy
        assert policy.suites["s"].gate.limit("any dimension") == 1
        assert (policy.budget.seconds, policy.baseline.repeats, policy.baseline.outputs) == (270, 5, "store")

    def test_limits_are_exact(self) -> None:
        gate = loaded(changed("golden: g.jsonl", "golden: g.jsonl\n    gate: {max_drop: 0.1, per_dimension: {f: any}}"))
        policy = gate.policy.suites["s"].gate
        assert (policy.limit("x"), policy.limit("f")) == (Fraction(1, 10), "any")

    def test_out_of_a_snapshot(self, repo: Repo) -> None:
        repo.write("ci-eval.yaml", SMALL)
        repo.write("other/gate.yaml", changed("version: 1", "version: 7"))
        at = repo.at()
        assert list(config.load(at).policy.suites) == ["s"]
        with pytest.raises(InputError, match=r"^other/gate.yaml:1: version: must be 1"):
            config.load(at, "other/gate.yaml")
        with pytest.raises(InputError, match=r"^missing.yaml: is not in the repository"):
            config.load(at, "missing.yaml")


class TestKeys:
    @pytest.mark.parametrize(
        ("provider", "variable"),
        [
            ("{api: github}", "GITHUB_TOKEN"),
            ("{api: github, key_env: GITHUB_TOKEN}", "GITHUB_TOKEN"),
            ("{api: github, key_env: MODELS_TOKEN}", "MODELS_TOKEN"),
            ("{api: anthropic, key_env: CLAUDE}", "CLAUDE"),
            ('{api: anthropic, base_url: "http://localhost:1/v1"}', None),
            ("{api: local}", None),
        ],
    )
    def test_the_variable_that_is_read(self, provider: str, variable: str | None) -> None:
        """The workflow's own token is a key for GitHub Models, and for nothing else."""
        whole = loaded(changed("{api: local}", provider))
        assert whole.policy.providers["local"].key_variable == variable
        assert required_keys(whole) == ({variable} if variable else set())


AZURE = "api: azure, key_env: K, base_url: https://a.openai.azure.com"
HALF = "base_url and api_version do not fit each other; end base_url in /openai/v1, or write the bare"


class TestProviders:
    @pytest.mark.parametrize(
        ("provider", "said"),
        [
            ("api: local, stream: true", ": the local model does not stream; remove stream"),
            ("api: anthropic", ": the api anthropic needs a key; name the variable that holds it in key_env"),
            ("api: google", ": the api google needs a key; name the variable that holds it in key_env"),
            ("api: github, base_url: https://models.github.ai/inference", ": the api github has one address"),
            ("api: openai, key_env: GITHUB_TOKEN", ".key_env: a variable of the runner cannot be a model's key"),
            ("key_env: GITHUB_TOKEN, api: anthropic", ".key_env: a variable of the runner cannot be a model's key"),
            ("api: github, key_env: GITHUB_ENV", ".key_env: a variable of the runner cannot be a model's key"),
            ("api: github, key_env: ACTIONS_ID_TOKEN_REQUEST_TOKEN", ".key_env: a variable of the runner cannot be"),
            ("api: azure, key_env: K", ": azure needs base_url and key_env; add https://NAME.openai.azure.com/openai/v1"),
            ("api: azure, base_url: https://a.openai.azure.com/openai/v1", ": azure needs base_url and key_env"),
            (AZURE, f": {HALF}"),
            (f"{AZURE}/openai/v1/, api_version: 2024-10-21", f": {HALF}"),
            (f"{AZURE}, api_version: x&y", ".api_version: must match"),
            ("api: openai, api_version: 2024-10-21", ": api_version belongs to azure; remove it, or write api: azure"),
            ("api: github, extra_parameters: [min_p]", ": the api github takes no extra_parameters; remove them"),
            ("api: openai, extra_parameters: [messages]", ".extra_parameters.0: not a parameter that a model config"),
            ("api: openai, extra_parameters: [n]", ".extra_parameters.0: not a parameter that a model config may set"),
            ("api: openai, prices: {m: {input: 1}}", '.prices.m: "output" is missing'),
            ("api: openai, prices: {m: {input: -1, output: 1}}", ".prices.m.input: must be at least 0"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_the_api(self, provider: str, said: str) -> None:
        found = refusal(changed("local: {api: local}", f"x: {{{provider}}}"))
        assert found.startswith(f"ci-eval.yaml:2: providers.x{said}")

    @pytest.mark.parametrize("rest", ["/openai/v1", ", api_version: 2024-10-21", ", api_version: 2025-04-01-preview"])
    def test_both_ways_to_azure(self, rest: str) -> None:
        assert loaded(changed("local: {api: local}", f"x: {{{AZURE}{rest}}}")).policy.providers["x"].api == "azure"


BUDGETS = "seconds, usd, calls, tokens, runs_per_day"


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("version: 1\n", "", '1: "version" is missing; add "version"'),
            ("version: 1\n", "version: 1\nversion: 1\n", '2: the key "version" stands here twice; keep one of them'),
            ("    golden: g.jsonl\n", "", '4: suites.s: "golden" is missing; add "golden"'),
            ("prompt: p.md, ", "", '5: suites.s.target: "prompt" is missing; add "prompt"'),
            ("golden:", "goldne:", '6: unknown key "goldne" in suites.s; write "golden"'),
            ("    scorers:", "    gaet: {}\n    scorers:", '7: unknown key "gaet" in suites.s; write "gate"'),
            ("p.md", "../p.md", f"5: suites.s.target.prompt: {NO_PATH}"),
            ("{api: local}", "{api: x}", f"2: providers.local.api: {NO_API}"),
            ("{api: local}", "{}", '2: providers.local: "api" is missing; add "api"'),
            ("{local: {api: local}}", "{}", "2: providers: is empty; write a value"),
            ("  s:\n", "  Support:\n", f"4: suites.Support: {NO_NAME}"),
            ("[{type: exact}]", "[]", "7: suites.s.scorers: is empty; write a value"),
            ("g.jsonl", "[]", "6: suites.s.golden: is empty; write a value"),
            ("g.jsonl", "[a.jsonl, 7]", "6: suites.s.golden.1: must be text; put it in quotes"),
            ("{api: local}", "{api: local, key_env: KEY}", f"2: providers.local: {LOCAL}"),
            ("{api: local}", "{api: openai, timeout_seconds: 0}", f"2: providers.local.timeout_seconds: {NOT_ZERO}"),
            ("{api: local}", "{api: openai, key_env: sk-123}", f"2: providers.local.key_env: {NO_VARIABLE}"),
        ],
    )  # fmt: skip
    def test_with_line_and_remedy(self, old: str, new: str, message: str) -> None:
        assert refusal(changed(old, new)) == f"ci-eval.yaml:{message}"

    @pytest.mark.parametrize(
        ("tail", "message"),
        [
            ("budget: {seconds: 0}", "budget.seconds: must be more than 0; correct the value"),
            ("budget: {seconds: 86401}", "budget.seconds: must be at most 86400; correct the value"),
            ("budget: {eur: 2}", f'unknown key "eur" in budget; remove it; known are {BUDGETS}'),
            ("baseline: {repeats: 2.5}", "baseline.repeats: must be a whole number; correct the value"),
            ("baseline: {outputs: none}", "baseline.outputs: must be 'store' or 'hide'; correct the value"),
            ("baseline: {branch: refs/heads/x}", f"baseline.branch: {NO_BRANCH}"),
            ("baseline: {branch: --upload-pack=x}", f"baseline.branch: {NO_BRANCH}"),
            ("baseline: []", "baseline: must be a mapping; write key: value pairs"),
            ("suite: {}", 'unknown key "suite"; write "suites"'),
        ],
    )  # fmt: skip
    def test_in_what_may_be_left_out(self, tail: str, message: str) -> None:
        assert refusal(f"{SMALL}{tail}\n") == f"ci-eval.yaml:8: {message}"

    @pytest.mark.parametrize(
        "path",
        ["/etc/passwd", "../x", "a/../../x", "a/..", "./a", "a//b", "a/", "file:///etc/passwd", "C:\\x", "a\\..\\b",
         '"a\\nb"', '"a\\u202eb"', '"a\\0"', "x" * 301, '""', "."]
    )  # fmt: skip
    @pytest.mark.parametrize("key", ["prompt: p.md", "model: m.yaml", "golden: g.jsonl"])
    def test_paths_that_are_none(self, path: str, key: str) -> None:
        name = key.partition(":")[0]
        assert NO_PATH in refusal(changed(key, f"{name}: {path}"))

    def test_in_every_other_place_for_a_path(self) -> None:
        for line in ("datasets: [../x]", "watch: [../x]", "golden: [../x]"):
            text = changed("    golden: g.jsonl\n", f"    golden: g.jsonl\n    {line}\n")
            text = text.replace("    golden: g.jsonl\n", "", 1) if line.startswith("golden") else text
            assert "not a path in the repository" in refusal(text)
        assert "not a path" in refusal(changed("model: m.yaml", "model: m.yaml, examples: {from: ../x, k: 1}"))


class TestSubjectAndPolicy:
    def test_what_a_suite_watches(self) -> None:
        whole = loaded(FULL)
        for path in (
            "prompts/support.md",
            "models/support.yaml",
            "data/support-2.jsonl",
            "src/support/a/b.py",
            "PROMPTS/Support.md",
        ):
            assert config.watched(whole, "support", path)
        for path in ("prompts/other.md", "data/other.jsonl", "src/support", "golden/support/a.jsonl", "ci-eval.yaml"):
            assert not config.watched(whole, "support", path)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("prompts/support.md", "prompts/new.md"),
            ("models/support.yaml", "models/new.yaml"),
            ("data/support.jsonl, k: 4", "data/new.jsonl, k: 2"),
            ("[data/support*.jsonl]", "[]"),
        ],
    )
    def test_a_subject_that_moves_is_no_change_of_policy(self, old: str, new: str) -> None:
        before, after = loaded(FULL), loaded(changed(old, new, FULL))
        assert before.policy_text("support") == after.policy_text("support")
        assert before.policy_text() == after.policy_text()
        assert before.subject("support") != after.subject("support")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("max_drop: 0.5", "max_drop: 50"),
            ("format: any", "format: 100"),
            ("golden/support/*", "golden/easy/*"),
            ("type: exact, field: category", "type: exact, field: category, weight: 2"),
            ("[src/support/**]", "[]"),
            ('"{{question}}"', '"Be kind. {{question}}"'),
        ],
    )
    def test_a_suite_that_changes_otherwise_does(self, old: str, new: str) -> None:
        before, after = loaded(FULL), loaded(changed(old, new, FULL))
        assert before.policy_text("support") != after.policy_text("support")
        assert before.policy_text() == after.policy_text()

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("localhost:8000", "localhost:9000"),
            ("HOUSE_KEY", "OTHER_KEY"),
            ("seconds: 100", "seconds: 1"),
            ("repeats: 3", "repeats: 1"),
        ],
    )
    def test_what_suites_share(self, old: str, new: str) -> None:
        before, after = loaded(FULL), loaded(changed(old, new, FULL))
        assert before.policy_text() != after.policy_text()
        assert before.policy_text("support") == after.policy_text("support")

    def test_a_suite_that_is_not_there(self) -> None:
        assert loaded().policy_text("other") == ""

    def test_the_order_of_keys_and_comments_do_not_matter(self) -> None:
        before, after = (
            loaded(),
            loaded(changed("{prompt: p.md, model: m.yaml}", "{model: m.yaml, prompt: p.md}  # same")),
        )
        assert before.policy_text("s") == after.policy_text("s")
