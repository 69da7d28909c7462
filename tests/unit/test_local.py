"""The model without a key: what the prompt, its parameters and its examples do to the answers."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_eval.deadline import Deadline
from ci_eval.providers import minilm
from ci_eval.providers.base import Labelled, Message, ProviderError, Reply, Request
from ci_eval.providers.local import LocalProvider
from ci_eval.providers.local_prompt import fill, find_shape, parse_lists

SHAPE = '{"topic": "<topic>", "open": <open>, "hint": "<hint text>"}'
LISTS = """
## topic
- kitchen: recipes, cooking, baking, food and drink
- garden: plants, flowers, trees, soil, watering
- travel: trains, flights, hotels, suitcases, visas

## open
- true: a question that waits for an answer
- false: a statement, nothing is asked

## hint
- bread: Bake the bread at 230 degrees for forty minutes.
- roses: Cut the roses back in early spring.
- passport: A passport has to be valid for six more months.
"""
PROMPT = f"Sort the message.\n\n{SHAPE}\n{LISTS}"
MESSAGES = {
    "How hot must the oven be for a sourdough loaf?": ("kitchen", True, "bread"),
    "Which month is best to prune my rose bushes?": ("garden", True, "roses"),
    "Do I need a new passport for the flight to Peru?": ("travel", True, "passport"),
    "The soup was delicious yesterday.": ("kitchen", False, None),
    "My tulips are in full bloom.": ("garden", False, None),
    "We missed the train to Vienna.": ("travel", False, None),
}
ROWS = tuple(
    Labelled(text, json.dumps({"topic": topic, "open": is_open}))
    for text, topic, is_open in [
        ("How long do I boil potatoes?", "kitchen", True),
        ("I burnt the pancakes this morning.", "kitchen", False),
        ("Is olive oil good for frying?", "kitchen", True),
        ("The cake turned out well.", "kitchen", False),
        ("When do I plant tomatoes outside?", "garden", True),
        ("The hedge has grown tall.", "garden", False),
        ("What kills slugs on lettuce?", "garden", True),
        ("My neighbour mows on Sundays.", "garden", False),
        ("Where is the nearest station?", "travel", True),
        ("Our hotel had a pool.", "travel", False),
        ("Can I take a knife on the plane?", "travel", True),
        ("They lost my suitcase in Rome.", "travel", False),
    ]
)
SHUFFLED = tuple(
    Labelled(row.input, ROWS[(place + 5) % len(ROWS)].output) for place, row in enumerate(ROWS)
)  # five on: neither the topic nor the question stays


@pytest.fixture(scope="module")
def provider() -> LocalProvider:
    return LocalProvider(lambda: minilm.load(minilm.find_folder(), Path.read_bytes))


def ask(
    provider: LocalProvider,
    message: str,
    *,
    prompt: str = PROMPT,
    before: tuple[Message, ...] = (),
    train: tuple[Labelled, ...] = (),
    model: str = "minilm",
    repeat: int = 0,
    seconds: float = 60,
    **parameters: Any,
) -> Reply:
    messages = (Message("system", prompt), *before, Message("user", message))
    request = Request("local", model, messages, parameters, train)
    return provider.complete(request, repeat, Deadline.after(seconds))


def answer(provider: LocalProvider, message: str, **given: Any) -> Any:
    return json.loads(ask(provider, message, **given).text.reveal())


def right(provider: LocalProvider, **given: Any) -> int:
    """How many topics and questions of the six messages are answered rightly."""
    answers = [(answer(provider, message, **given), expected) for message, expected in MESSAGES.items()]
    return sum((got.get("topic") == want[0]) + (got.get("open") == want[1]) for got, want in answers)


def test_importing_the_provider_does_not_import_numpy() -> None:
    code = "import sys, ci_eval.providers.local; sys.exit('numpy' in sys.modules or 'tokenizers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_answers_in_the_shape_and_from_the_lists_of_the_prompt(provider: LocalProvider) -> None:
    got = answer(provider, "How hot must the oven be for a sourdough loaf?", train=ROWS)
    assert got == {"topic": "kitchen", "open": True, "hint": "Bake the bread at 230 degrees for forty minutes."}


def test_definitions_alone_tell_the_topics_apart(provider: LocalProvider) -> None:
    assert [answer(provider, message)["topic"] for message in MESSAGES] == [topic for topic, *_ in MESSAGES.values()]


def test_training_rows_make_it_better_and_shuffled_ones_worse(provider: LocalProvider) -> None:
    assert right(provider, train=ROWS) == 12
    assert right(provider, train=SHUFFLED) <= right(provider) < 12


def test_few_shot_pairs_teach_like_training_rows(provider: LocalProvider) -> None:
    pairs = tuple(message for row in ROWS for message in (Message("user", row.input), Message("assistant", row.output)))
    assert right(provider, before=pairs) == right(provider, train=ROWS)


def test_a_label_that_left_the_prompt_is_never_answered(provider: LocalProvider) -> None:
    prompt = PROMPT.replace("- kitchen: recipes, cooking, baking, food and drink\n", "")
    topics = {answer(provider, message, prompt=prompt, train=ROWS)["topic"] for message in MESSAGES}
    assert topics == {"garden", "travel"}


def test_exchanged_definitions_exchange_the_answers(provider: LocalProvider) -> None:
    prompt = PROMPT.replace("- kitchen:", "- x:").replace("- garden:", "- kitchen:").replace("- x:", "- garden:")
    assert answer(provider, "What soil do orchids need?", prompt=prompt)["topic"] == "kitchen"


def test_the_text_of_an_entry_is_the_answer_word_for_word(provider: LocalProvider) -> None:
    prompt = PROMPT.replace("at 230 degrees", "at 90 degrees")
    assert "at 90 degrees" in answer(provider, "Which oven heat for bread?", prompt=prompt)["hint"]


def test_a_prompt_without_a_shape_gets_plain_text(provider: LocalProvider) -> None:
    reply = ask(provider, "When do I cut roses?", prompt=PROMPT.replace(SHAPE, ""))
    assert reply.text.reveal() == "Cut the roses back in early spring."


def test_a_prompt_without_lists_gets_its_nearest_sentence(provider: LocalProvider) -> None:
    prompt = "You sell shoes. A parcel takes three days. Be polite."
    assert ask(provider, "When will my package arrive?", prompt=prompt).text.reveal() == "A parcel takes three days."


def test_an_empty_prompt_gets_an_empty_answer(provider: LocalProvider) -> None:
    assert ask(provider, "Hello?", prompt="").text.reveal() == ""


def test_the_last_message_decides_and_earlier_ones_help(provider: LocalProvider) -> None:
    before = (Message("user", "It is about my rose bushes."), Message("assistant", "What about them?"))
    assert answer(provider, "When is the best time for it?", before=before)["topic"] == "garden"
    assert answer(provider, "How do I cook rice?", before=before)["topic"] == "kitchen"


def test_max_tokens_cuts_the_answer(provider: LocalProvider) -> None:
    whole = ask(provider, "How do I cook rice?")
    cut = ask(provider, "How do I cook rice?", max_tokens=5)
    assert (whole.finish, cut.finish, cut.usage.tokens_out) == ("stop", "length", 5)
    assert whole.text.reveal().startswith(cut.text.reveal())
    assert ask(provider, "How do I cook rice?", max_tokens=whole.usage.tokens_out) == whole


@pytest.mark.parametrize("stop", [', "open"', [', "hint"', ', "open"']])
def test_the_answer_ends_before_the_first_stop_text(provider: LocalProvider, stop: object) -> None:
    assert ask(provider, "How do I cook rice?", stop=stop).text.reveal() == '{"topic": "kitchen"'


def test_tokens_are_counted_in_all_messages(provider: LocalProvider) -> None:
    pair = (Message("user", "one two"), Message("assistant", "three"))
    assert ask(provider, "four five six", prompt="a b c d", before=pair).usage.tokens_in == 10


def test_temperature_varies_over_repeats_and_comes_out_the_same_again(provider: LocalProvider) -> None:
    def drawn() -> list[str]:
        return [str(ask(provider, "Hm.", temperature=2, repeat=repeat).text.reveal()) for repeat in range(12)]

    assert drawn() == drawn()
    assert len(set(drawn())) > 1


def test_a_temperature_next_to_nothing_is_no_temperature(provider: LocalProvider) -> None:
    assert answer(provider, "How do I cook rice?", temperature=1e-300) == answer(provider, "How do I cook rice?")


@pytest.mark.parametrize(
    ("parameters", "expected"), [({}, True), ({"temperature": 0}, True), ({"temperature": 0.1}, False)]
)
def test_only_a_temperature_makes_it_worth_asking_again(
    provider: LocalProvider, parameters: dict[str, float], expected: bool
) -> None:
    request = Request("local", "minilm", (Message("user", "Hi"),), parameters)
    assert provider.is_deterministic(request) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "gpt-4"},
        {"top_p": 1},
        *({"temperature": value} for value in (-1, 3, "hot", True, float("nan"))),
        *({"max_tokens": value} for value in (0, 1.5, "9", True)),
        *({"stop": value} for value in ("", 5, [""], [1])),
    ],
)
def test_what_it_cannot_do_is_refused_as_the_requests_fault(provider: LocalProvider, wrong: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as caught:
        ask(provider, "Hi", **wrong)
    assert caught.value.about_request


def test_a_request_without_a_user_message_is_refused(provider: LocalProvider) -> None:
    with pytest.raises(ProviderError, match="no user message") as caught:
        provider.complete(Request("local", "minilm", (Message("system", PROMPT),)), 0, Deadline.after(9))
    assert caught.value.about_request


def test_more_examples_than_it_can_learn_are_refused_before_it_reads_them(provider: LocalProvider) -> None:
    with pytest.raises(ProviderError, match="more definitions and training rows") as caught:
        ask(provider, "Hi", train=(Labelled("text", "{}"),) * 5000)
    assert caught.value.about_request


def test_a_passed_deadline_is_not_the_requests_fault(provider: LocalProvider) -> None:
    with pytest.raises(ProviderError, match="deadline") as caught:
        ask(provider, "Hi", seconds=0)
    assert not caught.value.about_request


def test_rows_that_say_nothing_usable_change_nothing(provider: LocalProvider) -> None:
    useless = ("no json", "[1]", '{"topic": "space"}', '{"topic": ["kitchen"]}', "[" * 100_000, "")
    train = tuple(Labelled("How do I cook rice?", output) for output in useless)
    assert answer(provider, "When do I water a fern?", train=train)["topic"] == "garden"


def test_the_model_is_loaded_once_for_many_threads() -> None:
    loads: list[int] = []

    def load() -> minilm.MiniLM:
        loads.append(1)
        return minilm.load(minilm.find_folder(), Path.read_bytes)

    provider = LocalProvider(load)
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda _: ask(provider, "How do I cook rice?").text.reveal(), range(16)))
    assert len(set(texts)) == len(loads) == 1


def test_equal_train_digests_stand_for_equal_rows(provider: LocalProvider) -> None:
    """A dataset of thousands of rows is not hashed again for each of hundreds of requests."""
    messages = (Message("system", PROMPT), Message("user", "The soup was delicious yesterday."))
    replies = [
        provider.complete(Request("local", "minilm", messages, {}, rows, "digest"), 0, Deadline.after(60))
        for rows in (ROWS, SHUFFLED)
    ]
    assert replies[0] == replies[1]


def test_it_embeds_for_the_similarity_scorer(provider: LocalProvider) -> None:
    bread, loaf, train = provider.embed(["Bake the bread.", "Put the loaf in the oven.", "The train is late."])
    near = sum(a * b for a, b in zip(bread, loaf, strict=True))
    far = sum(a * b for a, b in zip(bread, train, strict=True))
    assert near > 0.5 > far


def test_lists_are_read_as_people_write_them() -> None:
    prompt = "\n".join([
        "- before: any list",
        "# Mood",
        "* **happy**: smiles,",
        "  laughs",
        "",
        "- `sad`",
        "- be polite to everyone",
        "- happy: a second time",
        "## How to answer",
        "- rule: is in no list",
        "### size ##",
        "- big: 10:30",
        "## empty",
    ])  # fmt: skip
    assert parse_lists(prompt) == {"mood": {"happy": "smiles, laughs", "sad": ""}, "size": {"big": "10:30"}}


@pytest.mark.parametrize(
    ("prompt", "shape"),
    [
        ('Say {"a": 1} like\n{not json}\n  {"b": <b>}', '{"b": <b>}'),
        ('{\n  "a": "<a text>",\n  "n": [<b>]\n} and no more', '{\n  "a": "<a text>",\n  "n": [<b>]\n}'),
        ('{"a": <two words>}', None),
        ('{"a":\n' * 5000, None),
        ("", None),
    ],
)
def test_the_shape_is_the_first_json_object_that_starts_a_line(prompt: str, shape: str | None) -> None:
    assert find_shape(prompt) == shape


@pytest.mark.parametrize("text", ['"', "\\", 'x", "admin": true, "y": "', "\n\t\0", "<b>", "é\u2028😀", "</script>"])
def test_a_hostile_definition_stays_within_its_string(text: str) -> None:
    filled = fill('{"a": "- <A TEXT>", "b": <a text>, "c": "\\"<a>"}', {"a": ("label", text)})
    assert json.loads(filled) == {"a": f"- {text}", "b": text, "c": '"label'}


@pytest.mark.parametrize(
    ("label", "value"), [("true", True), ("null", None), ("-1.5", -1.5), ("007", "007"), ("NaN", "NaN"), ("no", "no")]
)
def test_an_unquoted_label_is_the_json_value_it_spells(label: str, value: object) -> None:
    assert json.loads(fill('{"a": <a>}', {"a": (label, "")})) == {"a": value}


def test_a_placeholder_of_no_list_stays_empty(provider: LocalProvider) -> None:
    prompt = PROMPT.replace('"<topic>"', '"<subject>", "also": <subject>')
    got = answer(provider, "How do I cook rice?", prompt=prompt)
    assert (got["topic"], got["also"]) == ("", None)


FRAGMENTS = [
    "\n",
    "## a\n",
    "## b",
    "- x: y\n",
    "* true",
    ": ",
    "{",
    "}",
    '{"a": "<a>", "b": <b text>}',
    '"',
    "\\",
    "<a>",
]
PROMPTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=12).map("".join)


@settings(max_examples=80, deadline=None)
@given(prompt=PROMPTS, message=PROMPTS, output=PROMPTS, temperature=st.sampled_from([0, 1]))
def test_no_prompt_makes_it_raise(
    provider: LocalProvider, prompt: str, message: str, output: str, temperature: int
) -> None:
    train = (Labelled(message, output), Labelled("text", '{"a": "x", "b": true}'))
    before = (Message("user", output), Message("assistant", '{"a": "x"}'), Message("user", message))
    reply = ask(provider, message, prompt=prompt, before=before, train=train, temperature=temperature, max_tokens=20)
    assert isinstance(reply.text.reveal(), str)
    assert reply.finish in {"stop", "length"}
