"""What widgets share: their base in Python, and in the browser numbers, grids, words, style."""
