"""Stated ages, birth years and approximate ages, on a view whose number words are digits already."""

from __future__ import annotations

import itertools
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
# Small numbers alone count other things than years more often than not.
_NUM_OLD: Final = r"(?<![0-9])(?P<n>[4-9]|1[0-9]|20)(?:[.,][0-9])?(?![0-9]|[.,:][0-9])"
_TWO: Final = r"(?<![0-9.,:/])(?P<m>[0-9]{1,2})"
_END: Final = r" ?(?:[,.;!?)\]\n}|]|$)"
_STOP: Final = f"(?={_END})"
# What goes on about somebody whose age was told.
_ON: Final = (
    f"(?={_END}| (?:is|was|in|on|at|with|and|who|wearing|beside|holding|sitting|standing|lying|looking|reading|walking|playing|running|smiling|dancing|under|near|by|--|to|for|as|from"
    r"|please)(?![a-z]))"
)
# What may stand between somebody and an age.
_BETWEEN: Final = (
    r"[ ,(\[:/=~*-]{1,3}(?:(?:who|that|which|is|was|are|isn't|still|just|only|hardly|barely|about|around|approx|circa|ca|maybe|perhaps|probably|roughly|some|all|of|as|old|an?|the"
    r"|mere|nearing|no|older|younger|than|having|has|with|aged?|soon|now|already|not|even|yet|being|turning|turned|looks?|looking|like)[ ,.:=~(-]{1,3}){0,6}"
)
_NOT_IN: Final = (
    r"(?! in (?:total|all|an? |number|the (?:morning|evening|afternoon)|line)| (?:to|and|or|by) [0-9]{2,3}(?![0-9]))"
)
_YEARS: Final = r"(?:years?|yrs?|yo|y ?[./] ?o|birthdays)(?![a-z])"
# Whoever does something, by how such words end, other than what ends alike.
_DOER: Final = (
    r"(?<![a-z])(?!(?:poster|paper|number|layer|chapter|tower|computer|theater|river|water|flower|winter|summer|september|october|november|december|order|over|under"
    r"|after|letter|filter|render|shader|sampler|cover|corner|border|master|monitor|mirror|motor|reactor|sector|vector|factor|color|door|floor|harbor|tractor|elevator|locker"
    r"|poker|copper|silver|ginger|leather|feather|weather|butter|pepper|paper|supper|dinner|her|other|another|either|never|ever|tiger|lobster|spider|hamster|oyster|panther|beaver"
    r"|otter|badger|plover|cluster|counter|meter|diameter|aperture|shutter|trailer|tanker|cruiser|fighter|freighter|container|buffer|error|minor|major|senior|junior|interior|exterior"
    r"|list|twist|mist|fist|wrist|artist style|ocean|indian|italian|victorian|edwardian|asian|fan|van|pan|can|plan|clan|titan|caravan|guardian|meridian|median|avian|romance|plant|giant|elephant"
    r"|restaurant|pendant|variant|instant|constant|important|elegant|vibrant|distant|brilliant|dress|press|fortress|cypress|mattress|empress style|process|princess dress)(?![a-z]))"
    r"[a-z]{2,14}(?:ist|er|or|ian|man|woman|ess|ant|eur|ete)"
)


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
                rf"(?<![a-z])(?:{people} of|will be|to be)(?: just| only| barely| about| maybe)? {_NUM}{_RANGE}(?: (?:years|yrs|next|this|soon|in)(?![a-z])|{_ON})"
            ),
            re.compile(
                rf"{_NUM}{_GAP}(?:st|nd|rd|th|eme|e) (?:year|annee) (?:of|de) (?:life|age|vie|(?:her|his|sa) (?:life|vie))(?![a-z])"
            ),
            re.compile(rf"(?<![a-z])(?:sweet )?{_NUM}{_GAP}(?:st|nd|rd|th|eme|e) (?:birthday|anniversaire)"),
            re.compile(
                rf"(?<![a-z])(?:she|he|they|who|elle|il|{people})(?:'s|'re| is| are| was| were) ?"
                rf"(?:only |just |about |barely |now |nearly |almost )?{_NUM}{_RANGE}{unit}"
            ),
            re.compile(rf"(?<![a-z]){people}(?:, ?| ?\(|\n){_NUM}{_RANGE}{_ON}"),
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
            re.compile(
                rf"(?<![a-z])(?:born|birth(?: was| is)?) (?:only |just |some |about )?{_NUM} (?:years?|yrs?) ago(?![a-z])"
            ),
            re.compile(rf"{_DOER}(?:, ?(?:only |just )?| ?[(\[]){_NUM_OLD}{_ON}"),
            re.compile(rf"{_DOER} of (?:just |only |barely |about )?{_NUM_OLD}{_ON}"),
            re.compile(
                rf"(?<![a-z])(?:actually|really|truly|secretly|in (?:fact|truth|reality))(?: only| just)? {_NUM}{unit}"
            ),
            re.compile(rf"(?<![a-z])(?:him|her|them|me|us|himself|herself) at (?:the age of |age )?{_NUM_OLD}{_STOP}"),
            re.compile(
                rf"(?<![a-z])(?:blow(?:s|ing)? out|cake with|cake and|cake,) (?:her |his |their |the )?{_NUM} (?:birthday )?candles"
            ),
            re.compile(rf"(?<![0-9a-z.])(?P<n>[3-9])f (?={people}(?![a-z]))"),
            re.compile(rf"(?<=[a-z]), ?(?P<n>[6-9]|1[0-9]|20){_STOP}"),
            re.compile(
                rf"(?<![a-z])(?:pass(?:es|ing)? (?:for|as)|appear(?:s|ing)?|look(?:s|ing)?|seem(?:s|ing)?|estimated|believed|supposed)(?: to be| like)?"
                rf"(?: a| an| about| around| at most| no older than| maybe| roughly| barely| only| just)? {_NUM}{_RANGE}(?:{_ON}| (?:years?|yrs?|or|at most|with|and|in|on)(?![a-z]))"
            ),
            re.compile(
                rf"(?<![a-z])(?:has|have|had|with|after|lived(?: for)?|seen|alive(?: for)?|spent|only)(?: only| just| merely| but| about| barely| seen| lived| had)* {_NUM}"
                rf" (?:birthdays|summers|winters|springs|autumns|years (?:behind|on (?:this |the )?earth|of life|alive|to (?:her|his|their) name))(?![a-z])"
            ),
            re.compile(
                rf"(?<![a-z])(?:lived|alive|existed)(?: for)?(?: only| just| merely| about| barely)? {_NUM} (?:years?|yrs?)(?![a-z])"
            ),
            re.compile(rf"{_NUM}(?:ish|-ish| ?-? ?something|-odd)(?![a-z])(?= |{_STOP})"),
            re.compile(
                rf"(?<![a-z])(?:rising|pushing|nearing|hitting|hits|reaching|reached|reaches|celebrat(?:es|ing|ed)(?: (?:her|his|their|being))?|upon|made it to) {_NUM}{_STOP}"
            ),
            re.compile(rf"(?<![a-z])(?:whose|her|his|their) age (?:is|was|equals|=|:|being) ?{_NUM}"),
            re.compile(rf"(?<![a-z])age ?[~<>=\u2248:#-]{{1,3}} ?(?P<n>[1-9][0-9]?)(?![0-9.,]){unit}"),
            re.compile(
                r"(?<![0-9a-z/])(?P<n>[5-9]|1[0-9]|20) ?/ ?[fm](?![a-z0-9])|(?<![a-z0-9])[mf](?P<m>1[0-9])(?= [a-z]{3})"
            ),
            re.compile(
                rf"(?<![a-z])(?:{people}|kid|pupil)s? (?:between|from|aged from) {_NUM} (?:and|to|until|through) [0-9]{{1,2}}(?![0-9])"
            ),
            re.compile(rf"(?<![a-z])(?:between|from) {_NUM_OLD} (?:and|to) [0-9]{{1,2}} (?:years|yrs)(?![a-z])"),
            re.compile(rf"{_NUM} 3/4[ -](?:years?|yrs?)|{_TWO}(?:[ -]and)?[ -][1-3]/[2-4][ -](?:years?|yrs?)[ -]olds?"),
            re.compile(rf"(?<![a-z])(?:her|his|their) {_NUM}(?:st|nd|rd|th) (?:birthday|b-?day|bday|year)(?![a-z])"),
            re.compile(
                rf"{_NUM} (?:or so |odd )?(?:years?|yrs?) (?:after (?:her|his|their )?birth|since birth|since (?:she|he|they) (?:was|were) born|from birth)(?![a-z])"
            ),
            re.compile(
                rf"{_NUM}(?:st|nd|rd|th)? (?:year|spring|summer|winter) (?:of|in) (?:existence|being alive|this world)(?![a-z])"
            ),
            re.compile(rf"(?<![a-z])(?:the )?ages? (?:of )?(?:a |an )?{_NUM}{unit}"),
        ]
        self._loose = [
            re.compile(
                rf"(?:(?<![a-z]){people}|{_DOER}s?){_BETWEEN}{_NUM_OLD}{_NOT_IN}(?:{_ON}| ?(?:years?|yrs?|y|winters|summers)(?![a-z]| (?:later|ago|earlier|after|apart|together|experience|before|since|on|of (?:experience|service|marriage))))"
            ),
            re.compile(
                rf"(?:(?<![a-z]){people}|{_DOER}s?) {_NUM_OLD} (?:to|or|and) [0-9]{{1,2}} (?:years|yrs)(?![a-z])"
            ),
            re.compile(
                rf"(?<![0-9a-z.])(?P<n>[6-9]|1[0-9]|20) ?[mf] (?={people}(?![a-z])|{_DOER})|(?<![a-z0-9])[mf]/?(?P<m>[6-9]|1[0-9]|20) (?={people}(?![a-z])|{_DOER})"
            ),
            re.compile(rf"(?<![a-z])i(?:'m| am) (?:just |only |now |almost |nearly )?{_NUM_OLD}{_ON}"),
        ]
        self._french = re.compile(
            rf"{_NUM}{_RANGE}{_GAP}ans(?![a-z])|(?:d'|de |(?<![a-z])a )(?P<m>1) an(?![a-z])|{_any(words.dozens)}"
        )
        self._under = re.compile(
            rf"(?<![a-z])(?:under|below|younger than|less than|sub|not(?: yet| quite| even)|moins de|pas encore|years? (?:shy|short) of"
            rf"|soon to be|going on|isn't|hasn't turned|yet to turn|approaching|close to|days? before|weeks? before|months? before)"
            rf"(?: the age of)?[ -]{_NUM}(?: yet)?(?:{_ON}|(?= {people}(?![a-z])))|(?<![a-z])before (?:her|his|their) (?P<m>[0-9]{{1,2}})(?:st|nd|rd|th) birthday"
            rf"|(?<![a-z])(?:under[ -]|u-?)(?P<o>[5-9]|1[0-9]|20)(?:'?s(?![a-z])| (?=(?:[a-z]+ )?{_SPORT}s?(?![a-z])|{_DOER}s?(?![a-z])))"
        )
        self._tiny = re.compile(
            rf"{_NUM}{_RANGE}{_GAP}(?:months?|mos?|weeks?|wks?|days?){_GAP}olds?(?![a-z])|(?<![a-z])an? (?:year|month|week|day)"
            rf"[ -]old(?![a-z])|(?<![a-z])(?:(?:half )?a dozen years|a decade(?:[ -]and[ -]a[ -]half)?)[ -]olds?(?![a-z])"
            rf"|(?<![a-z0-9])(?<![0-9][ -])(?<!ty[ -]){_ORDINAL} (?:birthday|year of (?:life|age|(?:her|his|their) life))(?![a-z])"
            rf"|{_ROMAN}[ -](?:years?|yrs?|ans)(?:[ -]olds?)?(?![a-z])|(?<![a-z]){people}, {_ROMAN} (?:years?|yrs?)(?![a-z])"
        )
        self._more_tiny = re.compile(
            rf"(?<![a-z])(?:(?:half )?a dozen|a decade(?:[ -]and[ -]a[ -]half)?|a score|1 dozen|baker's dozen)(?: (?:plus|and) [0-9])?(?: of)?[ -]"
            rf"(?:years?|yrs?|birthdays|summers|winters|springs)(?! (?:ago|later|earlier|of (?:war|experience|marriage|work|service)))(?![a-z])"
            rf"|(?:[01](?:[.,][0-9])?|2[.,]0|one)[ -]decades?[ -](?:old|of (?:age|life))(?![a-z])|(?<![a-z])a decade and a half(?: old| of age|{_STOP})"
            rf"|(?<![0-9a-z])[01]?[x?*#_][ -]?(?:years?[ -]?olds?|yrs?[ -]?olds?|yo|y/o)(?![a-z])|(?<![0-9])1[x?*#_][ -]?{_YEARS}"
            rf"|(?<![a-z])(?:age|aged|at) {_ROMAN}(?![a-z.])|{_ROMAN} ?y/?o(?![a-z])"
            rf"|(?<![0-9])[0-9]{{1,4}}[ -](?:months?|mos|weeks?|wks?|days?)[ -](?:old|of age|young|after birth)(?![a-z])"
            rf"|(?<![a-z])(?:person|human|someone|somebody|one|who is|is|aged) (?:of )?[0-9]{{1,4}}[ -](?:months|weeks|days)(?: old)?{_STOP}"
        )
        self._sums = re.compile(
            rf"(?<![0-9.])(?P<a>[0-9]{{1,2}}) ?(?P<o>\+|-|plus|minus|and|less|times|x|\*|/|divided by) ?(?P<b>[0-9]{{1,2}})(?![0-9.])[ -]?{_YEARS}"
            rf"|(?<![a-z])(?:age|aged|age is|age of|age:) ?(?P<c>[0-9]{{1,2}}) ?(?P<p>\+|-|plus|minus|less|times|x|\*) ?(?P<d>[0-9]{{1,2}})(?![0-9])"
            rf"|(?<![a-z])(?P<q>twice|half|double|thrice)(?: of)? (?P<e>[0-9]{{1,2}})[ -]?{_YEARS}|0x(?P<h>[0-9a-f]{{1,2}})[ -]?{_YEARS}"
        )
        self._born = re.compile(
            r"(?<![a-z])(?:born|(?:came|come|entered|brought|arrived|arriving) (?:in|into|in to)? ?(?:the|this) world|saw the light of day|birthdate|d\.o\.b\.?|yob|year of birth'?s|b\.(?= ?(?:19|20)[0-9]{2})|births?|birth ?(?:year|date|day)|year of birth|date of birth|dob|nee?s? (?:en|le)|(?:annee|date) de naissance)"
            r"(?![a-z])(?:[^.;\n]{0,24}?(?<![0-9])(?P<y>(?:19|20)[0-9]{2})(?![0-9])|(?: in)? '(?P<s>[0-9]{2})(?![0-9]))"
        )
        self._born_after = re.compile(
            rf"(?:(?<![a-z]){people}|{_DOER}) ?[(\[]\*? ?(?P<y>(?:19|20)[0-9]{{2}})(?: ?-)? ?[)\]]"
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
        for pattern in (self._tiny, self._more_tiny):
            for found in pattern.finditer(text):
                yield from self._age(text, found, 0)

    def _counted(self, text: str, year: int) -> Iterator[Age]:
        """Ages and birth years that are told by a number."""
        told = False
        for pattern in self._years:
            for found in pattern.finditer(text):
                for age in self._age(text, found, _years(found)):
                    told = told or age.minor
                    yield age
        for found in () if told else itertools.chain.from_iterable(pattern.finditer(text) for pattern in self._loose):
            # Of these only the number is sure to tell of the age.
            at, end = next(found.span(name) for name in ("n", "m") if name in found.re.groupindex and found[name])
            if any(self._age(text, found, _years(found))):
                yield Age(_years(found), at, end, "minor.age")
        for found in self._under.finditer(text):
            if _years(found) <= ADULT:
                yield Age(0, found.start(), found.end(), "minor.age")
        for found in self._sums.finditer(text):
            if (years := _sum(found)) is not None:
                yield from self._age(text, found, years)
        yield from self._births(text, year)

    def _births(self, text: str, year: int) -> Iterator[Age]:
        for found in self._born.finditer(text):
            born = int(found["y"]) if found["y"] else _full_year(int(found["s"]), year)
            # Who has a birthday still to come this year is a year younger than the subtraction says.
            yield Age(max(year - born - 1, 0), found.start(), found.end(), "minor.birth")
        for found in (*self._born_before.finditer(text), *self._born_after.finditer(text)):
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


def _sum(found: re.Match[str]) -> int | None:
    """The age that a little sum comes to, None where that is none: "8-10 years" is a range as well, and told elsewhere."""
    if found["h"]:
        return int(found["h"], 16)
    if found["q"]:
        return {"twice": 2, "double": 2, "thrice": 3}.get(found["q"], 0) * int(found["e"]) or int(found["e"]) // 2
    one, sign, two = (found["a"], found["o"], found["b"]) if found["a"] else (found["c"], found["p"], found["d"])
    first, second = int(one), int(two)
    if sign in {"-", "minus", "less"}:
        # Said the other way round, "8 less 20".
        return abs(first - second) if first > second or sign == "less" else None
    if sign in {"/", "divided by"}:
        return first // second if second and sign != "/" else None
    return first * second if sign in {"times", "x", "*"} else first + second


def _years(found: re.Match[str]) -> int:
    groups = found.groupdict()
    return int(next((groups[name] for name in ("n", "m", "o") if groups.get(name)), 0))
