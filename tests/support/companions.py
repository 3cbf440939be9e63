"""Folders with a tokenizer, a chat template, configs and a card beside small weights."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from modeldiff.companions import Companions, compare_companions
from modeldiff.comparison import Comparison
from modeldiff.findings.companions import CompanionPart, describe_companions
from tests.support.results import write_model

CORPUS = (
    "The tokenizer learns which letters stand together in these sentences, and no more than that.",
    "def area(radius: float) -> float:\n    return 3.14159 * radius ** 2\n",
    "Twelve quick brown foxes jumped over 1234 lazy dogs; they didn't mind.",
)

LLAMA_3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
    "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim "
    "+ '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant"
    "<|end_header_id|>\n\n' }}{% endif %}"
)
"""Llama 3 8B Instruct's, as published."""

LLAMA_3_1 = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\nToday Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- if tools is not none %}
    {%- set first = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\n' }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
    {{- first + "<|eot_id|>" }}
{%- endif %}
{%- for message in messages %}
    {%- if 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n{"name": "' + tool_call.name }}
        {{- '", "parameters": ' + (tool_call.arguments | tojson) + "}<|eot_id|>" }}
    {%- elif message.role == "tool" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" + message.content + "<|eot_id|>" }}
    {%- else %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {{- message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
"""In the manner of Llama 3.1 8B Instruct's, shortened."""


def byte_level_bpe(
    vocabulary: int = 400, special: Iterable[str] = ("<s>", "</s>"), corpus: Iterable[str] = CORPUS
) -> dict[str, Any]:
    """A tokenizer as GPT-2's and Llama 3's are, learnt from ``corpus``, as its JSON; the special
    tokens stand behind the learnt ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_special_tokens(list(special))
    return _document(tokenizer)


def word_piece(vocabulary: int = 200) -> dict[str, Any]:
    """A tokenizer as BERT's is."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _document(tokenizer)


def unigram(vocabulary: int = 120) -> dict[str, Any]:
    """A tokenizer as T5's is."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _document(tokenizer)


def _document(tokenizer: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(tokenizer.to_str())
    return document


def row_of(document: dict[str, Any], text: str) -> int:
    """The number of an added token."""
    rows: dict[str, int] = {token["content"]: token["id"] for token in document["added_tokens"]}
    return rows[text]


def renamed(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The tokenizer with other names for some of its added tokens."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    for token in copy["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    return copy


def write_companions(folder: Path, files: Mapping[str, Any] | None = None) -> Path:
    """A small model in ``folder`` with these files beside it: texts and bytes as they are, all else
    as JSON."""
    if not folder.exists():
        write_model(folder, seed=1)
    for name, content in (files or {}).items():
        if isinstance(content, str):
            content = content.encode()
        elif not isinstance(content, bytes):
            content = json.dumps(content).encode()
        (folder / name).write_bytes(content)
    return folder


_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "max_position_embeddings": 8192,
    "rope_theta": 500000.0,
    "rope_scaling": None,
    "transformers_version": "4.40.0",
}


def llama_3(folder: Path) -> Path:
    """Llama 3 8B Instruct in miniature: 12 reserved tokens and the published template."""
    reserved = [f"<|reserved_special_token_{number}|>" for number in range(12)]
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", *reserved]
    tokenizer = byte_level_bpe(special=special)
    return write_companions(
        folder,
        {
            "config.json": _CONFIG | {"eos_token_id": row_of(tokenizer, "<|end_of_text|>")},
            "tokenizer.json": tokenizer,
            "tokenizer_config.json": {
                "bos_token": "<|begin_of_text|>",
                "eos_token": "<|eot_id|>",
                "model_max_length": 8192,
                "chat_template": LLAMA_3,
            },
            "generation_config.json": {
                "eos_token_id": [row_of(tokenizer, text) for text in special[1:3]],
                "temperature": 0.6,
            },
            "README.md": "---\nlicense: llama3\ntags:\n- llama-3\n---\n# Llama 3\n",
        },
    )


def llama_3_1(folder: Path) -> Path:
    """What became of it in Llama 3.1: three reserved tokens have names, the template tells of tools
    and the day, the context is longer."""
    before = json.loads((llama_3(folder) / "tokenizer.json").read_text())
    names = {
        "<|reserved_special_token_2|>": "<|finetune_right_pad_id|>",
        "<|reserved_special_token_3|>": "<|eom_id|>",
        "<|reserved_special_token_6|>": "<|python_tag|>",
    }
    after = renamed(before, names)
    stops = ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")
    scaling = {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    }
    config = _CONFIG | {
        "max_position_embeddings": 131072,
        "rope_scaling": scaling,
        "transformers_version": "4.43.0",
        "eos_token_id": row_of(after, "<|end_of_text|>"),
    }
    return write_companions(
        folder,
        {
            "config.json": config,
            "tokenizer.json": after,
            "tokenizer_config.json": {
                "bos_token": "<|begin_of_text|>",
                "eos_token": "<|eot_id|>",
                "model_max_length": 131072,
                "chat_template": LLAMA_3_1,
            },
            "generation_config.json": {
                "eos_token_id": [row_of(after, text) for text in stops],
                "temperature": 0.6,
            },
            "README.md": "---\nlicense: llama3.1\nbase_model: meta-llama/Llama-3.1-8B\n"
            "tags:\n- llama-3\n- facebook\n---\n# Llama 3.1\n",
        },
    )


def companions_of(base: Path, target: Path) -> Companions:
    """The companions of two folders."""
    comparison = Comparison.open(str(base), str(target))
    return compare_companions(*comparison.checkpoints)


def parts_of(base: Path, target: Path) -> dict[str, CompanionPart]:
    """The companions of two folders in words, by part."""
    comparison = Comparison.open(str(base), str(target))
    parts = describe_companions(comparison.companions, comparison.facts)
    return {part.key: part for part in parts}
