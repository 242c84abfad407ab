"""Models with task heads after pruning: the heads are untouched, and the texts that stay get the same bits."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from lexigraft.api.graft import graft
from lexigraft.api.tokenizers.prune import prune_tokenizer
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_models import fixture

LINES = SAMPLE["source"].splitlines()[:3]
LABELS = {0: "O", 1: "B-LOC", 2: "I-LOC"}
CASES: list[tuple[str, Any]] = [
    ("roberta-tied-bias", AutoModelForTokenClassification),
    ("bert-tied-bias", AutoModelForTokenClassification),
    ("roberta-padded", AutoModelForSequenceClassification),
    ("llama-tied", AutoModelForSequenceClassification),
    ("bert-tied-bias", AutoModelForQuestionAnswering),
    ("bert-tied-bias", AutoModel),
]


@pytest.mark.parametrize(("name", "auto"), CASES, ids=[f"{name}-{auto.__name__}" for name, auto in CASES])
def test_a_pruned_model_keeps_its_head_and_what_it_says(name: str, auto: Any, tmp_path: Path) -> None:
    language_model, tokenizer, _ = fixture(name)
    config = copy.deepcopy(language_model.config)
    if auto is not AutoModelForQuestionAnswering:  # which has two: where the answer starts and ends
        config.id2label, config.label2id = LABELS, {label: i for i, label in LABELS.items()}
    torch.manual_seed(0)
    model = auto.from_config(config).eval()
    source, pruned, out, text = (tmp_path / n for n in ("source", "pruned", "out", "text.txt"))
    model.save_pretrained(source)
    tokenizer.save_pretrained(source)
    text.write_text("\n".join(LINES), encoding="utf-8")
    found = prune_tokenizer(source, [text], pruned, drop_unused=True)
    assert found.dropped > 20
    graft(str(source), str(pruned), "mean", out=out)

    grafted = auto.from_pretrained(out).eval()
    assert type(grafted) is type(model)
    assert grafted.config.id2label == config.id2label
    before, after = model.state_dict(), grafted.state_dict()
    assert before.keys() == after.keys()
    table = [name for name, tensor in before.items() if not torch.equal(tensor, after[name][: len(tensor)])]
    assert [n.rsplit(".", 2)[-2] for n in table] in (["word_embeddings"], ["embed_tokens"])
    assert len(after[table[0]]) == found.tokens
    # Texts of different lengths: a decoder's head reads the last token that does not pad, by the id of padding.
    both = (AutoTokenizer.from_pretrained(folder)(LINES, padding=True, return_tensors="pt") for folder in (source, out))
    with torch.no_grad():
        wanted, given = (
            one(input_ids=batch.input_ids, attention_mask=batch.attention_mask)[0]
            for one, batch in zip((model, grafted), both, strict=True)
        )
    assert torch.equal(given, wanted)
