"""Who may use the app: off unless the settings ask for it, and closed where they can't be kept.

Either Streamlit's own login at a provider (``[auth]`` in its secrets), or a proxy that lets nobody
through who has not logged in there and says in a header who it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from modeldiff.errors import AccessDenied
from modeldiff.settings.table import LOGIN, LOGIN_HEADER
from modeldiff.ui.widgets.error_box import show_error


@dataclass(frozen=True)
class Visitor:
    """Who has logged in: an ``address`` or another name, and the ``groups`` that it is in, all in
    lower case."""

    address: str
    groups: frozenset[str] = frozenset()

    def is_among(self, allowed: Collection[str]) -> bool:
        """Whether one of ``allowed`` means it: the name, ``@`` and the address' domain, or
        ``group:`` and one of its groups. Among nobody in particular is everybody."""
        domain = f"@{self.address.rpartition('@')[2]}" if "@" in self.address else ""
        own = {self.address, domain, *(f"group:{group}" for group in self.groups)}
        return not allowed or not own.isdisjoint(allowed)


def require_login() -> None:
    """Let the run of the page go on only for somebody who may use the app, if the settings say who
    that is; else show what to do, and nothing more."""
    allowed, header = LOGIN.value(), LOGIN_HEADER.value()
    if not allowed and not header:
        return
    visitor = by_header(st.context.headers, header) if header else _by_provider()
    if visitor is None:
        show_error(
            AccessDenied(
                "Nobody is logged in.",
                hint=f"Open the app through the proxy that logs in and sends {header}."
                if header
                else "The app's operator has to put the provider into [auth] of Streamlit's "
                "secrets.",
            )
        )
        st.stop()
    if not visitor.is_among(allowed):
        show_error(
            AccessDenied(
                f"{visitor.address} may not use this app.",
                hint=f"Its operator lists in {LOGIN.name} who may.",
            )
        )
        if not header:
            st.button("Log out", on_click=st.logout)
        st.stop()


def known_visitor() -> Visitor | None:
    """Who has logged in, for what is done in their name; None where nobody has to."""
    header = LOGIN_HEADER.value()
    if header:
        return by_header(st.context.headers, header)
    return by_claims(st.user.to_dict()) if LOGIN.value() else None


def by_header(headers: Mapping[str, str], name: str) -> Visitor | None:
    """Whom the proxy names in its header; None where it names nobody."""
    address = headers.get(name, "").strip().lower()
    return Visitor(address) if address else None


def by_claims(claims: Mapping[str, Any]) -> Visitor | None:
    """Whom the provider's claims name; None for an address that it says it did not check, and
    without one."""
    address, groups = claims.get("email"), claims.get("groups")
    if not isinstance(address, str) or not address or claims.get("email_verified") is False:
        return None
    names = groups if isinstance(groups, list | tuple) else ()
    return Visitor(address.lower(), frozenset(str(name).lower() for name in names))


def _by_provider() -> Visitor | None:
    """Who has logged in at the provider. Shows a button instead where nobody has yet, and ends the
    run; None where no provider is set up, or it names nobody."""
    claims = st.user.to_dict()
    if claims.get("is_logged_in") is False:
        st.title("modeldiff")
        st.button("Log in", type="primary", on_click=st.login)
        st.stop()
    return by_claims(claims)
