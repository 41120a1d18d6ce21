"""What recipes may give to the jobs that hear speech: audio and video."""

from typing import Annotated

from pydantic import Field

from pipelines.recipe_block import Block

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class TranscriberBlock(Block):
    """A user's own speech recogniser: a folder with a Whisper model as CTranslate2 has it."""

    model: Annotated[str, Field(min_length=1, description="the folder; it goes with the job, model.bin pinned")]
    sha256: Annotated[Sha256, Field(description="of model.bin")]
    languages: Annotated[tuple[str, ...], Field(description="the model may only find these; empty: any it knows")] = ()


class WordListsBlock(Block):
    """A folder of <language>.txt or .json lists against which transcripts are held."""

    path: Annotated[str, Field(min_length=1)]
    sha256: Annotated[Sha256, Field(description="digest of the lists, as filters.safety.word_lists tells it")]
