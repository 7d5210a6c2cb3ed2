"""Computes the plain formulas of workbooks that scripts wrote, which hold no results: products, sums, averages.

What is computed: ``+ - * / ^ %``, parentheses, and SUM, AVERAGE, MIN, MAX, COUNT, PRODUCT and ROUND of numbers, cells
and ranges. A formula with anything else has no value here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from openpyxl.formula import Tokenizer
from openpyxl.formula.tokenizer import Token, TokenizerError
from openpyxl.utils import range_boundaries

Place = tuple[int, int]
"""Row and column, from 1."""

_LONGEST = 1000  # characters of a formula
_DEEPEST = 100  # formulas within formulas, with the expressions in their parentheses
_MOST_STEPS = 500_000  # cells that are looked at for one workbook
_REFERENCE = re.compile(
    r"(?:(?P<sheet>'[^']{1,100}'|[^'!\[\]:]{1,100})!)?(?P<range>[$A-Za-z0-9]{2,12}(?::[$A-Za-z0-9]{2,12})?)"
)
_INFIX: dict[str, tuple[int, Callable[[float, float], float]]] = {
    "+": (1, lambda a, b: a + b),
    "-": (1, lambda a, b: a - b),
    "*": (2, lambda a, b: a * b),
    "/": (2, lambda a, b: a / b),
    "^": (3, math.pow),
}
_PREFIX = 4  # Excel's signs bind more tightly than its powers
_FUNCTIONS: dict[str, Callable[[list[float]], float]] = {
    "SUM": math.fsum,
    "AVERAGE": lambda values: math.fsum(values) / len(values),
    "MIN": lambda values: min(values, default=0.0),
    "MAX": lambda values: max(values, default=0.0),
    "COUNT": lambda values: float(len(values)),
    "PRODUCT": lambda values: math.prod(values) if values else 0.0,
}


class Uncomputed(Exception):
    """A formula that is not plain, or refers to what is no number."""


class Sheet:
    """The cells of one sheet that are not empty; formulas without a result are texts that begin with ``=``."""

    def __init__(self, cells: Mapping[Place, Any], formulas: Mapping[Place, str]) -> None:
        self.cells = cells
        self.formulas = formulas
        self.computed: dict[Place, float | None] = {}


class Calculator:
    """Computes the formulas of one workbook. ``sheet`` finds a sheet by its name; None when there is none."""

    def __init__(self, sheet: Callable[[str], Sheet | None]) -> None:
        self._sheet = sheet
        self._steps = 0
        self.depth = 0
        """Formulas and expressions that are being computed."""

    def value(self, sheet: Sheet, place: Place) -> float | None:
        """The result of the formula at a place; None when it cannot be computed."""
        if place not in sheet.computed:
            sheet.computed[place] = None  # a formula that refers to itself has no result
            depth = self.depth
            try:
                result = _Formula(self, sheet, sheet.formulas[place]).result()
                sheet.computed[place] = result if math.isfinite(result) else None
            except (Uncomputed, TokenizerError, ArithmeticError, ValueError, IndexError, TypeError, AttributeError):
                pass
            finally:
                self.depth = depth
        return sheet.computed[place]

    def numbers(self, sheet: Sheet, reference: str) -> list[float]:
        """The numbers in a cell or range; texts and empty cells are passed over."""
        sheet, (left, top, right, bottom) = self._resolved(sheet, reference)
        rows, columns = range(top, bottom + 1), range(left, right + 1)
        self.spend(min(len(rows) * len(columns), len(sheet.cells) + len(sheet.formulas)))
        if len(rows) * len(columns) <= len(sheet.cells) + len(sheet.formulas):
            places = [(row, column) for row in rows for column in columns]
        else:
            places = sorted(
                place for place in {*sheet.cells, *sheet.formulas} if place[0] in rows and place[1] in columns
            )
        found = (self._number(sheet, place) for place in places)
        return [number for number in found if number is not None]

    def single(self, sheet: Sheet, reference: str) -> float:
        """The number in one cell, 0 for an empty one. Raises Uncomputed for a text or a range."""
        sheet, (left, top, right, bottom) = self._resolved(sheet, reference)
        if (left, top) != (right, bottom):
            raise Uncomputed
        number = self._number(sheet, (top, left))
        if number is None and (top, left) in sheet.cells:
            raise Uncomputed
        return number or 0.0

    def spend(self, steps: int) -> None:
        """Raises Uncomputed when the workbook's formulas look at too many cells."""
        self._steps += steps
        if self._steps > _MOST_STEPS or self.depth > _DEEPEST:
            raise Uncomputed

    def _number(self, sheet: Sheet, place: Place) -> float | None:
        if place in sheet.formulas:
            result = self.value(sheet, place)
            if result is None:
                raise Uncomputed
            return result
        value = sheet.cells.get(place)
        if isinstance(value, str) and value.startswith("#"):
            raise Uncomputed  # an error
        if value is None or isinstance(value, str | bool):
            return None
        return float(value)  # which a date is not

    def _resolved(self, sheet: Sheet, reference: str) -> tuple[Sheet, tuple[int, int, int, int]]:
        found = _REFERENCE.fullmatch(reference)
        other = self._sheet(found["sheet"].strip("'")) if found and found["sheet"] else sheet
        if found is None or other is None:
            raise Uncomputed
        left, top, right, bottom = range_boundaries(found["range"].replace("$", "").upper())
        if None in (left, top, right, bottom):
            raise Uncomputed
        return other, (left, top, right, bottom)


