"""The question in what a person wrote: without greetings, thanks and sign-offs, with the context that it needs."""

from __future__ import annotations

import re

from activities.text.scripts import is_han
from activities.text.sentences import sentences
from activities.text.terms import topic_words

#: A question with so few topic words (characters in Chinese) is kept with the sentence before it.
FEW_WORDS = 3
FEW_CHARACTERS = 10

#: Sentences (clauses in Chinese) before a question that are kept with it at most.
BACK = 3

#: Longer texts are searched as they are.
MAX_CHARACTERS = 4000

#: Greetings and fillers that are taken from the beginning of one sentence.
_FILLERS = 4

_ADDRESSED = r"(?:there|all|team|everyone|everybody|folks|guys|again|dear [\w ]{1,30}|[A-Z]\w{1,20})"
_GREETING = re.compile(
    rf"^(?:(?i:hi|hello|hey|hiya|greetings|good (?:morning|afternoon|evening|day)|morning|afternoon|evening)"
    rf"(?:,?\s{_ADDRESSED}){{0,2}}\s?[,!.:;–-]+|(?i:hi|hello|hey)\s(?i:there|all|team|everyone|folks)\b[,!.]?"
    rf"|(?i:dear)\s[^,!?.:\n]{{1,40}}[,!:.]|(?i:excuse me|pardon me|please)[,!]|(?i:ok|okay|well|so),)\s*"
)
_SIGN_OFF = re.compile(
    r"^(?:(?:kind(?:est)?|best|warm(?:est)?|many|with kind|with best)\s(?:regards|wishes)|regards|best,|cheers\b"
    r"|yours\b|sincerely|all the best|love,|take care|bye\b|see you)",
    re.I,
)
#: A filler ends where the next clause begins, so that what follows it in the sentence is kept.
_END = r"(?:[,;:–]+\s*(?:(?:and|but|so)\s)?|\s(?:and|but)\s|[.!\s:();-]*$)"
_FILLER = re.compile(
    r"^(?:(?:first of all,? )?(?:many |much |so many )?(?:thanks|thank you|thx|ty)\b|i (?:really )?(?:hope"
    r"|trust)\b|hope (?:this|you|all)\b"
    r"|(?:i'?m |i am )?(?:so |very |really )?sorry (?:to|for)\b|apologies\b|i apologi[sz]e\b"
    r"|(?:i (?:just )?have )?(?:just )?a? ?(?:quick|short|small|silly|simple) (?:one|question)(?: from my side"
    r"| for you)?(?=[:,.!;]|$)"
    r"|i have a question(?=[:,.!;]|$)|i(?:'m| am) not sure (?:if|whether) this is\b|i know you\b[^,?]{0,20}\bbusy\b"
    r"|(?:any|your) help\b[^,?]{0,30}\bappreciated\b|(?:i )?look(?:ing)? forward\b"
    r"|(?:have|wish you) an? (?:\w+ )?(?:day|week|weekend|evening|time)\b|(?:much )?appreciated\b"
    r"|i (?:have )?tried to find it\b|i (?:could|can)(?:n'?t| not) find it\b|hope to hear\b|no rush\b|i(?:'m"
    r"| am) new here\b"
    r"|i(?:'ve| have)? (?:only )?(?:just )?(?:started|joined)(?: here| work| on \w+day| last \w+| this \w+"
    r"| yesterday| today)?(?=[,.!;]| and\b)"
    r"|nice to meet you)[^,;:–?]{0,80}?" + _END,
    re.I,
)
_SMALL_TALK = re.compile(r"^how are (?:you|things)\b[^?]{0,30}\?$", re.I)
_ASIDE = re.compile(
    r",?\s?\bif (?:(?:that|it)(?:'s| is) (?:not too much trouble|ok|okay|possible|all right)|you don'?t mind"
    r"|i may ask),?\s?|\bby any chance\b",
    re.I,
)
_FRAME = re.compile(
    r"\b(?:(?:and )?(?:i|we) (?:was|were|am|are) (?:just )?wondering,?(?: if| whether)?"
    r"|(?:and )?(?:i|we)(?:'d| would) (?:(?:like|love|need|be interested) to (?:know|ask|find out)|be (?:very "
    r"|so )?grateful if)"
    r"|(?:and )?(?:i|we) (?:just )?(?:want|wanted|need) to (?:know|ask)|(?:i|we) was asked [\w ]{0,30}to find out"
    r"|(?:could|can|would|will) (?:you|someone|somebody|anyone|anybody) (?:please |kindly |perhaps |maybe "
    r"|possibly )?"
    r"(?:tell|let|explain to|inform|remind|help) (?:me|us)(?: know| out)?(?: with)?"
    r"|would you (?:mind|be so kind as to|be able to|be kind enough to)(?: telling| tell)? (?:me|us)"
    r"|do you (?:happen to |by any chance )?know|(?:please )?(?:tell|let) me know|please tell me"
    r"|you could (?:please )?(?:tell|let) (?:me|us)(?: know)?"
    r"|(?:i|we) (?:have|had|'ve got) a (?:quick |short |small |silly )?question (?:about|regarding|on|concerning)"
    r"|quick question(?: from my side)?:?|(?:was|am|are|i) hoping (?:that )?you could help me with something)"
    r"(?:\s?[,:](?=\s))?\s?",
    re.I,
)
_TAIL = re.compile(
    r"(?<=[\w%)'’\"”])[,.;–-]?\s(?:(?:many |much )?(?:thanks|thank you|thx)"
    r"(?: a lot| so much| very much| a million)?(?: in advance)?|please|cheers)[!.?:)]{0,3}$",
    re.I,
)
_WHETHER = re.compile(r"^(?:if|whether)\s", re.I)
_ASKS = re.compile(
    r"\?|^(?:who|what|when|where|why|which|how|is|are|do|does|did|can|could|may|must|should|will|would"
    r"|summari[sz]e|list|give"
    r"|show|explain|describe|find)\b|\b(?:how (?:much|many|long|often|far|soon)|until when|by when)\b",
    re.I,
)
_REFERS = re.compile(
    r"\b(?:it|its|they|them|their|this|that|those|these|one|there|he|she|him|her|so|then|such|myself|mine)\b", re.I
)

