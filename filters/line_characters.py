"""What a character is to the line and sentence signals: one byte of flags for each code point, as a frozen table.

The sets are written out and not taken from a library at run time, so that the same text gives the same signals
whatever Unicode version is installed. Ranges are "first-last" in hexadecimal.
"""

import numpy as np
import numpy.typing as npt

TERMINAL = 1  # Sentence_Terminal
CLOSER = 2  # may stand between a terminal mark and the end of the sentence
SPACE = 4  # White_Space, and U+001C-001F: what str.strip() takes off
UNSPACED = 8  # letters and punctuation of scripts that write no space between words
WIDE = 16  # two columns on a screen
BULLET = 32
LOWER = 64  # lower-case letters: a full stop before one ends no sentence

TABLE_SIZE = 0x40000  # code points above have no flags

# Unicode 17.0, PropList.txt, Sentence_Terminal: all 172 of them.
_TERMINAL = """21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736
17D4-17D5 1803 1809 1944-1945 1AA8-1AAB 1B4E-1B4F 1B5A-1B5B 1B5E-1B5F 1B7D-1B7F 1C3B-1C3C 1C7E-1C7F 2024 203C-203D
2047-2049 2CF9-2CFB 2E2E 2E3C 2E53-2E54 2E60-2E61 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9
AA5D-AA5F AAF0-AAF1 ABEB FE12 FE15-FE16 FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89
11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 113D4-113D5
1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C 11C41-11C42
11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 16B37-16B38 16B44 16D6E-16D6F 16E98 1BC9F 1DA88"""
# Quotation marks and closing brackets; opening marks too where some language closes with them (German, Swedish).
_CLOSER = "22 27 29 5D 7D AB BB 2018-2019 201C-201D 2039-203A 3009 300B 300D 300F 3011 3015 3017 3019 301B 301E-301F \
FE42 FE44 FF02 FF07 FF09 FF3D FF5D FF63"
_SPACE = "9-D 1C-20 85 A0 1680 2000-200A 2028-2029 202F 205F 3000"
# Thai, Lao, Tibetan, Myanmar, Khmer, New Tai Lue, Tai Tham, kana, Han, Yi, Javanese, half and full width forms.
_UNSPACED = "E00-EFF F00-FFF 1000-109F 1780-17FF 1950-19FF 1A20-1AAF 2E80-312F 3190-A4CF A980-A9FF AA60-AADF F900-FAFF \
FE30-FE4F FF00-FFEF 1B000-1B16F 20000-3FFFD"
# UAX 11 W and F, by block: Hangul, CJK, Yi, full width forms, emoji.
_WIDE = "1100-115F 2E80-303E 3041-A4CF A960-A97F AC00-D7A3 F900-FAFF FE30-FE6F FF01-FF60 FFE0-FFE6 16FE0-16FFF \
17000-191FF 1AFF0-1AFFF 1B000-1B2FF 1F300-1F64F 1F680-1F6FF 1F900-1F9FF 20000-3FFFD"
_BULLET = "2A 2D B7 2022-2023 2043 204C-204D 2219 25A0-25A1 25AA-25AB 25B6 25B8 25BA 25C6-25C7 25CB 25CF 25E6 30FB"
# Basic Latin, Latin-1, Greek, Cyrillic, Armenian; the Latin extensions alternate and are added below.
_LOWER = "61-7A DF-F6 F8-FF 390 3AC-3CE 430-45F 561-587"
_ALTERNATING_LOWER = (
    range(0x101, 0x138, 2), range(0x13A, 0x149, 2), range(0x14B, 0x178, 2), range(0x17A, 0x17F, 2),
    range(0x461, 0x482, 2), range(0x48B, 0x4C0, 2), range(0x4D1, 0x530, 2), range(0x1EA1, 0x1F00, 2),
)  # fmt: skip


def _code_points(ranges: str) -> npt.NDArray[np.int64]:
    bounds = [[int(end, 16) for end in part.split("-")] for part in ranges.split()]
    return np.concatenate([np.arange(both[0], both[-1] + 1) for both in bounds])


def _table() -> npt.NDArray[np.uint8]:
    table = np.zeros(TABLE_SIZE, np.uint8)
    for flag, ranges in (
        (TERMINAL, _TERMINAL), (CLOSER, _CLOSER), (SPACE, _SPACE), (UNSPACED, _UNSPACED),
        (WIDE, _WIDE), (BULLET, _BULLET), (LOWER, _LOWER),
    ):  # fmt: skip
        table[_code_points(ranges)] |= flag
    for alternating in _ALTERNATING_LOWER:
        table[alternating.start : alternating.stop : alternating.step] |= LOWER
    table.flags.writeable = False
    return table


FLAGS = _table()
