"""Continued BPE training beside training from scratch by `tokenizers`, on one text in one run.

    python benchmarks/tokenization/continued_bpe.py --megabytes 100 --add 5000

Ours extends GPT-2's vocabulary by `--add` tokens; `tokenizers` learns as many merges on the bytes, with the same
pre-tokenizer. Both are given the lines in memory, each in a process of its own, the two in turn.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import asked, fresh, machine, medians, row
from tokenization.tokenizing import write_text


def main() -> int:
    """Print a Markdown table."""
    given = asked(__doc__, megabytes=20, add=5000, runs=1, threads=2)
    with tempfile.TemporaryDirectory() as name:
        text = write_text(Path(name, "text.txt"), given.megabytes)
        request = {"text": text, "folder": name, "add": given.add}
        runs: dict[str, list[dict[str, float]]] = {"ours": [], "theirs": []}
        for _ in range(given.runs):
            for side, found in runs.items():
                found.append(fresh(Path(__file__), {**request, "side": side}, RAYON_NUM_THREADS=str(given.threads)))
        ours, theirs = medians(runs["ours"]), medians(runs["theirs"])
    print(f"{machine()}; {given.threads} threads; {given.runs} run(s); {given.add:,} tokens\n")
    print(f"| {given.megabytes} MB | continued from GPT-2 | from scratch | ratio |\n|---|---|---|---|")
    print(row("wall time", ours["seconds"], theirs["seconds"], "s"))
    print(row("processor time", ours["processor_seconds"], theirs["processor_seconds"], "s"))
    print(row("peak memory", ours["peak_bytes"] / 1e9, theirs["peak_bytes"] / 1e9, "GB"))
    return 0


def measured(request: dict[str, str]) -> dict[str, float]:
    """Wall and processor seconds of one side, and the peak resident size."""
    import time

    from lexigraft.core.utils.memory import peak_rss_bytes

    lines = Path(request["text"]).read_text(encoding="utf-8").splitlines()
    work = _ours(request, lines) if request["side"] == "ours" else _theirs(request, lines)
    began, used = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - used,
        "peak_bytes": peak_rss_bytes(),
    }


def _ours(request: dict[str, str], lines: list[str]):
    from fixtures.real_tokenizers import load_real
    from lexigraft.core.tokenization.editing.continued_bpe import continue_bpe

    source = load_real("GPT-2", Path(request["folder"]))
    return lambda: continue_bpe(source, lines, int(request["add"]))


def _theirs(request: dict[str, str], lines: list[str]):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + int(request["add"]), initial_alphabet=alphabet, min_frequency=2, show_progress=False
    )
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return lambda: learner.train_from_iterator(lines, trainer)


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(measured(json.loads(sys.argv[1]))))
    else:
        sys.exit(main())
