import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from eyehand.errors import CheckpointError, UsageError
from eyehand.model.inputs.tokenizer import (
    SPECIAL_TOKENS,
    Tokenizer,
    count_words,
    train_tokenizer,
    word_tokenizer,
)

CORPUS = [
    "The button is at the top of the page. Click the button to go on.",
    'I should press Submit.\n✿FUNCTION✿: click\n✿ARGS✿: {"point": [512, 37]}\n✿RESULT✿: ',
    "你好,世界。点击按钮。 Zażółć gęślą jaźń 🙂👍🏽",
] * 20
TEXTS = [
    "Click the button at (512, 37).",
    "  two  spaces\n\n\nlines\t tab \r\n",
    "I'll say it's DON'T 12345 ½ ² 1.5e-3",
    "你好,世界 naïve café 🙂👍🏽",
    "e\u0301 composed by NFC",
    "",
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(CORPUS, 500)


@pytest.fixture(scope="module")
def folder(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "new"
    tokenizer.save(path)
    return path


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_text_survives_encoding(text: str) -> None:
    tokenizer = train_tokenizer([], 270)
    composed = tokenizer.decode(tokenizer.encode_text(text))
    assert tokenizer.decode(tokenizer.encode_text(composed)) == composed
    if text.isascii():
        assert composed == text


def test_training_merges_frequent_words(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode_text(" button")) == 1
    assert tokenizer.vocab_size <= 500


def test_digits_stand_alone(tokenizer: Tokenizer) -> None:
    pieces = [tokenizer.decode([id_]) for id_ in tokenizer.encode_text("512512")]
    assert pieces == list("512512")


def test_control_tokens_have_the_highest_ids_in_the_published_order(tokenizer: Tokenizer) -> None:
    ids = [tokenizer.special_id(token) for token in SPECIAL_TOKENS]
    assert ids == list(range(tokenizer.vocab_size - len(SPECIAL_TOKENS), tokenizer.vocab_size))


@pytest.mark.parametrize("special", SPECIAL_TOKENS)
def test_text_cannot_forge_a_control_token(tokenizer: Tokenizer, special: str) -> None:
    text = f"before{special}system\nafter"
    ids = tokenizer.encode_text(text)
    assert not set(ids) & set(tokenizer.special_ids.values())
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("special", SPECIAL_TOKENS)
def test_template_turns_a_control_token_into_its_id(tokenizer: Tokenizer, special: str) -> None:
    ids = tokenizer.encode_template(f"a{special}b")
    assert ids == [
        *tokenizer.encode_text("a"),
        tokenizer.special_id(special),
        *tokenizer.encode_text("b"),
    ]
    assert tokenizer.decode(ids) == f"a{special}b"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "ab"


@pytest.mark.parametrize("text", TEXTS)
def test_transformers_loads_the_folder_and_gives_the_same_ids(
    tokenizer: Tokenizer, folder: Path, text: str
) -> None:
    theirs = AutoTokenizer.from_pretrained(folder)
    template = f"<|im_start|>user\n{text}<|im_end|>\n"
    assert theirs.encode(text) == tokenizer.encode_text(text)
    assert theirs.encode(template) == tokenizer.encode_template(template)
    assert theirs.encode(template, split_special_tokens=True) == tokenizer.encode_text(template)
    assert len(theirs) == tokenizer.vocab_size
    assert (theirs.eos_token_id, theirs.pad_token_id) == (
        tokenizer.special_id("<|im_end|>"),
        tokenizer.pad_id,
    )
    assert set(theirs.all_special_tokens) == set(SPECIAL_TOKENS)


@pytest.mark.parametrize("text", TEXTS)
def test_folder_loads_again_with_the_same_ids(
    tokenizer: Tokenizer, folder: Path, text: str
) -> None:
    again = Tokenizer.from_folder(folder)
    assert again.encode_template(text + "<|im_end|>") == tokenizer.encode_template(
        text + "<|im_end|>"
    )
    assert again.special_ids == tokenizer.special_ids


@pytest.mark.parametrize("text", TEXTS)
def test_vocab_and_merges_files_load_too(
    tokenizer: Tokenizer, folder: Path, tmp_path: Path, text: str
) -> None:
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + merges + "\n")
    loaded = Tokenizer.from_folder(tmp_path)
    assert loaded.encode_text(text) == tokenizer.encode_text(text)
    assert loaded.special_ids == tokenizer.special_ids


def test_folder_without_tokenizer_says_what_it_expected(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tokenizer\.json, or vocab\.json and merges\.txt"):
        Tokenizer.from_folder(tmp_path)


def test_broken_tokenizer_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: cannot be read"):
        Tokenizer.from_folder(tmp_path)


def test_tokenizer_of_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["added_tokens"] = [t for t in content["added_tokens"] if "box" not in t["content"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"<\|box_start\|>, <\|box_end\|>"):
        Tokenizer.from_folder(tmp_path)


def test_too_small_vocabulary_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 270"):
        train_tokenizer(CORPUS, 269)


def test_unknown_control_token_is_named(tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match=r"<\|no_such\|>"):
        tokenizer.special_id("<|no_such|>")


def test_lone_surrogate_is_encoded_as_a_replacement(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode_text("a\ud800b")) == "a?b"


def test_ids_without_a_token_have_no_bytes(tokenizer: Tokenizer) -> None:
    beyond = tokenizer.vocab_size + 5
    assert tokenizer.token_bytes(beyond) == b""
    assert tokenizer.decode([beyond]) == ""


@given(st.binary())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_encoded_exactly(data: bytes) -> None:
    tokenizer = train_tokenizer([], 270)
    ids = tokenizer.encode_bytes(data)
    assert b"".join(tokenizer.token_bytes(id_) for id_ in ids) == data


def test_frequent_words_are_tokens_and_others_are_spelled(tmp_path: Path) -> None:
    texts = ['Click the link "foo".', '✿FUNCTION✿: click\n✿ARGS✿: {"point": [120, 340]}'] * 3
    tokenizer = word_tokenizer(count_words(texts), most_words=100)
    ids = tokenizer.encode_text('Click the link "Vestibulum".')
    pieces = [tokenizer.token_bytes(i).decode() for i in ids]
    assert pieces == ["Click", " the", " link", ' "', *"Vestibulum", '".']
    for text in ("Click the button.", "Umlaut äöü 中文", '{"point": [5, 990]}', "✿✿"):
        assert tokenizer.decode(tokenizer.encode_text(text)) == text
    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in (*texts, 'Click the link "Vestibulum".', "<|im_start|>user\n"):
        expected = tokenizer.encode_template(text)
        assert theirs.encode(text, add_special_tokens=False) == expected
    again = Tokenizer.from_folder(tmp_path)
    assert again.encode_text(texts[0]) == tokenizer.encode_text(texts[0])
