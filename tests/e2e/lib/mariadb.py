"""A MariaDB server of a test's own, on loopback."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

from tests.e2e.lib.process import Ports, Process, tail, wait_until


class MariaDb:
    """With the database and the user that `config()` names, for manager.yaml."""
    PASSWORD = "of-the-tests-only"

    def __init__(self):
        # The path of a socket has at most 107 characters, so the folder is directly below /tmp.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dragonfly-mariadb-", dir="/tmp"))
        self._as = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("mysql")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self._as = ["--user=mysql"]
        ports = Ports()
        self.port = ports.take()
        ports.close()
        subprocess.run(["mariadb-install-db", "--no-defaults", "--skip-test-db",
                        "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M",
                        f"--datadir={self.dir}/data", *self._as], check=True, stdout=subprocess.DEVNULL)
        self.start()
        statements = ("CREATE DATABASE manager; CREATE USER dragonfly@'%' IDENTIFIED BY "
                      f"'{self.PASSWORD}'; GRANT ALL ON manager.* TO dragonfly@'%';")
        subprocess.run(["mariadb", "--no-defaults", "-uroot", f"--socket={self.dir}/socket", "-e", statements], check=True)

    def config(self):
        return {"database": {"type": "mariadb", "mysql": {
            "host": "127.0.0.1", "port": self.port, "user": "dragonfly", "password": self.PASSWORD}}}

    def start(self):
        self.process = Process("mariadbd", [
            "mariadbd", "--no-defaults", f"--datadir={self.dir}/data", f"--port={self.port}", "--bind-address=127.0.0.1",
            f"--socket={self.dir}/socket", f"--pid-file={self.dir}/pid", "--skip-name-resolve",
            "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=2", *self._as],
            self.dir / "log")
        wait_until(lambda: self._answers() or not self.process.running(), 30, "mariadbd answers")
        if not self.process.running():
            raise AssertionError(f"mariadbd ended\n{tail(self.process.log())}")

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.process.kill()

    def close(self):
        self.process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
