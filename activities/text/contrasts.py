"""Contrasts: words of one kind that exclude each other, so that a text about one does not answer for another."""

from __future__ import annotations

import re

from activities.text.lexicon import denies
from activities.text.terms import topic_words

_ENGLISH = """
first second third fourth fifth sixth
north/northern south/southern east/eastern west/western
minimum maximum
lowest highest
least most
smallest largest/biggest
shortest longest
earliest latest
oldest newest youngest
slowest fastest/quickest
cheapest dearest
worst best
junior senior
male female
men women
boys girls
internal external
indoor outdoor
public private
inside outside
morning afternoon evening night
am pm
weekdays weekends
monday tuesday wednesday thursday friday saturday sunday
january february march april may june july august september october november december
spring summer autumn winter
increase decrease
rise fall
import export
arrival departure
open close
opening closing
buy sell
strength weakness
success failure
permitted/allowed forbidden/prohibited
support oppose
official unofficial
accept/accepted reject/rejected
promote/promoted discourage/discouraged
adults children
upper lower
left right
incoming outgoing
inbound outbound
domestic international
employers employees
landlord tenant
buyer seller
red green blue yellow black white grey orange
gold silver bronze
"""

_CHINESE = (
    "最高 最低|最大 最小|最多 最少|最早 最晚 最迟|最长 最短|最新 最旧|上午 下午 晚上 凌晨 中午|上班 下班|上限 下限"
    "|周一 周二 周三 周四 周五 周六 周日|星期一 星期二 星期三 星期四 星期五 星期六 星期日|春季 夏季 秋季 冬季"
    "|第一 第二 第三 第四 第五 第六"
    "|一季度 二季度 三季度 四季度|东部 南部 西部 北部|东侧 南侧 西侧 北侧|东门 南门 西门 北门"
    "|男性 女性|国内 国外|境内 境外|内部 外部|增加 减少|上升 下降|进口 出口|开门 关门|初级 中级 高级"
    "|工作日 周末 节假日|左侧 右侧|入职 离职|甲方 乙方 丙方|买方 卖方|成人 儿童|室内 室外|优点 缺点|优势 劣势|成功 失败"
)

#: Groups of kinds that exclude each other, each kind with its words.
_GROUPS = [[topic_words(kind.replace("/", " ")) for kind in line.split(" ")] for line in _ENGLISH.split("\n") if line]
_HAN_GROUPS = [group.split(" ") for group in _CHINESE.split("|")]

#: Words that say no without a particle of negation.
_REFUSES = re.compile(
    r"\b(?:un|in|im|non|dis)[a-z-]{4,}|\b(?:refus|forb|prohibit|ban(?:s|ned)?\b|lack|fail|exempt|reject|exclud|except|den(?:y|ied)"
    r"|prevent|lost|loss|avoid|only|few|little)|禁|拒|非|免|仅|只|除|别|勿|莫",
    re.I,
)
_DENIES = re.compile(r"\b(?:not|never|cannot)\b|n['’]t\b", re.I)
_PREFIXES = ("un", "in", "im", "ir", "dis", "non", "mis", "de")

#: Letters of a word that another one contradicts with a prefix.
_ROOT = 5


def contradicts(question: str, sentence: str, around: str) -> set[str]:
    """The words of a question in whose place a sentence has another one of their kind, which the question has not.

    A word that stands in the text ``around`` the sentence is not replaced.
    """
    asked, told, near = topic_words(question), topic_words(sentence), topic_words(around)
    found: set[str] = set()
    for group in _GROUPS:
        mine = [kind for kind in group if kind & asked]
        theirs = [kind for kind in group if kind & told]
        if mine and theirs and not any(kind & near for kind in mine) and not any(kind & asked for kind in theirs):
            found |= asked.intersection(*mine[:1])
    for kinds in _HAN_GROUPS:
        one, other = ([word for word in kinds if word in text] for text in (question, sentence))
        if one and other and not any(word in around for word in one) and not any(word in question for word in other):
            found |= set(one)
    for word in asked - near:
        root = next((word.removeprefix(prefix) for prefix in _PREFIXES if word.startswith(prefix)), "")
        opposed = len(root) >= _ROOT and root in told
        if opposed or (len(word) >= _ROOT and any(prefix + word in told for prefix in _PREFIXES)):
            found.add(word)
    return found


def denies_otherwise(question: str, around: str) -> bool:
    """Whether an English question denies something (“was not”), and the text has nothing of the kind."""
    return _DENIES.search(question) is not None and not denies(around) and not _REFUSES.search(around)
