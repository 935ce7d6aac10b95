"""Processes that end with the process that started them."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from .console import fail

# The status of a command that was ended by Ctrl-C or SIGTERM, as shells know it.
INTERRUPTED = 130
_PR_SET_PDEATHSIG = 1


class Processes:
    """Started processes and their folders. Leaving the `with` block ends them, with all that they have started, and deletes these."""

    def __init__(self):
        self._started = []
        self._folders = []

    def __enter__(self):
        # A SIGTERM ends the block as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        return self

    def __exit__(self, *_):
        for process in self._started:
            _signal_group(process, signal.SIGTERM)
        for process in self._started:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                pass
            _signal_group(process, signal.SIGKILL)
            process.wait()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    def folder(self, path):
        """An empty folder for a process, which is deleted with it. What an earlier run left there goes, too."""
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        self._folders.append(path)
        return path

    def start(self, command, log, **environment):
        """Starts a command in a group of its own, with its output in the file `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        self._started.append(process)
        return process


def _end_with_parent():
    """Makes the kernel end this process when its parent ends, for whatever reason. Linux only."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    except (OSError, AttributeError):
        pass


def _signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def free_port(preferred=None):
    """The preferred port if it is free, else any free port."""
    for port in [preferred, 0] if preferred else [0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    fail("failed to find a free port")


def wait_until_up(what, url, process, log, seconds=60):
    """Waits until `url` responds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            fail(f"failed to start {what}: it exited. Read {log}")
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    fail(f"failed to start {what}: no response within {seconds} s. Read {log}")
