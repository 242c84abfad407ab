"""What transformers 4 reads from a folder: ids of texts, and logits. Runs in its own environment."""

from __future__ import annotations

import json
import sys

import torch
import transformers

request = json.loads(sys.argv[1])
tokenizer = transformers.AutoTokenizer.from_pretrained(request["folder"])
ids = [tokenizer(text)["input_ids"] for text in request["texts"]]
model = getattr(transformers, request["auto_class"]).from_pretrained(request["folder"]).eval()
inputs = {"input_ids": torch.tensor([ids[0]])}
if model.config.is_encoder_decoder:
    inputs["decoder_input_ids"] = inputs["input_ids"]
with torch.no_grad():
    logits = model(**inputs).logits
print(json.dumps({"version": transformers.__version__, "ids": ids, "logits": logits.tolist()}))
