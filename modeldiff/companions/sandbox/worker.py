"""The child's script: renders chat templates, or cuts texts into tokens, under limits of its own.

It is run by its path, not imported, and imports nothing of modeldiff. A request is one JSON object
on standard input, each answer one JSON line on standard output, in the order of what was asked:
``{"text": …}``, ``{"tokens": …}`` or ``{"error": …}``. What is missing in the end was not reached;
the last line may be ``{"fatal": …}`` and say why.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_LONGEST_ERROR = 300


def answer() -> None:
    """Read the request, import what it needs, give up what it does not, and answer."""
    request = json.load(sys.stdin)
    # While everything may still be imported; afterwards no file can be opened.
    task = _TASKS[request["task"]](request)
    _give_up(request["limits"])
    try:
        for each in task:
            print(json.dumps(each), flush=True)
    except BaseException as error:  # a panic of the Rust library is no Exception
        print(json.dumps({"fatal": _reason(error)}), flush=True)


def _give_up(limits: Mapping[str, int]) -> None:
    """Limit this process as far as the system knows how; its parent has a clock besides."""
    with contextlib.suppress(ImportError):
        import resource

        for name, most in limits.items():
            with contextlib.suppress(ValueError, OSError, AttributeError):
                which = getattr(resource, f"RLIMIT_{name}")
                resource.setrlimit(which, (most, most))


def _render(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Each conversation of the request, as the template writes it.

    The environment is that of transformers' ``chat_template_utils``: jinja2's immutable sandbox, no
    loader, its four extra names. The clock stands still, so that two templates differ by what
    they say alone.
    """
    import jinja2
    import jinja2.debug  # else imported when something goes wrong, and then no file can be opened
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    del jinja2.debug

    class Generation(Extension):
        """``{% generation %}``: marks what the assistant wrote; changes nothing of the text."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    class Names(jinja2.utils.Namespace):
        """Jinja's namespace without underscored names."""

        def __setitem__(self, name: str, value: Any) -> None:
            if name.startswith("_"):
                raise jinja2.exceptions.SecurityError(f"a namespace takes no {name!r}")
            super().__setitem__(name, value)

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    def to_json(
        value: Any,
        ensure_ascii: bool = False,
        indent: Any = None,
        separators: Any = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(
            value,
            ensure_ascii=ensure_ascii,
            indent=indent,
            separators=separators,
            sort_keys=sort_keys,
        )

    import time

    clock = time.struct_time(request["clock"])
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals.update(
        raise_exception=refuse,
        strftime_now=lambda form: time.strftime(form, clock),
        namespace=Names,
        dict=lambda *pairs, **named: dict(*pairs, **named),
    )
    with contextlib.suppress(jinja2.TemplateError):  # so that all it needs is imported by now
        environment.from_string(
            "{{ '\\n' ~ strftime_now('%B') }}{{ 1 | tojson }}{{ a.b.c }}"
        ).render()
    most = request["characters"]

    def answers() -> Iterator[Mapping[str, Any]]:
        compiled: dict[str, Any] = {}
        for asked in request["conversations"]:
            source = asked["template"]

            def one(source: str = source, asked: Mapping[str, Any] = asked) -> str:
                if source not in compiled:
                    compiled[source] = environment.from_string(source)
                text = ""
                for part in compiled[source].generate(**asked["variables"]):
                    text += part
                    if len(text) > most:
                        raise ValueError(f"it writes more than {most:,} characters")
                return text

            yield _attempt("text", one)

    return answers()


def _encode(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The ids of each text's tokens."""
    from tokenizers import Tokenizer

    def answers() -> Iterator[Mapping[str, Any]]:
        tokenizer = Tokenizer.from_str(request["tokenizer"])
        tokenizer.no_truncation()
        tokenizer.no_padding()
        for text in request["texts"]:

            def one(text: str = text) -> list[list[int]]:
                encoding = tokenizer.encode(text)
                return [
                    [number, *span]
                    for number, span in zip(encoding.ids, encoding.offsets, strict=True)
                ]

            yield _attempt("tokens", one)

    return answers()


_TASKS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Mapping[str, Any]]]] = {
    "render": _render,
    "encode": _encode,
}


def _attempt(name: str, work: Callable[[], Any]) -> Mapping[str, Any]:
    try:
        return {name: work()}
    except Exception as error:
        return {"error": _reason(error)}


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "it exceeds the limit of memory"
    if isinstance(error, RecursionError):
        return "it nests too deeply"
    if isinstance(error, OSError):
        return "it asks for a file"
    return (str(error) or type(error).__name__)[:_LONGEST_ERROR]


if __name__ == "__main__":
    answer()
