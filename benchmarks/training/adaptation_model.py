"""The model, tokenizer and text that both sides of the adaptation benchmark read."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForMaskedLM

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from parity.sentencepiece_pairs import DATA, xlmr_tokenizer


def main(request: dict[str, Any]) -> dict[str, int]:
    """Write them; the answer says how many parameters the model has."""
    folder = Path(request["folder"])
    tokenizer = xlmr_tokenizer(request["vocabulary"])
    tokenizer.save_pretrained(folder / "model")
    with gzip.open(DATA / "swahili" / "train.swa.gz", "rt", encoding="utf-8") as file:
        lines = [line.strip() for _, line in zip(range(2_000), file, strict=False)]
    (folder / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    torch.manual_seed(0)
    model = _model(request, tokenizer)
    model.save_pretrained(folder / "model")
    return {"parameters": model.num_parameters()}


def _model(request: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> Any:
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": request["width"],
        "num_hidden_layers": request["layers"],
        "num_attention_heads": request["width"] // 64,
        "intermediate_size": 4 * request["width"],
        "max_position_embeddings": request["length"] + 2,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": True,
    }
    if request["kind"] == "causal":
        return LlamaForCausalLM(LlamaConfig(**shape))
    return XLMRobertaForMaskedLM(
        XLMRobertaConfig(**shape, type_vocab_size=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    )


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
