"""A model and a donor, Llama-shaped, whose tokenizers share part of their tokens and no special token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lexigraft.testing.sample_text import SAMPLE

# Other roles on each side: special tokens that the two shared would be anchors of the other implementation.
ROLES = {"model": {"bos_token": "<s>", "eos_token": "</s>"}, "donor": {"pad_token": "[PAD]", "unk_token": "[UNK]"}}


@dataclass(frozen=True)
class LlamaPair:
    """Folders written by ``save_pretrained``: the model that gets a new vocabulary, and the donor."""

    model: Path
    donor: Path


def trained_pair(folder: Path, family: str, *, tied: bool, widths: tuple[int, int]) -> LlamaPair:
    """Tokenizers trained on the two pages of the sample text.

    Args:
        folder: Where to write.
        family: "byte_level" or "sentencepiece": how the BPE marks word starts.
        tied: Whether each model's input and output table are one.
        widths: Hidden sizes of the model and of the donor.

    Returns:
        The two folders.
    """
    tokenizers = [_trained(SAMPLE[v], family, ROLES[side]) for v, side in (("source", "model"), ("target", "donor"))]
    return _write(folder, *tokenizers, tied, widths)


def listed_pair(folder: Path, shared: int, new: int, *, widths: tuple[int, int], tied: bool = True) -> LlamaPair:
    """Tokenizers of made words without merges, any number of them shared, in another order."""
    both = [f"Ġs{i}x" for i in range(shared)]
    source = listed([*both, *(f"Ġo{i}y" for i in range(100))], ROLES["model"])
    target = listed([*(f"Ġn{i}z" for i in range(new)), *reversed(both)], ROLES["donor"])
    return _write(folder, source, target, tied, widths)


def _trained(text: str, family: str, roles: dict[str, str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if family == "byte_level":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        alphabet = ["▁", *sorted(set("".join(text.split())))]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=list(roles.values()), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(text.splitlines(), trainer)
    return _fast(tokenizer, roles)


def listed(tokens: list[str], roles: dict[str, str]) -> Any:
    """A byte-level tokenizer without merges that has these tokens, and the bytes to spell all others."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {token: i for i, token in enumerate([*roles.values(), *alphabet, *tokens])}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(roles.values()))
    return _fast(tokenizer, roles)


def _fast(tokenizer: Any, roles: dict[str, str]) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles, clean_up_tokenization_spaces=False)


def _write(folder: Path, source: Any, target: Any, tied: bool, widths: tuple[int, int]) -> LlamaPair:
    from transformers import LlamaConfig, LlamaForCausalLM

    pair = LlamaPair(folder / "model", folder / "donor")
    generator = torch.Generator().manual_seed(0)
    for path, tokenizer, width in zip((pair.model, pair.donor), (source, target), widths, strict=True):
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            intermediate_size=16,
            max_position_embeddings=64,
            tie_word_embeddings=tied,
            **{f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "pad")},
        )
        with torch.random.fork_rng(devices=[]):
            model = LlamaForCausalLM(config)
        for table in {id(m.weight): m.weight for m in (model.model.embed_tokens, model.lm_head)}.values():
            # Rows of unlike lengths about a mean, as trained tables have.
            rows = torch.randn(table.shape, generator=generator) + 0.3 * torch.randn(
                table.shape[1], generator=generator
            )
            lengths = 0.02 * (0.5 + torch.rand(len(table), 1, generator=generator))
            table.data.copy_(lengths * rows)
        model.save_pretrained(path)
        tokenizer.save_pretrained(path)
    return pair
