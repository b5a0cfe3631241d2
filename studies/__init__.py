"""What measured the kept figures, one study a file. Not installed: `python -m studies --help` from the checkout."""
