"""Entry point of ``python -m gander_training.corpora``."""

import sys

from gander_training.corpora.command import main

sys.exit(main())
