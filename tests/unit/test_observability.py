"""What an admin sees: counts that Prometheus reads, and a log whose lines hold no secret."""

from __future__ import annotations

import io
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from modeldiff.comparison import Comparison
from modeldiff.errors import CheckpointNotFound, InvalidOption
from modeldiff.observability import counts
from modeldiff.observability.events import job_began, job_ended, page_began
from modeldiff.observability.json_log import JsonLines
from modeldiff.observability.prometheus import COUNTERS, GAUGES, Families
from modeldiff.observability.redaction import without_credentials_or_paths
from modeldiff.observability.request import current_request, new_request, working_for
from modeldiff.results.jobs.manager import JobManager
from modeldiff.settings.table import LOG, METRICS_ADDRESS
from tests.support.results import cache_at, write_model

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def nothing_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "_counts", {})


def samples(**gauges: Any) -> dict[tuple[str, tuple[str, ...]], float]:
    """What a scraper reads: values by name and labels."""
    registry = CollectorRegistry()
    registry.register(Families(gauges))
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_what_happened_is_counted() -> None:
    assert samples() == {("modeldiff_bytes_read_total", ()): 0}
    for state, nbytes in (("done", 10), ("done", 5), ("failed", 0)):
        job_began("id", "small diffs", ("a/b", "c/d"), 1.5)
        error = CheckpointNotFound("No.") if state == "failed" else None
        job_ended("id", "small diffs", state, 2.0, nbytes, error)
    page_began("heatmap")
    assert samples() == {
        ("modeldiff_jobs_total", ("small diffs", "done")): 2,
        ("modeldiff_jobs_total", ("small diffs", "failed")): 1,
        ("modeldiff_job_seconds_total", ("small diffs",)): 6,
        ("modeldiff_job_wait_seconds_total", ("small diffs",)): 4.5,
        ("modeldiff_bytes_read_total", ()): 15,
        ("modeldiff_page_runs_total", ("heatmap",)): 1,
        ("modeldiff_errors_total", ("CheckpointNotFound", "job")): 1,
    }


def test_a_job_is_counted_and_logged_for_who_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modeldiff.events")
    seen: list[str] = []

    def note(_: logging.LogRecord) -> bool:
        seen.append(current_request().id)
        return True

    caplog.handler.addFilter(note)
    sides = [str(write_model(tmp_path / name, seed=1)) for name in ("base", "target")]
    manager = JobManager()
    with cache_at(tmp_path / "cache"), working_for(current_request()):
        asked = new_request()
        comparison = Comparison.open(*sides)
        manager.submit(comparison)
        deadline = time.monotonic() + 60
        while ("modeldiff_jobs_total", ("small diffs", "done")) not in samples():
            assert time.monotonic() < deadline and len(manager.active_counts()) <= 1
            time.sleep(0.02)
    assert samples()["modeldiff_bytes_read_total", ()] == comparison.nbytes
    assert not manager.active_counts()
    assert [record.getMessage() for record in caplog.records] == ["job began", "job ended"]
    assert seen == [asked.id, asked.id]


def test_a_gauge_that_fails_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise OSError("no disk")

    shown = samples(cache_bytes=broken, sessions=lambda: {(): 3})
    assert shown["modeldiff_sessions", ()] == 3
    assert "cache_bytes" in caplog.text


def test_names_are_those_of_prometheus() -> None:
    assert not set(COUNTERS) & set(GAUGES)
    for name, (_, labels) in (COUNTERS | GAUGES).items():  # type: ignore[operator]
        assert name.isidentifier() and not name.endswith("_total")
        assert not {"path", "user", "model", "reference"} & set(labels)


