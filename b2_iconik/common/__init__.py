"""What every package uses: settings, errors, logs, texts, the clock, metrics and worker threads.

Every package may import it. It imports none of them.
"""
