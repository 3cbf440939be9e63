"""KEEP: a question is measured once; its result stays, and what was measured survives a kill."""

from modeldiff.comparison import SCHEMA
from modeldiff.findings.narrative import Narrative, narrate
from modeldiff.findings.summary import Summary, summarize
from modeldiff.results.diff import run_diff
from modeldiff.results.drilldown import drill_down, possible_drill_downs
from modeldiff.results.drilldown_kinds import DrillDown, DrillDownKind, DrillDownResult
from modeldiff.results.export.documents import result_document
from modeldiff.results.export.files import require_writable, write_file, write_result
from modeldiff.results.jobs.manager import JobSnapshot, JobState, cancel, find, job, submit
from modeldiff.results.jobs.throughput import Pace
from modeldiff.results.result import Result, ResultHeader, result_key
from modeldiff.results.store.drilldown_files import load_drill_down
from modeldiff.results.store.result_files import delete_result, list_results, load_result

__all__ = [
    "SCHEMA",
    "DrillDown",
    "DrillDownKind",
    "DrillDownResult",
    "JobSnapshot",
    "JobState",
    "Narrative",
    "Pace",
    "Result",
    "ResultHeader",
    "Summary",
    "cancel",
    "delete_result",
    "drill_down",
    "find",
    "job",
    "list_results",
    "load_drill_down",
    "load_result",
    "narrate",
    "possible_drill_downs",
    "require_writable",
    "result_document",
    "result_key",
    "run_diff",
    "submit",
    "summarize",
    "write_file",
    "write_result",
]
