"""Models that read images: the text model is grafted, the rest stays byte for byte, the processor goes along."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from tokenizers import AddedToken, processors
from transformers import AutoConfig, AutoProcessor, AutoTokenizer

from fixtures.commands import lexigraft
from fixtures.vision_models import IMAGE, TEMPLATE, VISION_MODELS, save_vision_model, vision_inputs, vision_tokenizer
from lexigraft.core.config.recipe import GraftSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.pipeline import PreparedGraft, make_chain, prepare_graft
from lexigraft.core.grafting.writer import verify_other_tensors, write_graft
from lexigraft.core.models.checkpoint import WEIGHTS, open_checkpoint
from lexigraft.core.tokenization.vocabulary import Vocabulary

TEXT = "The river runs past the old house."
MOVED = ("<new one>", "<new two>")
CLIPS = ("clip", "clip-of-2021")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder of each tiny model, made when it is first asked for."""
    home = tmp_path_factory.mktemp("vision")
    return cache(lambda name: save_vision_model(name, vision_tokenizer(name), home / name))


@pytest.fixture(scope="module")
def moved(folders: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The graft of each, and its folder, with all its tokens at other ids and two before them."""
    home = tmp_path_factory.mktemp("moved")

    @cache
    def graft(name: str) -> tuple[PreparedGraft, Path]:
        made = prepared(folders(name), vision_tokenizer(name, *MOVED))
        write_graft(made, home / name)
        return made, home / name

    return graft


def prepared(folder: Path, target: Any, strategy: str = "subword_mean", **settings: Any) -> PreparedGraft:
    chain = make_chain([(strategy, {})])
    return prepare_graft(str(folder), Vocabulary.of(target), chain, {}, settings=GraftSettings(**settings))


def outputs(name: str, folder: Path, text: str = TEXT) -> dict[str, torch.Tensor]:
    """What plain transformers makes of a text and a picture, by the folder's own processor."""
    config = AutoConfig.from_pretrained(folder)
    model = getattr(transformers, config.architectures[0]).from_pretrained(folder).eval()
    with torch.no_grad():
        made = model(**vision_inputs(name, folder, text))
    return {key: value for key, value in made.items() if isinstance(value, torch.Tensor)}


@pytest.mark.parametrize("name", VISION_MODELS)
def test_with_its_own_tokenizer_a_model_gives_the_same_bits(name: str, folders: Any, tmp_path: Path) -> None:
    source = folders(name)
    write_graft(prepared(source, vision_tokenizer(name), "keep"), tmp_path / "out")
    before, after = outputs(name, source), outputs(name, tmp_path / "out")
    assert before
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", VISION_MODELS)
def test_with_its_ids_moved_texts_and_pictures_mean_what_they_did(name: str, folders: Any, moved: Any) -> None:
    made, out = moved(name)
    before, after = outputs(name, folders(name)), outputs(name, out)
    if "logits" in before:
        known = torch.from_numpy(made.alignment.matched)
        after["logits"] = after["logits"][..., known]
        before["logits"] = before["logits"][..., torch.from_numpy(made.alignment.source_ids)[known]]
    for key in before:
        torch.testing.assert_close(after[key], before[key], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", VISION_MODELS)
def test_only_the_tables_change(name: str, folders: Any, moved: Any) -> None:
    made, out = moved(name)
    before, after = (load_file(folder / "model.safetensors") for folder in (folders(name), out))
    assert before.keys() == after.keys()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert {stored for names in made.body.layout.names.values() for stored in names} <= changed
    assert not [key for key in changed if "vision" in key or "visual" in key or "qformer" in key]
    assert all(len(after[key]) == made.vocabulary.size for key in changed)


def test_a_changed_tensor_beside_the_tables_is_noticed(moved: Any, tmp_path: Path) -> None:
    made, out = moved("clip")
    verify_other_tensors(out, made)
    stored = open_checkpoint(out).tensors["visual_projection.weight"]
    content = bytearray(stored.path.read_bytes())
    content[stored.start] ^= 1
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(RuntimeError, match=r"visual_projection\.weight"):
        verify_other_tensors(tmp_path, made)


def test_the_processor_goes_along_with_its_chat_template_and_the_new_ids(folders: Any, tmp_path: Path) -> None:
    target = vision_tokenizer("llava", *MOVED, variant="target")
    assert target.chat_template is None
    write_graft(prepared(folders("llava"), target), tmp_path / "out")
    processor = AutoProcessor.from_pretrained(tmp_path / "out")
    config = AutoConfig.from_pretrained(tmp_path / "out")
    place = target.convert_tokens_to_ids(IMAGE)
    assert (config.image_token_id, processor.image_token_id) == (place, place)
    text = processor.apply_chat_template([{"role": "user", "content": TEXT}], chat_template=processor.chat_template)
    assert processor.chat_template == TEMPLATE
    assert text == f"USER: {IMAGE}{TEXT} ASSISTANT:"


def test_the_chat_template_of_the_target_is_kept(folders: Any, tmp_path: Path) -> None:
    target = vision_tokenizer("llava", *MOVED)
    target.chat_template = "{{ messages }}"
    write_graft(prepared(folders("llava"), target), tmp_path / "out")
    assert AutoProcessor.from_pretrained(tmp_path / "out").chat_template == "{{ messages }}"


def test_a_named_special_token_keeps_its_name(folders: Any, tmp_path: Path) -> None:
    source = vision_tokenizer("llava")
    source.SPECIAL_TOKENS_ATTRIBUTES = [*source.SPECIAL_TOKENS_ATTRIBUTES, "image_token"]
    source.image_token = IMAGE
    folder = save_vision_model("llava", source, tmp_path / "source")
    assert AutoTokenizer.from_pretrained(folder).image_token == IMAGE
    write_graft(prepared(folder, vision_tokenizer("llava", *MOVED)), tmp_path / "out")
    assert AutoTokenizer.from_pretrained(tmp_path / "out").image_token == IMAGE


@pytest.mark.parametrize("name", [*CLIPS, "siglip"])
def test_the_limit_of_positions_stays(name: str, folders: Any, moved: Any) -> None:
    _, out = moved(name)
    before, after = (AutoConfig.from_pretrained(folder).text_config for folder in (folders(name), out))
    assert after.max_position_embeddings == before.max_position_embeddings
    tokenizer = AutoProcessor.from_pretrained(out).tokenizer
    assert tokenizer.model_max_length == before.max_position_embeddings
    ids = tokenizer("house " * 50, truncation=True)["input_ids"]
    assert len(ids) == before.max_position_embeddings
    if name in CLIPS:
        assert ids[-1] == tokenizer.eos_token_id == after.eos_token_id


def test_an_older_clip_reads_at_its_end_token_although_words_have_higher_ids(folders: Any, tmp_path: Path) -> None:
    """The 2 in its configuration is a word's id and stands for the highest one, which the end token no longer has."""
    source = folders("clip-of-2021")
    assert AutoConfig.from_pretrained(source).text_config.eos_token_id == 2
    target = vision_tokenizer("clip-of-2021")
    target.add_tokens(["river", "house"])
    write_graft(prepared(source, target), tmp_path / "out")
    made = AutoConfig.from_pretrained(tmp_path / "out").text_config.eos_token_id
    assert made == target.eos_token_id < target.convert_tokens_to_ids("river")
    one, other = (outputs("clip", tmp_path / "out", f"{TEXT} {end}")["text_embeds"] for end in ("one", "two"))
    assert not torch.allclose(one, other)  # what stands after "river", the highest id, counts


def without_end(tokenizer: Any) -> Any:
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def ending_at_two(tokenizer: Any) -> Any:
    """Its end token is the plain family's ``</s>``, whose id is 2."""
    tokenizer.add_special_tokens({"eos_token": "</s>"})
    assert tokenizer.eos_token_id == 2
    return tokenizer


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize(
    ("change", "reason"), [(without_end, "adds no end token to a text"), (ending_at_two, "end token has the id 2")]
)
def test_a_target_at_whose_end_clip_cannot_read_is_refused(name: str, change: Any, reason: str, folders: Any) -> None:
    with pytest.raises(LexigraftError, match=rf"{reason}.*tokenizer train --like"):
        prepared(folders(name), change(vision_tokenizer(name, *MOVED)))


def test_a_clip_whose_highest_id_is_no_end_token_is_refused(tmp_path: Path) -> None:
    source = ending_at_two(vision_tokenizer("clip-of-2021"))
    folder = save_vision_model("clip-of-2021", source, tmp_path / "source")
    with pytest.raises(LexigraftError, match="reads a text at its highest id, which is no end token"):
        prepared(folder, vision_tokenizer("clip"))


@pytest.mark.parametrize("path", ["vision_model", "text_model.encoder", "text"])
def test_a_path_that_names_no_text_model_is_refused_with_those_that_do(
    path: str, folders: Any, moved: Any, tmp_path: Path
) -> None:
    models = ["--source", folders("clip"), "--target-tokenizer", moved("clip")[1], "--strategy", "mean"]
    made = lexigraft("graft", *models, "--text-model", path, "--out", tmp_path / "out")
    assert made.code == 2
    assert f"module path names no text model: {path}" in made.err
    assert made.err.strip().endswith("(graft.text_model): text_model")
    assert not (tmp_path / "out").exists()


def test_a_path_leads_to_the_text_of_a_class_whose_accessors_do_not(tmp_path: Path) -> None:
    tokenizer, vision = vision_tokenizer("llava"), VISION_MODELS["clip"]
    text = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2, is_decoder=True, add_cross_attention=True
    )
    sizes = vision.model(vision_tokenizer("clip")).config.vision_config.to_dict()
    image = transformers.ViTConfig(**{k: sizes[k] for k in ("hidden_size", "image_size", "patch_size")})
    image.num_attention_heads = image.num_hidden_layers = 2
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(image, text)
    torch.manual_seed(0)
    model = transformers.VisionEncoderDecoderModel(config)
    model.save_pretrained(tmp_path / "source")
    tokenizer.save_pretrained(tmp_path / "source")
    target = vision_tokenizer("llava", *MOVED)
    made = prepared(tmp_path / "source", target, text_model="decoder")
    write_graft(made, tmp_path / "out")
    written = transformers.VisionEncoderDecoderModel.from_pretrained(tmp_path / "out")
    assert written.decoder.get_output_embeddings().weight.shape[0] == len(target)
    ids = made.alignment.matched
    assert torch.equal(
        written.decoder.get_input_embeddings().weight[ids],
        model.decoder.get_input_embeddings().weight[made.alignment.source_ids[ids]],
    )


def test_a_model_without_a_text_model_is_refused(tmp_path: Path, folders: Any) -> None:
    model = transformers.CLIPVisionModel.from_pretrained(folders("clip"))
    model.save_pretrained(tmp_path / "source")
    vision_tokenizer("clip").save_pretrained(tmp_path / "source")
    with pytest.raises(LexigraftError, match="no text model in this model: CLIPVisionModel"):
        prepared(tmp_path / "source", vision_tokenizer("clip", *MOVED))


def test_an_image_token_that_the_target_would_split_is_refused(folders: Any) -> None:
    target = vision_tokenizer("llava")
    state = json.loads(target.backend_tokenizer.to_str())
    place = target.convert_tokens_to_ids(IMAGE)
    state["added_tokens"] = [one for one in state["added_tokens"] if one["content"] != IMAGE]
    state["model"]["vocab"][IMAGE] = place
    plain = type(target)(
        tokenizer_object=type(target.backend_tokenizer).from_str(json.dumps(state)),
        **{f"{role}_token": getattr(target, f"{role}_token") for role in ("bos", "eos", "unk", "pad")},
    )
    with pytest.raises(LexigraftError, match=r"splits the token of image_token_(id|index): <image>"):
        prepared(folders("llava"), plain)


def test_tokens_that_a_processor_adds_must_be_in_the_target(folders: Any, tmp_path: Path) -> None:
    target = vision_tokenizer("llava", *MOVED)
    target.add_tokens([AddedToken("<loc0000>", special=True, normalized=False)])
    with pytest.raises(LexigraftError, match=r"PaliGemmaProcessor adds tokens.*<loc0001>, .* and 1,146 more"):
        write_graft(prepared(folders("paligemma"), target), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "reason"), [("siglip", "holds no processor of images"), ("qwen2-vl", "Torchvision")])
def test_a_processor_that_is_missing_or_does_not_load_is_said(
    name: str, reason: str, folders: Any, tmp_path: Path
) -> None:
    tokenizer = vision_tokenizer(name)
    folder = save_vision_model(name, tokenizer, tmp_path / "source")
    if name == "siglip":
        (folder / "processor_config.json").unlink()
    elif transformers.utils.is_torchvision_available():
        pytest.skip("its processor loads where torchvision is installed")
    facts = write_graft(prepared(folder, vision_tokenizer(name, *MOVED)), tmp_path / "out")
    assert any(reason in note for note in facts["notes"])
