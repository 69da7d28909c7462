"""The manual's service: it looks for documents and lets a model answer from them. `python service/app.py [PORT]`."""

import json
import os
import re
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "documents"
DOCUMENTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
URL = "https://api.openai.com/v1/chat/completions"
SMALL = {
    "a",
    "an",
    "and",
    "are",
    "do",
    "does",
    "for",
    "from",
    "i",
    "in",
    "is",
    "it",
    "may",
    "of",
    "on",
    "should",
    "the",
    "to",
}
SMALL |= {"what", "when", "with"}


def words(text):
    """The words that tell something, without the ends that English gives them."""
    return {re.sub(r"(?:ing|ed|es|s)$", "", word) for word in re.findall(r"[a-z]+", text.lower()) if word not in SMALL}


def search(question, count):
    """The documents that share most words with the question, best first."""
    asked = words(question)
    shared = {name: len(asked & words(text)) / len(words(text)) ** 0.5 for name, text in DOCUMENTS.items()}
    return sorted(shared, key=lambda name: (-shared[name], name))[:count]


def ask_model(system, question, config):
    body = {
        "model": config["model"],
        "temperature": config["temperature"],
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": question}],
    }
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}
    request = urllib.request.Request(URL, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=50) as answer:
        return json.load(answer)


def answer(asked):
    """What `POST /answer` gets and gives: docs/targets.md of ci-eval says what is in it."""
    found = search(asked["input"], asked["config"]["documents"])
    documents = "\n\n".join(DOCUMENTS[name] for name in found)
    said = ask_model(f"{asked['prompt']}\n\nDocuments:\n\n{documents}", asked["input"], asked["config"])
    return {
        "output": said["choices"][0]["message"]["content"],
        "tokens_in": said["usage"]["prompt_tokens"],
        "tokens_out": said["usage"]["completion_tokens"],
        "steps": [{"tool": "search", "documents": found}],
    }


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(200, {"documents": len(DOCUMENTS)})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self.reply(200, answer(asked))
        except OSError:  # the model's API is not there, or refuses: an outage, which is no answer
            self.reply(503, {})

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Nothing: a log would hold the questions."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 8080), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
