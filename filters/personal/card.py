"""Payment card numbers: prefix and length of a network, Luhn's check digit, written in the network's groups.

Sources: ISO/IEC 7812-1 (check digit, annex B); the networks' published ranges. A number in one piece is taken where a
word before it says card, or nothing touches it that makes it part of an address or a path.
"""

from collections.abc import Iterator

from filters.personal.digit_groups import LUHN, PLUS, Windows
from filters.personal.places import Batch, Found, word_pattern

# network, first digits from .. to, lengths
NETWORKS = (
    ("visa", 4, 4, (13, 16, 19)),
    ("mastercard", 51, 55, (16,)),
    ("mastercard", 2221, 2720, (16,)),
    ("amex", 34, 34, (15,)),
    ("amex", 37, 37, (15,)),
    ("jcb", 3528, 3589, (16, 17, 18, 19)),
    ("discover", 6011, 6011, (16, 19)),
    ("discover", 644, 659, (16, 19)),
    ("diners", 300, 305, (14,)),
    ("diners", 36, 36, (14, 16, 19)),
    ("diners", 38, 39, (14, 16, 19)),
    ("unionpay", 62, 62, (16, 17, 18, 19)),
    ("maestro", 5018, 5018, (12, 13, 14, 15, 16, 17, 18, 19)),
    ("maestro", 6304, 6304, (12, 13, 14, 15, 16, 17, 18, 19)),
    ("maestro", 6759, 6763, (12, 13, 14, 15, 16, 17, 18, 19)),
    ("mir", 2200, 2204, (16, 17, 18, 19)),
    ("rupay", 6521, 6522, (16,)),
)
SHAPES = {16: (0x4444, 0), 15: (0x465, 0x456), 14: (0x464,), 19: (0x44443, 0x6D), 13: (0x4333,)}
_SAYS_CARD = word_pattern(
    (
        "cards?",
        "visa",
        "mastercard",
        "amex",
        "jcb",
        "carte",
        "karte",
        "tarjeta",
        "cartão",
        "карт",
        "カード",
        "卡",
        "카드",
    )
)
_PART_OF_MORE = frozenset("/=#.,-_%&?:@$€£¥")


def find_cards(batch: Batch, windows: Windows) -> Iterator[Found]:
    """Yield the card numbers among windows of digits; the detail is the network."""
    chosen = windows.having(LUHN)
    rows = batch.rows_of(chosen.start).tolist()
    columns = (chosen.start, chosen.end, chosen.value, chosen.shape, chosen.digits, chosen.flags)
    for row, start, end, value, shape, digits, flags in zip(rows, *(c.tolist() for c in columns), strict=True):
        network = network_of(str(value).rjust(digits, "0"))
        if network and not flags & PLUS and _stands_alone(batch, row, (start, end), shape, digits):
            yield Found(start, end, network)


def network_of(number: str) -> str | None:
    """Return the network whose prefix and length a number has."""
    for name, low, high, lengths in NETWORKS:
        if len(number) in lengths and low <= int(number[: len(str(low))]) <= high:
            return name
    return None


def _stands_alone(batch: Batch, row: int, place: tuple[int, int], shape: int, digits: int) -> bool:
    start, end = place
    if not batch.apart(row, start, end) or not (shape < 16 or shape in SHAPES.get(digits, ())):
        return False
    if shape >= 16 or _SAYS_CARD.search(batch.before(row, start)):
        return True
    return batch.before(row, start, 4)[-1:] not in _PART_OF_MORE and batch.after(row, end, 4)[:1] not in _PART_OF_MORE
