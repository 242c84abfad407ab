"""`make gpu-check`: every strategy and the adaptation on a GPU, beside the same on processors; then how fast it trains.

Bounds, on made models of a few thousand parameters:

- rows of a strategy: 1e-3 of their norm; 5e-2 where they are learned, because each step builds on the last;
- losses of 8 steps of adaptation: 1e-3 nats in float32; 5e-2 nats in bfloat16.

Speed: tokens per second of a masked model of 110 million parameters and a causal one of 1.2 billion, random weights,
LoRA on the body and tables in full, bfloat16; and the share of the rate that the card reaches in one large product of
matrices. Operations are those that torch counts in a step, forward and backward.

Exit code 1 where a bound is broken. Without a GPU nothing is checked, and it says so. `--device cpu --small` runs the
same code on processors, with small models, and thereby checks nothing but the code.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from gpu_strategies import compare_strategies
from measure import fresh, machine

LOSS_BOUNDS = {"float32": 1e-3, "bfloat16": 5e-2}


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
    for fixture in ("roberta-tied-bias", "llama-untied", "t5-tied"):
        for precision, bound in LOSS_BOUNDS.items():
            broken += compare_losses(fixture, precision, bound)
    for kind in ("masked", "causal"):
        speed(kind, given.device, given.small)
    print(f"\n{broken} bounds broken" if broken else "\nall bounds hold")
    return int(broken > 0)


def compare_losses(fixture: str, precision: str, bound: float) -> int:
    """Adapt with and without the device; whether the losses differ by more than the bound."""
    script = Path(__file__).with_name("gpu_losses.py")
    there = fresh(script, {"fixture": fixture, "precision": precision})["losses"]
    here = fresh(script, {"fixture": fixture, "precision": "float32"}, CUDA_VISIBLE_DEVICES="")["losses"]
    difference = max(abs(a - b) for a, b in zip(there, here, strict=True))
    print(
        f"{'ok' if difference <= bound else 'BROKEN':7}losses of {fixture} in {precision}: differ by {difference:.1e}"
    )
    return int(not difference <= bound)


def speed(kind: str, device: str, small: bool) -> None:
    """Print tokens per second and the share of the device's own rate."""
    script = Path(__file__).with_name("gpu_speed.py")
    found = fresh(script, {"kind": kind, "device": device, "small": small})
    share = found["operations_per_second"] / found["matmul_rate"]
    print(
        f"{kind}, {found['parameters'] / 1e6:,.1f}M parameters, attention {found['attention']}: "
        f"{found['tokens_per_second']:,.0f} tokens/s, {share:.0%} of {found['matmul_rate'] / 1e12:,.3g} TFLOP/s"
    )


if __name__ == "__main__":
    sys.exit(main())
