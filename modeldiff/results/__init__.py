"""KEEP: a question is measured once; its result stays, and what was measured survives a kill."""

from modeldiff.results.answering import answer
from modeldiff.results.documents import pair_row, result_document
from modeldiff.results.exports import require_writable, result_table, write_result
from modeldiff.results.jobs import JobSnapshot, JobState, cancel, find, job, submit
from modeldiff.results.pace import Pace
from modeldiff.results.result import SCHEMA, Result, ResultHeader, result_key
from modeldiff.results.store import list_results, load_result
from modeldiff.results.summary import Summary, merge_by, summarize

__all__ = [
    "SCHEMA",
    "JobSnapshot",
    "JobState",
    "Pace",
    "Result",
    "ResultHeader",
    "Summary",
    "answer",
    "cancel",
    "find",
    "job",
    "list_results",
    "load_result",
    "merge_by",
    "pair_row",
    "require_writable",
    "result_document",
    "result_key",
    "result_table",
    "submit",
    "summarize",
    "write_result",
]
