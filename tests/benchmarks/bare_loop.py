"""What anybody would write first: pooled requests in threads. It reads no policy, scores nothing and keeps nothing."""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

_local = threading.local()


def ask(url: str, text: str) -> bool:
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    payload = {"model": "house-1", "temperature": 0, "messages": [{"role": "user", "content": text}]}
    answer = _local.session.post(url, json=payload, timeout=60)
    return bool(answer.json()["choices"][0]["message"]["content"] == text)


def main() -> None:
    port, threads = map(int, sys.argv[1:])
    cases = [json.loads(line)["input"] for line in Path("golden.jsonl").read_text().splitlines()]
    with ThreadPoolExecutor(threads) as pool:
        right = sum(pool.map(lambda text: ask(f"http://127.0.0.1:{port}/v1/chat/completions", text), cases))
    print(f"{right} of {len(cases)} right")


if __name__ == "__main__":
    main()
