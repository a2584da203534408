"""Which stations a few words mean, the best first."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from skyhold.weather.station import Match, Station

__all__ = ["Ranking", "words_of"]

_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = str.maketrans("", "", "'`\u2019\u02bb")
_WHOLE, _BEGINNING, _INSIDE, _ALIKE = 1.0, 0.8, 0.6, 0.5
_LEAST_BEGINNING, _LEAST_INSIDE, _LEAST_ALIKE = 2, 3, 4
_ALIKE_RATIO = 0.8
_MAIN = "intl"
_NOWHERE = 1000


class Ranking:
    """The words of many stations, turned round once: from a word to the stations that have it."""

    def __init__(self, stations: Sequence[Station]) -> None:
        self._stations = stations
        self._names = [words_of(station.name) for station in stations]
        self._having: dict[str, set[int]] = defaultdict(set)
        self._labels: dict[str, set[int]] = defaultdict(set)
        for number, station in enumerate(stations):
            for word in self._names[number]:
                self._having[word].add(number)
            for label in (station.state, station.country, station.wmo):
                for word in words_of(label):
                    self._labels[word].add(number)

    def search(self, query: str, limit: int) -> list[Match]:
        """Return the best stations for some words.

        Where stations have all the words, those that lack one are left out.
        """
        words = words_of(query)
        if not words:
            return []
        found = [self._scores(word) for word in words]
        everywhere = set(found[0]).intersection(*found[1:])
        numbers: set[int] = everywhere or {number for scores in found for number in scores}
        totals = {number: sum(scores.get(number, 0.0) for scores in found) / len(words) for number in numbers}
        newest_first = sorted(numbers, key=lambda number: self._stations[number].source, reverse=True)
        best = sorted(newest_first, key=lambda number: (-totals[number], *self._place(number, words[0])))
        return [Match(self._stations[number], round(totals[number], 4)) for number in best[:limit]]

    def _place(self, number: int, word: str) -> tuple[int, int, bool, int, str]:
        """Return what goes first among equals: named after the place, its main airport, a short name."""
        name = self._names[number]
        first = next((at for at, own in enumerate(name) if own.startswith(word)), _NOWHERE)
        alike = next((at for at, own in enumerate(name) if own[0] == word[0]), _NOWHERE)
        return first, alike, _MAIN not in name, len(name), self._stations[number].name

    def _scores(self, word: str) -> Mapping[int, float]:
        """Return how well each station that has a word, or nearly, has it."""
        scores: dict[int, float] = dict.fromkeys(self._having.get(word, set()) | self._labels.get(word, set()), _WHOLE)
        near = {known: value for known in self._having if (value := _likeness(word, known))}
        for known, value in near.items():
            for number in self._having[known]:
                scores[number] = max(scores.get(number, 0.0), value)
        return scores or self._guesses(word)

    def _guesses(self, word: str) -> Mapping[int, float]:
        """Return stations with a word that is spelt alike, for a word that nobody has."""
        scores: dict[int, float] = {}
        if len(word) < _LEAST_ALIKE:
            return scores
        matcher = SequenceMatcher(b=word, autojunk=False)
        for known, numbers in self._having.items():
            matcher.set_seq1(known)
            if matcher.real_quick_ratio() < _ALIKE_RATIO or matcher.quick_ratio() < _ALIKE_RATIO:
                continue
            ratio = matcher.ratio()
            if ratio >= _ALIKE_RATIO:
                for number in numbers:
                    scores[number] = max(scores.get(number, 0.0), _ALIKE * ratio)
        return scores


def words_of(text: str) -> list[str]:
    """Return the words of a name, without case, accents and apostrophes.

    Example:
        >>> words_of("Chicago-O'Hare.Intl.AP"), words_of("São Paulo")
        (['chicago', 'ohare', 'intl', 'ap'], ['sao', 'paulo'])
    """
    plain = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    return _WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter)).casefold())


def _likeness(word: str, known: str) -> float:
    if word == known:
        return _WHOLE
    if len(word) >= _LEAST_BEGINNING and known.startswith(word):
        return _BEGINNING
    return _INSIDE if len(word) >= _LEAST_INSIDE and word in known else 0.0
