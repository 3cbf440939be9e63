"""Pairs worth looking at, for the chooser."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PairPreset:
    """Two references and the reason to compare them."""

    label: str
    base: str
    target: str


PRESETS: tuple[PairPreset, ...] = (
    PairPreset("Demo: trained on", "demo:base", "demo:continued"),
    PairPreset("Demo: lightly tuned", "demo:base", "demo:tuned"),
    PairPreset("Demo: merged LoRA", "demo:base", "demo:lora"),
    PairPreset("Demo: unrelated", "demo:base", "demo:unrelated"),
    PairPreset("Llama 3 → 3.1, 8B", "meta-llama/Meta-Llama-3-8B", "meta-llama/Llama-3.1-8B"),
    PairPreset("Llama 2 7B → Llama 3 8B", "meta-llama/Llama-2-7b-hf", "meta-llama/Meta-Llama-3-8B"),
    PairPreset("Llama 3.2, 1B → 3B", "meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-3B"),
    PairPreset(
        "Llama 3.1 8B → Instruct", "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct"
    ),
    PairPreset("Qwen2 → Qwen2.5, 7B", "Qwen/Qwen2-7B", "Qwen/Qwen2.5-7B"),
    PairPreset("Qwen2.5 7B → Instruct", "Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B-Instruct"),
    PairPreset("Llama 3 8B → Qwen2 7B", "meta-llama/Meta-Llama-3-8B", "Qwen/Qwen2-7B"),
    PairPreset("Mistral 7B, v0.1 → v0.3", "mistralai/Mistral-7B-v0.1", "mistralai/Mistral-7B-v0.3"),
    PairPreset("GPT-2 → GPT-2 medium", "openai-community/gpt2", "openai-community/gpt2-medium"),
    PairPreset("Configs: GPT-2 → Llama 3 8B", "catalog:gpt2-124m", "catalog:llama-3-8b"),
    PairPreset("Configs: Llama 3 → 3.1, 8B", "catalog:llama-3-8b", "catalog:llama-3.1-8b"),
    PairPreset("Configs: Llama 3 8B → Qwen2 7B", "catalog:llama-3-8b", "catalog:qwen2-7b"),
)
