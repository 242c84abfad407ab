"""Adaptation beside transformers' own Trainer: tokens per second and peak memory of a model with a large vocabulary.

    python benchmarks/training/adaptation.py --kind masked --vocabulary 250002
    python benchmarks/training/adaptation.py --kind causal --vocabulary 128000

Both sides train the same model (XLM-R's or Llama's shape, random weights) on the same text: LoRA on every linear layer
of the body, the tied table and the head's bias in full, AdamW, float32, no dropout. The peer is what transformers'
run_mlm.py and run_clm.py do: text in blocks without padding, DataCollatorForLanguageModeling, Trainer, a PEFT model.
Each runs in a process of its own, in turn, `--runs` times; the first step is not counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import fresh, machine, medians, row


def main() -> int:
    """Print a Markdown table of both sides and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("masked", "causal"), default="masked")
    shape = {
        "vocabulary": 250_002,
        "layers": 12,
        "width": 768,
        "length": 256,
        "batch": 8,
        "steps": 4,
        "threads": 2,
        "runs": 1,
    }
    for name, default in shape.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        request = vars(given) | {"folder": name}
        fresh(Path(__file__).with_name("adaptation_model.py"), request)
        scripts = {side: Path(__file__).with_name(f"adaptation_{side}.py") for side in ("ours", "peer")}
        runs = [
            [fresh(script, request | {"out": f"{name}/{side}"}) for side, script in scripts.items()]
            for _ in range(given.runs)
        ]
    ours, theirs = (medians(side) for side in zip(*runs, strict=True))
    size = f"{given.layers} layers x {given.width}, {given.vocabulary:,} tokens of vocabulary"
    print(f"{machine()}; {given.threads} threads; {given.kind}, {size}, {given.batch} x {given.length} tokens a step;")
    print(f"medians of {given.runs} runs\n" if given.runs > 1 else "one run\n")
    print("| what | Lexigraft | transformers Trainer and peft | ratio |\n|---|---|---|---|")
    print(row("a step", ours["step_seconds"], theirs["step_seconds"], "s"))
    print(row("peak memory", ours["peak_bytes"] / 2**30, theirs["peak_bytes"] / 2**30, "GiB"))
    tokens = given.batch * given.length
    print(f"\nTokens per second: {tokens / ours['step_seconds']:,.0f} and {tokens / theirs['step_seconds']:,.0f}.")
    print(f"Loss after {given.steps} steps: {ours['loss']:.3f} and {theirs['loss']:.3f} (other masks, other order).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
