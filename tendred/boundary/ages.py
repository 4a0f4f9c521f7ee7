"""Stated ages, birth years and approximate ages, on a view whose number words are digits already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from tendred.boundary.data import AgeWords

ADULT: Final = 21
"""Below this age nobody is unmistakably an adult."""
OLDEST: Final = 120
_GRADUATION: Final = 18
_CENTURY: Final = 100
# How far before and after an age its company is looked at.
_REACH: Final = 60

# One number of at most three digits that isn't part of a longer one ("10 000", "1.2", "12:30").
_NUM: Final = r"(?<![0-9])(?<![0-9][.,:/])(?P<n>[1-9][0-9]{2}|[0-9]{1,2})(?:[.,][0-9]{1,2})?(?![0-9]|[.,:][0-9])"
_DIGIT: Final = re.compile("[0-9]")
_RANGE: Final = r"(?: ?(?:-|\u2014|~|/|to|or|and|a|ou|et) ?[0-9]{1,3}(?![0-9]))?"
_TEENS: Final = r"(?P<n>1[0-9]|20)(?![0-9]|[.,:][0-9])"
_ORDINAL: Final = (
    "(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth"
    "|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth)"
)
# Up to XX, without the letters of larger ones.
_ROMAN: Final = r"(?<![a-z])(?:xx|x?(?:ix|iv|v?i{1,3}|v)|x)(?![a-z])"
_SPORT: Final = (
    "(?:team|squad|league|cup|side|match|football|soccer|hockey|rugby|basketball|player|gymnast|swimmer|champion)"
)
_GAP: Final = r"[\s.-]{0,2}"
_END: Final = r" ?(?:[,.;!?)\]\n}|]|$)"
_STOP: Final = f"(?={_END})"


class Age(NamedTuple):
    """A stated age in years (0 for months, weeks, days and "barely"), at `[start, end)` of the view."""

    years: int
    start: int
    end: int
    rule: str

    @property
    def minor(self) -> bool:
        """Whether it leaves doubt about a subject being an adult."""
        return self.years < ADULT


class Ages:
    """Finds every age in a view."""

    def __init__(self, words: AgeWords) -> None:
        people = _any(words.people)
        adjective = f"(?:{_any(words.thing_adjectives)} ){{0,2}}"
        after = r" (?:of )?(?:experience|ago|later|earlier|warranty)"
        unit = rf"(?! ?(?:%|\u00b0|{_any(words.units)})(?![a-z]))(?![a-z])"
        self._years = [
            re.compile(
                rf"{_NUM}{_RANGE}{_GAP}(?:years?|yrs?){_GAP}(?:olds?|of age|young|(?={people}(?![a-z])))(?![a-z])"
            ),
            re.compile(rf"{_NUM}{_RANGE}(?:{_GAP}(?:yrs?|yos?|y[ ./-]o(?:ld|\.)?)|y)(?![a-z]|[ .-]?[0-9]|{after})"),
            re.compile(
                rf"(?<![a-z])(?:ages?|age (?:range|group|bracket)|aged|agee?s?|turns?|turned|turning)(?:[ :=(]{{1,2}}"
                rf"(?:of|is|about|around|between|from|only|just|de|entre|environ|a peine))?[ :=(-]{{0,3}}{_NUM}{_RANGE}{unit}"
            ),
            re.compile(
                rf"(?<![a-z])(?:{people} of|will be|to be) {_NUM}{_RANGE}(?: (?:years|yrs|next|this|soon|in)(?![a-z])|{_STOP})"
            ),
            re.compile(
                rf"{_NUM}{_GAP}(?:st|nd|rd|th|eme|e) (?:year|annee) (?:of|de) (?:life|age|vie|(?:her|his|sa) (?:life|vie))(?![a-z])"
            ),
            re.compile(rf"(?<![a-z])(?:sweet )?{_NUM}{_GAP}(?:st|nd|rd|th|eme|e) (?:birthday|anniversaire)"),
            re.compile(
                rf"(?<![a-z])(?:she|he|they|who|elle|il|{people})(?:'s|'re| is| are| was| were) ?"
                rf"(?:only |just |about |barely |now |nearly |almost )?{_NUM}{_RANGE}{unit}"
            ),
            re.compile(rf"(?<![a-z]){people}(?:, ?| ?\(|\n){_NUM}{_RANGE}{_STOP}"),
            re.compile(rf"(?<![a-z]){people} (?P<n>[1-9][0-9]){_RANGE}{_STOP}"),
            re.compile(
                rf"(?<![a-z])(?:over|above|older than|at least|almost|nearly|barely|freshly|newly|a peine|tout juste|plus de)"
                rf"(?: the age of)? {_NUM}{_STOP}"
            ),
            re.compile(r"(?<![0-9.])(?P<n>1[678]) ?\+(?![0-9])"),
            re.compile(r"(?<![a-z0-9.])(?P<n>1[0-9])f(?![a-z0-9])|[(\[](?P<m>1[0-9]|20)[ /]?[fm][)\]]"),
            re.compile(rf"(?<![0-9.,:/-])(?P<n>1[3-9]|20)-(?:1[4-9]|20)(?= {people}(?![a-z])|{_END})"),
            re.compile(rf"(?<![a-z]){people} (?P<n>1[0-9]|20)-[0-9]{{2}}(?![0-9])"),
            re.compile(rf"(?<![a-z])(?:just|only|merely|fresh) {_TEENS}{_STOP}"),
            re.compile(rf"(?<![a-z]){people} at (?:the age of )?{_TEENS}{_STOP}"),
            re.compile(rf"(?<![a-z])(?:portrait|photo|picture|selfie) of [a-z]+, ?(?P<n>[5-9]|1[0-9]|20){_STOP}"),
            re.compile(
                rf"(?:{_NUM}[ -]and[ -]a[ -]half[ -](?:years?|yrs?)[ -]olds?|(?<![0-9.,])(?P<m>1[0-9]|20) and a half{_STOP})"
            ),
            re.compile(rf"{_NUM}{_GAP}(?:summers|winters|springs)[ -](?:old|young)(?![a-z])"),
            re.compile(rf"(?<![a-z]){people} of {_NUM} (?:summers|winters|springs)(?![a-z])"),
            re.compile(rf"(?<![a-z])born (?:only |just )?{_NUM} (?:years?|yrs?) ago(?![a-z])"),
        ]
        self._french = re.compile(
            rf"{_NUM}{_RANGE}{_GAP}ans(?![a-z])|(?:d'|de |(?<![a-z])a )(?P<m>1) an(?![a-z])|{_any(words.dozens)}"
        )
        self._under = re.compile(
            rf"(?<![a-z])(?:under|below|younger than|less than|sub|not(?: yet| quite| even)|moins de|pas encore|years? (?:shy|short) of"
            rf"|soon to be|going on|isn't|hasn't turned|yet to turn|approaching|close to|days? before|weeks? before|months? before)"
            rf"(?: the age of)?[ -]{_NUM}(?: yet)?(?:{_STOP}|(?= {people}(?![a-z])))|(?<![a-z])before (?:her|his|their) (?P<m>[0-9]{{1,2}})(?:st|nd|rd|th) birthday"
            rf"|(?<![a-z])(?:under[ -]|u-?)(?P<o>[5-9]|1[0-9]|20)(?:'?s(?![a-z])| (?=(?:[a-z]+ )?{_SPORT}s?(?![a-z])))"
        )
        self._tiny = re.compile(
            rf"{_NUM}{_RANGE}{_GAP}(?:months?|mos?|weeks?|wks?|days?){_GAP}olds?(?![a-z])|(?<![a-z])an? (?:year|month|week|day)"
            rf"[ -]old(?![a-z])|(?<![a-z])(?:(?:half )?a dozen years|a decade(?:[ -]and[ -]a[ -]half)?)[ -]olds?(?![a-z])"
            rf"|(?<![a-z0-9])(?<![0-9][ -])(?<!ty[ -]){_ORDINAL} (?:birthday|year of (?:life|age|(?:her|his|their) life))(?![a-z])"
            rf"|{_ROMAN}[ -](?:years?|yrs?|ans)(?:[ -]olds?)?(?![a-z])|(?<![a-z]){people}, {_ROMAN} (?:years?|yrs?)(?![a-z])"
        )
        self._born = re.compile(
            r"(?<![a-z])(?:born|b\.(?= ?(?:19|20)[0-9]{2})|birth ?(?:year|date|day)|year of birth|date of birth|dob|nee?s? (?:en|le)|(?:annee|date) de naissance)"
            r"(?![a-z])(?:[^.;\n]{0,24}?(?<![0-9])(?P<y>(?:19|20)[0-9]{2})(?![0-9])|(?: in)? '(?P<s>[0-9]{2})(?![0-9]))"
        )
        self._born_before = re.compile(r"(?<![0-9])(?P<y>20[0-9]{2})[ -]born(?![a-z])")
        self._class = re.compile(r"(?<![a-z])(?:class|promo|promotion) (?:of|de) (?P<y>20[0-9]{2})(?![0-9])")
        self._thing_after = re.compile(
            rf"[ -]{adjective}{_any(words.things)}(?![a-z])(?! (?!(?:in|on|at|with|and|under|by|near|of|from|running|playing|sitting|parked|next"
            r"|standing|dans|sur|avec|et|sous|de|du|des)(?![a-z]))[a-z])"
        )
        # French names the thing first; its adjectives follow it.
        self._thing_before = re.compile(
            rf"(?<![a-z]){_any(words.things)} {adjective}(?:aged |age de |agee de |vieux de |vieille de |de |d'environ )?$"
        )
        self._time_before = re.compile(
            rf"(?<![a-z]){_any(words.time_before)}(?: environ| plus de| moins de| pres de)? ?$"
        )
        self._time_after = re.compile(rf" {_any(words.time_after)}(?![a-z])")

    def find(self, text: str, year: int) -> Iterator[Age]:
        """Every age stated in a folded text; `year` is the current one."""
        if _DIGIT.search(text):
            yield from self._counted(text, year)
        for found in self._french.finditer(text):
            if not self._span_of_time(text, found):
                yield from self._age(text, found, _years(found))
        for found in self._tiny.finditer(text):
            yield from self._age(text, found, 0)

    def _counted(self, text: str, year: int) -> Iterator[Age]:
        """Ages and birth years that are told by a number."""
        for pattern in self._years:
            for found in pattern.finditer(text):
                yield from self._age(text, found, _years(found))
        for found in self._under.finditer(text):
            if _years(found) <= ADULT:
                yield Age(0, found.start(), found.end(), "minor.age")
        yield from self._births(text, year)

    def _births(self, text: str, year: int) -> Iterator[Age]:
        for found in self._born.finditer(text):
            born = int(found["y"]) if found["y"] else _full_year(int(found["s"]), year)
            # Who has a birthday still to come this year is a year younger than the subtraction says.
            yield Age(max(year - born - 1, 0), found.start(), found.end(), "minor.birth")
        for found in self._born_before.finditer(text):
            yield Age(max(year - int(found["y"]) - 1, 0), found.start(), found.end(), "minor.birth")
        for found in self._class.finditer(text):
            yield Age(max(year - int(found["y"]) + _GRADUATION - 1, 0), found.start(), found.end(), "minor.birth")

    def _age(self, text: str, found: re.Match[str], years: int) -> Iterator[Age]:
        if self._thing_after.match(text, found.end()) or self._thing_before.search(_before(text, found.start())):
            return
        yield Age(years, found.start(), found.end(), "minor.age")

    def _span_of_time(self, text: str, found: re.Match[str]) -> bool:
        before = self._time_before.search(_before(text, found.start()))
        return bool(before or self._time_after.match(text, found.end()))


def stated_adult(ages: Sequence[Age]) -> int | None:
    """The one adult age that a text states for people, None if it states none or several."""
    adults = {age.years for age in ages if ADULT <= age.years <= OLDEST and age.rule == "minor.age"}
    return adults.pop() if len(adults) == 1 else None


def _any(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(words)})"


def _before(text: str, at: int) -> str:
    return text[max(0, at - _REACH) : at]


def _full_year(short: int, year: int) -> int:
    return year - year % _CENTURY + short - (_CENTURY if short > year % _CENTURY else 0)


def _years(found: re.Match[str]) -> int:
    groups = found.groupdict()
    return int(next((groups[name] for name in ("n", "m", "o") if groups.get(name)), 0))
