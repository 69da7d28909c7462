"""An invoice as text in; vendor, total, currency and date out. A model finds them, and code reads them."""

import json
import os
import urllib.request

from app.amounts import amount, currency
from app.dates import iso

# Not in pipeline.yaml: whoever changes a config could send the key elsewhere.
URL = "https://api.openai.com/v1/chat/completions"


def answer(asked):
    """What ci-eval calls: docs/targets.md of ci-eval says what is in `asked`."""
    said = ask_model(asked["prompt"], asked["input"], asked["config"])
    found = json.loads(said["choices"][0]["message"]["content"])
    return {
        "output": {
            "vendor": found["vendor"],
            "total": amount(found["total"]),
            "currency": currency(found["total"]),
            "date": iso(found["date"]),
        },
        "tokens_in": said["usage"]["prompt_tokens"],
        "tokens_out": said["usage"]["completion_tokens"],
        "steps": [{"tool": "model", "found": found}],
    }


def ask_model(prompt, invoice, config):
    body = {
        "model": config["model"],
        "temperature": config["temperature"],
        "response_format": {"type": "json_object"},
        "messages": [{"role": "system", "content": prompt}, {"role": "user", "content": invoice}],
    }
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    request = urllib.request.Request(URL, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=50) as reply:
        return json.load(reply)
