"""KEEP: a diff is measured once; its result stays, and what was measured survives a kill."""

from typing import TYPE_CHECKING

from modeldiff.processes.late_names import late_names
from modeldiff.results.diff import MeasuredShard, run_diff, run_shard
from modeldiff.results.result import Result, ResultHeader

if TYPE_CHECKING:
    from modeldiff.results.drilldown import load_drill_down, run_drill_down
    from modeldiff.results.drilldown_request import DrillDown
    from modeldiff.results.drilldowns.kind import DrillDownKind
    from modeldiff.results.drilldowns.registry import possible_drill_downs
    from modeldiff.results.export.documents import result_document
    from modeldiff.results.export.files import require_writable, write_file, write_result
    from modeldiff.results.jobs.asker import Asker, job_request
    from modeldiff.results.jobs.job import JobSnapshot
    from modeldiff.results.jobs.manager import job_manager
    from modeldiff.results.jobs.throughput import Pace
    from modeldiff.results.joining import join_journals, join_shards
    from modeldiff.results.reopening import find_result, open_result
    from modeldiff.results.store.asked import asked_by, note_asked
    from modeldiff.results.store.given_files import keep_given_result
    from modeldiff.results.store.result_files import delete_result, list_results, load_result

__all__ = [
    "Asker",
    "DrillDown",
    "DrillDownKind",
    "JobSnapshot",
    "MeasuredShard",
    "Pace",
    "Result",
    "ResultHeader",
    "asked_by",
    "delete_result",
    "find_result",
    "job_manager",
    "job_request",
    "join_journals",
    "join_shards",
    "keep_given_result",
    "list_results",
    "load_drill_down",
    "load_result",
    "note_asked",
    "open_result",
    "possible_drill_downs",
    "require_writable",
    "result_document",
    "run_diff",
    "run_drill_down",
    "run_shard",
    "write_file",
    "write_result",
]

__getattr__ = late_names(
    __name__,
    {
        "drilldown": (
            "load_drill_down",
            "run_drill_down",
        ),
        "drilldown_request": ("DrillDown",),
        "drilldowns.kind": ("DrillDownKind",),
        "drilldowns.registry": ("possible_drill_downs",),
        "export.documents": ("result_document",),
        "export.files": (
            "require_writable",
            "write_file",
            "write_result",
        ),
        "jobs.asker": (
            "Asker",
            "job_request",
        ),
        "jobs.job": ("JobSnapshot",),
        "jobs.manager": ("job_manager",),
        "jobs.throughput": ("Pace",),
        "joining": (
            "join_journals",
            "join_shards",
        ),
        "reopening": (
            "find_result",
            "open_result",
        ),
        "store.asked": (
            "asked_by",
            "note_asked",
        ),
        "store.given_files": ("keep_given_result",),
        "store.result_files": (
            "delete_result",
            "list_results",
            "load_result",
        ),
    },
)
