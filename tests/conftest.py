"""Generated examples are the same in every run: a failure is found again where it was seen.

`EYEHAND_EXAMPLES=random pytest` draws new ones, to look for what the fixed ones miss.
"""

import os

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None)
settings.register_profile("random", print_blob=True)
settings.load_profile(os.environ.get("EYEHAND_EXAMPLES", "fixed"))
