"""What is logged, with the operation that each line is about."""

import logging

import pytest

from b2_iconik.common import logs


def logged_with(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    """The operation of each line with such words, from now on."""
    caplog.set_level(logging.INFO)
    ids: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        if words in record.getMessage():
            ids.append(logs.operation_id.get())
        return True

    caplog.handler.addFilter(note)
    return ids
