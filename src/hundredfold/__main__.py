"""`python -m hundredfold`."""

import sys

from hundredfold.cli import main

sys.exit(main())
