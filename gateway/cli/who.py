"""Who gives a command: for the ledger, which keeps who, when and why."""

import os
import pwd


def operator() -> str:
    """The login name of whoever runs the command; behind sudo, of whoever called it."""
    caller = os.environ.get("SUDO_USER")
    if caller:
        return caller
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