class _Formula:
    """Computes one formula from its tokens."""

    def __init__(self, calculator: Calculator, sheet: Sheet, text: str) -> None:
        if len(text) > _LONGEST:
            raise Uncomputed
        calculator.spend(len(text))
        self._calculator = calculator
        self._sheet = sheet
        self._tokens = [token for token in Tokenizer(text).items if token.type != Token.WSPACE]
        self._at = 0

    def result(self) -> float:
        value = self._expression(0)
        if self._at != len(self._tokens):
            raise Uncomputed
        return value

    def _next(self) -> Any:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _expression(self, binding: int) -> float:
        """Reads operands and the operators between them that bind more tightly than ``binding``."""
        self._calculator.depth += 1
        self._calculator.spend(1)
        value = self._operand()
        while (token := self._next()) is not None:
            if token.type == Token.OP_POST:
                self._at += 1
                value /= 100
            elif token.type == Token.OP_IN and token.value in _INFIX and _INFIX[token.value][0] > binding:
                strength, operation = _INFIX[token.value]
                self._at += 1
                value = operation(value, self._expression(strength))
            else:
                break
        self._calculator.depth -= 1
        return value

    def _operand(self) -> float:
        token = self._next()
        self._at += 1
        match token.type, token.subtype:
            case Token.OP_PRE, _:
                value = self._expression(_PREFIX)
                return -value if token.value == "-" else value
            case Token.OPERAND, Token.NUMBER:
                return float(token.value)
            case Token.OPERAND, Token.RANGE:
                return self._calculator.single(self._sheet, token.value)
            case Token.PAREN, Token.OPEN:
                value = self._expression(0)
                self._close()
                return value
            case Token.FUNC, Token.OPEN:
                return self._function(token.value.rstrip("(").upper())
        raise Uncomputed

    def _function(self, name: str) -> float:
        arguments = self._arguments()
        if name == "ROUND":
            (value,), (digits,) = arguments
            return _rounded(value, int(digits))
        if name not in _FUNCTIONS:
            raise Uncomputed
        return _FUNCTIONS[name]([number for numbers in arguments for number in numbers])

    def _arguments(self) -> list[list[float]]:
        arguments: list[list[float]] = []
        while True:
            token, after = self._next(), self._tokens[self._at + 1 : self._at + 2]
            if token.type == Token.OPERAND and token.subtype == Token.RANGE and after and after[0].type in _ENDS:
                self._at += 1
                arguments.append(self._calculator.numbers(self._sheet, token.value))
            else:
                arguments.append([self._expression(0)])
            if self._next().type != Token.SEP:
                self._close()
                return arguments
            self._at += 1

    def _close(self) -> None:
        token = self._next()
        if token is None or token.subtype != Token.CLOSE:
            raise Uncomputed
        self._at += 1


_ENDS = (Token.SEP, Token.FUNC)  # after an argument


def _rounded(value: float, digits: int) -> float:
    """Half away from zero, as spreadsheets round."""
    if abs(digits) > 15:
        raise Uncomputed
    scaled = abs(value) * 10.0**digits
    return math.copysign(math.floor(round(scaled, 9) + 0.5) / 10.0**digits, value)
