"""What any assistant is asked, where nothing that was told matters: the world, requests, small talk."""

from __future__ import annotations

_WISHES = (
    ("Write a short poem about", "."),
    ("Give me three tips for", "."),
    ("Explain in two sentences:", "."),
    ("Write an email about", ", in a formal tone."),
    ("List five words that have to do with", "."),
    ("What do people mean by", "?"),
    ("Tell me a story about", "."),
    ("Translate into French:", "."),
    ("Write one sentence about", "."),
)
_TOPICS = (
    "the sea", "learning to swim", "gravity", "a late delivery", "photosynthesis", "an old lighthouse", "saving money",
    "the first snow", "inflation", "a good night's sleep", "baking bread", "black holes", "moving house", "jazz",
    "a meeting on Friday", "planting trees",
)  # fmt: skip
_HOW_TO = (
    "boil rice", "tie a bow tie", "clean a window", "learn a language", "write a letter of thanks", "make pancakes",
    "fix a flat tyre", "remove a stain", "start a fire in a stove", "read faster", "sharpen a knife", "fold a shirt",
)  # fmt: skip
_WHAT_IS = (
    "electricity", "a prime number", "the largest ocean", "an island", "the speed of light", "democracy", "a verb",
    "the longest river in Africa", "a galaxy", "the capital of Japan", "the capital of Kenya", "a noun", "oxygen",
    "the boiling point of water", "a volcano", "the smallest planet", "a sonnet", "the freezing point of water",
)  # fmt: skip
_WHO = (
    "painted the Mona Lisa", "invented the telephone", "wrote Don Quixote", "discovered penicillin",
    "built the pyramids", "was the first man on the moon", "composed the Four Seasons", "wrote The Odyssey",
    "discovered radium",
)  # fmt: skip
_HOW_MANY = (
    "days are there in a leap year", "legs does an ant have", "players are in a football team", "bones do humans have",
    "continents are there", "minutes are in a day", "strings does a guitar have", "planets are there",
    "teeth do adults have",
)  # fmt: skip
_SAYINGS = (
    "Hello!", "Hi there.", "Good morning.", "How are you doing?", "Nice to meet you.", "Thanks a lot!", "Bye for now.",
    "See you tomorrow.", "What can you do?", "Who made you?", "Are you a robot?", "Can you help me?", "Good night.",
    "Tell me something funny.", "I'm bored, entertain me.", "What day is it today?", "Do you like music?",
)  # fmt: skip

REQUESTS: tuple[str, ...] = (
    *(f"{wish} {topic}{end}" for wish, end in _WISHES for topic in _TOPICS),
    *(f"How do I {deed}?" for deed in _HOW_TO),
    *(f"What is {thing}?" for thing in _WHAT_IS),
    *(f"Who {deed}?" for deed in _WHO),
    *(f"How many {things}?" for things in _HOW_MANY),
    *(f"What is {a} plus {b}?" for a, b in ((3, 4), (7, 5), (12, 9), (20, 22), (1, 8), (15, 6))),
    *(f"What is {a} times {b}?" for a, b in ((3, 3), (7, 2), (6, 9), (10, 11))),
    *_SAYINGS,
)
