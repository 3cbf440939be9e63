"""Who looks at this page: in whose name it asks for diffs and drill-downs."""

from __future__ import annotations

from streamlit.runtime.scriptrunner import get_script_run_ctx

from modeldiff.results import Asker
from modeldiff.settings.startup import is_server
from modeldiff.ui.session.login import known_visitor


def asker() -> Asker:
    """The session, and its user: who has logged in; on a server where nobody has to, the session
    is one; on one's own machine there is one user."""
    context = get_script_run_ctx()
    session = "" if context is None else context.session_id
    visitor = known_visitor()
    if visitor is not None:
        return Asker(session, visitor.address, visitor.address)
    return Asker(session, session if is_server() else "")
