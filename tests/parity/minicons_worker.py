"""Log-probabilities of sentences by minicons, within words from left to right. Runs in its own environment."""

from __future__ import annotations

import json
import sys

from minicons.scorer import MaskedLMScorer
from transformers import AutoModelForMaskedLM, PreTrainedTokenizerFast

request = json.loads(sys.argv[1])
tokenizer = PreTrainedTokenizerFast.from_pretrained(request["folder"])
model = AutoModelForMaskedLM.from_pretrained(request["folder"]).eval()
scorer = MaskedLMScorer(model, "cpu", tokenizer=tokenizer)
nats = {
    metric: [scorer.sequence_score([text], reduction=lambda x: x.sum(0).item(), PLL_metric=metric)[0]
             for text in request["texts"]]
    for metric in ("within_word_l2r", "original")
}  # fmt: skip
print(json.dumps(nats))
