"""`python -m sandbox.cliniko`"""

from sandbox.cliniko.command import main

raise SystemExit(main())
