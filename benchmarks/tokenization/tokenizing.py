"""Writing a corpus as a target tokenizer's tokens, what fastText then learns from, beside deepfocus; and its memory.

    python benchmarks/tokenization/tokenizing.py --megabytes 2000

Both sides tokenize the same Swahili text of `--peer-megabytes`, and one five times as long, with FOCUS's Unigram
tokenizer, all threads, to a file. Then vectors are trained on the smaller text, from text to vectors, and by fastText
alone from the file of tokens. Last, ours reads, cleans and tokenizes a text of `--megabytes`, and a quarter of it, to
show that memory stays.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import asked, fresh, machine, row, seconds
from parity.environments import DEEPFOCUS, ask
from parity.sentencepiece_pairs import swahili_lines, swahili_tokenizer


def main() -> int:
    """Print a Markdown table of both sides at two sizes, then one of ours alone."""
    given = asked(__doc__, megabytes=400, peer_megabytes=4, threads=2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        swahili_tokenizer().save_pretrained(folder / "tokenizer")
        request = {"folder": name, "threads": given.threads}
        print(f"{machine()}; {given.threads} threads; one run\n")
        print("| reading and tokenizing | Lexigraft | deepfocus 1.0.1 | ratio |\n|---|---|---|---|")
        for megabytes in (given.peer_megabytes, 5 * given.peer_megabytes):
            both = request | {"text": write_text(folder / f"{megabytes}.txt", megabytes)}
            ours = fresh(Path(__file__), both)
            theirs = ask(DEEPFOCUS, Path(__file__).with_name("tokenizing_peer.py"), both)
            print(row(f"{megabytes} MB", ours["seconds"], theirs["seconds"], "s"))
        print(f"\n{theirs['apart']:,} of {theirs['lines']:,} lines differ (how unknown characters are written).\n")
        text = str(folder / f"{given.peer_megabytes}.txt")
        trained = fresh(Path(__file__), request | {"text": text, "train": True})
        print("| vectors, one thread | Lexigraft, tokenizing included | fastText alone | ratio |\n|---|---|---|---|")
        print(row(f"{given.peer_megabytes} MB", trained["seconds"], trained["alone_seconds"], "s"), "\n")
        print("| text | time | peak memory |\n|--:|--:|--:|")
        for megabytes in (given.megabytes // 4, given.megabytes):
            alone = fresh(Path(__file__), request | {"text": write_text(folder / "large.txt", megabytes)})
            print(f"| {megabytes:,} MB | {alone['seconds']:.0f} s | {alone['peak_bytes'] / 1e9:.2f} GB |")
    return 0


def write_text(path: Path, megabytes: int) -> str:
    """The Swahili news again and again, each line with a number; every time, one word of each line is a new one."""
    lines = [line.split(" ") for line in swahili_lines(40_000)]
    size = number = 0
    with path.open("w", encoding="utf-8") as file:
        while size < megabytes * 10**6:
            turn, at = divmod(number, len(lines))
            words = lines[at].copy()
            words[turn % len(words)] += str(turn or "")
            size += file.write(f"{number // 1000} {number % 1000} {' '.join(words)}\n")
            number += 1
    return str(path)


def measured(request: dict[str, str]) -> dict[str, float]:
    """Seconds from a text file to a file of tokens, and the peak resident size."""
    import os

    os.environ["RAYON_NUM_THREADS"] = str(request["threads"])
    from lexigraft.adapters.vectors.target_vectors import escaped, tokenized_lines
    from lexigraft.core.data.corpus import load_corpus
    from lexigraft.core.tokenization.files.loading import load_vocabulary
    from lexigraft.core.utils.memory import peak_rss_bytes

    folder = Path(request["folder"])
    vocabulary = load_vocabulary(str(folder / "tokenizer"))

    def work() -> None:
        lines = load_corpus([request["text"]]).lines
        with (folder / "ours.txt").open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(tokenized_lines(lines, vocabulary, [escaped(t) for t in vocabulary.tokens]))

    return {"seconds": seconds(work), "peak_bytes": peak_rss_bytes()}


def trained(request: dict[str, str]) -> dict[str, float]:
    """Seconds from a text file to vectors, and those that fastText takes where it is given the tokens in a file."""
    import fasttext

    from lexigraft.adapters.vectors.target_vectors import resolved, train_target_vectors
    from lexigraft.core.config.recipe import VectorSettings
    from lexigraft.core.data.corpus import load_corpus
    from lexigraft.core.tokenization.files.loading import load_vocabulary

    folder = Path(request["folder"])
    vocabulary, settings = load_vocabulary(str(folder / "tokenizer")), VectorSettings(epochs=3)
    given = resolved(settings, load_corpus([request["text"]]), vocabulary)
    options = {"dim": given["dim"], "neg": given["negatives"], "epoch": given["epochs"], "minCount": given["min_count"]}
    shortest, longest = given["char_ngrams"]
    options |= {"minn": shortest, "maxn": longest, "thread": given["threads"], "model": "cbow", "verbose": 0}
    measured(request)  # leaves the tokens
    alone = seconds(lambda: fasttext.train_unsupervised(str(folder / "ours.txt"), **options))
    whole = seconds(lambda: train_target_vectors(load_corpus([request["text"]]), vocabulary, settings, folder))
    return {"seconds": whole, "alone_seconds": alone}


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        request = json.loads(sys.argv[1])
        print(json.dumps((trained if "train" in request else measured)(request)))
    else:
        sys.exit(main())
