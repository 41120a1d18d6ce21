"""Names in copyright lines, and what else of people is masked in source code; each text says where its tokens stand."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.code.masking import mask_code
from filters.code.people import find_people

PEOPLE = [
    ("# Copyright (c) 2010-2020 Jane Roe <jane@x.example>", ["Jane Roe"]),
    (" * Copyright 2010 Jane Roe, John van der Doe and others. All rights reserved.", ["Jane Roe", "John van der Doe"]),
    (" * (c) Fabien Potencier\n", ["Fabien Potencier"]),
    ("// SPDX-FileCopyrightText: 2013-2022 Niels Lohmann <https://x.example>", ["Niels Lohmann"]),
    ("@author José García", ["José García"]),
    ("© 山田 太郎", ["山田 太郎"]),
    ("# Copyright 2009 The Go Authors. All rights reserved.", []),
    ("# Copyright (c) 2020 Example GmbH", []),
    (" * (c) Symfony SAS", []),
    ("   (c) Derivative Works shall not include works that remain separable\n", []),
    ("(c) You must cause any modified files to carry notices", []),
    ("total = copyright(2020)", []),
    ("", []),
]


@pytest.mark.parametrize(("text", "expected"), PEOPLE)
def test_names_in_statements_of_copyright(text, expected):
    assert [text[start:end] for start, end in find_people(text)] == expected


@given(st.text(st.sampled_from("(c) ©Copyright 2020 Jane Roe\n,.<>山田"), max_size=60))
def test_names_are_found_in_order_and_never_overlap(text):
    ends = 0
    for start, end in find_people(text):
        assert ends <= start < end <= len(text)
        ends = end


def masked(text, classes=("secret", "email", "ip", "name")):
    done = mask_code(pa.array([text]), classes, [[]])
    body = done.text[0].as_py()
    return body, [(kind, body[start:end]) for kind, start, end in done.spans[0]], done.counts


def test_each_class_has_its_token_and_its_place():
    text = "# 著作 Copyright 2020 Jane Roe <jane.roe@corp.example.org>\nHOST = '81.2.69.142'\n"
    text += "KEY = 'AKIAQYLPMN5HHHFPZAM2'\n"
    body, spans, counts = masked(text)
    assert [kind for kind, _ in spans] == ["name", "email", "ip", "secret"]
    assert all(token == f"<{kind.upper()}>" or kind == "ip" for kind, token in spans)
    assert not any(word in body for word in ("Jane", "jane.roe", "81.2.69.142", "AKIA"))
    assert [counts[f"{kind}_count"][0].as_py() for kind in ("secret", "email", "ip", "name")] == [1, 1, 1, 1]


H64, H48, C44 = "abcd1234" * 8, "1234567890abcdef" * 3, "abcdEFGH123-" * 3 + "abcdEFGH"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"CL_PW = '{H64}'", "CL_PW = '<SECRET>'"),
        (f'"cloudant_api_key": "{"abcdefgh" * 3}"', '"cloudant_api_key": "<SECRET>"'),
        (f"CLOUD_IAM_KEY = '{C44}'", "CLOUD_IAM_KEY = '<SECRET>'"),
        (f"SECRET_ACCESS_KEY='{H48}'", "SECRET_ACCESS_KEY='<SECRET>'"),
        (f"鍵: softlayer_token => {H64} 終", "鍵: softlayer_token => <SECRET> 終"),
        (f"sha256_key = '{H64}'", None),
        (f"DIGEST = '{H64}'", None),
        (f"secret_key = '{H64}'", None),
        (f"CL_PW = '{H64}0'", None),
    ],
)
def test_a_value_is_a_secret_behind_a_name_of_its_issuer(text, expected):
    assert masked(text)[0] == (expected or text)
    assert masked(text)[2]["secret_count"][0].as_py() == (expected is not None)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("version = '1.2.3.4'", id="a version"),
        pytest.param("bind('127.0.0.1')", id="this machine"),
        pytest.param("sha = '9fceb02d0ae598e95dc970b74767f19372d61af8'", id="a commit"),
        pytest.param("password = os.environ['PASSWORD']", id="no value"),
        pytest.param("uuid = '123e4567-e89b-12d3-a456-426614174000'", id="a UUID"),
        pytest.param("class AKIAlphabetExample: pass", id="a name that begins as a key does"),
    ],
)
def test_false_alarms_stay(text):
    assert masked(text)[0] == text


def test_what_is_not_asked_for_stays():
    text = "# Copyright 2020 Jane Roe <jane.roe@corp.example.org>"
    assert masked(text, ("email",))[0] == "# Copyright 2020 Jane Roe <<EMAIL>>"
    assert masked(text, ("name",))[0] == "# Copyright 2020 <NAME> <jane.roe@corp.example.org>"
