"""The checkpoint and the target tokenizer of the surgery benchmark: written shard by shard, never as one model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from lexigraft.core.models.checkpoint import INDEX

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from parity.llama_pairs import ROLES, listed

TABLES = ("model.embed_tokens.weight", "lm_head.weight")
WIDTH, INNER, LAYERS_A_SHARD = 4096, 14_336, 4


def main(request: dict[str, Any]) -> dict[str, int]:
    """Write them; the answer says how large the checkpoint is."""
    folder = Path(request["folder"])
    shared = [f"Ġs{i}x" for i in range(request["shared"])]
    old = listed([*shared, *(f"Ġo{i}y" for i in range(request["tokens"] - len(shared)))], ROLES["model"])
    new = listed([*(f"Ġn{i}z" for i in range(request["new"])), *reversed(shared)], ROLES["donor"])
    old.save_pretrained(folder / "model")
    new.save_pretrained(folder / "target")
    config = _config(old, request["gigabytes"] * 10**9)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    config.save_pretrained(folder / "model")
    shards: dict[int, list[str]] = {}
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    for name in shapes:
        shards.setdefault(_shard(name, config.num_hidden_layers), []).append(name)
    weight_map, size = {}, 0
    generator = torch.Generator().manual_seed(0)
    for number, names in sorted(shards.items()):
        file = f"model-{number + 1:05d}-of-{len(shards):05d}.safetensors"
        tensors = {n: torch.empty(shapes[n], dtype=torch.bfloat16).uniform_(-1, 1, generator=generator) for n in names}
        save_file(tensors, folder / "model" / file, {"format": "pt"})
        weight_map |= dict.fromkeys(names, file)
        size += sum(2 * tensor.numel() for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / "model" / INDEX).write_text(json.dumps(index), encoding="utf-8")
    return {"bytes": size, "shards": len(shards)}


def _config(tokenizer: Any, size: int) -> LlamaConfig:
    """Llama 3's shape with as many layers as make a checkpoint of this size."""
    layer = 2 * (2 * WIDTH * WIDTH + 2 * WIDTH * WIDTH // 4 + 3 * WIDTH * INNER)
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=max(1, round((size - 4 * len(tokenizer) * WIDTH) / layer)),
        num_attention_heads=WIDTH // 128,
        num_key_value_heads=WIDTH // 512,
        tie_word_embeddings=False,
        dtype="bfloat16",
        architectures=["LlamaForCausalLM"],
        **{f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos")},
    )


def _shard(name: str, layers: int) -> int:
    """The input table first, then the layers, then the head."""
    if ".layers." in name:
        return 1 + int(name.split(".")[2]) // LAYERS_A_SHARD
    return 0 if "embed_tokens" in name else 1 + (layers + LAYERS_A_SHARD - 1) // LAYERS_A_SHARD


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
