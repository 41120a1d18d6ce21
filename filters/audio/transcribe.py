"""Speech to text by a user's own Whisper; there is no default, and without one the report says "scorer: none".

One interface: `transcribe(wave) -> [{start_s, end_s, text, language}]`. The model is a folder as CTranslate2 has it
(model.bin, config.json, tokenizer.json, vocabulary), read by faster-whisper: the extra `whisper`. Its model.bin is
pinned by sha256. Nothing is fetched, one thread, no sampling: the same samples give the same words on one machine.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filters.audio import RATE_HZ
from filters.models import ModelDamagedError, ModelMissingError

TRANSCRIBE_VERSION = 1
_BEAM = 5


class Transcriber(Protocol):
    """What the audio job asks of a speech recogniser."""

    def transcribe(self, wave: Any, beat: Callable[[], None]) -> list[dict[str, Any]]:
        """Return [{start_s, end_s, text, language}] by time of float32[n] at 16 kHz; `beat` shows that it goes on."""


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
        weights = Path(self.model) / "model.bin"
        if not weights.is_file():
            raise ModelMissingError(
                f"there is no {weights}: audio.transcriber.model names a CTranslate2 Whisper folder"
            )
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise ModelDamagedError(f"{weights}: sha256 {found}, not {self.sha256}")
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            what = "audio.transcriber needs faster-whisper: pip install 'corpusmill[whisper]'"
            raise ModelMissingError(what) from error
        model = WhisperModel(
            self.model, "cpu", compute_type="int8", cpu_threads=1, num_workers=1, local_files_only=True
        )
        return _FasterWhisper(model, self.languages)


class _FasterWhisper:
    def __init__(self, model: Any, languages: tuple[str, ...]) -> None:
        self.model, self.languages = model, languages

    def transcribe(self, wave: Any, beat: Callable[[], None]) -> list[dict[str, Any]]:
        language = self._language(wave) if self.languages else None
        found, about = self.model.transcribe(
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
                pieces.append({"start_s": start_s, "end_s": end_s, "text": text, "language": about.language})
        return pieces

    def _language(self, wave: Any) -> str:
        """Return the likeliest of the languages that are allowed."""
        *_, every = self.model.detect_language(wave)
        scores = dict(every)
        return max(sorted(self.languages), key=lambda code: scores.get(code, 0.0))
