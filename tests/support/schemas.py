"""Documents beside their published schemas."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from modeldiff.cli.schemas.published import document_id, schema_text

VALIDATOR = import_module("jsonschema").Draft202012Validator


def tightened(schema: Any) -> Any:
    """The schema that takes no entry that it does not name: what is new has to be published."""
    if isinstance(schema, list):
        return [tightened(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: tightened(value) for key, value in schema.items()}
    return inner | ({"additionalProperties": False} if "properties" in inner else {})


def require_valid(document: Any, name: str) -> None:
    """It is what the schema of that name says, and nothing beside it."""
    schema = json.loads(schema_text(name))
    VALIDATOR.check_schema(schema)
    for each in (schema, tightened(schema)):
        errors = [
            f"{list(e.path)}: {e.message[:200]}" for e in VALIDATOR(each).iter_errors(document)
        ]
        assert not errors
    assert document["document"] == document_id(name)
