"""Phrases around the facts: openings, requests to repeat, acknowledgements, "You haven't told me"."""

from __future__ import annotations

from collections.abc import Iterator

from dmem_agents.train.data.frames import ASKING, TELLING
from dmem_agents.train.data.rows import Phrases

OPENINGS = Phrases(
    """
    By the way, {x}
    Just so you know, {x}
    For the record, {x}
    Hi! {x}
    Hey, {x}
    Oh, and {x}
    One more thing: {x}
    It's been a long week, but {x}
    I wanted to tell you that {x}
    Please remember that {x}
    Note that {x}
    I think I never said it, but {x}
    So, {x}
    Well, {x}
    Before I forget, {x}
    {x} Please remember that.
    {x} Keep it in mind.
    {x} Thanks!
    {x} Just saying.
    {x} Isn't that funny?
    In case it helps later, {x}
    Fun fact: {x}
    You may have guessed it already, but {x}
    Speaking of which, {x}
    To be honest, {x}
    Good morning, {x}
    I should probably mention that {x}
    It just came to my mind that {x}
    As I told a friend yesterday, {x}
    A little update from my side: {x}
    {x} You might need this later.
    {x} Write that down somewhere.
    {x} I'll ask you about it another time.
    {x} Anyway, how are you?
    {x} Did you get that?
    {x} That's all for now.
    """,
    """
    You should know that {x}
    Quick note: {x}
    {x} Don't forget it.
    Funny enough, {x}
    {x} What do you say?
    Anyway, {x}
    For your information, {x}
    Let me mention that {x}
    {x} Make a note of that, please.
    I almost forgot, {x}
    {x} I thought you should know.
    Not that it matters, but {x}
    Here's something: {x}
    In case it comes up, {x}
    """,
)
"""What surrounds a plain statement {x}."""

REPEAT_ALL = Phrases(
    """
    Repeat what I told you.
    Repeat everything I told you.
    Say again what I told you.
    Write down what I said, word for word.
    Quote my messages.
    """,
    """
    Recite what I told you.
    Echo everything I said, word for word.
    Give me a transcript of my messages.
    Reproduce what I said exactly.
    """,
)
REPEAT_FIRST = Phrases(
    """
    Repeat the first thing I told you.
    Quote my first message.
    Repeat my first message.
    """,
    """
    Recite my first message.
    Echo the first thing I said.
    """,
)
REPEAT_LAST = Phrases(
    """
    Repeat the last thing I told you.
    Quote my last message.
    Repeat my last message.
    """,
    """
    Recite my last message.
    Echo the last thing I said.
    """,
)

ACKNOWLEDGEMENTS = Phrases(
    """
    Got it.
    Okay.
    Thanks for telling me.
    Noted.
    I will remember that.
    Good to know.
    I see.
    Understood.
    Alright.
    Sure.
    Thank you, I noted that.
    That's nice.
    """,
    """
    Okay, noted.
    Makes sense.
    Right.
    Great.
    Thanks for letting me know.
    Very well.
    Will do.
    Perfect.
    I'll keep that in mind.
    """,
)

QUESTION_OPENINGS = Phrases(
    """
    Hey, {x}
    Quick question: {x}
    Sorry, I forgot: {x}
    By the way, {x}
    Hmm, {x}
    Let me test you: {x}
    {x} Please answer briefly.
    Okay, {x}
    I have a question for you: {x}
    My memory is terrible, {x}
    Wait, {x}
    Good evening, {x}
    Just to be sure, {x}
    Somebody just asked me this: {x}
    Excuse me, {x}
    I have to fill in a form, so {x}
    {x} I can't remember.
    {x} It's kind of urgent.
    {x} I know I told you once.
    {x} One short line is enough.
    {x} Thanks in advance.
    """,
    """
    Say, {x}
    Let's see: {x}
    {x} Any idea?
    Tell me: {x}
    One question: {x}
    {x} I forgot.
    Help me out: {x}
    """,
)
"""What surrounds a question {x}."""

UNTOLD = "You haven't told me that."
"""Answer to a question about what was never said, where no answer's stem comes first; shared by all splits."""

NOT_TOLD = "... You haven't told me that."
"""What such an answer says where the value would stand ("You live in... You haven't told me that.")."""

JOINTS = (", and ", " and ", "; also, ")
"""Between two facts in one sentence."""

RELATIONS_WOMEN = (
    "sister",
    "mother",
    "aunt",
    "cousin",
    "friend",
    "colleague",
    "neighbour",
    "daughter",
    "roommate",
    "niece",
    "boss",
)
RELATIONS_MEN = (
    "brother",
    "father",
    "uncle",
    "cousin",
    "friend",
    "colleague",
    "neighbour",
    "son",
    "roommate",
    "nephew",
    "boss",
)

TOOL_REQUESTS: dict[str, tuple[str, ...]] = {
    "get_profile": ("Load my profile.", "Please open my profile.", "Can you look up my profile?"),
    "lookup_address": ("Please look up my address.", "Can you find my address?"),
    "get_booking": (
        "Check my booking, please.",
        "Can you look up my booking?",
        "Please open my reservation.",
    ),
    "book_hotel": ("Book a hotel for me, please.", "Can you reserve a hotel for me?"),
    "get_project": ("Show me the project data.", "Please open my project."),
    "get_calendar": ("Please check my calendar.", "Can you open my calendar?"),
    "get_contact": ("Open my contact card.", "Please load my contact card."),
    "get_order": ("Please check my order.", "Can you look up my order?"),
}
"""What the user asks before a tool answers; shared by all splits, since it holds no fact."""
TOOL_PREFACES = ("One moment.", "Let me check.", "I will look that up.", "Just a second.")
TOOL_EXTRAS: tuple[tuple[str, object], ...] = (
    ("status", "ok"),
    ("updated", True),
    ("source", "crm"),
    ("confirmed", True),
)


def train_texts() -> Iterator[str]:
    """Every text of this module that training may show."""
    for phrases in (
        TELLING,
        ASKING,
        OPENINGS,
        QUESTION_OPENINGS,
        REPEAT_ALL,
        REPEAT_FIRST,
        REPEAT_LAST,
        ACKNOWLEDGEMENTS,
    ):
        yield from phrases.of("train")
    yield from (UNTOLD, NOT_TOLD, *RELATIONS_WOMEN, *RELATIONS_MEN, *TOOL_PREFACES)
    for requests in TOOL_REQUESTS.values():
        yield from requests
