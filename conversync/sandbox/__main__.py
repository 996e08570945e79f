"""`python -m conversync.sandbox --port 8080`"""

from conversync.sandbox.command import main

raise SystemExit(main())
