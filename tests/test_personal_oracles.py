"""Against others' knowledge: phonenumbers' examples, python-stdnum's checksums, detect-secrets' detectors."""

import importlib
import random

import phonenumbers
import pyarrow as pa
import pytest
import stdnum.iban
import stdnum.luhn
import stdnum.verhoeff
from detect_secrets.plugins import (
    aws,
    discord,
    github_token,
    gitlab_token,
    jwt,
    private_key,
    pypi_token,
    sendgrid,
    slack,
    square_oauth,
    stripe,
    telegram_token,
    twilio,
)
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from filters.personal import national_checks as checks
from filters.personal.card import network_of
from filters.personal.find import find
from filters.personal.iban import LENGTHS

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def examples(style):
    """Return [(region, number)] of every region's fixed and mobile example."""
    kinds = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
    numbers = [(region, phonenumbers.example_number_for_type(region, kind)) for region in REGIONS for kind in kinds]
    return [(region, phonenumbers.format_number(number, style)) for region, number in numbers if number]


def share_found(pairs, sentence, hinted):
    """Return the share of numbers that are found whole."""
    whole = 0
    for region, number in pairs:
        text = sentence.format(number)
        spans = find(pa.array([text]), ["phone"], regions=[region] if hinted else []).to_pylist()
        whole += any(text.encode()[s["start"] : s["end"]].decode() == number for s in spans)
    return whole / len(pairs)


@pytest.mark.parametrize("style", [PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164])
def test_every_regions_examples_are_found_with_their_country(style):
    assert share_found(examples(style), "Reach us: {}.", hinted=False) == 1.0


def test_examples_without_country_are_found_with_a_word_where_they_have_seven_digits():
    long = [(r, n) for r, n in examples(PhoneNumberFormat.NATIONAL) if sum(map(str.isdigit, n)) >= 7]
    assert share_found(long, "Tel. {} (office)", hinted=True) >= 0.98
    assert share_found(long, "Reach us: {}.", hinted=True) >= 0.75


ORACLES = [
    ("br.cpf", checks.brazil_cpf, 11), ("cn.ric", checks.china_resident, 18), ("es.dni", checks.spain_dni, 9),
    ("es.nie", checks.spain_nie, 9), ("fr.nir", checks.france_nir, 15), ("in_.aadhaar", checks.india_aadhaar, 12),
    ("pl.pesel", checks.poland_pesel, 11), ("ca.sin", checks.canada_sin, 9), ("nl.bsn", checks.netherlands_bsn, 9),
    ("de.idnr", checks.germany_tax, 11), ("us.ssn", checks.usa_ssn, 9), ("kr.rrn", checks.korea_resident, 13),
]  # fmt: skip


def numbers(length, module):
    """Yield numbers that look right: random digits of plausible dates, every check character tried."""
    chance = random.Random(length)
    for _ in range(300):
        digits = "".join(chance.choice("0123456789") for _ in range(length - 1))
        born = f"{chance.randint(1930, 1999)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
        if module == "cn.ric":
            digits = "110105" + born + digits[:3]
        elif module == "kr.rrn":
            digits = born[2:] + chance.choice("12") + digits[:5]
        elif module == "fr.nir":
            digits = chance.choice("12") + digits[:2] + born[4:6] + digits[5:]
        elif module == "pl.pesel":
            digits = born[2:] + digits[:4]
        elif module == "es.nie":
            digits = chance.choice("XYZ") + digits[:7]
        for last in "0123456789X" if module == "cn.ric" else "TRWAGMYF" if module.startswith("es") else "0123456789":
            yield digits + last


@pytest.mark.parametrize(("module", "check", "length"), ORACLES, ids=[each[0] for each in ORACLES])
def test_check_digits_as_python_stdnum_has_them(module, check, length):
    oracle = importlib.import_module(f"stdnum.{module}")
    verdicts = [(bool(check(number)), oracle.is_valid(number), number) for number in numbers(length, module)]
    assert {ours for ours, _, _ in verdicts} == {True, False}
    assert [each for each in verdicts if each[0] != each[1]] == []