class TestTheLog:
    def line(self, message: str, error: BaseException | None = None, **fields: Any) -> Any:
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(JsonLines())
        logger = logging.Logger("modeldiff.test")
        logger.addHandler(handler)
        logger.info(message, extra={"fields": fields}, exc_info=error)
        text = stream.getvalue()
        assert text.count("\n") == 1
        return json.loads(text)

    def test_a_line_is_one_object(self) -> None:
        line = self.line('two\nlines "and" \x1b[31m \u2028', pair=("a", "b"), bytes=3)
        assert line["message"] == 'two\nlines "and" \x1b[31m \u2028'
        assert (line["pair"], line["bytes"], line["level"]) == (["a", "b"], 3, "info")
        assert line["time"].endswith("Z") and "request" not in line

    def test_it_says_for_which_request(self) -> None:
        with working_for(current_request()):
            request = new_request("4f1c0d")
            assert self.line("x")["request"] == request.id
            assert self.line("x")["connection"] == "4f1c0d"
            new_request('"}\n{"forged": "line')
            assert "connection" not in self.line("x")
        assert "request" not in self.line("x")

    @pytest.mark.parametrize(
        "text",
        [
            "token hf_abcdefgh12345678 was refused",
            f"the id_token is {JWT}",
            "GET https://ada:pass9word@hub.example/x",
            "Authorization: Bearer abc.def-123",
            "https://s3.example/x?X-Amz-Signature=abcdef0123&y=1",
            "https://h.example/oauth2callback?code=abcdef0123&state=1",
            '{"access_token": "abcdef0123"}',
            "aws_secret_access_key = abcdef0123",
            "https://x.blob.example/y?sv=2024&sig=abcdef0123&se=1",
            "DefaultEndpointsProtocol=https;AccountKey=abcdef0123==",
            "X-Amz-Credential=abcdef0123/20260101",
            "cloning with ghp_abcdef0123",
            "Authorization: Negotiate abc.def-123",
        ],
    )
    def test_credentials_are_hidden(self, text: str) -> None:
        shown = self.line(text, text=[text])
        for secret in (*text.split(), "pass9word", "abcdef0123", "abc.def-123", JWT):
            if any(mark in secret for mark in ("hf_", "eyJ", "9word", "f0123", "-123")):
                assert secret not in json.dumps(shown)

    def test_paths_outside_the_roots_are_hidden(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        home = tmp_path / "home of ada"
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("MODELDIFF_ROOTS", "/models:/scratch/runs")
        text = (
            f"can't read '{home}/x y/z' nor /etc/passwd, /models/../etc/shadow, ~/x; "
            "/models/llama and /scratch/runs are fine, /modelsx not; owner/name, 1/2"
        )
        try:
            raise OSError(2, "No such file", "/root/.cache/secret.bin")
        except OSError as caught:
            line = self.line(text, caught)
        shown = json.dumps(line)
        for hidden in ("passwd", "shadow", "ada", "modelsx", "secret.bin", str(Path.cwd())):
            assert hidden not in shown
        for kept in ("/models/llama", "/scratch/runs", "owner/name", "1/2"):
            assert kept in line["message"]
        assert line["exception"]["type"] == "FileNotFoundError"
        assert line["exception"]["frames"][0].startswith(f"{__name__}:")

    def test_a_root_whose_path_holds_a_homes_is_shown(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", "/root")
        for root in ("/data/roots/models", "/data/root/models", "/data/root-2", "/rootfs/x"):
            shown = without_credentials_or_paths(f"no {root}/a, {root}/b", [Path(root)])
            assert shown == f"no {root}/a, {root}/b"
        assert "/root" not in without_credentials_or_paths("(/root/x y), /root", [Path("/data")])

    @pytest.mark.parametrize(
        "text",
        [
            "file:///home/ada/x",
            "FILE://localhost/home/ada/x",
            "weights:/home/ada/x",
            "/models:/home/ada",
            "GET /?base=%2Fhome%2Fada&target=demo:base",
            "/models/..%2f..%2fhome/ada",
        ],
    )
    def test_a_path_is_one_however_it_is_written(self, text: str) -> None:
        shown = without_credentials_or_paths(text, [Path("/models")])
        assert "ada" not in shown and "[hidden]" in shown

    @pytest.mark.parametrize(
        "text",
        [
            "https://huggingface.co/a/b/resolve/main/x, s3://bucket/home/x",
            "/models/run.pt:ema, %2Fmodels%2Fa, file:///models/a",
            "tokenizer: 3 tokens; exit code: 3; decode=utf8; token_embd.weight: 4",
        ],
    )
    def test_what_is_no_secret_stays(self, text: str) -> None:
        assert without_credentials_or_paths(text, [Path("/models")]) == text

    def test_long_texts_take_no_long_time(self) -> None:
        texts = ("/" * 4000, "a/" * 2000, "token=" * 600, "'" * 4000, "eyJ" + "." * 4000)
        for text in (*texts, "token-" * 660, "%2F" * 1300, "file:" * 800, ":/" * 2000):
            assert len(without_credentials_or_paths(text, [Path("/models")])) <= 5 * len(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            (METRICS_ADDRESS.name, text)
            for text in ("9100", ":9100", "127.0.0.1", "h:0", "h:99999", "h:x")
        ),
        *((LOG.name, text) for text in ("yaml", "yes")),
    ],
)
def test_settings_that_are_none(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(InvalidOption):
        (METRICS_ADDRESS if name == METRICS_ADDRESS.name else LOG).value()
