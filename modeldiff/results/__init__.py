"""KEEP: a question is measured once; its result stays, and what was measured survives a kill."""

from modeldiff.findings.narrative import Reading, read_changes
from modeldiff.findings.summary import Summary, merge_by, summarize
from modeldiff.results.diff import answer
from modeldiff.results.drilldown import look_closer, possible_looks
from modeldiff.results.drilldown_kinds import Found, Look, LookKind
from modeldiff.results.export.documents import pair_row, result_document
from modeldiff.results.export.files import require_writable, result_table, write_file, write_result
from modeldiff.results.jobs.manager import JobSnapshot, JobState, cancel, find, job, submit
from modeldiff.results.jobs.throughput import Pace
from modeldiff.results.result import SCHEMA, Result, ResultHeader, result_key
from modeldiff.results.store.drilldown_files import load_look
from modeldiff.results.store.result_files import delete_result, list_results, load_result

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