def test_luhn_and_verhoeff_as_python_stdnum_has_them():
    chance = random.Random(7)
    for _ in range(2000):
        digits = str(chance.randrange(10**6, 10**16))
        assert checks.luhn(digits) == stdnum.luhn.is_valid(digits)
        assert checks.verhoeff(digits) == stdnum.verhoeff.is_valid(digits)


def test_ibans_of_every_country_are_found_and_no_other_check_digits():
    chance = random.Random(3)
    for country, length in LENGTHS.items():
        account = "".join(chance.choice("0123456789") for _ in range(length - 4))
        check = stdnum.iban.calc_check_digits(country + "00" + account)
        grouped = " ".join((country + check + account)[i : i + 4] for i in range(0, length, 4))
        texts = [f"x {country}{check}{account}.", f"x {grouped}.", f"x {country}{(int(check) + 1) % 97:02}{account}."]
        assert find(pa.array(texts), ["iban"])["row"].to_pylist() == [0, 1]


def test_my_number_by_its_ordinance():
    """Article 5: 11 minus the rest by 11 of the sum of P_n Q_n, from the right; 0 where the rest is 0 or 1."""
    chance = random.Random(5)
    for _ in range(500):
        digits = [chance.randrange(10) for _ in range(11)]
        total = sum(p * (n + 1 if n <= 6 else n - 5) for n, p in enumerate(reversed(digits), start=1))
        check = 0 if total % 11 <= 1 else 11 - total % 11
        said = "".join(map(str, digits))
        assert [last for last in range(10) if checks.japan_my_number(f"{said}{last}")] == [check]


def test_test_numbers_of_the_networks():
    known = {"4111111111111111": "visa", "5555555555554444": "mastercard", "2223003122003222": "mastercard",
             "378282246310005": "amex", "3530111333300000": "jcb", "6011111111111117": "discover",
             "30569309025904": "diners", "6200000000000005": "unionpay"}  # fmt: skip
    assert {number: network_of(number) for number in known} == known


A, D = "abcdefghij0123456789", "1234567890"
SECRETS = [
    (aws.AWSKeyDetector(), f"AKIA{'Z9' * 8}"),
    (aws.AWSKeyDetector(), f"aws_secret_key = '{'a/B+' * 10}'"),
    (github_token.GitHubTokenDetector(), f"ghs_{(A * 2)[:36]}"),
    (gitlab_token.GitLabTokenDetector(), f"glpat-{A}"),
    (slack.SlackDetector(), "xoxp-23984754863-2348975623103"),
    (slack.SlackDetector(), "https://hooks.slack.com/services/T0/B0/Ab1"),
    (stripe.StripeDetector(), f"sk_live_{A}abcd"),
    (twilio.TwilioKeyDetector(), f"SK{(A * 2)[:32]}"),
    (sendgrid.SendGridDetector(), f"SG.{A}ab.{(A * 3)[:43]}"),
    (square_oauth.SquareOAuthDetector(), f"sq0csp-{(A * 3)[:43]}"),
    (telegram_token.TelegramBotTokenDetector(), f"{D}:{(A * 2)[:35]}"),
    (pypi_token.PypiTokenDetector(), f"pypi-AgEIcHlwaS5vcmc{A * 4}"),
    (discord.DiscordBotTokenDetector(), f"MTk4{A}.Cl2FMQ.{(A * 2)[:27]}"),
    (private_key.PrivateKeyDetector(), "-----BEGIN EC PRIVATE KEY-----"),
    (jwt.JwtTokenDetector(), "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"),
]  # fmt: skip


@pytest.mark.parametrize(("detector", "secret"), SECRETS, ids=[f"{type(d).__name__}: {s[:12]}" for d, s in SECRETS])
def test_what_detect_secrets_finds_is_found(detector, secret):
    text = f'x "{secret}" y' if "'" not in secret else secret
    theirs = list(detector.analyze_string(text))
    spans = find(pa.array([text]), ["secret"]).to_pylist()
    ours = [text[span["start"] : span["end"]] for span in spans]
    assert theirs
    assert ours
    assert all(any(said in mine for mine in ours) for said in theirs)
