"""Who may use the app: off unless the settings ask for it, and closed where they can't be kept.

Either Streamlit's own login at a provider (``[auth]`` in its secrets), or a proxy that lets nobody
through who has not logged in there and says in a header who it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import streamlit as st

from modeldiff.checkpoints.hub.access import HubLogin
from modeldiff.checkpoints.hub.visibility import hub_endpoint
from modeldiff.errors import AccessDenied
from modeldiff.processes.late_dataclass import dataclass
from modeldiff.settings.table import LOGIN, LOGIN_HEADER
from modeldiff.ui.widgets.error_box import show_error

_ADDRESS = re.compile(r"[^@\s,]+(?P<domain>@[^@\s,]+)")


@dataclass(frozen=True)
class Visitor:
    """Who has logged in: an ``address`` or another name, and the ``groups`` that it is in, all in
    lower case."""

    address: str
    groups: frozenset[str] = frozenset()

    def is_among(self, allowed: Collection[str]) -> bool:
        """Whether one of ``allowed`` means it: the name, ``@`` and the address' domain, or
        ``group:`` and one of its groups. Among nobody in particular is everybody."""
        own = {f"group:{group}" for group in self.groups}
        # Where people choose their names, one may look like a domain, a group or two addresses.
        if not self.address.startswith(("@", "group:")):
            own.add(self.address)
        if match := _ADDRESS.fullmatch(self.address):
            own.add(match["domain"])
        return not allowed or not own.isdisjoint(allowed)


def require_login() -> None:
    """Let the run of the page go on only for somebody who may use the app, if the settings say who
    that is; else show what to do, and nothing more."""
    allowed, header = LOGIN.value(), LOGIN_HEADER.value()
    if not allowed and not header:
        return
    claims = {} if header else st.user.to_dict()
    if claims.get("is_logged_in") is False:
        st.title("modeldiff")
        st.button("Log in", type="primary", on_click=st.login)
        st.stop()
    visitor = by_header(st.context.headers, header) if header else by_claims(claims)
    if visitor is not None and visitor.is_among(allowed):
        return
    show_error(_refusal(visitor, header, at_provider=bool(claims)))
    if claims:
        st.button("Log out", on_click=st.logout)
    st.stop()


def _refusal(visitor: Visitor | None, header: str, *, at_provider: bool) -> AccessDenied:
    """Why ``visitor`` does not come in; None is somebody whom neither the ``header`` nor the
    provider, which has logged them in ``at_provider``, names."""
    if visitor is not None:
        return AccessDenied(
            f"{visitor.address} may not use this app.",
            hint=f"Whoever runs it lists in {LOGIN.name} who may.",
        )
    if at_provider:
        return AccessDenied(
            "The provider names no address of yours that it has verified.",
            hint="Let it verify your address, or log in with another account.",
        )
    return AccessDenied(
        "Nobody is known to have logged in.",
        hint=f"Come through the proxy that logs in and sends {header}."
        if header
        else "Whoever runs this app has to put the provider into [auth] of Streamlit's secrets.",
    )


def hub_login() -> HubLogin | None:
    """The visitor's own login at the Hub, to open there what they may see; None where they did not
    log in at the Hub, or Streamlit is not told to hand their token over (``expose_tokens``)."""
    if not LOGIN.value() or LOGIN_HEADER.value():
        return None
    return at_the_hub(st.user.to_dict(), st.user.tokens)


def at_the_hub(claims: Mapping[str, Any], tokens: Mapping[str, str]) -> HubLogin | None:
    """The login at the Hub that a provider's ``claims`` and ``tokens`` are; None where another
    issued them: its token is none of the Hub's business."""
    visitor, token = by_claims(claims), tokens.get("access")
    if visitor is None or not token or str(claims.get("iss")).rstrip("/") != hub_endpoint():
        return None
    return HubLogin(visitor.address, token)


def logged_in_as() -> str:
    """The address of a visitor who logged in here and so can log out; empty for others."""
    if not LOGIN.value() or LOGIN_HEADER.value():
        return ""
    visitor = by_claims(st.user.to_dict())
    return "" if visitor is None else visitor.address


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
    # Some providers write it as a text, against the standard.
    verified = str(claims.get("email_verified", True)).lower() == "true"
    if not isinstance(address, str) or not address or not verified:
        return None
    names = groups if isinstance(groups, list | tuple) else ()
    return Visitor(address.lower(), frozenset(str(name).lower() for name in names))
