"""Random access to a file of a store through one moving buffer."""

from typing import BinaryIO

BLOCK_BYTES = 1 << 20


class Window:
    """Bytes of `file` by absolute position.

    Reads go forward in blocks, so a range request is made once a MiB.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size
        self._base, self._data = 0, memoryview(b"")

    def at(self, position: int, length: int) -> memoryview:
        """Return bytes [position, position + length); fewer only where the file ends."""
        begin = position - self._base
        length = max(0, min(length, self.size - position))
        if begin < 0 or begin + length > len(self._data):
            self.file.seek(position)
            self._base, begin = position, 0
            self._data = memoryview(self._read(min(max(length, BLOCK_BYTES), self.size - position)))
        return self._data[begin : begin + length]

    def _read(self, length: int) -> bytes:
        data = self.file.read(length)
        if len(data) < length:
            raise EOFError(f"the file ends {length - len(data)} bytes before its stated size of {self.size}")
        return data

    def find(self, pattern: bytes, start: int, stop: int) -> int:
        """Return the first position in [start, stop) where `pattern` begins, or `stop`.

        It may reach past `stop`.
        """
        while start < stop:
            view = self.at(start, BLOCK_BYTES)
            found = bytes(view).find(pattern)
            if found >= 0:
                return min(start + found, stop)
            if start + len(view) >= self.size:
                return stop
            start += len(view) - len(pattern) + 1
        return stop


class Tail:
    """The rest of a window from `start` on, as a stream that counts from there."""

    def __init__(self, window: Window, start: int) -> None:
        self.window, self.start, self.position = window, start, start

    def read(self, size: int = -1) -> bytes:
        size = size if size >= 0 else self.window.size
        data = bytes(self.window.at(self.position, size))
        self.position += len(data)
        return data

    def tell(self) -> int:
        return self.position - self.start

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: self.start, 1: self.position, 2: self.window.size}[whence]
        self.position = base + offset
        return self.tell()

    def close(self) -> None:
        """Leave the window's file open."""
