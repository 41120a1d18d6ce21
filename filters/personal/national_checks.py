"""Check digits and ranges of national numbers: pure arithmetic over digits, one function a country.

Each takes the characters without separators, capital letters, and says whether such a number can have been given out.
"""

from calendar import monthrange

_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"  # Real Decreto 1553/2005; Orden INT/2058/2008 for foreigners
_CHINA_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
_CHINA_CHECKS = "10X98765432"
_CHINA_PROVINCES = frozenset((*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55),
                              *range(61, 66),
                              71,                              81, 82, 83, 91))  # fmt: skip
_KOREA_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_PESEL_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
_TAIWAN_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"  # stand for 10 to 35
# Verhoeff 1969: the dihedral group of order ten, and the permutation by place
_D5 = [[(i + j) % 5 if i < 5 and j < 5 else (i + (j - 5)) % 5 + 5 if i < 5 else (i - 5 - j) % 5 + 5 if j < 5
        else (i - j) % 5 for j in range(10)] for i in range(10)]  # fmt: skip
_STEP = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _sum(digits: str, weights: tuple[int, ...] | range) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _is_date(year: int, month: int, day: int) -> bool:
    return 1800 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]


def luhn(digits: str) -> bool:
    """Check ISO/IEC 7812-1, annex B."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def verhoeff(digits: str) -> bool:
    """Check the code of Verhoeff, Error Detecting Decimal Codes (1969)."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = _STEP[value]
        check = _D5[check][value]
    return check == 0


def japan_my_number(digits: str) -> bool:
    """Check 12 digits: ordinance 85 of 2014 of the Ministry of Internal Affairs, article 5."""
    rest = _sum(digits[10::-1], (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)) % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def usa_ssn(digits: str) -> bool:
    """Check the ranges of 9 digits: never given are areas 000, 666, 9xx, group 00, serial 0000, and two adverts."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    never = area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000"
    return not never and digits not in ("078051120", "219099999", "123456789")


def china_resident(characters: str) -> bool:
    """Check 18 characters: province, date of birth, check character (GB 11643-1999)."""
    born = _is_date(int(characters[6:10]), int(characters[10:12]), int(characters[12:14]))
    check = _CHINA_CHECKS[_sum(characters, _CHINA_WEIGHTS) % 11]
    return int(characters[:2]) in _CHINA_PROVINCES and born and characters[17] == check


def korea_birth_date(digits: str) -> bool:
    """Check that 13 digits start with a date of birth and the century's digit."""
    century = {"9": 1800, "0": 1800, "1": 1900, "2": 1900, "5": 1900, "6": 1900}.get(digits[6], 2000)
    return _is_date(century + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))


def korea_resident(digits: str) -> bool:
    """Check 13 digits as they were given out until October 2020: date of birth, check digit."""
    placed = int(digits[7:9]) <= 96  # registration office
    return korea_birth_date(digits) and placed and int(digits[12]) == (11 - _sum(digits, _KOREA_WEIGHTS) % 11) % 10


def spain_dni(characters: str) -> bool:
    """Check 8 digits and a letter."""
    return characters[8] == _DNI_LETTERS[int(characters[:8]) % 23]


def spain_nie(characters: str) -> bool:
    """Check X, Y or Z, 7 digits and a letter."""
    return spain_dni("XYZ".index(characters[0]).__str__() + characters[1:])


def france_nir(characters: str) -> bool:
    """Check 15 characters: sex, month, department, key (décret 82-103); 2A and 2B count as 19 and 18."""
    digits = characters.replace("2A", "19").replace("2B", "18") if characters[5:7] in ("2A", "2B") else characters
    month = int(digits[3:5])
    plausible = digits[0] in "12" and (1 <= month <= 12 or 20 <= month <= 42 or month >= 50)
    return plausible and digits[7:10] != "000" and int(digits[13:]) == 97 - int(digits[:13]) % 97


def brazil_cpf(digits: str) -> bool:
    """Check 11 digits with their two check digits; one digit eleven times is never given."""
    first = _sum(digits[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = _sum(digits[:10], range(11, 1, -1)) * 10 % 11 % 10
    return len(set(digits)) > 1 and digits[9:] == f"{first}{second}"


def india_aadhaar(digits: str) -> bool:
    """Check 12 digits: the first at least 2, no palindrome, Verhoeff's check digit (UIDAI)."""
    return digits[0] >= "2" and digits != digits[::-1] and verhoeff(digits)


def poland_pesel(digits: str) -> bool:
    """Check 11 digits: date of birth with the century in the month, check digit."""
    century, month = divmod(int(digits[2:4]), 20)
    year = {0: 1900, 1: 2000, 2: 2100, 3: 2200, 4: 1800}[century] + int(digits[:2])
    return _is_date(year, month, int(digits[4:6])) and int(digits[10]) == -_sum(digits, _PESEL_WEIGHTS) % 10


def sweden_person(digits: str) -> bool:
    """Check 10 digits: month and day of birth, Luhn's check digit; a coordination number adds 60 to the day."""
    day = int(digits[4:6])
    return 1 <= int(digits[2:4]) <= 12 and 1 <= (day - 60 if day > 60 else day) <= 31 and luhn(digits)


def canada_sin(digits: str) -> bool:
    """Check 9 digits: the first neither 0 nor 8, Luhn's check digit."""
    return digits[0] not in "08" and luhn(digits)


def netherlands_bsn(digits: str) -> bool:
    """Check 9 digits: the test of eleven."""
    return int(digits) > 0 and (_sum(digits[:8], range(9, 1, -1)) - int(digits[8])) % 11 == 0


def germany_tax(digits: str) -> bool:
    """Check 11 digits: one digit twice or thrice among the first ten, ISO 7064 MOD 11,10 (section 139b AO)."""
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    rest = 10
    for digit in digits[:10]:
        rest = ((int(digit) + rest) % 10 or 10) * 2 % 11
    return digits[0] != "0" and counts[-1] in (2, 3) and counts[-2] == 1 and int(digits[10]) == (11 - rest) % 10


def taiwan_identity(characters: str) -> bool:
    """Check a letter and 9 digits, the first of them 1, 2, 8 or 9."""
    place = _TAIWAN_LETTERS.index(characters[0]) + 10
    total = place // 10 + place % 10 * 9 + _sum(characters[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))
    return characters[1] in "1289" and total % 10 == 0
