"""Words that say what an image is for: decoration of the page, or adult content; in a URL's path, and in alt texts.

OBELICS (Laurencon et al. 2023, appendix A.1.5) drops images whose URL holds logo, button, icon, plugin, widget, porn,
xxx or sex; MMC4 (Zhu et al. 2023, section 3) the same without the last three. Both look for substrings, so "essex"
and "iconic" go; and both know English only. Here, where spaces or hyphens part words, whole words are compared
(filters.segmentation). Where none do, or a word carries its particles (Korean), patterns are: a katakana word counts
at the end of its run ("サイトロゴ", not "プロゴルフ"), "图标" not in "地图标注", "로고" not in "로고스". Chinese
标志 is left out, for it is a landmark as well.
"""

import re
from collections.abc import Mapping
from functools import cache
from itertools import chain
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.segmentation import segment

WORDS_VERSION = 1  # part of the key of the phase that judges
DECORATION = {
    "en": (
        *("logo", "logos", "logotype", "icon", "icons", "ico", "favicon", "button", "buttons", "btn"),
        *("plugin", "plugins", "widget", "widgets", "banner", "banners"),
    ),
    "es": ("logotipo", "logotipos", "icono", "iconos", "botón", "botones"),
    "pt": ("ícone", "ícones", "botão"),
    "fr": ("bouton", "boutons", "icône", "icônes", "bannière", "bandeau"),
    "de": ("schaltfläche", "symbolleiste"),
    "it": ("icona", "icone", "pulsante"),
    "pl": ("ikona", "ikonka", "przycisk"),
    "ru": ("логотип", "логотипа", "логотипы", "иконка", "иконки", "значок", "кнопка", "баннер"),
    "ar": ("شعار", "أيقونة", "لافتة"),
    "hi": ("लोगो", "आइकन", "बटन", "बैनर"),
}
ADULT = {
    "en": ("porn", "porno", "porns", "pornography", "xxx", "sex", "sexy"),
    "ru": ("порно", "секс"),
    "ar": ("سكس", "إباحي"),
    "hi": ("पोर्न",),
}
DECORATION_PATTERN = (  # RE2
    "(?:ロゴ|ロゴマーク|アイコン|ボタン|ウィジェット|プラグイン)(?:[^ァ-ヶー]|$)|(?:^|[^ァ-ヶー])バナー|"
    "徽标|(?:^|[^地])图标|按钮|横幅|插件|圖示|按鈕|橫幅|로고(?:[^스]|$)|아이콘|버튼|배너|โลโก้|ไอคอน|แบนเนอร์"
)
ADULT_PATTERN = "ポルノ|(?:^|[^ァ-ヶー])エロ(?:[^ァ-ヶー]|$)|アダルト|色情|포르노|섹스|โป๊"
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO_WORD = re.compile(r"[\x00-@\[-`{-\x7f]+")  # ASCII without letters: marks of other scripts belong to words


def decoration_words(text: pa.StringArray) -> npt.NDArray[np.int32]:
    """Return how many words of each text name decoration, int32[len(text)]; 0 for null."""
    return _count(text, DECORATION, DECORATION_PATTERN)


def adult_words(text: pa.StringArray) -> npt.NDArray[np.int32]:
    """Return how many words of each text name adult content, int32[len(text)]; 0 for null."""
    return _count(text, ADULT, ADULT_PATTERN)


def path_words(address: str) -> str:
    """Return the words of an address's path, escapes read: "/img/mainLogo_2x.png" gives "img main Logo x".

    Of an image named by its bytes there are none; a file's type is no word.
    """
    if address.startswith("ni:"):
        return ""
    path = urlsplit(address).path if "://" in address else address.partition(":")[2]
    return _NO_WORD.sub(" ", _CAMEL.sub(" ", unquote(re.sub(r"\.[A-Za-z0-9]{1,5}$", "", path)))).strip()


def _count(text: pa.StringArray, words: Mapping[str, tuple[str, ...]], pattern: str) -> npt.NDArray[np.int32]:
    found = segment(text)
    places = np.flatnonzero(np.isin(found.hashes, _hashes(tuple(sorted(chain(*words.values()))))))
    text_of = np.searchsorted(found.doc_offsets, places, "right") - 1
    whole = np.bincount(text_of, minlength=len(text)).astype(np.int32)
    matched: npt.NDArray[np.int32] = pc.fill_null(pc.count_substring_regex(text, pattern), 0).to_numpy()
    return whole + matched


@cache
def _hashes(words: tuple[str, ...]) -> npt.NDArray[np.uint64]:
    hashes: npt.NDArray[np.uint64] = segment(pa.array(words)).hashes
    return hashes
