"""One standalone HTML page with all that a diff found: to be mailed, kept and printed."""

from modeldiff.drawings.report.document import MOST_BYTES, report_html

__all__ = ["MOST_BYTES", "report_html"]
