"""Entry point of ``python -m gander_training.reference``."""

import sys

from gander_training.reference.command import main

sys.exit(main())
