"""What ``--help`` says beside the options: examples, forms of references, exit codes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

REFERENCES = (
    "A reference is a folder, one file of weights, owner/name[@revision][/path] on the Hugging "
    "Face Hub, an address (s3://, gs://, az://, https://), each with :TAG behind it for one of "
    "several sets of weights, a demo checkpoint (demo:base) or, without weights, catalog:NAME or a "
    "config.json; modeldiff list names what is at hand."
)
EXIT_CODES_TEXT = (
    "Exit codes: 0 done; 1 an error, with a hint what to do; 2 wrong usage; 130 "
    "interrupted: the same command resumes there. check has codes of its own."
)
FLEET_EXIT_CODES_TEXT = (
    "Exit codes: 0 done; 1 an error, or targets that could not be measured; 2 wrong usage; 130 "
    "interrupted: the same command resumes there."
)
CHECK_EXIT_CODES_TEXT = (
    "Exit codes: 0 passed; 1 an error, with a hint what to do; 2 wrong usage; 3 failed: "
    "a condition holds; 4 undecided: no condition holds, but one depends on what was not compared "
    "(--allow lets a reason pass); 130 interrupted."
)
EXAMPLES: Mapping[str, str] = {
    name: "examples:\n" + "\n".join(f"  {line}" for line in lines)
    for name, lines in {
        "": (
            "modeldiff demo",
            "modeldiff compare meta-llama/Meta-Llama-3-8B meta-llama/Llama-3.1-8B",
            "modeldiff diff ./base ./fine-tuned --output report.html",
            "modeldiff check ./base ./merged --fail-if 'median_pct > 5'",
            "modeldiff open last --top 10",
        ),
        "inspect": (
            "modeldiff inspect ./out/checkpoint-500",
            "modeldiff inspect catalog:llama-3-8b --json",
        ),
        "compare": (
            "modeldiff compare catalog:llama-3-8b catalog:llama-3.1-8b",
            "modeldiff compare ./base ./merged --json",
        ),
        "diff": (
            "modeldiff diff ./base ./fine-tuned",
            "modeldiff diff ./base ./fine-tuned --top 10",
            "modeldiff diff ./base ./fine-tuned --only 'layers.0-3.*proj' --sort unchanged_pct",
            "modeldiff diff ./base ./fine-tuned --filter 'nonfinite > 0'",
            "modeldiff diff ./base ./fine-tuned --output report.html",
        ),
        "join": ("modeldiff join ./base ./fine-tuned --output report.html",),
        "fleet": (
            "modeldiff fleet ./base ./sft ./dpo ./merged",
            "modeldiff fleet ./base ./run --sort median_pct --output fleet.html",
            "modeldiff fleet ./base @tunes.txt --filter 'unchanged_pct < 50' --json",
        ),
        "demo": ("modeldiff demo", "modeldiff demo --top 5"),
        "check": (
            "modeldiff check ./base ./merged --fail-if 'median_pct > 5'",
            "modeldiff check ./base ./merged --fail-if 'unchanged_pct < 100' \\",
            "    --only 'layers.0-15.*' --only embed_tokens",
            "modeldiff check ./base ./tuned --fail-if 'whole.unchanged_pct > 99' \\",
            "    --fail-if 'nonfinite_target > 0' --junit check.xml --markdown check.md",
        ),
        "list": (
            "modeldiff list",
            "modeldiff list results --json",
            "modeldiff list EleutherAI/pythia-1b",
        ),
        "open": (
            "modeldiff open last",
            "modeldiff open gallery:demo-lora",
            "modeldiff open result.parquet --output report.html",
            "modeldiff open 3f2a91 --top 10 --sort rel_frobenius_pct",
        ),
        "app": ("modeldiff app", "modeldiff app --server.port 8600"),
        "worker": ("MODELDIFF_CACHE=/srv/modeldiff MODELDIFF_ROOTS=/models modeldiff worker",),
        "completion": (
            'eval "$(modeldiff completion bash)"    # in ~/.bashrc',
            'eval "$(modeldiff completion zsh)"     # in ~/.zshrc, behind compinit',
            "modeldiff completion fish > ~/.config/fish/completions/modeldiff.fish",
        ),
        "schema": ("modeldiff schema", "modeldiff schema check > check.schema.json"),
    }.items()
}


class HelpFormatter(argparse.HelpFormatter):
    """Fills paragraphs, and leaves examples as they stand."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.split("\n\n")
        return "\n\n".join(
            each if "\n" in each else super(HelpFormatter, self)._fill_text(each, width, indent)
            for each in paragraphs
        )
