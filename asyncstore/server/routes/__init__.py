"""The endpoints by subject, each module with its own in ``ENDPOINTS``."""
