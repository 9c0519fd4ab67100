"""Screens read records in threads at the same time; msgspec's first reading stands no second."""

import subprocess
import sys
from typing import Final

from tests.tui.tmux import ROOT

#: In place of the app: every record of the program is read for the first time by four threads.
_SCRIPT: Final = """
import sys, threading
import msgspec
from pai_signer.faces import start_app
from pai_signer.faces.tui import run

def kinds(base):
    for kind in base.__subclasses__():
        if kind.__module__.startswith("pai_signer."):
            yield kind
        yield from kinds(kind)

class App:
    crash = None
    return_code = 0

    def __init__(self, desk, look):
        pass

    def run(self, *, mouse):
        sys.setswitchinterval(1e-6)
        found = list(kinds(msgspec.Struct))
        for kind in found:
            data = msgspec.json.encode(dict.fromkeys(kind.__struct_encode_fields__))
            threads = [threading.Thread(target=read, args=(data, kind)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        print(len(found))

gate = threading.Barrier(4)

def read(data, kind):
    gate.wait()
    try:
        msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        pass

run.SignerApp = App
sys.exit(run._run(None))
"""


def test_no_first_reading_by_two_threads_ends_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert int(done.stdout) > 100
