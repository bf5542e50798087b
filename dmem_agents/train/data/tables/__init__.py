"""The words of the generator: value pools, phrasings and small talk. Data only, no logic."""

from __future__ import annotations

from dmem_agents.train.data.attributes import Attribute
from dmem_agents.train.data.tables.daily import DAILY
from dmem_agents.train.data.tables.home import HOME
from dmem_agents.train.data.tables.people import PEOPLE
from dmem_agents.train.data.tables.tastes import TASTES
from dmem_agents.train.data.tables.travel import TRAVEL
from dmem_agents.train.data.tables.work import WORK

ATTRIBUTES: dict[str, Attribute] = {a.key: a for a in (*PEOPLE, *HOME, *WORK, *TASTES, *DAILY, *TRAVEL)}
"""Every attribute by its key."""

CONFUSABLE: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        "name full_name",
        "last_name full_name",
        "pet pet_name",
        "sport hobby",
        "diet allergy",
        "food fruit topping",
        "meeting_day deadline",
        "partner best_friend",
    )
)
"""Attributes that one person never has together, because a question for one could mean the other."""
