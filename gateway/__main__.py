"""So that `python -m gateway` is the command."""

import sys

from gateway.cli import main

sys.exit(main())
