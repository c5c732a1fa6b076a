"""Work divided among processes that share their imports. The standard library alone."""

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import forkserver


def prepare_processes(processes: int, modules: list[str]) -> None:
    """Start the server from which the processes of `in_processes` will fork, if there are to be several. It imports the
    modules for all of them, while the caller goes on with imports of its own."""
    if processes > 1:
        forkserver.set_forkserver_preload(modules)
        forkserver.ensure_running()


def in_processes(work: Callable, tasks: Iterable, processes: int) -> Iterator:
    """The results of `work` for each task, in the order in which they finish, in so many processes.

    With one process, or one task, everything happens here.
    """
    tasks = list(tasks)
    if min(processes, len(tasks)) <= 1:
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("forkserver")
    with concurrent.futures.ProcessPoolExecutor(min(processes, len(tasks)), context) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
