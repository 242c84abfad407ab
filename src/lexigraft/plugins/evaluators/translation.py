"""Translation by generation, after fine-tuning on parallel text: sacreBLEU's chrF++ and BLEU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator, Files, InputFile, Sample
from lexigraft.core.evaluation.generation import Generation, generate
from lexigraft.core.evaluation.pair_training import Pair, PairTraining, longest_text, reading, train_on_pairs, writing
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.data.parallel_text import SentencePairs
    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class TranslationData(EvaluationData):
    """Parallel text.

    Attributes:
        test: Sentences with their references; each pair is an item.
        train: Pairs to fine-tune on; None where the model is to translate as it is.
    """

    test: SentencePairs
    train: SentencePairs | None


@dataclass(frozen=True)
class Translation(Evaluator):
    """Translation by generation, from sacreBLEU's chrF++ and BLEU (0 to 100), after fine-tuning on parallel text.

    A copy of the model is fine-tuned on the training pairs; without any the model translates as it is. Encoder-decoder
    models read ``source eos`` and write ``target eos``; causal models read ``bos source eos`` and write ``target eos``
    (the loss is on what is written). Nothing is taken from the reference when text is generated. Pairs that hold a
    sentence of the test, on either side, are left out of training and counted. ``sentence_chrfpp`` is the mean of the
    sentences' own chrF++, whose items are kept; ``chrfpp`` and ``bleu`` are those of the whole test.

    Source: Popović 2017 (chrF++); Papineni et al. 2002 (BLEU); Post 2018 (sacreBLEU).

    Attributes:
        epochs: Passes over the training pairs.
        learning_rate: The highest; 3e-4 for encoder-decoder models and 5e-5 for causal ones when not given.
        batch_size: Pairs in a batch, in training and in generation.
        train_pairs: Training pairs at most, from the top of the files.
        test_pairs: Test pairs at most, from the top of the files.
        max_length: Most tokens of a sentence on either side; longer ones are cut, at less where the model takes less.
        beams: Beams; 1 is greedy.
        bleu_tokenizer: sacreBLEU's tokenizer for BLEU: "13a", "intl", "char", "zh", "ja-mecab", …
    """

    name: ClassVar[str] = "translation"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset(("causal", "seq2seq"))
    files: ClassVar[Mapping[str, InputFile]] = {
        "test_source": InputFile("sentences to translate, one a line"),
        "test_target": InputFile("their reference translations, line by line"),
        "train_source": InputFile("sentences to fine-tune on, one a line", required=False),
        "train_target": InputFile("their translations, line by line", required=False),
    }
    epochs: int = 3
    learning_rate: float | None = None
    batch_size: int = 16
    train_pairs: int | None = None
    test_pairs: int | None = None
    max_length: int = 128
    beams: int = 1
    bleu_tokenizer: str = "13a"

    def __post_init__(self) -> None:
        """Refuse settings with which nothing can be trained or generated."""
        _ = self._training, self._generation
        for field in ("train_pairs", "test_pairs", "max_length"):
            if (value := getattr(self, field)) is not None and value < 1:
                raise ValueError(f"{field} must be at least 1")

    @property
    def _training(self) -> PairTraining:
        return PairTraining(self.epochs, self.learning_rate, self.batch_size)

    @property
    def _generation(self) -> Generation:
        return Generation(self.max_length, self.beams, batch_size=self.batch_size)

    def read(self, files: Files) -> TranslationData:
        """Read parallel text.

        Args:
            files: ``test_source`` and ``test_target``, and ``train_source`` and ``train_target`` for fine-tuning.

        Raises:
            LexigraftError: sacreBLEU is not installed or does not know the tokenizer, one side of the training text is
                missing, sides of different length, or no pair is left.
        """
        from lexigraft.core.config.recipe import ParallelSettings
        from lexigraft.core.data.parallel_text import load_parallel

        _metrics(self.bleu_tokenizer)
        given = [side for side in ("train_source", "train_target") if files.get(side)]
        if len(given) == 1:
            raise LexigraftError("training text has one side only", hint="Give both train_source and train_target")

        def pairs(side: str, limit: int | None, unseen: Sequence[str] = ()) -> SentencePairs:
            source, target = (list(files[f"{side}_{language}"]) for language in ("source", "target"))
            return load_parallel(ParallelSettings(source=source, target=target, limit_lines=limit), unseen)

        test = pairs("test", self.test_pairs)
        unseen = tuple(dict.fromkeys((*test.source, *test.target)))
        train = pairs("train", self.train_pairs, unseen) if given else None
        notes = [f"{test.dropped} test pairs are empty or repeated, and left out"] if test.dropped else []
        if train is not None and train.dropped:
            notes.append(f"{train.dropped} training pairs are empty, repeated, or tested on, and left out")
        return TranslationData(
            hash=hash_of([test.hash, train.hash if train else None]),
            size=len(test),
            unseen=unseen,
            notes=tuple(notes),
            test=test,
            train=train,
        )

    def sample(self, folder: Path) -> Sample:
        """Write sentences with translations into the same language."""
        lines = [f"the {word} is in the town" for word in ("river", "house", "school", "market")]
        parts = {"train": lines[:3], "test": lines[3:]}
        files = {}
        for name, part in parts.items():
            for side, text in (("source", part), ("target", [line.upper() for line in part])):
                path = folder / f"{name}.{side}.txt"
                path.write_text("\n".join(text) + "\n", encoding="utf-8")
                files[f"{name}_{side}"] = [str(path)]
        return Sample(files, {"epochs": 1, "max_length": 24})

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: TranslationData, context: EvaluationContext
    ) -> Scores:
        """Fine-tune a copy, generate, and compare with the references.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The parallel text.
            context: The seed.

        Returns:
            ``chrfpp``, ``bleu``, ``sentence_chrfpp``, ``tokens_trained``; sacreBLEU's signatures are in the notes.

        Raises:
            LexigraftError: A tokenizer without an end token, a model that cannot generate, or a diverged training.
        """
        trained, most = 0, longest_text(model, self.max_length)
        if data.train is not None and self.epochs:
            read, _ = reading(model, vocabulary, data.train.source, most)
            written = writing(vocabulary, data.train.target, most)
            pairs = [Pair(*pair) for pair in zip(read, written, strict=True)]
            model, trained = train_on_pairs(model, pairs, self._training, context.seed)
        asked, cut = reading(model, vocabulary, data.test.source, most)
        found = generate(model, vocabulary, asked, replace(self._generation, max_new_tokens=most), context.seed)
        chrf, bleu = _metrics(self.bleu_tokenizer)
        references = list(data.test.target)
        by_sentence = ItemScores.of(
            [chrf.sentence_score(text, [wanted]).score for text, wanted in zip(found, references, strict=True)]
        )
        figures = {
            "chrfpp": chrf.corpus_score(found, [references]).score,
            "bleu": bleu.corpus_score(found, [references]).score,
            "sentence_chrfpp": by_sentence.ratio,
            "tokens_trained": float(trained),
        }
        notes = [f"chrfpp {chrf.get_signature()}", f"bleu {bleu.get_signature()}"]
        notes += [f"{cut} sentences to translate were cut at {most} tokens"] if cut else []
        if empty := sum(not text for text in found):
            notes.append(f"{empty} of {len(found)} translations are empty")
        return Scores(figures, {"sentence_chrfpp": by_sentence}, tuple(notes))


def _metrics(tokenizer: str) -> tuple[Any, Any]:
    """sacreBLEU's chrF++ and BLEU."""
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError:
        raise LexigraftError(
            "evaluator translation needs the package sacrebleu", hint="pip install 'lexigraft[eval]'"
        ) from None
    if tokenizer not in BLEU.TOKENIZERS:
        raise LexigraftError("sacreBLEU has no such tokenizer", tokenizer, f"Known: {', '.join(BLEU.TOKENIZERS)}")
    return CHRF(word_order=2), BLEU(tokenize=tokenizer)
