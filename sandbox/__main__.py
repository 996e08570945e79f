"""`python -m sandbox --port 8080`"""

from sandbox.command import main

raise SystemExit(main())
