"""Tiny fixture models for the contract suite, built in code, offline and the same every time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import UnknownName
from lexigraft.testing.tiny_tokenizers import Family, tiny_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

POSITIONS = 96


@dataclass(frozen=True)
class FixtureSpec:
    """One tiny model.

    Attributes:
        name: Short name, "architecture-traits".
        architecture: Key of the configuration ("roberta", "bert", "headless", "llama", "phi", "gpt2", "gemma", "t5",
            "mt5").
        source: Tokenizer family of the model.
        target: Tokenizer family to graft.
        tied: Whether input and output table are one tensor.
        bias: Whether the head has a bias.
        pad_rows_to: Table rows are rounded up to a multiple of this.
        dtype: Name of the torch dtype of the weights.
        seed: Seed of the weights.
    """

    name: str
    architecture: str
    source: Family
    target: Family
    tied: bool
    bias: bool = False
    pad_rows_to: int = 1
    dtype: str = "float32"
    seed: int = 0


FIXTURES: tuple[FixtureSpec, ...] = (
    FixtureSpec("roberta-tied-bias", "roberta", "byte_bpe", "unigram", tied=True, bias=True),
    FixtureSpec("bert-tied-bias", "bert", "wordpiece", "wordpiece", tied=True, bias=True),
    FixtureSpec("llama-untied", "llama", "bpe_byte_fallback", "unigram_byte_fallback", tied=False),
    FixtureSpec("llama-tied", "llama", "byte_bpe", "byte_bpe", tied=True),
    FixtureSpec("gpt2-tied", "gpt2", "byte_bpe", "bpe_byte_fallback", tied=True),
    FixtureSpec("gemma-scaled", "gemma", "unigram_byte_fallback", "bpe_byte_fallback", tied=True),
    FixtureSpec("t5-tied", "t5", "unigram_sentinels", "unigram_sentinels", tied=True),
    FixtureSpec("mt5-untied", "mt5", "unigram_sentinels", "unigram_sentinels", tied=False),
    FixtureSpec("roberta-padded", "roberta", "unigram", "unigram", tied=True, bias=True, pad_rows_to=64),
    FixtureSpec("llama-bf16", "llama", "bpe_byte_fallback", "byte_bpe", tied=False, dtype="bfloat16"),
)


def spec(name: str) -> FixtureSpec:
    """The specification with this name; raises ``UnknownName`` for any other."""
    specs = {s.name: s for s in FIXTURES}
    if name not in specs:
        raise UnknownName("fixture model", name, specs)
    return specs[name]


def fixture(name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    """A model, its source tokenizer and a target tokenizer; raises ``UnknownName`` for an unknown name."""
    chosen = spec(name)
    return build(chosen), tiny_tokenizer(chosen.source, "source"), tiny_tokenizer(chosen.target, "target")


def build(chosen: FixtureSpec, tokenizer: PreTrainedTokenizerFast | None = None) -> PreTrainedModel:
    """Make the model of a specification: 2 layers, hidden 16 to 32, in evaluation mode.

    The weights are random, but not plain: every dimension of a table has its own mean, every row its own norm, and no
    bias is zero, so that a method that ignores one of these fails a law. The global random state is left as it was.

    Args:
        chosen: The specification.
        tokenizer: Another tokenizer than the specification's source tokenizer.
    """
    import torch

    tokenizer = tokenizer or tiny_tokenizer(chosen.source, "source")
    # Ids may have gaps.
    rows = -(-(max(tokenizer.get_vocab().values()) + 1) // chosen.pad_rows_to) * chosen.pad_rows_to
    ids = {
        f"{role}_token_id": getattr(tokenizer, f"{role}_token_id")
        for role in ("bos", "eos", "pad")
        if getattr(tokenizer, f"{role}_token_id") is not None
    }
    with torch.random.fork_rng(devices=[]):
        model = ARCHITECTURES[chosen.architecture](rows, chosen.tied, ids)
    table, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head is not None and not chosen.tied and head.weight is table.weight:
        # mT5's configuration says "tied" whatever one asks for; its published checkpoints carry a head of their own.
        head.weight = torch.nn.Parameter(head.weight.detach().clone())
    _draw_weights(model, torch.Generator().manual_seed(chosen.seed))
    for weight in model.parameters():
        # Not model.to(): that would round the rotary frequencies too, which loading a saved model does not.
        weight.data = weight.data.to(getattr(torch, chosen.dtype))
    return model.eval()


def _draw_weights(model: PreTrainedModel, generator: Any) -> None:
    import torch

    tables = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings()) if m is not None}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if id(weight) in tables:
                means = 0.3 * torch.randn(weight.shape[1], generator=generator)
                norms = 0.5 + torch.rand(len(weight), 1, generator=generator)
                weight.copy_(norms * (0.3 * noise + means))
            elif weight.ndim > 1:
                weight.copy_(noise / weight.shape[-1] ** 0.5)
            elif name.endswith("bias"):
                weight.copy_(0.2 * noise)
            else:
                weight.copy_(1.0 + 0.1 * noise)


def _roberta(rows: int, tied: bool, ids: dict[str, int]) -> PreTrainedModel:
    from transformers import RobertaConfig, RobertaForMaskedLM

    shape = _encoder(rows, tied)
    shape["max_position_embeddings"] = max(POSITIONS, ids.get("pad_token_id", 1) + 1 + POSITIONS // 2)
    return RobertaForMaskedLM(RobertaConfig(**shape, type_vocab_size=1, **ids))


def _bert(rows: int, tied: bool, ids: dict[str, int]) -> PreTrainedModel:
    from transformers import BertConfig, BertForMaskedLM

    return BertForMaskedLM(BertConfig(**_encoder(rows, tied), **ids))


def _headless(rows: int, tied: bool, ids: dict[str, int]) -> PreTrainedModel:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**_encoder(rows, tied), **ids))


def _encoder(rows: int, tied: bool) -> dict[str, Any]:
    return {
        "vocab_size": rows,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": POSITIONS,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "tie_word_embeddings": tied,
    }


def _decoder(rows: int, tied: bool) -> dict[str, Any]:
    return {
        "vocab_size": rows,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "intermediate_size": 32,
        "max_position_embeddings": POSITIONS,
        "tie_word_embeddings": tied,
    }


def _llama(rows: int, tied: bool, ids: dict[str, int]) -> PreTrainedModel:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**_decoder(rows, tied), **ids))


def _gemma(rows: int, tied: bool, ids: dict[str, int]) -> PreTrainedModel:
    from transformers import GemmaConfig, GemmaForCausalLM

    return GemmaForCausalLM(GemmaConfig(**_decoder(rows, tied), hidden_activation="gelu_pytorch_tanh", **ids))


def _phi(rows: int, tied: bool, ids: dict[str, int]) -> PreTrainedModel:
    from transformers import PhiConfig, PhiForCausalLM

    return PhiForCausalLM(PhiConfig(**_decoder(rows, tied), **ids))


def _gpt2(rows: int, tied: bool, ids: dict[str, int]) -> PreTrainedModel:
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = {"vocab_size": rows, "n_embd": 24, "n_layer": 2, "n_head": 2, "n_positions": POSITIONS}
    dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return GPT2LMHeadModel(GPT2Config(**shape, **dropout, tie_word_embeddings=tied, **ids))


def _t5(rows: int, tied: bool, ids: dict[str, int]) -> PreTrainedModel:
    from transformers import T5Config, T5ForConditionalGeneration

    return T5ForConditionalGeneration(T5Config(**_encoder_decoder(rows, tied, ids)))


def _mt5(rows: int, tied: bool, ids: dict[str, int]) -> PreTrainedModel:
    from transformers import MT5Config, MT5ForConditionalGeneration

    return MT5ForConditionalGeneration(MT5Config(**_encoder_decoder(rows, tied, ids), feed_forward_proj="gated-gelu"))


def _encoder_decoder(rows: int, tied: bool, ids: dict[str, int]) -> dict[str, Any]:
    shape = {"vocab_size": rows, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    kept = {k: v for k, v in ids.items() if k != "bos_token_id"}
    return {
        **shape,
        **kept,
        "num_decoder_layers": 2,
        "dropout_rate": 0.0,
        "tie_word_embeddings": tied,
        "decoder_start_token_id": ids["pad_token_id"],
    }


ARCHITECTURES: dict[str, Callable[[int, bool, dict[str, int]], PreTrainedModel]] = {
    "roberta": _roberta,
    "bert": _bert,
    "headless": _headless,
    "llama": _llama,
    "phi": _phi,
    "gpt2": _gpt2,
    "gemma": _gemma,
    "t5": _t5,
    "mt5": _mt5,
}
