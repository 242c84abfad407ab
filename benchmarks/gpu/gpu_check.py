"""`make gpu-check`: every strategy and the adaptation on a GPU, beside the same on processors; then how fast it trains.

Bounds, on made models of a few thousand parameters:

- rows of a strategy: 1e-3 of their norm; 5e-2 where they are learned, because each step builds on the last;
- losses of 8 steps of adaptation: 1e-3 nats in float32; 5e-2 nats in bfloat16;
- scores of a comparison from the command line, 4 steps in float32: 1e-2.

Speed: tokens per second of a masked model of 110 million parameters and a causal one of 1.2 billion, random weights,
LoRA on the body and tables in full, bfloat16; beside transformers' own Trainer with peft; and the share of the rate
that the card reaches in one large product of matrices. Operations are those of the matrix products in a step, forward
and backward, with attention over all pairs of tokens.

Exit code 1 where a bound is broken. Without a GPU nothing is checked, and it says so. `--device cpu --small` runs the
same code on processors, with small models, and thereby checks nothing but the code.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from gpu.gpu_comparison import compare_comparisons
from gpu.gpu_strategies import compare_strategies
from measure import fresh, machine, row

LOSS_BOUNDS = {"float32": 1e-3, "bfloat16": 5e-2}
FIXTURES = ("roberta-tied-bias", "llama-untied", "t5-tied")


def main() -> int:
    """Print what was compared and measured; 1 where a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="models that processors can train")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print("SKIPPED: there is no GPU here, so gpu-check has checked NOTHING", file=sys.stderr)
        return 0
    print(torch.cuda.get_device_name() if given.device == "cuda" else machine())
    broken = compare_strategies(given.device)
    broken += compare_losses() + compare_comparisons()
    for kind in ("masked", "causal"):
        speed(kind, given.device, given.small)
    print(f"\n{broken} bounds broken" if broken else "\nall bounds hold")
    return int(broken > 0)


def compare_losses() -> int:
    """Adapt with and without the device; how many losses differ by more than the bound."""
    script, broken = Path(__file__).with_name("gpu_losses.py"), 0
    there = fresh(script, {"fixtures": FIXTURES, "precisions": list(LOSS_BOUNDS)})
    here = fresh(script, {"fixtures": FIXTURES, "precisions": ["float32"]}, CUDA_VISIBLE_DEVICES="")
    for fixture in FIXTURES:
        for precision, bound in LOSS_BOUNDS.items():
            pairs = zip(there[f"{fixture} in {precision}"], here[f"{fixture} in float32"], strict=True)
            difference = max(abs(a - b) for a, b in pairs)
            broken += not difference <= bound
            said = "ok" if difference <= bound else "BROKEN"
            print(f"{said:7}losses of {fixture} in {precision}: differ by {difference:.1e}")
    return broken


def speed(kind: str, device: str, small: bool) -> None:
    """Print tokens per second beside the peer's, memory of the GPU, and the share of the device's own rate."""
    request = {"kind": kind, "device": device, "small": small}
    ours, theirs = (fresh(Path(__file__).with_name(f"gpu_{side}.py"), request) for side in ("speed", "peer"))
    share = ours["operations"] / ours["step_seconds"] / ours["matmul_rate"]
    print(
        f"\n{kind}, {ours['parameters'] / 1e6:,.1f}M parameters, attention {ours['attention']}, "
        f"{ours['tokens']:,} tokens a step: {ours['tokens'] / ours['step_seconds']:,.0f} tokens/s, "
        f"{share:.0%} of {ours['matmul_rate'] / 1e12:,.3g} TFLOP/s\n\n"
        "| what | Lexigraft | transformers Trainer and peft | ratio |\n|---|---|---|---|"
    )
    print(row("a step", 1e3 * ours["step_seconds"], 1e3 * theirs["step_seconds"], "ms"))
    if ours["peak_bytes"]:
        print(row("peak memory of the GPU", ours["peak_bytes"] / 2**30, theirs["peak_bytes"] / 2**30, "GiB"))


if __name__ == "__main__":
    sys.exit(main())
