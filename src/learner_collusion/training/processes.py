"""Work divided among processes that share their imports. The standard library alone."""

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import forkserver, resource_tracker


def prepare_processes(processes: int, modules: list[str], through_sigterm: bool = False) -> None:
    """Start the server from which the processes of `in_processes` will fork, if there are to be several. It imports the
    modules for all of them, while the caller goes on with imports of its own.

    `through_sigterm`: the server and its processes go on at a SIGTERM, which may reach every process of a job, so that the caller can
    end a step that waits for them.
    """
    if processes <= 1:
        return
    forkserver.set_forkserver_preload(modules)
    resource_tracker.ensure_running()  # which unblocks signals
    blocked = {signal.SIGTERM} if through_sigterm else set()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)  # processes inherit it; here the signal only comes later
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(*_) -> None:
    """Call it in a process that was forked: it ends when the one that asked for it has gone, also where that was killed. The server
    in between would keep both for ever."""
    threading.Thread(target=_end_after, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_after(parent) -> None:
    parent.join()
    os._exit(1)


def in_processes(work: Callable, tasks: Iterable, processes: int) -> Iterator:
    """The results of `work` for each task, in the order in which they finish, in so many processes.

    With one process, or one task, everything happens here.
    """
    tasks = list(tasks)
    if min(processes, len(tasks)) <= 1:
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("forkserver")
    with concurrent.futures.ProcessPoolExecutor(min(processes, len(tasks)), context, end_with_parent) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
