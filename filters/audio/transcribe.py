"""Speech to text by a user's own Whisper; there is no default, and without one the report says "scorer: none".

One interface: `transcribe(wave) -> Transcript`: what is said when, and the language that is spoken. The model is a
folder as CTranslate2 has it (FILES), read by faster-whisper: the extra `whisper`. Its model.bin is pinned by sha256.
Nothing is fetched, one thread, no sampling: the same samples give the same words on one machine.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from filters.audio import RATE_HZ
from filters.models import ModelDamagedError, ModelMissingError

TRANSCRIBE_VERSION = 2
WEIGHTS = "model.bin"
FILES = ("config.json", WEIGHTS, "preprocessor_config.json", "tokenizer.json", "vocabulary.json", "vocabulary.txt")
_BEAM = 5


class Transcript(NamedTuple):
    """What a recogniser heard."""

    pieces: list[dict[str, Any]]  # {start_s, end_s, text, language} by time
    language: str  # that is spoken
    language_score: float  # [0, 1]


def files_of(folder: Path, sha256: str) -> dict[str, str]:
    """Return {file: sha256} of a model's folder; `sha256` is that of its weights, which are not read here.

    Raises ModelMissingError where there are no weights.
    """
    if not (folder / WEIGHTS).is_file():
        raise ModelMissingError(f"there is no {folder / WEIGHTS}: transcriber.model names a CTranslate2 Whisper folder")
    there = [name for name in FILES if name != WEIGHTS and (folder / name).is_file()]
    return {WEIGHTS: sha256} | {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in there}


class Transcriber(Protocol):
    """What the audio job asks of a speech recogniser."""

    def transcribe(self, wave: Any, beat: Callable[[], None]) -> Transcript:
        """Return what is said in float32[n] at 16 kHz; `beat` shows that it goes on."""


@dataclass(frozen=True)
class Whisper:
    """Where a model is, what its model.bin must be, and the languages that it may find (none: all it knows)."""

    model: str
    sha256: str
    languages: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Whisper":
        """Return the settings that JSON holds."""
        return cls(config["model"], config["sha256"], tuple(config.get("languages", ())))

    def load(self) -> Transcriber:
        """Return the loaded model.

        Raises ModelMissingError where the folder or the package is missing, ModelDamagedError for another model.bin.
        """
        files_of(Path(self.model), self.sha256)
        weights = Path(self.model) / WEIGHTS
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise ModelDamagedError(f"{weights}: sha256 {found}, not {self.sha256}")
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            what = "a transcriber needs faster-whisper: pip install 'corpusmill[whisper]'"
            raise ModelMissingError(what) from error
        model = WhisperModel(
            self.model, "cpu", compute_type="int8", cpu_threads=1, num_workers=1, local_files_only=True
        )
        return _FasterWhisper(model, self.languages)


class _FasterWhisper:
    def __init__(self, model: Any, languages: tuple[str, ...]) -> None:
        self.model, self.languages = model, languages

    def transcribe(self, wave: Any, beat: Callable[[], None]) -> Transcript:
        language, score = self._language(wave)
        beat()
        found, _ = self.model.transcribe(
            wave,
            language=language,
            beam_size=_BEAM,
            temperature=0.0,  # a list would fall back to sampling
            condition_on_previous_text=False,
        )
        pieces, length_s = [], len(wave) / RATE_HZ
        for each in found:  # decoded as they are asked for
            beat()
            if text := each.text.strip():
                start_s, end_s = (round(min(float(at), length_s), 3) for at in (each.start, each.end))
                pieces.append({"start_s": start_s, "end_s": end_s, "text": text, "language": language})
        return Transcript(pieces, language, score)

    def _language(self, wave: Any) -> tuple[str, float]:
        """Return the likeliest language, of those that are allowed where some are named, and its probability."""
        if not self.model.model.is_multilingual:
            return "en", 1.0
        *_, every = self.model.detect_language(wave)
        scores = dict(every)
        language = max(sorted(self.languages or scores), key=lambda code: scores.get(code, 0.0))
        return language, min(max(float(scores.get(language, 0.0)), 0.0), 1.0)
