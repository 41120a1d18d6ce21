"""Documents of tokens: beginnings, ends, length policies, turns and what of them is learnt; Megatron's index."""

import struct
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from encode_world import BAD_TALK, SIGNS, TALK, Megatron, model, processor
from hypothesis import given
from hypothesis import strategies as st

from pipelines.tokens.sources import parts_of
from tokenizer.encode import TokenEncoder
from tokenizer.encode_chat import TEMPLATES, BadConversationError
from tokenizer.encode_documents import KEPT, OVER_LONG, TOO_SHORT, DocumentEncoder, Parts, sequences
from tokenizer.encode_policy import Policy
from tokenizer.megatron import BadIndexError, index_bytes, read_index

BOS, EOS = 2, 1  # the pieces <bos> and <eos>
TEXT = "The quick brown fox, 日本語、 jumps\nover 12 dogs."


@cache
def loaded() -> TokenEncoder:
    return TokenEncoder(model())


def encoder(**policy) -> DocumentEncoder:
    return DocumentEncoder(loaded(), Policy(**policy))


def tokens(made) -> list[list[int]]:
    return [part.tolist() for part in np.split(made.ids, made.offsets[1:-1])]


def plain(text: str) -> list[int]:
    return list(processor().encode(text))


@pytest.mark.parametrize(
    ("policy", "before", "behind"),
    [
        pytest.param({"eos": False}, [], [], id="neither"),
        pytest.param({}, [], [EOS], id="an end by default"),
        pytest.param({"bos": True}, [BOS], [EOS], id="both"),
        pytest.param({"bos": True, "eos": False}, [BOS], [], id="a beginning alone"),
    ],
)
def test_signs_of_beginning_and_end(policy, before, behind):
    assert tokens(encoder(**policy).encode(Parts.whole(pa.array([TEXT])))) == [[*before, *plain(TEXT), *behind]]


@pytest.mark.parametrize(
    ("policy", "verdict", "expected"),
    [
        pytest.param({"max_tokens": 9}, KEPT, lambda ids: ids, id="kept"),
        pytest.param({"max_tokens": 9, "over_long": "cut"}, KEPT, lambda ids: [*ids[:8], EOS], id="cut, and its end"),
        pytest.param({"max_tokens": 9, "over_long": "split"}, KEPT, lambda ids: ids, id="split"),
        pytest.param({"max_tokens": 9, "over_long": "drop"}, OVER_LONG, lambda ids: ids, id="dropped"),
        pytest.param({"min_tokens": 1000}, TOO_SHORT, lambda ids: ids, id="too short"),
    ],
)
def test_what_becomes_of_a_long_document(policy, verdict, expected):
    made = encoder(**policy).encode(Parts.whole(pa.array([TEXT])))
    whole = [*plain(TEXT), EOS]
    assert made.verdict == [verdict]
    assert tokens(made) == [expected(whole)]
    assert made.cut_tokens.tolist() == [len(whole) - len(expected(whole))]


@given(st.lists(st.integers(1, 40), max_size=12), st.integers(2, 15))
def test_sequences_are_full_but_for_the_last_of_a_document(lengths, most):
    lengths = np.array(lengths, np.int64)
    made, bounds = sequences(lengths, Policy(max_tokens=most, over_long="split"))
    parts = [made[a:b].tolist() for a, b in pairwise(bounds)]
    assert [sum(part) for part in parts] == lengths.tolist()
    assert all(set(part[:-1]) <= {most} and 0 < part[-1] <= most for part in parts)


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param({"over_long": "cut"}, id="no limit to cut at"),
        pytest.param({"max_tokens": 2, "bos": True, "over_long": "cut"}, id="no room for a token"),
        pytest.param({"max_tokens": 5, "min_tokens": 6}, id="shorter than too short"),
    ],
)
def test_a_policy_that_nothing_can_meet_is_refused(policy):
    with pytest.raises(ValueError, match="max_tokens"):
        Policy(**policy)


def test_a_sign_that_the_model_lacks_is_refused_by_name():
    with pytest.raises(ValueError, match=r"no piece '<video>'.*control_symbols"):
        encoder().sign("<video>")


# --- conversations


def talked(talk, template="gemma", **policy):
    own = encoder(**policy)
    messages = [{"role": role, "content": content} for role, content in talk]
    pieces = [list(TEMPLATES[template].pieces(messages))]
    return own.encode(parts_of(pieces, own.sign, with_mask=True))


