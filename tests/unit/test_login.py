"""Who may use the app: names, domains and groups, by a proxy's header or a provider's claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from modeldiff.ui.session.login import Visitor, by_claims, by_header

ALLOWED = frozenset({"ada@example.org", "@team.example.org", "group:research"})


@pytest.mark.parametrize(
    ("visitor", "enters"),
    [
        (Visitor("ada@example.org"), True),
        (Visitor("bob@team.example.org"), True),
        (Visitor("eve@elsewhere.org", frozenset({"research"})), True),
        (Visitor("bob@example.org"), False),
        (Visitor("eve@notteam.example.org"), False),
        (Visitor("eve@team.example.org.evil.org"), False),
        (Visitor("@team.example.org"), False),
        (Visitor("group:research"), False),
        (Visitor("eve@evil.org,x@team.example.org"), False),
        (Visitor("eve@evil.org@team.example.org"), False),
        (Visitor("eve x@team.example.org"), False),
        (Visitor("research", frozenset({"sales"})), False),
    ],
)
def test_names_domains_and_groups(visitor: Visitor, enters: bool) -> None:
    assert visitor.is_among(ALLOWED) == enters
    assert visitor.is_among(())


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"email": ""},
        {"email": None, "name": "Ada"},
        {"email": "ada@example.org", "email_verified": False},
        {"email": "ada@example.org", "email_verified": "false"},
        {"email": "ada@example.org", "email_verified": None},
        {"email": "ada@example.org", "email_verified": 0},
        {"email": ["ada@example.org"]},
    ],
)
def test_claims_that_name_nobody(claims: Mapping[str, Any]) -> None:
    assert by_claims(claims) is None


def test_claims_and_headers() -> None:
    claims = {"email": "Ada@Example.org", "email_verified": True, "groups": ["Research", 7]}
    assert by_claims(claims) == Visitor("ada@example.org", frozenset({"research", "7"}))
    assert by_claims({"email": "a@b", "email_verified": "true"}) == Visitor("a@b")
    assert by_claims({"email": "a@b", "groups": "research"}) == Visitor("a@b")
    assert by_header({"X-User": " Ada "}, "X-User") == Visitor("ada")
    assert by_header({"X-User": ""}, "X-User") is None and by_header({}, "X-User") is None


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a page behind the login shows to a visitor with these headers and claims."""

    def show(headers: Mapping[str, str], claims: Mapping[str, Any]) -> str:
        monkeypatch.setattr(type(st.context), "headers", headers)
        monkeypatch.setattr(type(st.user), "to_dict", lambda _: dict(claims))
        app = AppTest.from_string(
            "import streamlit as st\n"
            "from modeldiff.ui.session.login import require_login\n"
            "require_login()\n"
            "st.text('inside')\n"
        ).run()
        parts = [*app.text, *app.error, *app.title]
        return " ".join(part.value for part in parts) + str([each.label for each in app.button])

    return show


def test_off_by_default(shown: Callable[..., str]) -> None:
    assert "inside" in shown({}, {})


def test_a_proxys_header(monkeypatch: pytest.MonkeyPatch, shown: Callable[..., str]) -> None:
    monkeypatch.setenv("MODELDIFF_LOGIN_HEADER", "X-Forwarded-User")
    assert "inside" not in shown({}, {"email": "ada@example.org", "is_logged_in": True})
    assert "inside" in shown({"X-Forwarded-User": "eve"}, {})
    monkeypatch.setenv("MODELDIFF_LOGIN", "ada")
    assert "eve may not" in shown({"X-Forwarded-User": "eve"}, {})
    assert "inside" in shown({"X-Forwarded-User": "ada"}, {})


def test_a_provider(monkeypatch: pytest.MonkeyPatch, shown: Callable[..., str]) -> None:
    monkeypatch.setenv("MODELDIFF_LOGIN", "@example.org")
    assert "inside" not in shown({"X-Forwarded-User": "ada@example.org"}, {})  # none is set up
    before = shown({}, {"is_logged_in": False})
    assert "inside" not in before and "Log in" in before
    inside = {"is_logged_in": True, "email": "ada@example.org"}
    assert "inside" in shown({}, inside)
    outside = shown({}, inside | {"email": "ada@example.com"})
    assert "inside" not in outside and "Log out" in outside