# --- Chinese -----------------------------------------------------------------------------------------

_CLAUSE = re.compile(r"[^，,。！!？?；;～~…：:\n]+[，,。！!？?；;～~…：:\n]*")
_HAN_FILLER = re.compile(
    r"^\s*(?:(?:[^，。？?]{0,6}?)(?:您好|你好|大家好|老师好|们好|早上好|上午好|中午好|下午好|晚上好|早安|晚安)[呀啊]?|哈喽|嗨|亲|在吗|在不在|打扰[^？?]{0,6}"
    r"|冒昧[^？?]{0,6}|"
    r"(?:真的?|很|非常|实在)?(?:不好意思|抱歉|对不起)[^？?]{0,8}|(?:先|非常|十分|很|万分|万)?(?:谢谢|感谢|多谢|感激|谢)[^？?]{0,14}|(?:麻烦|拜托|辛苦)(?:您"
    r"|你|大家)?了?|"
    r"(?:祝|希望)(?:您|你|大家|工作|生活|一切|身体)[^？?]{0,14}|期待[^？?]{0,10}|有(?:个|一个|些)?问题(?:想)?(?:请教|咨询|问)[^？?]{0,6}|"
    r"我是(?:刚|新)[^？?]{0,12}|(?:麻烦)?帮忙看一?下|心里很[^？?]{0,8}|现在很着急)[，,。！!？?；;～~…：:\s]*$"
)
_HAN_FRAME = re.compile(
    r"(?:我)?(?:就|很|也)?(?:想要?|要)?(?:麻烦)?(?:您|你|大家)?(?:请问|想问|请教|问一?下|问一句|咨询一?下|咨询|想了解|了解一?下|想知道|不知道|不清楚)"
    r"(?:您|你|大家|一下|下)*[，,：:\s]?"
    r"|(?:能不能|可不可以|可否|能否|能|可以)?(?:麻烦)?(?:您|你)?(?:告诉|告知)(?:一下)?我(?:一下)?[，,]?|麻烦(?:您|你)?(?:帮我|帮忙)?|帮我(?:[查看]一?下)?"
)
_HAN_ASKS = re.compile(
    r"[？?吗呢]|什么|多少|几|哪|怎么|怎样|如何|谁|多[久长大高远]|何时|是否|能否|能不能|可不可以|可否|有没有|要不要|是不是|总结|概括|概述|归纳|介绍|列出"
)
_HAN_EMPTY = re.compile(
    r"什么|多少|钱|几|哪[个些里儿]?|怎么|怎样|如何|谁|多[久长大高远]|时候|时间|一下|需要|应该|可以|[吗呢呀啊吧的了要是在有会能想我你您它]"
)


