"""Child processes: started, looked at and ended by pid; none outlives the tests."""
import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def die_with_parent():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(condition, seconds, what):
    """Polls until condition() is true and returns what it gave; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class Ports:
    """Ports that the kernel has given and that nobody takes until release() of the moment of use."""

    def __init__(self, ip="127.0.0.1"):
        self._ip = ip
        self._held = {}

    def take(self):
        held = socket.socket(socket.AF_INET6 if ":" in self._ip else socket.AF_INET)
        held.bind((self._ip, 0))
        port = held.getsockname()[1]
        self._held[port] = held
        return port

    def release(self, ports):
        for port in ports:
            with contextlib.suppress(KeyError):
                self._held.pop(port).close()

    def close(self):
        self.release(list(self._held))


class Process:
    """A program of ours with its log."""

    def __init__(self, name, command, log, env=None, cwd=None):
        self.name = name
        self.log_path = pathlib.Path(log)
        self._log = open(log, "ab")
        self._popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, preexec_fn=die_with_parent,
            env=env, cwd=cwd, start_new_session=True)

    @property
    def pid(self):
        return self._popen.pid

    def running(self):
        return self._popen.poll() is None

    @property
    def exit_code(self):
        return self._popen.poll()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def suspend(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        self.resume()
        self.signal(signal.SIGKILL)
        self._end()

    def stop(self, seconds=20):
        """SIGTERM; the exit code. Kills, and fails, when the process is not gone in time."""
        self.resume()
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds):
        try:
            code = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds} s\n{tail(self.log())}") from None
        self._log.close()
        return code

    def _end(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(10)
        self._log.close()


def usage(pid):
    """(CPU seconds, resident anonymous bytes) of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return cpu, int(line.split()[1]) * 1024
    return cpu, 0


def tail(text, lines=40):
    return "\n".join(text.splitlines()[-lines:])
