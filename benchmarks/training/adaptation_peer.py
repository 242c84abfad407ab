"""The peer's half of the adaptation benchmark: transformers' Trainer with its own collator and loss, and peft."""

from __future__ import annotations

import json
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from lexigraft.core.utils.memory import peak_rss_bytes


class Watch(TrainerCallback):
    """Notes when each step ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """One more."""
        self.times.append(time.perf_counter())


def main(request: dict[str, Any]) -> dict[str, float]:
    """Seconds of a step, the last loss, and the peak resident size of the process."""
    torch.set_num_threads(int(request["threads"]))
    folder = Path(request["folder"])
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    kind = AutoModelForMaskedLM if request["kind"] == "masked" else AutoModelForCausalLM
    data = blocks(tokenizer, (folder / "text.txt").read_text(encoding="utf-8"), request["length"])
    times, losses = trained(kind.from_pretrained(folder / "model"), tokenizer, data, request, use_cpu=True)
    return {
        "step_seconds": (times[-1] - times[0]) / request["steps"],
        "loss": losses[-1],
        "peak_bytes": peak_rss_bytes(),
    }


def trained(
    model: Any, tokenizer: Any, data: list[dict[str, list[int]]], request: dict[str, Any], **how: Any
) -> tuple[list[float], list[float]]:
    """When each step ended, the first included, and its loss; one is logged each, so a GPU has ended it too."""
    body = [
        n for n, m in model.base_model.named_modules(prefix=model.base_model_prefix) if isinstance(m, torch.nn.Linear)
    ]
    adapted = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=body))
    for parameter in (model.get_input_embeddings().weight, *model.get_output_embeddings().parameters()):
        parameter.requires_grad_(True)
    watch = Watch()
    arguments = TrainingArguments(
        output_dir=request["out"],
        per_device_train_batch_size=request["batch"],
        max_steps=request["steps"] + 1,
        learning_rate=1e-3,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        **how,
    )
    trainer = Trainer(
        model=adapted,
        args=arguments,
        train_dataset=data,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=request["kind"] == "masked", mlm_probability=0.15),
        callbacks=[watch],
    )
    trainer.train()
    return watch.times, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def blocks(tokenizer: Any, text: str, length: int) -> list[dict[str, list[int]]]:
    """Lines end to end in blocks of one length; what is left is dropped."""
    ids = list(chain.from_iterable(tokenizer(text.split("\n"))["input_ids"]))
    return [{"input_ids": ids[at : at + length]} for at in range(0, len(ids) - length + 1, length)]


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