def gemma_by_hand(talk) -> tuple[list[int], list[int]]:
    """Return ids and mask of a conversation, turn by turn."""
    start, end = (processor().piece_to_id(sign) for sign in SIGNS[:2])
    ids, mask, system = [], [], ""
    for role, content in talk:
        if role == "system":
            system = f"{content}\n\n"
            continue
        said = plain(system + content)
        opening, learnt = [start, *plain("user\n" if role == "user" else "model\n")], role == "assistant"
        ids += [*opening, *said, end, *plain("\n")]
        mask += [0] * len(opening) + [int(learnt)] * (len(said) + 1) + [0] * len(plain("\n"))
        system = ""
    return [*ids, EOS], [*mask, 0]


@pytest.mark.parametrize("talk", TALK, ids=["Japanese", "system and a sign in the text", "Thai"])
def test_only_what_the_assistant_says_is_learnt(talk):
    made = talked(talk)
    assert (tokens(made), [made.mask.tolist()]) == tuple([each] for each in gemma_by_hand(talk))


def test_a_sign_in_a_message_stays_text():
    end = processor().piece_to_id("<end_of_turn>")
    assert tokens(talked(TALK[1]))[0].count(end) == 4  # one a turn


def test_a_conversation_is_never_split():
    assert talked(TALK[1], max_tokens=12, over_long="split").verdict == [OVER_LONG]
    cut = talked(TALK[1], max_tokens=12, over_long="cut")
    assert cut.verdict == [KEPT]
    assert len(cut.ids) == len(cut.mask) == 12
    assert cut.ids[-1] == EOS


@pytest.mark.parametrize("talk", BAD_TALK, ids=["no message", "no answer", "answer first", "unknown role"])
def test_what_is_no_conversation_is_refused(talk):
    with pytest.raises(BadConversationError):
        list(TEMPLATES["chatml"].pieces([{"role": role, "content": content} for role, content in talk]))


# --- Megatron's files


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), max_size=6),
    st.sampled_from([np.uint16, np.int32, np.uint8]),
)
def test_an_index_reads_back_as_megatron_reads_it(tmp_path_factory, documents, dtype):
    prefix = tmp_path_factory.mktemp("m") / "x"
    lengths = [size for sizes in documents for size in sizes]
    bounds = np.concatenate([[0], np.cumsum([len(sizes) for sizes in documents])])
    values = np.arange(sum(lengths)).astype(dtype)
    data = index_bytes(lengths, bounds, dtype)
    prefix.with_suffix(".idx").write_bytes(data)
    prefix.with_suffix(".bin").write_bytes(values.tobytes() or b"\0")
    read, starts = Megatron(prefix), np.concatenate([[0], np.cumsum(lengths)]).astype(int)
    assert read.dtype is dtype
    assert [read[n].tolist() for n in range(len(read))] == [values[a:b].tolist() for a, b in pairwise(starts)]
    ours = read_index(data, values.nbytes)
    assert (ours.lengths.tolist(), ours.documents.tolist(), ours.tokens) == (lengths, bounds.tolist(), sum(lengths))


GOOD = index_bytes([3, 4], [0, 1, 2], np.uint16)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        pytest.param(b"", 14, id="nothing"),
        pytest.param(b"X" + GOOD[1:], 14, id="another magic"),
        pytest.param(GOOD[:9] + struct.pack("<Q", 2) + GOOD[17:], 14, id="another version"),
        pytest.param(GOOD[:17] + b"\x09" + GOOD[18:], 14, id="an unknown type"),
        pytest.param(GOOD[:-1], 14, id="cut"),
        pytest.param(GOOD + b"\0", 14, id="longer"),
        pytest.param(GOOD, 13, id="of other tokens"),
        pytest.param(GOOD[:18] + struct.pack("<Q", 1 << 60) + GOOD[26:], 14, id="more sequences than bytes"),
        pytest.param(GOOD[:-8] + struct.pack("<q", 1), 14, id="documents that end early"),
        pytest.param(GOOD[:42] + struct.pack("<q", 2) + GOOD[50:], 14, id="a place that is not the sum before it"),
    ],
)
def test_a_damaged_index_is_refused(data, size):
    with pytest.raises(BadIndexError):
        read_index(data, size)


def test_a_sequence_beyond_the_index_is_refused():
    with pytest.raises(ValueError, match="at most"):
        index_bytes([1 << 31], [0, 1], np.uint16)
