"""One person is forgotten: every trace goes, every sum stays, nobody comes back."""
