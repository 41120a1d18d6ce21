"""Settings under a name: those of vocabularies that are well known, as their files and reports state them.

gemma3      262,144 pieces, digits alone, runs of 1 to 31 newlines, tabs and (from 2 on) spaces, bytes, `<unused0>` to
            `<unused6241>`, HTML's tags (tokenizer.json; "more balanced for non-English": Gemma 3 report)
gemini      256,000 pieces, the same runs, 99 unused slots (Gemini 1's and Gemma 1's file)
llama2      32,000 pieces, a dummy prefix, `<unk>`, `<s>`, `</s>`, no runs but those that are learnt, up to 16 spaces
            (Llama 2's file; coverage 0.99995 as Mistral's files of the same recipe say)
llama3-like 128,256 pieces of which 256 are slots, groups of up to three digits, pieces of several scripts. Llama 3 cuts
            by a regular expression first and works on bytes; a .model can't, so this is like it and no more.
"""

from typing import Any

_TAGS = "table caption thead tbody tfoot tr th td"
_BLOCKS = "h1 h2 h3 h4 h5 h6 blockquote"
_MARKS = "strong em b i u s sub sup code"
HTML_TAGS = tuple(f"<{end}{name}>" for names in (_TAGS, _BLOCKS, _MARKS) for end in ("", "/") for name in names.split())
_TURNS = ("<start_of_turn>", "<end_of_turn>")

PRESETS: dict[str, dict[str, Any]] = {
    "gemma3": {
        "vocab_size": 262_144,
        "control_symbols": ("<mask>", "[multimodal]", *_TURNS),
        "user_symbols": HTML_TAGS,
        "modalities": ("image",),
        "reserved": 6242,
    },
    "gemini": {
        "vocab_size": 256_000,
        "control_symbols": ("<mask>", *_TURNS),
        "user_symbols": HTML_TAGS,
        "reserved": 99,
    },
    "llama2": {
        "vocab_size": 32_000,
        "character_coverage": 0.99995,
        "special": "llama",
        "add_dummy_prefix": True,
        "newline_runs": 0,
        "tab_runs": 0,
        "space_runs": 0,
    },
    "llama3-like": {
        "vocab_size": 128_256,
        "split_digits": False,
        "max_digits": 3,
        "script_free": "all",
        "control_symbols": (
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
        ),
        "reserved": 251,
    },
}
