"""The conversations that both templates write: short, and each asks for one thing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modeldiff.processes.late_dataclass import dataclass

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Conversation:
    """``messages`` as transformers has them, the ``tools`` that the model may call, and whether
    the answer is about to begin (``prompt``). ``key`` names it in documents, ``title`` for people.
    """

    key: str
    title: str
    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    prompt: bool = False


_QUESTION: Message = {"role": "user", "content": "What is the capital of France?"}
_ANSWER: Message = {"role": "assistant", "content": "Paris."}
_FURTHER: Message = {"role": "user", "content": "And of Spain?"}
_SYSTEM: Message = {"role": "system", "content": "Answer in one word."}
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city now.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The city's name."}},
            "required": ["city"],
        },
    },
}
_CALL: Message = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call00001",
            "type": "function",
            "function": {"name": "get_weather", "arguments": {"city": "Paris"}},
        }
    ],
}
_RESULT: Message = {
    "role": "tool",
    "tool_call_id": "call00001",
    "name": "get_weather",
    "content": "18 °C, clear",
}
_ASKED: Message = {"role": "user", "content": "What is the weather in Paris?"}

CONVERSATIONS = (
    Conversation(
        "plain", "Plain", (_QUESTION, _ANSWER, _FURTHER, {**_ANSWER, "content": "Madrid."})
    ),
    Conversation("prompt", "Before an answer", (_QUESTION,), prompt=True),
    Conversation("system", "With a system message", (_SYSTEM, _QUESTION, _ANSWER)),
    Conversation("tools", "With tools", (_ASKED, _CALL, _RESULT), (_WEATHER,), prompt=True),
)
