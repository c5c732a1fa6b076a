"""Work divided among processes that share their imports. The standard library alone."""

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Iterable, Iterator


def in_processes(work: Callable, tasks: Iterable, processes: int, preload: list[str]) -> Iterator:
    """The results of `work` for each task, in the order in which they finish, in so many processes.

    The processes fork from a server that has imported the modules `preload`, so that their imports are paid for once.
    With one process, or one task, everything happens here.
    """
    tasks = list(tasks)
    if min(processes, len(tasks)) <= 1:
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(preload)
    with concurrent.futures.ProcessPoolExecutor(min(processes, len(tasks)), context) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
