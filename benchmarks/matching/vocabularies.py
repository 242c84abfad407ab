"""Matching two vocabularies of 250,002 tokens beside deepfocus: reading them included, on both sides."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import asked, fresh, machine, medians, row, seconds
from parity.environments import DEEPFOCUS, ask
from parity.sentencepiece_pairs import xlmr_tokenizer


def main() -> int:
    """Print a Markdown table of both sides and their ratio."""
    asked(__doc__)
    with tempfile.TemporaryDirectory() as name:
        folders = {side: f"{name}/{side}" for side in ("source", "target")}
        for folder in folders.values():
            xlmr_tokenizer().save_pretrained(folder)
        asked_of_theirs = folders | {"out": f"{name}/theirs.npz"}
        runs = [
            (fresh(Path(__file__), folders), ask(DEEPFOCUS, "deepfocus_worker.py", asked_of_theirs)) for _ in range(3)
        ]
        ours, theirs = (medians(side) for side in zip(*runs, strict=True))
    print(f"{machine()}; XLM-R's 250,002 pieces on both sides; {theirs['overlap']:,} matched by deepfocus, ")
    print(f"{ours['matched']:,} by Lexigraft; medians of three runs, the two sides in turn\n")
    print("| what | Lexigraft | deepfocus 1.0.1 | ratio |\n|---|---|---|---|")
    print(row("matching", ours["seconds"], theirs["align_seconds"], "s"))
    print(f"\nOf ours, {ours['handed_seconds']:.2f} s is what the tokenizers take to hand out their tokens.")
    return 0


def measured(folders: dict[str, str]) -> dict[str, float]:
    """Seconds of both vocabularies and their alignment, and of the part that is the tokenizers' own."""
    from transformers import PreTrainedTokenizerFast

    from lexigraft.core.tokenization.matching.alignment import align
    from lexigraft.core.tokenization.vocabulary import Vocabulary

    tokenizers = [PreTrainedTokenizerFast.from_pretrained(folders[side]) for side in ("source", "target")]
    backends = [tokenizer.backend_tokenizer for tokenizer in tokenizers]
    handed = seconds(lambda: [list(map(b.id_to_token, range(b.get_vocab_size()))) for b in backends])
    found = []
    took = seconds(lambda: found.append(align(*map(Vocabulary.of, tokenizers))))
    return {"seconds": took, "handed_seconds": handed, "matched": len(found[0].matched)}


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(measured(json.loads(sys.argv[1]))))
    else:
        sys.exit(main())
