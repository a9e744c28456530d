"""Widgets in JupyterLab, driven by a headless Chromium."""
