"""Points of a sweep on Dask: a cluster of this machine's processors, or one that is running.

Points are sent in batches of about a quarter of a second, two for each processor: enough that none
waits, few enough that little is lost when this process is killed. A worker that dies loses
nothing, for the scheduler gives its batches to another.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker, spawn
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DeviceError
from .journal import PointOutcome
from .work import PointJob, do_points, sees

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["finished_points", "need_dask", "open_client"]

_SECONDS = 0.25  # of work in a batch
_PATIENCE = 15.0  # seconds to wait for a scheduler, and for its first worker


def need_dask(scheduler: str | None) -> None:
    """Raises ``ConfigError`` where Dask is not installed, or the address is none."""
    try:
        import cryptography  # noqa: F401  # for the keys of a cluster on this machine
        from distributed.comm import get_address_host_port
    except ImportError:
        raise ConfigError("sweep: wanted dask installed (pip install 'qbrain[sweep]')") from None
    if scheduler is not None:
        try:
            get_address_host_port(scheduler)
        except (ValueError, NotImplementedError) as error:
            raise ConfigError(
                f"scheduler: wanted an address such as tcp://host:8786, got {scheduler!r}: {error}"
            ) from None


@contextmanager
def open_client(scheduler: str | None, points: int, witness: str | None) -> Iterator[Client]:
    """A client of the scheduler, or of a cluster of processes on this machine.

    Processes rather than threads: the solver's equations are Python, which threads would share.
    ``witness`` is a file that every worker has to see, if they are to write beside it.

    Raises:
        ConfigError: the workers cannot run qbrain, or do not see the witness.
        DeviceError: the scheduler cannot be reached, or has no workers.
    """
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster
    from distributed.security import Security

    with _quiet(), ExitStack() as stack:
        if scheduler is None:
            size = max(1, min(CPU_COUNT, points))
            stack.enter_context(_without_main())
            with _interrupts_later():
                cluster = LocalCluster(
                    n_workers=size,
                    threads_per_worker=1,
                    # any free port: another cluster here may have the usual one
                    dashboard_address="127.0.0.1:0",
                    # a scheduler takes code from whoever reaches it, and every user of this machine
                    # does: only those with this process's own keys are let in
                    security=Security.temporary(),
                    silence_logs=logging.CRITICAL,
                )
                stack.enter_context(cluster)
            yield stack.enter_context(Client(cluster))
            return
        try:
            client = stack.enter_context(Client(scheduler, timeout=_PATIENCE))
        except OSError as error:
            raise DeviceError(f"scheduler: cannot reach {scheduler}: {error}") from None
        _greet(client, scheduler, witness)
        yield client


@contextmanager
def _without_main() -> Iterator[None]:
    """Workers do not import the program that asked for the sweep, which would run it again.

    Points come from this package, so that no worker needs a script's own names, and the script
    needs no guard by ``__name__``.
    """
    before = spawn.get_preparation_data

    def prepared(name: str) -> dict[str, Any]:
        found = before(name)
        return {key: x for key, x in found.items() if not key.startswith("init_main_from_")}

    spawn.get_preparation_data = prepared
    try:
        yield
    finally:
        spawn.get_preparation_data = before


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold back the keyboard's interrupt; processes that are started meanwhile never get it.

    It reaches every process of the terminal's job, but workers are told by the client to end.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    _start_tracker()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_tracker() -> None:
    """Start the process that cleans up after this one, where signals are still let through.

    It has no word to say to the user of a sweep that is stopped: what is left over is its work.
    """
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore"
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's own log is kept off stderr: what concerns the user is said in one line."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    loud = [logger for logger in map(logging.getLogger, names) if not logger.disabled]
    for logger in loud:
        logger.disabled = True
    try:
        yield
    finally:
        for logger in loud:
            logger.disabled = False


def _greet(client: Client, scheduler: str, witness: str | None) -> None:
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError:
        raise DeviceError(f"scheduler: {scheduler} has no workers") from None
    for worker, answer in client.run(sees, witness or __file__, on_error="return").items():
        if isinstance(answer, Exception):
            raise ConfigError(f"scheduler: worker {worker} cannot run qbrain: {answer}")
        if witness is not None and not answer:
            raise ConfigError(
                f"scheduler: worker {worker} does not see {witness}; wanted a folder that the "
                "workers share, or backend exact, which writes nothing there"
            )


def finished_points(
    client: Client, jobs: Iterable[PointJob], batches: bool
) -> Iterator[list[PointOutcome]]:
    """What came of the jobs, as it comes; without ``batches`` every job is sent alone.

    Raises:
        DeviceError: the scheduler was lost.
    """
    try:
        yield from _finished(client, jobs, batches)
    except OSError as error:
        raise DeviceError(f"scheduler: the connection was lost: {error}") from None


def _finished(
    client: Client, jobs: Iterable[PointJob], batches: bool
) -> Iterator[list[PointOutcome]]:
    from distributed import KilledWorker, as_completed, wait

    waiting, running = deque(jobs), dict[Any, list[PointJob]]()
    suspects: list[PointJob] = []
    completed = as_completed()
    crew = _Crew(client)
    size = 1

    def fill() -> None:
        wanted = 2 * crew.size()
        while waiting and len(running) < wanted:
            share = min(size, math.ceil(len(waiting) / wanted))
            batch = [waiting.popleft() for _ in range(share)]
            future = client.submit(do_points, batch, pure=False)
            running[future] = batch
            completed.add(future)

    fill()
    for future in completed:
        batch = running.pop(future)
        error = _error_of(future)
        if error is None:
            outcomes, seconds = future.result()
            if batches:
                most = int(_SECONDS * len(batch) / max(seconds, 1e-6))
                size = max(1, min(2 * size, most))
            yield outcomes
        elif isinstance(error, KilledWorker):
            suspects += batch
        else:
            yield [_lost(job, error) for job in batch]
        fill()
    # each alone: a point that kills its worker takes others with it, which are to blame for nothing
    for job in suspects:
        future = client.submit(do_points, [job], pure=False)
        wait(future)
        error = _error_of(future)
        yield future.result()[0] if error is None else [_lost(job, error)]


def _error_of(future: Any) -> BaseException | None:
    """What a future that is no longer pending failed with; ConnectionError if it was taken back."""
    if future.status == "finished":
        return None
    if future.status == "error":
        error: BaseException = future.exception()
        return error
    raise ConnectionError("its tasks were taken back")


def _lost(job: PointJob, error: BaseException) -> PointOutcome:
    why = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return PointOutcome(job.key, why, final=False)


class _Crew:
    """How many points can be done at once, asked of the scheduler once a second."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked = -math.inf
        self._size = 1

    def size(self) -> int:
        now = time.monotonic()
        if now - self._asked > 1.0:
            self._size = max(1, sum(self._client.nthreads().values()))
            self._asked = now
        return self._size
