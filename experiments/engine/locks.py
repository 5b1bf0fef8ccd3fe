"""One process at a time in a folder."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import RunDirectoryError
from .durable import faults_in_a_sentence, why

__all__ = ["UNWRITABLE", "hold"]

# what a disk without leave to write says
UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
# what a file system without locks says; NFS without its lock service, some network folders
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ESTALE)


@contextmanager
def hold(folder: Path, *, unless_unwritable: bool = False) -> Iterator[None]:
    """Hold the folder for this process alone, by the file ``.lock`` in it.

    The lock goes with the process, however that ends.

    Args:
        folder: which exists.
        unless_unwritable: go on without a lock where the disk cannot be written anyway.

    Raises:
        RunDirectoryError: another process holds it, or the file system cannot lock.
    """
    with warnings.catch_warnings():
        # without the system's locks there are those that a file's presence makes
        warnings.simplefilter("ignore", UserWarning)
        from filelock import FileLock, Timeout  # for asyncio and sqlite, which take a while

    lock = FileLock(folder / ".lock", timeout=0, thread_local=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            lock.acquire()
    except Timeout:
        raise RunDirectoryError(f"{folder}: another process is working on this run") from None
    except OSError as error:
        if not (unless_unwritable and error.errno in UNWRITABLE):
            raise _unlocked(folder, error) from None
    try:
        yield
    finally:
        lock.release()


def _unlocked(folder: Path, error: OSError) -> OSError:
    if error.errno in _NO_LOCKS:
        return RunDirectoryError(
            f"{folder}: its file system cannot lock files ({why(error)}), which keeps two "
            "processes from working on one run; wanted a folder on a local disk"
        )
    with faults_in_a_sentence(folder / ".lock", "cannot be locked"):
        raise error
