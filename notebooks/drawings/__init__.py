"""What one chapter alone draws: a module for each."""
