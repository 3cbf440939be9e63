"""What is deployed elsewhere: the GitHub action, the hooks, and the command line's page."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from modeldiff.cli.arguments import build_parser, parse
from modeldiff.cli.check.command import CODE_OF_VERDICT
from modeldiff.cli.completion.words import read_commands
from modeldiff.extras import EXTRAS
from modeldiff.findings.conditions.check import ALWAYS_ALLOWED, GAPS
from modeldiff.findings.conditions.columns import COLUMNS
from modeldiff.settings.table import SETTINGS
from tests.support.nginx import write_nginx

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "deploy" / "github-action"
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
yaml = import_module("yaml")
VALIDATOR = import_module("jsonschema").Draft202012Validator


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture
def workplace(tmp_path: Path) -> dict[str, str]:
    """The variables of a job on GitHub, with a ``modeldiff`` on its path."""
    program = tmp_path / "bin" / "modeldiff"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m modeldiff "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (program.parent / "python").symlink_to(sys.executable)
    return {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }


class TestAction:
    def run(self, workplace: dict[str, str], **inputs: str) -> tuple[int, dict[str, str], str]:
        """The exit code of the action's own step, its outputs, and the job's summary."""
        action = loaded(ACTION / "action.yml")
        step = action["runs"]["steps"][-1]
        assert step["run"] == 'bash "$GITHUB_ACTION_PATH/check.sh"'
        defaults = {name: one.get("default", "") for name, one in action["inputs"].items()}
        values = defaults | {name.replace("_", "-"): value for name, value in inputs.items()}
        variables = {
            name: values[re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", text)[1]]  # type: ignore[index]
            for name, text in step["env"].items()
        }
        environment = workplace | variables | {"GITHUB_ACTION_PATH": str(ACTION)}
        done = subprocess.run(["bash", "-c", step["run"]], env=environment, capture_output=True)
        output = Path(workplace["GITHUB_OUTPUT"]).read_text(encoding="utf-8")
        summary = Path(workplace["GITHUB_STEP_SUMMARY"])
        text = summary.read_text(encoding="utf-8") if summary.exists() else ""
        return done.returncode, dict(line.split("=", 1) for line in output.splitlines()), text

    def test_passes_and_fails_as_check_does(
        self, workplace: dict[str, str], tmp_path: Path
    ) -> None:
        junit = tmp_path / "check.xml"
        code, outputs, summary = self.run(
            workplace,
            base="demo:base",
            target="demo:continued",
            fail_if="median_pct > 1\n\nwhole.coverage_pct < 100\n",
            only="layers.0-3.*q_proj\r\nembed_tokens",
            junit=str(junit),
        )
        assert (code, outputs["verdict"]) == (3, "failed")
        document = json.loads(Path(outputs["document"]).read_text(encoding="utf-8"))
        assert [each["verdict"] for each in document["conditions"]] == ["failed", "passed"]
        assert document["tensors"] == {"asked": 5, "of": 75}
        assert "| `median_pct > 1` | **failed** |" in summary
        assert junit.is_file()

    def test_an_error_has_no_verdict(self, workplace: dict[str, str]) -> None:
        code, outputs, summary = self.run(
            workplace, base="/no/such", target="demo:base", fail_if="median_pct > 1"
        )
        assert (code, outputs["verdict"], summary) == (1, "", "")

    def test_nothing_in_an_input_is_run(self, workplace: dict[str, str], tmp_path: Path) -> None:
        harm = f"$(touch {tmp_path}/harm) `touch {tmp_path}/harm`; touch {tmp_path}/harm"
        for name in ("base", "fail_if", "only", "allow", "device"):
            inputs = {"base": "demo:base", "target": "demo:base", "fail_if": "median_pct > 1"}
            code, *_ = self.run(workplace, **inputs | {name: harm})
            assert code in (1, 2)
        assert not (tmp_path / "harm").exists()


class TestPreCommit:
    def test_the_hooks_are_commands(self) -> None:
        example = loaded(ROOT / "deploy" / "pre-commit" / ".pre-commit-config.yaml")
        (repository,) = example["repos"]
        arguments = {hook["id"]: hook.get("args", []) for hook in repository["hooks"]}
        hooks = {hook["id"]: hook for hook in loaded(ROOT / ".pre-commit-hooks.yaml")}
        assert set(arguments) == set(hooks)
        for name, hook in hooks.items():
            program, *words = shlex.split(hook["entry"])
            assert program == "modeldiff" and hook["language"] == "python"
            files = (
                [] if hook.get("pass_filenames") is False else ["a.safetensors", "b.safetensors"]
            )
            assert parse([*words, *arguments[name], *files]).quiet
            assert re.search(hook["files"], "models/merged/model.safetensors")


class TestThePage:
    def commands(self) -> list[str]:
        blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
        lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
        return [line for line in lines if line.startswith("modeldiff ")]

    def test_every_command_that_it_shows_is_understood(self) -> None:
        commands = self.commands()
        assert len(commands) > 10
        for line in commands:
            words = shlex.split(line.split(" > ~")[0], comments=True)
            assert parse(words[1:]).command == words[1]

    def test_it_has_every_command_exit_code_and_reason(self) -> None:
        for command in read_commands(build_parser()):
            assert f"`{command.name}" in PAGE
        for code in CODE_OF_VERDICT.values():
            assert f"| {code} |" in PAGE
        for name in re.findall(r"`whole\.(\w+)`", PAGE):
            assert f"whole.{name}" in COLUMNS

    def test_allow_knows_every_reason(self) -> None:
        (option,) = (
            option
            for command in read_commands(build_parser())
            if command.name == "check"
            for option in command.options
            if option.flag == "--allow"
        )
        assert option.argument is not None
        assert set(option.argument.words) == set(GAPS) - ALWAYS_ALLOWED


def test_every_example_in_help_is_understood() -> None:
    from modeldiff.cli.usage.help_texts import EXAMPLES

    for text in EXAMPLES.values():
        for line in text.replace("\\\n", " ").splitlines()[1:]:
            words = shlex.split(
                line.split(" > ")[0] if " completion " in line else line, comments=True
            )
            if words[0] == "modeldiff":
                redirected = words[: words.index(">")] if ">" in words else words
                assert parse(redirected[1:]).command == words[1]


SERVER = ROOT / "deploy" / "server"
UNITS = ("modeldiff.service", "modeldiff-worker.service")


class TestServer:
    """What runs the app for others."""

    def test_the_image_is_given_what_the_build_packs(self) -> None:
        given = (SERVER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        with (ROOT / "pyproject.toml").open("rb") as file:
            build = tomllib.load(file)["tool"]["hatch"]["build"]
        packed = build["targets"]["wheel"]["force-include"]
        for name in (*packed, *build["targets"]["wheel"]["packages"], "LICENSE", "README.md"):
            assert any(f"!{name}/".startswith(f"{line}/") for line in given), name

    def test_the_settings_that_it_makes_are_settings(self) -> None:
        made = " ".join(
            path.read_text(encoding="utf-8") for path in SERVER.iterdir() if path.is_file()
        )
        known = {setting.name for setting in SETTINGS}
        assert set(re.findall(r"MODELDIFF_[A-Z_]+", made)) <= known
        assert "MODELDIFF_ROOTS=/models" in made

    @pytest.mark.parametrize("name", ["compose.yaml", "compose.cuda.yaml"])
    def test_compose_takes_its_files(self, name: str) -> None:
        schema = json.loads((ROOT / "tests/data/compose/compose-spec.json").read_text("utf-8"))
        VALIDATOR(schema).validate(loaded(SERVER / name))

    def test_the_dockerfile_is_clean_and_knows_its_extras(self, tmp_path: Path) -> None:
        hadolint = Path(sys.executable).with_name("hadolint")
        path = SERVER / "Dockerfile"
        done = subprocess.run([hadolint, str(path)], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "")
        text = path.read_text(encoding="utf-8").replace("\\\n", "")
        command = re.search(r"^RUN (extras=.*)$", text, re.MULTILINE)
        assert command is not None
        for torch, extras in (
            ("none", {"app", "companions", "login", "server", "stores"}),
            ("cpu", {"app", "companions", "login", "server", "stores", "configs"}),
            ("cuda", {"app", "companions", "login", "server", "stores", "configs", "gpu"}),
            ("rocm", None),
        ):
            script = command[1].replace("/opt/modeldiff/bin/pip", "echo")
            shown = subprocess.run(["sh", "-c", script], env={"TORCH": torch}, capture_output=True)
            assert (shown.returncode == 0) == (extras is not None)
            if extras is not None:
                installed = re.fullmatch(rb"install --no-cache-dir \.\[(.*)\]\n", shown.stdout)
                assert installed is not None
                assert set(installed[1].decode().split(",")) == extras <= set(EXTRAS)

    def test_compose_leaves_nothing_open(self) -> None:
        services = loaded(SERVER / "compose.yaml")["services"]
        for name in ("app", "worker"):
            one = services[name]
            assert "ports" not in one and one["read_only"] and one["cap_drop"] == ["ALL"]
            assert any(volume.endswith(":/models:ro") for volume in one["volumes"])

    def test_compose_has_a_worker_that_may_what_the_app_may(self) -> None:
        services = loaded(SERVER / "compose.yaml")["services"]
        app, worker = services["app"], services["worker"]
        assert parse(worker["command"][1:]).command == "worker"
        # The image's health check asks a port that only the app has.
        assert worker["healthcheck"] == {"disable": True}
        asks = dict(app["environment"])
        assert asks.pop("MODELDIFF_WORKER") == "yes"
        for name in worker["environment"]:
            assert asks[name] == worker["environment"][name]
        assert {name for name in asks if name not in worker["environment"]} == {
            "MODELDIFF_METRICS",
            "STREAMLIT_SERVER_ALLOWED_HOSTS",
            "STREAMLIT_SERVER_BASE_URL_PATH",
        }
        assert app["volumes"] == worker["volumes"]
        cards = loaded(SERVER / "compose.cuda.yaml")["services"]
        assert cards["app"] == cards["worker"]

    def test_nginx_takes_its_file(self, tmp_path: Path) -> None:
        nginx, openssl = shutil.which("nginx"), shutil.which("openssl")
        if not nginx or not openssl:
            pytest.skip("nginx or openssl is not installed")
        write_nginx(tmp_path, openssl, 8443, 8080, [8600])
        done = subprocess.run(
            [nginx, "-t", "-p", str(tmp_path), "-c", "nginx.conf", "-e", "stderr"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and "[warn]" not in done.stderr, done.stderr

    @pytest.mark.parametrize("name", UNITS)
    def test_systemd_takes_the_unit(self, name: str, tmp_path: Path) -> None:
        analyze = shutil.which("systemd-analyze")
        if not analyze:
            pytest.skip("systemd is not installed")
        unit = (SERVER / name).read_text(encoding="utf-8")
        path = tmp_path / name
        path.write_text(unit.replace("/opt/modeldiff/bin/modeldiff", "/bin/true"), encoding="utf-8")
        done = subprocess.run([analyze, "verify", str(path)], capture_output=True, text=True)
        assert done.returncode == 0 and name not in done.stderr, done.stderr

    def test_the_units_share_user_cache_and_settings_and_are_as_hard(self) -> None:
        app, worker = (unit_lines(SERVER / name) for name in UNITS)
        assert "User=modeldiff" in app and "DynamicUser=yes" in app
        starts = [line for line in app + worker if line.startswith("ExecStart=")]
        for line, command in zip(starts, ("app", "worker"), strict=True):
            assert parse(shlex.split(line)[1:]).command == command
        described = ("ExecStart=", "Description=")
        kept = [[line for line in one if not line.startswith(described)] for one in (app, worker)]
        assert kept[0] == kept[1]


def unit_lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
