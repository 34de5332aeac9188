"""A worker: `python -m movielens_api.server.worker`, started by `workers`.

It inherits the socket as the descriptor that its one argument names. From standard input come the settings, on a line;
then nothing, until the process that started it ends, however that happens. On standard output it says that it is ready.
"""

import os
import signal
import socket
import sys
import threading

from movielens_api import assembly, server
from movielens_api.errors import StartupError
from movielens_api.observation import server_log
from movielens_api.server.sharing import SharingServer

READY = b"ready\n"


def main() -> int:
    """Serve until told to stop, or until the parent is gone."""
    server_log.configure()
    settings = assembly.Settings.from_json(sys.stdin.readline())
    try:
        # Who started this has said already what there is to say.
        app = assembly.application(settings, assembly.load(settings, tell=lambda _: None))
        tls = assembly.tls_context(settings)
    except StartupError as error:
        print(f"movielens-api: {error}", file=sys.stderr)
        return error.exit_code
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    with socket.socket(fileno=int(sys.argv[1])) as bound:
        try:
            os.write(sys.stdout.fileno(), READY)
        except BrokenPipeError:
            # The parent has been killed.
            return 1
        server.run(app, bound, tls, SharingServer)
    return 0


def _stop_with_parent() -> None:
    # A read of the descriptor, not of sys.stdin: its lock would be held when the interpreter ends.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
