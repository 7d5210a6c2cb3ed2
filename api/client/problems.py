"""What the layers below the terminal say, without words: the command line has the texts in both languages.

``api.cli.texts.messages.text_of`` shows a ``Message`` or a ``Problem`` in the terminal's language.
"""

from __future__ import annotations


class Message:
    """A text of the command line by its code; a parameter can be a message itself."""

    def __init__(self, code: str, /, **params: object) -> None:
        self.code, self.params = code, params

    def __str__(self) -> str:
        return " ".join([self.code, *(f"{name}={value}" for name, value in self.params.items())])


class Problem(Exception):
    """Why a command cannot do what it should; it then ends with exit code 1 and this message."""

    def __init__(self, code: str, /, **params: object) -> None:
        super().__init__(str(Message(code, **params)))
        self.code, self.params = code, params
