"""Language fidelity: texts of made models, identified by a fastText model trained here; and what is refused."""

from __future__ import annotations

from pathlib import Path

import fasttext
import pytest
import torch
from transformers import PreTrainedModel

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.evaluation.language_identifier import LanguageIdentifier
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.language_fidelity import LanguageFidelity
from lexigraft.testing.tiny_models import fixture

LABELS = {"quy_Latn": "z z z", "spa_Latn": "a a a", "eng_Latn": "the river"}


@pytest.fixture(scope="module")
def identifier(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that knows three languages by their letters."""
    folder = tmp_path_factory.mktemp("identifier")
    lines = [f"__label__{label} {text}\n" for label, text in LABELS.items() for _ in range(60)]
    (folder / "train.txt").write_text("".join(lines))
    options = {"dim": 8, "epoch": 20, "minn": 1, "maxn": 2, "thread": 1, "verbose": 0, "bucket": 1000, "lr": 1.0}
    fasttext.train_supervised(str(folder / "train.txt"), **options).save_model(str(folder / "lid.bin"))
    return str(folder / "lid.bin")


@pytest.fixture
def prompts(tmp_path: Path) -> str:
    (tmp_path / "prompts.txt").write_text("z z\n\na\nz z z\nz z\n")
    return str(tmp_path / "prompts.txt")


def writer(token: str) -> tuple[PreTrainedModel, Vocabulary]:
    """A model that writes one token again and again."""
    model, tokenizer, _ = fixture("gpt2-tied")
    vocabulary = Vocabulary.of(tokenizer)
    logits = torch.full((model.config.vocab_size,), -30.0)
    logits[vocabulary.id_of(token)] = 0.0
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.zero_()
        model.transformer.ln_f.bias[0] = 1.0
        model.lm_head.weight[:, 0] = logits
    return model, vocabulary


def scores(evaluator: LanguageFidelity, loaded: tuple[PreTrainedModel, Vocabulary], *files: str) -> Scores:
    data = read_data(evaluator, {"prompts": [files[0]], "identifier": [files[1]]})
    return evaluator.evaluate(*loaded, data, EvaluationContext(seed=1))


@pytest.mark.parametrize(("token", "language", "fidelity"), [("z", "quy_Latn", 1.0), ("a", "__label__quy_Latn", 0.0)])
def test_a_made_model_gets_the_known_share(
    identifier: str, prompts: str, token: str, language: str, fidelity: float
) -> None:
    """Of the three prompts two are in the wanted language: 2 / 3, whatever the model writes."""
    found = scores(LanguageFidelity(language=language, max_new_tokens=5), writer(token), prompts, identifier)
    assert found.main == "language_fidelity"
    assert found.items["language_fidelity"].numerators.tolist() == [fidelity] * 3
    assert found.figures["language_fidelity"] == fidelity
    assert found.figures["language_probability"] == pytest.approx(fidelity, abs=0.05)
    assert found.figures["prompt_fidelity"] == pytest.approx(2 / 3)
    assert found.figures["empty_share"] == 0.0
    assert found.notes == (() if fidelity else ("other languages: spa_Latn 3",))


def test_an_empty_text_is_wrong(identifier: str, prompts: str) -> None:
    found = scores(LanguageFidelity(language="quy_Latn"), writer("</s>"), prompts, identifier)
    assert found.figures["empty_share"] == 1.0
    assert (found.figures["language_fidelity"], found.figures["language_probability"]) == (0.0, 0.0)


def test_the_probability_is_the_identifiers_own(identifier: str) -> None:
    labels, values = fasttext.load_model(identifier).predict("z a", k=3)
    wanted = dict(zip(labels, values, strict=True))
    [found] = LanguageIdentifier(identifier).identify(["z\n a"], "spa_Latn")
    assert found.probability == pytest.approx(wanted["__label__spa_Latn"])
    assert found.language == labels[0].removeprefix("__label__")


@pytest.mark.parametrize("name", ["llama-untied", "t5-tied"])
def test_samples_are_seeded(name: str, identifier: str, prompts: str) -> None:
    model, tokenizer, _ = fixture(name)
    loaded = model, Vocabulary.of(tokenizer)
    evaluator = LanguageFidelity(language="eng_Latn", max_new_tokens=6, temperature=1.0, top_p=0.9)
    assert (
        scores(evaluator, loaded, prompts, identifier).figures == scores(evaluator, loaded, prompts, identifier).figures
    )


def test_prompts_are_cut_to_words_and_long_ones_lose_their_start(identifier: str, tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("z a z\nz a b\nthe river\n" + "z " * 500)
    data = read_data(
        LanguageFidelity(language="quy_Latn", prompt_words=2, max_prompts=3),
        {"prompts": [str(path)], "identifier": [identifier]},
    )
    assert data.prompts == ["z a", "the river"]
    assert data.unseen == ("z a z", "z a b", "the river")
    found = scores(LanguageFidelity(language="quy_Latn", max_new_tokens=200), writer("z"), str(path), identifier)
    assert found.figures["language_fidelity"] == 1.0


def test_wrong_files_and_languages_are_refused(identifier: str, prompts: str, tmp_path: Path) -> None:
    def read(language: str | None = "quy_Latn", lines: str = prompts, *models: str) -> None:
        read_data(LanguageFidelity(language=language), {"prompts": [lines], "identifier": list(models or [identifier])})

    with pytest.raises(LexigraftError, match="which language"):
        read(None)
    with pytest.raises(LexigraftError, match=r"does not know this language: quz_Latn.*quy_Latn"):
        read("quz_Latn")
    with pytest.raises(LexigraftError, match="more than one"):
        read("quy_Latn", prompts, identifier, identifier)
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(LexigraftError, match="no prompt"):
        read("quy_Latn", str(tmp_path / "empty.txt"))
    with pytest.raises(LexigraftError, match="not a fastText model"):
        read("quy_Latn", prompts, prompts)
    with pytest.raises(LexigraftError, match="cannot read the file"):
        read("quy_Latn", prompts, str(tmp_path / "absent.bin"))
    (tmp_path / "words.txt").write_text("a b c\n" * 9)
    vectors = fasttext.train_unsupervised(str(tmp_path / "words.txt"), dim=2, minCount=1, thread=1, verbose=0, bucket=9)
    vectors.save_model(str(tmp_path / "vectors.bin"))
    with pytest.raises(LexigraftError, match="word vectors"):
        read("quy_Latn", prompts, str(tmp_path / "vectors.bin"))
    (tmp_path / "cut.bin").write_bytes(Path(identifier).read_bytes()[:3000])
    with pytest.raises(LexigraftError, match="cut off"):
        read("quy_Latn", prompts, str(tmp_path / "cut.bin"))
    for options in ({"max_new_tokens": 0}, {"top_p": 0.0}, {"prompt_words": 0}):
        with pytest.raises(ValueError, match="must"):
            LanguageFidelity(**options)
