"""A file for the HDF5 library that takes every write, also those that the system refuses.

Where HDF5 cannot write what it holds, it cannot close its file either, and in the end takes the
process with it. Here what a full disk refuses stays in memory, HDF5 closes as if all was well, and
the refusal is told afterwards.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

__all__ = ["HeldWrites"]


class HeldWrites(io.RawIOBase):
    """An existing file, opened to be read and written.

    Attributes:
        refusal: the first of the system, None as long as all is on the disk.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("r+b", buffering=0)
        self._at = 0
        self._end = os.fstat(self._file.fileno()).st_size
        # what is not on the disk: where it belongs, and the bytes, oldest first
        self._held: list[tuple[int, bytes]] = []
        self.refusal: OSError | None = None

    def check(self) -> None:
        """Raise the refusal, if there was one; what is held may take up the memory."""
        if self.refusal is not None:
            raise self.refusal

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Where the next byte is read or written."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        """Where the next byte is read or written."""
        return self._at

    def write(self, data: Any) -> int:
        """All of the bytes, on the disk or held."""
        left = memoryview(data).cast("B")
        size, at = len(left), self._at
        if self.refusal is None:
            try:
                self._file.seek(at)
                while left:
                    written = self._file.write(left)
                    left, at = left[written:], at + written
            except OSError as error:
                self.refusal = error
        if left:
            self._held.append((at, bytes(left)))
        self._at += size
        self._end = max(self._end, self._at)
        return size

    def readinto(self, buffer: Any) -> int:
        """What was written, wherever it is now."""
        view = memoryview(buffer).cast("B")
        begin, size = self._at, max(0, min(len(view), self._end - self._at))
        view = view[:size]
        view[:] = bytes(size)
        self._file.seek(begin)
        self._file.readinto(view)
        for at, held in self._held:
            first, last = max(at, begin), min(at + len(held), begin + size)
            if first < last:
                view[first - begin : last - begin] = held[first - at : last - at]
        self._at += size
        return size

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file."""
        self._end = self._at if size is None else size
        if self.refusal is None:
            try:
                self._file.truncate(self._end)
            except OSError as error:
                self.refusal = error
        return self._end

    def close(self) -> None:
        """Let go of the file."""
        if not self.closed:
            self._file.close()
        super().close()
