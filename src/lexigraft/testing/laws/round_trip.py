"""Laws of the grafted model, in memory and read back."""

from __future__ import annotations

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import graft_model
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.testing.law import Law, LawBroken, require, skip_unless
from lexigraft.testing.laws.rows import logits
from lexigraft.testing.trial import Trial


def _ties_survive(trial: Trial) -> None:
    before, after = tables_of(trial.body), tables_of(trial.reloaded)
    require(before.tied == after.tied, f"tied before: {before.tied}, after saving and reloading: {after.tied}")
    require(
        set(before.by_role) == set(after.by_role), f"tables before: {set(before.by_role)}, after: {set(after.by_role)}"
    )


def _reload_gives_the_same_model(trial: Trial) -> None:
    import torch

    size = trial.grafted.vocabulary.size
    same = torch.equal(logits(trial.grafted.model, size), logits(trial.reloaded, size))
    require(same, "the reloaded model gives other logits")
    reloaded = load_vocabulary(trial.saved)
    require(reloaded.tokens == trial.grafted.vocabulary.tokens, "the reloaded tokenizer has other tokens")
    for role in ("bos", "eos", "pad"):
        configured = getattr(trial.reloaded.config, f"{role}_token_id", None)
        expected = reloaded.specials.get(role)
        require(configured == expected, f"the configuration's {role} id is {configured}, the tokenizer's is {expected}")


def _stored_once_in_the_models_dtype(trial: Trial) -> None:
    """The float32 plan over the float32 copy, rounded once, is what the folder holds."""
    import torch

    known = tables_of(trial.body).by_role
    expected = (trial.unchanged if trial.strategy.keeps_tokenizer else trial).rows.tables
    for role, table in tables_of(trial.reloaded).by_role.items():
        require(table.dtype == known[role].dtype, f"{role}: stored as {table.dtype}, the model is {known[role].dtype}")
        require(torch.equal(table, expected[role].to(table.dtype)), f"{role}: stored rows are not the planned rows")


def _bias_survives(trial: Trial) -> None:
    skip_unless(Role.BIAS in tables_of(trial.body).by_role, "the head has no bias")
    bias = tables_of(trial.reloaded).by_role.get(Role.BIAS)
    require(bias is not None and len(bias) == trial.grafted.vocabulary.size, "the head's bias did not get the new size")


def _table_has_the_tokenizers_size(trial: Trial) -> None:
    size = trial.grafted.vocabulary.size
    for role, table in tables_of(trial.reloaded).by_role.items():
        require(len(table) == size, f"{role}: {len(table)} rows for {size} tokens")
    require(
        trial.reloaded.config.get_text_config().vocab_size == size, "the configuration says another vocabulary size"
    )


def _ids_beyond_the_table_are_refused(trial: Trial) -> None:
    poor = trial.fixture.folders.poor if Need.POOR_MODEL in trial.strategy.needs else None
    fixture = trial.fixture
    try:
        graft_model(fixture.folders.short, fixture.target, [trial.strategy], fixture.loaders, poor=poor)
    except LexigraftError as refusal:
        require("beyond" in str(refusal), f"the refusal says: {refusal}")
    else:
        raise LawBroken("a model with fewer rows than its tokenizer has ids was grafted")


LAWS = tuple(
    Law(name, "surgery", check)
    for name, check in {
        "tied stays tied, untied stays untied": _ties_survive,
        "reloading gives the same model": _reload_gives_the_same_model,
        "float32 plans are rounded once, when stored": _stored_once_in_the_models_dtype,
        "a head bias survives": _bias_survives,
        "the table has the tokenizer's size": _table_has_the_tokenizers_size,
        "ids beyond the table are refused": _ids_beyond_the_table_are_refused,
    }.items()
)
