"""A check as JUnit XML, which all CI systems show: a suite a condition, a case a tensor."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from modeldiff.cli.check.values import asked_text, gap_sentences, reason
from modeldiff.cli.terminal import printable
from modeldiff.findings.conditions.check import Check, Outcome, RowVerdict, Verdict
from modeldiff.results import ResultHeader

_ELEMENTS: dict[Verdict, str] = {
    "failed": "failure",
    "undecided": "error",
    "allowed": "skipped",
}
"""An undecided case is an error: nothing failed, but nobody can say that it passed."""
_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}
"""The attribute of a suite that counts each of these."""


def junit_xml(check: Check, header: ResultHeader) -> bytes:
    """The document. Every tensor that was asked is a case; a condition on all together is one."""
    root = Xml.Element("testsuites", name="modeldiff check")
    for outcome in check.outcomes:
        cases = [_case(outcome, check, row) for row in outcome.rows] or [_whole(outcome, check)]
        suite = Xml.SubElement(
            root,
            "testsuite",
            name=_text(f"fail if {outcome.condition.text}"),
            tests=str(len(cases)),
            timestamp=header.created.partition("+")[0],
        )
        for element, attribute in _COUNTED.items():
            suite.set(attribute, str(sum(case.find(element) is not None for case in cases)))
        properties = Xml.SubElement(suite, "properties")
        for name, value in (
            ("base", f"{header.base_reference} ({header.base_fingerprint})"),
            ("target", f"{header.target_reference} ({header.target_fingerprint})"),
            ("modeldiff", header.version),
        ):
            Xml.SubElement(properties, "property", name=name, value=_text(value))
        suite.extend(cases)
    Xml.indent(root)
    content: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def _case(outcome: Outcome, check: Check, row: RowVerdict) -> Xml.Element:
    case = _new_case(outcome, row.place)
    if row.verdict in _ELEMENTS:
        message = _text(reason(row, outcome, check))
        detail = Xml.SubElement(case, _ELEMENTS[row.verdict], message=message)
        pair = row.change.pair
        names = (side.label for side in (pair.base, pair.target) if side is not None)
        detail.text = _text(" → ".join(dict.fromkeys(names)))
    return case


def _whole(outcome: Outcome, check: Check) -> Xml.Element:
    case = _new_case(outcome, "all chosen tensors together")
    if outcome.verdict in _ELEMENTS:
        message = _text(asked_text(outcome, check, None))
        detail = Xml.SubElement(case, _ELEMENTS[outcome.verdict], message=message)
        detail.text = _text("; ".join(gap_sentences(outcome)))
    return case


def _new_case(outcome: Outcome, name: str) -> Xml.Element:
    return Xml.Element("testcase", classname=_text(outcome.condition.text), name=_text(name))


def _text(text: str) -> str:
    """Text that XML can hold: names come from files, and control characters are no XML."""
    return printable(text)
