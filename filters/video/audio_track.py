"""The sound of a video as a file of its own: packets are copied, not decoded, so that the audio job reads them."""

import io
from typing import Any

import av

from filters.video.frames import microseconds

MEDIA_TYPE = "audio/x-matroska"


class AudioCopy:
    """Copies one audio stream into Matroska, without the writer's name, time or random number in it."""

    def __init__(self, stream: Any, max_bytes: int) -> None:
        self._out = io.BytesIO()
        self._container: Any = None
        self._max_bytes = max_bytes
        self._time_base = stream.time_base
        self.first, self.last = 1 << 62, -(1 << 62)  # ticks: when the first packet starts, and the last one ends
        self.failed: str | None = None
        self._open(stream)

    def _open(self, stream: Any) -> None:
        try:
            self._container = av.open(self._out, "w", format="matroska", options={"fflags": "+bitexact"})
            self._target = self._container.add_stream_from_template(stream)
        except (av.error.FFmpegError, ValueError) as error:
            self.failed = type(error).__name__

    def add(self, packet: Any) -> None:
        """Copy a packet; packets without a time stamp are left out."""
        if self.failed or packet.dts is None or packet.pts is None:
            return
        start, end = packet.pts, packet.pts + (packet.duration or 0)
        packet.stream = self._target
        try:
            self._container.mux(packet)
        except (av.error.FFmpegError, ValueError) as error:
            self.failed = type(error).__name__
            return
        self.first = min(self.first, start)
        self.last = max(self.last, end)
        if self._out.tell() > self._max_bytes:
            self.failed = "max_audio_bytes"

    def span_us(self) -> tuple[int, int]:
        """Return (start, end) of what was copied, on the container's clock."""
        return microseconds(self.first, self._time_base), microseconds(self.last, self._time_base)

    def finish(self) -> bytes | None:
        """Return the file, or None where nothing could be copied."""
        if self._container is None:
            return None
        try:
            self._container.close()
        except (av.error.FFmpegError, ValueError) as error:
            self.failed = self.failed or type(error).__name__
        return None if self.failed or self.last < self.first else self._out.getvalue()
