"""Phrasings that fit every attribute which has a noun: "My shoe size: 43.", "Could you remind me of my shoe size?"."""

from __future__ import annotations

from dmem_agents.train.data.rows import Phrases

TELLING = Phrases(
    """
    {P} {noun}: {x}.
    {P} {noun}? That's {x}.
    Regarding {P} {noun}, it's {x}.
    If anyone asks for {P} {noun}, it's {x}.
    When you need {P} {noun}, remember {x}.
    You should store {P} {noun}, which is {x}.
    Put {x} down as {P} {noun}.
    As for {P} {noun}, that would be {x}.
    Let me give you {P} {noun}, namely {x}.
    I just looked up {P} {noun} and found {x}.
    In case it ever matters, {P} {noun} is {x}.
    The right answer for {P} {noun} is {x}.
    Write {x} wherever a form wants {P} {noun}.
    I checked twice, and {P} {noun} really is {x}.
    You don't know {P} {noun} yet, so here it is: {x}.
    Whenever {P} {noun} comes up, think of {x}.
    {x}, that's {P} {noun}.
    {x} is what you should give as {P} {noun}.
    File {x} under {P} {noun}.
    Note {x} next to {P} {noun}.
    {x} it is, {P} {noun}.
    It's {x}, meaning {P} {noun}.
    Nothing else than {x} is right for {P} {noun}.
    """,
    """
    Concerning {P} {noun}: {x}.
    Save {x} as {P} {noun}.
    In case you wonder about {P} {noun}, it's {x}.
    About {P} {noun}: {x}, just so you know.
    """,
)
"""Statements about a {noun} and its value {x}."""

ASKING = Phrases(
    """
    Do you recall {P} {noun}?
    Could you remind me of {P} {noun}?
    I forgot {P} {noun}. What was it?
    Any idea what {P} {noun} is?
    Please name {P} {noun}.
    I need to know {P} {noun}.
    What did I tell you about {P} {noun}?
    Tell me {P} {noun}.
    {P} {noun} again?
    What do you have on file as {P} {noun}?
    I can't think of {P} {noun} right now, can you help?
    Someone wants to know {P} {noun}. What should I answer?
    There's a field for {P} {noun} on this form. What goes in there?
    Did I ever mention {P} {noun}?
    Would you happen to know {P} {noun}?
    I'm drawing a blank on {P} {noun}.
    Check your notes for {P} {noun}.
    What should I write down for {P} {noun}?
    I was wondering what you know about {P} {noun}.
    {P} {noun}?
    Give me {P} {noun}.
    And {P} {noun}?
    {P} {noun}, what was it?
    Now for {P} {noun}.
    Just {P} {noun}, nothing else.
    Quick question, {P} {noun}?
    From memory, {P} {noun}.
    Read {P} {noun} back to me.
    I'd like {P} {noun} now.
    {P} {noun}, if you remember.
    Out with it, {P} {noun}!
    """,
    """
    What did you store as {P} {noun}?
    {P} {noun}, please.
    Can you look up {P} {noun}?
    Can you recall what {P} {noun} is?
    """,
)
"""Questions for a {noun}."""


def framed(phrases: tuple[str, ...], *, noun: str, value: str) -> tuple[str, ...]:
    """Frames as templates of one attribute; none without a noun."""
    return tuple(p.replace("{noun}", noun).replace("{x}", value) for p in phrases) if noun else ()
