"""What lies beside the weights, in words: facts side by side, and what each difference means."""

from __future__ import annotations

from modeldiff.findings.companions.describe import companions_headline, describe_companions
from modeldiff.findings.companions.document import companions_document
from modeldiff.findings.companions.part import CompanionPart, PartKey

__all__ = [
    "CompanionPart",
    "PartKey",
    "companions_document",
    "companions_headline",
    "describe_companions",
]
