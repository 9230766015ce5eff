"""The engines: what they promise about names, threads, signals and orphans."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from nonsmooth.errors import InputError
from nonsmooth.runs import ENGINES, engine


def test_names():
    assert ENGINES == ("inline", "processes")
    with pytest.raises(InputError, match=r"'procesess' is not known \(did you mean 'processes'\?\)"):
        engine("procesess")


@pytest.mark.parametrize("jobs", [0, -1, 1025, 1.5, True, "2"])
def test_jobs_out_of_range(jobs):
    with pytest.raises(InputError, match="1 to 1024"):
        engine("processes", jobs)


def test_inline_runs_at_once_and_keeps_exceptions():
    with engine("inline", 5) as here:
        assert here.workers == 1
        assert here.submit(os.getpid).result() == os.getpid()
        assert isinstance(here.submit(int, "x").exception(), ValueError)


def test_processes_start_with_one_thread_and_leave_no_trace_here():
    before = dict(os.environ)
    with engine("processes", 1) as workers:
        assert workers.submit(os.getpid).result() != os.getpid()
        assert workers.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
        assert workers.submit(os.getenv, "NUMBA_NUM_THREADS").result() == "1"
        assert workers.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
    assert dict(os.environ) == before


def test_cancel_does_not_wait():
    with engine("processes", 1) as workers:
        workers.submit(os.getpid).result()
        futures = [workers.submit(time.sleep, 60) for _ in range(3)]
        start = time.monotonic()
        workers.cancel()
        assert time.monotonic() - start < 5
        assert not any(
            future.done() and future.exception() is None for future in futures if not future.cancelled()
        )


def _alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_workers_leave_with_a_killed_parent(tmp_path):
    code = """
        import os, time
        from nonsmooth.runs import engine
        if __name__ == "__main__":
            with engine("processes", 2) as workers:
                pids = {workers.submit(os.getpid).result() for _ in range(20)}
                running = [workers.submit(time.sleep, 60) for _ in range(2)]
                pids |= {process.pid for process in workers._pool._processes.values()}
                print(*pids, flush=True)
                time.sleep(60)
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert pids
        assert all(map(_alive, pids))
        parent.kill()
    deadline = time.monotonic() + 10
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_alive, pids))


def test_a_script_without_a_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    toy = Path(__file__).parents[1] / "toys" / "toy_claim.py"
    script.write_text(
        "from nonsmooth.claims import reproduce\n"
        f"reproduce(['toy-mean'], out={str(tmp_path / 'out')!r}, jobs=1, claim_files=[{str(toy)!r}])\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "if __name__ == '__main__':`; or use engine 'inline'" in done.stderr.strip().splitlines()[-1]