def bare_question(text: str) -> str:
    """The sentences of a text that ask, and those before them that they need; the text itself when nothing asks."""
    if len(text) > MAX_CHARACTERS:
        return text
    found = _chinese(text) if is_han(text) else _english(text)
    return found if topic_words(found) else text


def _english(text: str) -> str:
    parts: list[tuple[str, bool]] = []
    courteous = False
    for sentence in (sentence.strip() for line in text.splitlines() for sentence in sentences(line)):
        plain = _without_fillers(sentence)
        if _SIGN_OFF.match(plain) and any(asks for _, asks in parts):
            courteous = True
            break
        bare = " ".join(_FRAME.sub(" ", _ASIDE.sub(" ", plain)).split()).strip(" ,;:–-")
        framed = bare != plain.strip(" ,;:–-")
        bare = _WHETHER.sub("", bare) if framed else bare
        courteous = courteous or framed or plain != sentence
        if topic_words(bare):
            mark = "?" if framed and not bare.endswith("?") else ""
            parts.append((bare.rstrip(".") + mark if mark else bare, framed or _ASKS.search(plain) is not None))
    return " ".join(_with_context(parts, " ")) if courteous else text


def _without_fillers(sentence: str) -> str:
    """The sentence without the greetings and fillers at its beginning, and the thanks at its end."""
    if _SMALL_TALK.match(sentence):
        return ""
    plain = sentence
    for _ in range(_FILLERS):
        shorter = _FILLER.sub("", _GREETING.sub("", plain, count=1), count=1)
        if shorter == plain:
            break
        plain = shorter
    return _TAIL.sub("", plain)


def _chinese(text: str) -> str:
    kept: list[tuple[str, bool]] = []
    clauses: list[str] = _CLAUSE.findall(text)
    for clause in clauses:
        if _HAN_FILLER.match(clause):
            continue
        bare = _HAN_FRAME.sub("", clause).strip()
        if topic_words(bare):
            kept.append((bare, bool(_HAN_ASKS.search(clause))))
    if len(kept) == len(clauses) and all(
        bare == clause.strip() for (bare, _), clause in zip(kept, clauses, strict=True)
    ):
        return text
    return "".join(_with_context(kept, "")).strip("，,；;：: ") or text


def _with_context(parts: list[tuple[str, bool]], space: str) -> list[str]:
    """The parts that ask, each with the one before it if it cannot do without; all parts when none asks."""
    if not any(asks for _, asks in parts):
        return [part for part, _ in parts]
    wanted: set[int] = set()
    for at, (_, asks) in enumerate(parts):
        if asks:
            wanted.add(at)
            back = at
            while back and at - back < BACK and _needs_context(space.join(text for text, _ in parts[back : at + 1])):
                back -= 1
                wanted.add(back)
    return [part for at, (part, _) in enumerate(parts) if at in wanted]


def _needs_context(question: str) -> bool:
    if is_han(question):
        return len(re.sub(r"\W", "", _HAN_EMPTY.sub("", question))) < FEW_CHARACTERS
    return len(topic_words(question)) <= FEW_WORDS or _REFERS.search(question) is not None
