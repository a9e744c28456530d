"""What the chapters draw: figures of their own, one module a chapter."""
