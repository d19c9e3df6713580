"""Where things are in a checkout."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TOOLS = CHECKOUT / ".tools"
"""Programs that were fetched for this checkout alone; nothing of them is installed on the system."""
VENV = CHECKOUT / ".venv"
RUN = CHECKOUT / ".run"
"""Data, logs and secrets of what runs; deleted by `make clean`."""
LOCK = CHECKOUT / "requirements.lock"
