"""llama.cpp's own server with a tiny random model: makes the model file, serves it, says where, ends with its input.

Run by `check_llama_server.py` in its own process: `python llama_server.py FOLDER [--embedding]`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gguf  # type: ignore[import-not-found, import-untyped, unused-ignore]  # not among the project's own tools
import numpy as np
import xllamacpp  # type: ignore[import-not-found, import-untyped, unused-ignore]

WIDTH, HEADS, INNER, LENGTH = 64, 4, 128, 2048
# Tools as Qwen's models are told of them and ask for them: the server reads out of it how calls are to be parsed.
TEMPLATE = """\
{%- if tools %}<|im_start|>system
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools>
Call one as <tool_call>
{"name": <name>, "arguments": <object>}
</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content %}{{ message.content }}{% endif %}
{%- if message.tool_calls %}{% for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endfor %}<|im_start|>assistant
"""


def vocabulary() -> tuple[list[bytes], list[float], list[int]]:
    """SentencePiece with bytes to fall back on: what makes a model that can be asked anything."""
    special = [(b"<unk>", gguf.TokenType.UNKNOWN), (b"<s>", gguf.TokenType.CONTROL), (b"</s>", gguf.TokenType.CONTROL)]
    raw = [(f"<0x{byte:02X}>".encode(), gguf.TokenType.BYTE) for byte in range(256)]
    letters = [(bytes([code]), gguf.TokenType.NORMAL) for code in range(33, 127)]
    tokens = [*special, *raw, *letters, ("\u2581".encode(), gguf.TokenType.NORMAL)]
    return [text for text, _ in tokens], [-float(n) for n in range(len(tokens))], [int(kind) for _, kind in tokens]


def write_model(path: Path) -> None:
    """Random weights, always the same: it says nothing, at length, as a real model would."""
    tokens, scores, kinds = vocabulary()
    writer: Any = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("noise")
    writer.add_context_length(LENGTH)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)
    draw = np.random.default_rng(7)
    shapes = {
        "token_embd.weight": (len(tokens), WIDTH),
        "output.weight": (len(tokens), WIDTH),
        "blk.0.attn_q.weight": (WIDTH, WIDTH),
        "blk.0.attn_k.weight": (WIDTH, WIDTH),
        "blk.0.attn_v.weight": (WIDTH, WIDTH),
        "blk.0.attn_output.weight": (WIDTH, WIDTH),
        "blk.0.ffn_gate.weight": (INNER, WIDTH),
        "blk.0.ffn_up.weight": (INNER, WIDTH),
        "blk.0.ffn_down.weight": (WIDTH, INNER),
    }
    for name, shape in shapes.items():
        writer.add_tensor(name, draw.normal(0, 0.3, shape).astype(np.float32))
    for name in ("output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"):
        writer.add_tensor(name, np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(folder: Path, *, embedding: bool) -> None:
    path = folder / "noise.gguf"
    write_model(path)
    params: Any = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = LENGTH
    params.n_parallel = 2
    params.warmup = False
    params.use_jinja = True  # for tools
    params.embedding = embedding
    if embedding:
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.cpuparams.n_threads = 2
    server: Any = xllamacpp.Server(params)
    print(f"listening: {server.listening_address}", flush=True)
    sys.stdin.read()  # until whoever started this is done


if __name__ == "__main__":
    serve(Path(sys.argv[1]), embedding="--embedding" in sys.argv)
