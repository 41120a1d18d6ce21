"""English names of the languages that the page names; a code that is not here is shown as it is."""

_NAMES = """
af Afrikaans; als Alemannic; am Amharic; an Aragonese; ar Arabic; arz Egyptian Arabic; as Assamese; ast
Asturian; az Azerbaijani; ba Bashkir; be Belarusian; bg Bulgarian; bn Bengali; bo Tibetan; br Breton; bs
Bosnian; ca Catalan; ceb Cebuano; ckb Central Kurdish; cs Czech; cv Chuvash; cy Welsh; da Danish; de German; dv
Divehi; el Greek; en English; eo Esperanto; es Spanish; et Estonian; eu Basque; fa Persian; fi Finnish; fr
French; fy West Frisian; ga Irish; gd Scottish Gaelic; gl Galician; gu Gujarati; he Hebrew; hi Hindi; hr
Croatian; ht Haitian; hu Hungarian; hy Armenian; ia Interlingua; id Indonesian; io Ido; is Icelandic; it
Italian; ja Japanese; jv Javanese; ka Georgian; kk Kazakh; km Khmer; kn Kannada; ko Korean; ku Kurdish; ky
Kyrgyz; la Latin; lb Luxembourgish; lo Lao; lt Lithuanian; lv Latvian; mg Malagasy; mk Macedonian; ml Malayalam;
mn Mongolian; mr Marathi; ms Malay; mt Maltese; my Burmese; nb Norwegian Bokmål; nds Low German; ne Nepali; nl
Dutch; nn Norwegian Nynorsk; no Norwegian; oc Occitan; or Odia; os Ossetic; pa Punjabi; pl Polish; pnb Western
Punjabi; ps Pashto; pt Portuguese; qu Quechua; rm Romansh; ro Romanian; ru Russian; sa Sanskrit; sah Yakut; sco
Scots; sd Sindhi; sh Serbo-Croatian; si Sinhala; sk Slovak; sl Slovenian; so Somali; sq Albanian; sr Serbian; su
Sundanese; sv Swedish; sw Swahili; ta Tamil; te Telugu; tg Tajik; th Thai; tk Turkmen; tl Tagalog; tr Turkish;
tt Tatar; ug Uyghur; uk Ukrainian; und no letters; ur Urdu; uz Uzbek; vi Vietnamese; vo Volapük; war Waray; wuu
Wu Chinese; yi Yiddish; yo Yoruba; yue Cantonese; zh Chinese
"""
_PAIRS = (entry.split(maxsplit=1) for entry in " ".join(_NAMES.split()).split(";"))
NAMES: dict[str, str] = {pair[0]: pair[1] for pair in _PAIRS}


def language_name(code: str) -> str:
    """Return the English name of a code of the language model, or the code."""
    return NAMES.get(code, code)
