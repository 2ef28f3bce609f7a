"""Certificates of an authority that nobody trusts, made by openssl(1)."""
import os
import pathlib
import subprocess
import tempfile


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(map(str, arguments))}:\n{done.stderr}")


class Authority:
    def __init__(self, folder, name="test"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cert = self.folder / "ca.pem"
        self.key = self.folder / "ca-key.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 1,
                "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert)

    def issue(self, folder, names="IP:127.0.0.1,IP:::1,DNS:localhost", days=1):
        """ca.pem, cert.pem and key.pem in FOLDER, each replaced in one step. The keys of a configuration."""
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            work = pathlib.Path(work)
            openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=node", "-keyout", work / "key.pem", "-out", work / "request.pem")
            (work / "names").write_text(f"subjectAltName={names}\n")
            openssl("x509", "-req", "-in", work / "request.pem", "-CA", self.cert, "-CAkey", self.key,
                    "-CAcreateserial", "-days", days, "-extfile", work / "names", "-out", work / "cert.pem")
            (work / "ca.pem").write_bytes(self.cert.read_bytes())
            for name in ("ca.pem", "cert.pem", "key.pem"):
                os.replace(work / name, folder / name)
        return {"caCert": str(folder / "ca.pem"), "cert": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
