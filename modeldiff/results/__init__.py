"""KEEP: a question is measured once; its result stays, and what was measured survives a kill."""

from modeldiff.results.answering import answer
from modeldiff.results.details import load_look
from modeldiff.results.documents import pair_row, result_document
from modeldiff.results.exports import require_writable, result_table, write_file, write_result
from modeldiff.results.jobs import JobSnapshot, JobState, cancel, find, job, submit
from modeldiff.results.look import Found, Look, LookKind
from modeldiff.results.looks import look_closer, possible_looks
from modeldiff.results.pace import Pace
from modeldiff.results.reading import Reading, read_changes
from modeldiff.results.result import SCHEMA, Result, ResultHeader, result_key
from modeldiff.results.store import delete_result, list_results, load_result
from modeldiff.results.summary import Summary, merge_by, summarize

__all__ = [
    "SCHEMA",
    "Found",
    "JobSnapshot",
    "JobState",
    "Look",
    "LookKind",
    "Pace",
    "Reading",
    "Result",
    "ResultHeader",
    "Summary",
    "answer",
    "cancel",
    "delete_result",
    "find",
    "job",
    "list_results",
    "load_look",
    "load_result",
    "look_closer",
    "merge_by",
    "pair_row",
    "possible_looks",
    "read_changes",
    "require_writable",
    "result_document",
    "result_key",
    "result_table",
    "submit",
    "summarize",
    "write_file",
    "write_result",
]
