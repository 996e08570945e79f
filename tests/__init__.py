"""The tests. dlt is settled before the first of them imports it, and finds none of the developer's own settings."""

import os
from pathlib import Path

from conversync.warehouse.warehouse import settle_dlt

# In-process runs look for settings here, where there is no .dlt/, and not in the folder they were started in.
os.environ["DLT_PROJECT_DIR"] = str(Path(__file__).parent)
settle_dlt("CRITICAL")
