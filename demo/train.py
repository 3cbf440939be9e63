"""Train the five demo checkpoints on the CPU: `python -m demo.train` from the project's root.

Each folder is what transformers' `save_pretrained` writes. Whatever starts from base starts from
base's *stored* bf16 values, widened to float32 for the training and rounded back at the end, so
that "unchanged" means that no training step carried a value over to its bf16 neighbour.
"""

import argparse
import json
import math
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parametrize
from transformers import LlamaConfig, LlamaForCausalLM

from demo.corpus import BEGIN, CONTEXT, END, Split, encode, texts, train_tokenizer

VOCAB = 1024
BATCH, LENGTH = 8, 128
EVALUATION_WINDOWS = 64
SPLITS: tuple[Split, ...] = ("train", "held_out")
LORA_RANK, LORA_ALPHA = 4, 8.0
LORA_MODULES = ("q_proj", "v_proj")

Model = Any  # transformers has no types that mypy's strict mode accepts
Streams = dict[str, dict[str, torch.Tensor]]  # text → split → ids, shape (tokens,)
Losses = dict[str, dict[str, float]]  # text → split → mean cross-entropy in nats a token


@dataclass(frozen=True)
class Recipe:
    """How one checkpoint is made."""

    name: str
    start: Literal["base", "random"]
    text: Literal["A", "B"]
    method: Literal["full", "lora"]
    steps: int
    learning_rate: float
    weight_decay: float
    seed: int


RECIPES = (
    Recipe("base", "random", "A", "full", 1700, 3e-3, 0.1, seed=1),
    Recipe("continued", "base", "B", "full", 450, 1e-3, 0.1, seed=2),
    Recipe("tuned", "base", "B", "full", 60, 5e-6, 0.0, seed=3),
    Recipe("lora", "base", "B", "lora", 200, 1e-3, 0.0, seed=4),
    Recipe("unrelated", "random", "A", "full", 800, 3e-3, 0.1, seed=5),
)


class LowRank(nn.Module):
    """LoRA as a parametrization: the weight W reads as W + B @ A * alpha / rank."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.a = nn.Parameter(torch.randn(LORA_RANK, columns) / math.sqrt(columns))
        self.b = nn.Parameter(torch.zeros(rows, LORA_RANK))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + self.b @ self.a * (LORA_ALPHA / LORA_RANK)


def adapted(model: Model) -> list[nn.Module]:
    """The linear layers that the low-rank update changes, in the model's order."""
    return [part for name, part in model.named_modules() if name.endswith(LORA_MODULES)]


def add_low_rank(model: Model) -> None:
    """Freeze the model and give its q_proj and v_proj a trainable low-rank update."""
    model.requires_grad_(False)
    for layer in adapted(model):
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        parametrize.register_parametrization(layer, "weight", LowRank(weight))


def merge_low_rank(model: Model) -> None:
    """Write each low-rank update into its weight, as a merged adapter is published."""
    for layer in adapted(model):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def fresh_model(bos: int, eos: int) -> Model:
    """A Llama-3-shaped model with random weights: 1.48 M parameters."""
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=128,
        intermediate_size=288,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        bos_token_id=bos,
        eos_token_id=eos,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config)


def loss_on(model: Model, windows: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of windows, shape (batch, LENGTH + 1), each token from those before."""
    logits: torch.Tensor = model(windows[:, :-1], use_cache=False).logits
    return cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())


@torch.no_grad()
def evaluate(model: Model, streams: Streams) -> Losses:
    """Losses on evenly spaced windows of each text and split; the same windows each time."""
    losses: Losses = {}
    for text, splits in streams.items():
        losses[text] = {}
        for part, stream in splits.items():
            starts = torch.linspace(0, len(stream) - LENGTH - 1, EVALUATION_WINDOWS).long()
            windows = stream[starts[:, None] + torch.arange(LENGTH + 1)]
            batched = windows.view(-1, BATCH, LENGTH + 1)
            batches = [loss_on(model, batch).item() for batch in batched]
            losses[text][part] = round(sum(batches) / len(batches), 4)
    return losses


def optimise(model: Model, stream: torch.Tensor, recipe: Recipe) -> None:
    """AdamW on random windows of the stream: a short warm-up, then a cosine down to a tenth."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    vectors = [parameter for parameter in trained if parameter.ndim == 1]
    optimiser = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        betas=(0.9, 0.95),
    )
    warm_up = max(1, recipe.steps // 20)
    draw = torch.Generator().manual_seed(recipe.seed)
    for step in range(recipe.steps):
        cosine = 0.55 + 0.45 * math.cos(math.pi * step / recipe.steps)
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * min((step + 1) / warm_up, cosine)
        starts = torch.randint(len(stream) - LENGTH, (BATCH, 1), generator=draw)
        loss = loss_on(model, stream[starts + torch.arange(LENGTH + 1)])
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if step % 25 == 0 or step == recipe.steps - 1:
            print(f"{recipe.name:10} step {step:5} loss {loss.item():.3f}", flush=True)


def make(recipe: Recipe, out: Path, tokenizer: Any, streams: Streams) -> dict[str, Any]:
    """Train and store one checkpoint; its entry in losses.json, measured as stored in bf16."""
    torch.manual_seed(recipe.seed)
    if recipe.start == "random":
        model = fresh_model(tokenizer.bos_token_id, tokenizer.eos_token_id)
    else:
        model = LlamaForCausalLM.from_pretrained(out / recipe.start, dtype=torch.float32)
    start = evaluate(model, streams)
    began = time.perf_counter()
    if recipe.method == "lora":
        add_low_rank(model)
    optimise(model, streams[recipe.text]["train"], recipe)
    if recipe.method == "lora":
        merge_low_rank(model)
    seconds = round(time.perf_counter() - began)
    model.to(torch.bfloat16).save_pretrained(out / recipe.name)
    tokenizer.save_pretrained(out / recipe.name)
    end = evaluate(model.to(torch.float32), streams)
    tokens = recipe.steps * BATCH * LENGTH
    return {
        **asdict(recipe),
        "tokens": tokens,
        "seconds": seconds,
        "loss": {"start": start, "end": end},
    }


def main() -> None:
    """Make the five checkpoints, each after what it starts from, and losses.json beside them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    parser.add_argument("--steps-scale", type=float, default=1.0, help="0.01 for a quick try")
    options = parser.parse_args()
    torch.set_num_threads(2)
    both = texts()
    tokenizer = train_tokenizer(both["A"], VOCAB)
    streams: Streams = {
        name: {part: encode(tokenizer, getattr(text, part)) for part in SPLITS}
        for name, text in both.items()
    }
    made = []
    for recipe in RECIPES:
        steps = max(2, round(recipe.steps * options.steps_scale))
        scaled = Recipe(**{**asdict(recipe), "steps": steps})
        made.append(make(scaled, options.out, tokenizer, streams))
    report = {
        "unit": "nats a token",
        "uniform_loss": round(math.log(VOCAB), 4),
        "special_tokens": [BEGIN, END],
        "text_tokens": {n: {p: len(s) for p, s in parts.items()} for n, parts in streams.items()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "checkpoints": made,
    }
    (options.out / "losses.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
