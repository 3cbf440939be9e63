"""Small checkpoints as transformers would store them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_llama(
    folder: Path,
    *,
    layers: int = 2,
    hidden: int = 16,
    vocabulary: int = 32,
    noise: float = 0.0,
    extra: dict[str, tuple[int, ...]] | None = None,
) -> Path:
    """A Llama-shaped folder. Every call starts from the same values; ``noise`` scales a relative
    change of each. ``extra`` are tensors beside Llama's, by name."""
    mlp, kv = 2 * hidden, hidden // 2
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocabulary, hidden),
        "model.norm.weight": (hidden,),
        "lm_head.weight": (vocabulary, hidden),
        **(extra or {}),
    }
    for layer in range(layers):
        name = f"model.layers.{layer}"
        shapes |= {
            f"{name}.input_layernorm.weight": (hidden,),
            f"{name}.self_attn.q_proj.weight": (hidden, hidden),
            f"{name}.self_attn.k_proj.weight": (kv, hidden),
            f"{name}.self_attn.v_proj.weight": (kv, hidden),
            f"{name}.self_attn.o_proj.weight": (hidden, hidden),
            f"{name}.post_attention_layernorm.weight": (hidden,),
            f"{name}.mlp.gate_proj.weight": (mlp, hidden),
            f"{name}.mlp.up_proj.weight": (mlp, hidden),
            f"{name}.mlp.down_proj.weight": (hidden, mlp),
        }
    folder.mkdir(parents=True)
    save_file(
        {name: _values(name, shape, noise) for name, shape in shapes.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": mlp,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": vocabulary,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": 128,
        "tie_word_embeddings": False,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def _values(name: str, shape: tuple[int, ...], noise: float) -> np.ndarray:
    seed = np.frombuffer(name.encode(), np.uint8)
    generator = np.random.default_rng(seed)
    values = generator.standard_normal(shape)
    values *= 1 + noise * generator.standard_normal(shape)
    return values.astype(np.float32)
