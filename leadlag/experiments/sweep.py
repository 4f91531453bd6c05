"""Runs of a sweep: side by side in processes or on a Dask cluster, each done once, taken up again where they ended.

Every finished run is a JSON file of its own, {"settings": ..., "result": ...}, whose name has a hash of the settings;
it is written beside and renamed. A file that cannot be read, or is of other settings, is made again. Workers only
compute: files are written where `complete` was called, so that a cluster needs no disk in common.
"""

import hashlib
import importlib.util
import json
import math
from collections.abc import Callable
from pathlib import Path

from golden.checks import check
from golden.files import write_json
from leadlag.terminal import bars

CONNECT = "10s"         # to a scheduler


def digest(settings: dict) -> str:
    """Twelve hex digits of the hash of settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def check_seeds(seeds) -> None:
    """ValueError unless every seed is an integer of 0 or more."""
    for seed in seeds:
        check(isinstance(seed, int) and seed >= 0, f"a seed is an integer of 0 or more, not {seed!r}")


def finished(path: Path, settings: dict, trusted: Callable[[dict, dict], bool]) -> dict | None:
    """The result in the file of a run; None where there is none, or none that `trusted(settings, result)`."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        result = found["result"]
        return result if found["settings"] == settings and trusted(settings, result) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def complete(todo: list[tuple], out: Path, *, work: Callable, name_of: Callable[[dict], str], trusted: Callable,
             jobs: int = 1, scheduler: str | None = None, console=None, title: str = "runs") -> dict[str, dict]:
    """Results by name; what is on disk in `out` is not done again.

    todo: arguments of `work`, the settings first; work: a function at the top of a module, so that other processes find
    it; jobs: side by side on this machine; scheduler: the address of Dask's in place of them. ValueError for wrong
    jobs, RuntimeError where a run fails or no scheduler answers.
    """
    check(isinstance(jobs, int) and jobs >= 1, f"jobs must be 1 or more, not {jobs!r}")
    results = {name_of(job[0]): finished(out / f"{name_of(job[0])}.json", job[0], trusted) for job in todo}
    left = [job for job in todo if results[name_of(job[0])] is None]
    if not left:
        return results
    with bars(console) as progress:
        bar = progress.add_task(title, total=len(todo), completed=len(todo) - len(left))
        for settings, result in _run(work, left, jobs, scheduler):
            result = strict(result)
            write_json(out / f"{name_of(settings)}.json", {"settings": settings, "result": result})
            results[name_of(settings)] = result
            progress.advance(bar)
    return results


def _answer(work, job):
    return job[0], work(*job)


def _run(work, todo: list, jobs: int, scheduler: str | None):
    """(settings, result) of each job as it ends."""
    if scheduler is not None:
        yield from _on_cluster(work, todo, scheduler)
    elif jobs == 1:
        yield from (_answer(work, job) for job in todo)
    else:
        from joblib import Parallel, delayed
        yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(_answer)(work, job) for job in todo)


def _on_cluster(work, todo: list, scheduler: str):
    if importlib.util.find_spec("distributed") is None:
        raise RuntimeError("a scheduler needs Dask: pip install 'leadlag[cluster]'")
    from distributed import Client, as_completed
    try:
        client = Client(scheduler, timeout=CONNECT)
    except (OSError, ValueError, TypeError) as error:
        raise RuntimeError(f"no Dask scheduler at {scheduler}: {error}") from None
    with client:
        futures = [client.submit(_answer, work, job, pure=False) for job in todo]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            client.cancel([future for future in futures if not future.done()])


def strict(value):
    """JSON has no word for what is not a number: null."""
    if isinstance(value, dict):
        return {name: strict(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [strict(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def markdown(rows: list[list[str]]) -> str:
    """A table, heading first, as Markdown has it."""
    head, *rest = rows
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rest))
