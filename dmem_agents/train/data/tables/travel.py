"""Phrasings: trips, hotels, flights and trains."""

from __future__ import annotations

from dmem_agents.train.data.attributes import Attribute

TRAVEL = (
    Attribute(
        key="destination",
        pool="cities",
        noun="travel destination",
        tell="""
            {P} next trip goes to {v}.
            {S} will spend the holidays in {v}.
            {S} booked a holiday in {v}.
            {S} {be} flying to {v} next month.
            {S} plan{s} a trip to {v}.
            {P} vacation will be in {v}.
            {S} bought tickets to {v} for the holidays.
            This summer {S} {be} travelling to {v}.
        """,
        tell_held="""
            {S} {be} off to {v} on holiday soon.
            {P} holiday destination is {v}.
            {P} suitcase is packed for the trip to {v}.
            {S} can't wait for the holiday in {v}.
        """,
        ask="""
            Where {be} {S} going on holiday?
            Where does {P} next trip go?
            What is {P} travel destination?
            Which city {be} {S} travelling to?
            Do you remember where {P} trip goes?
        """,
        ask_held="""
            Where will {S} spend {his} vacation?
            What's the destination of {P} holiday?
            Which place will {S} visit on holiday?
        """,
        answer="""
            {P} trip goes to {v}.
            {Sm} going to {v}.
        """,
        change="""
            {P} trip doesn't go to {old}, it goes to {v}.
            {S} cancelled {old}, {his} trip goes to {v} now.
            Change of plans, {S} will travel to {v}.
        """,
        change_held="""
            {S} rebooked {his} holiday from {old} to {v}.
            New plan: {P} holiday will be in {v}.
        """,
        tool="get_booking booking.destination",
    ),
    Attribute(
        key="hotel",
        pool="hotels",
        noun="hotel",
        noun_value="the {v}",
        tell="""
            {P} hotel is the {v}.
            {Sm} staying at the {v}.
            {S} booked a room at the {v}.
            The hotel {S} chose is called {v}.
            {P} hotel is called {v}.
            {S} {be} checked in at the {v}.
            {S} will sleep at the {v} hotel.
            {S} reserved two nights at the {v}.
        """,
        tell_held="""
            {P} accommodation is the {v}.
            {S} found a nice hotel, the {v}.
            {S} will be a guest at the {v}.
            The {v} is where {S} {have} a hotel room.
        """,
        ask="""
            Which hotel {be} {S} staying at?
            What is {P} hotel called?
            What's the name of {P} hotel?
            At which hotel {be} {S} staying?
            Do you remember {P} hotel?
        """,
        ask_held="""
            What hotel did {S} book?
            Which hotel is {P} room in?
            In what hotel {do} {S} stay?
        """,
        answer="""
            {P} hotel is the {v}.
            {Sm} staying at the {v}.
        """,
        change="""
            {S} cancelled the {old} and booked the {v}.
            {P} hotel is the {v} now, not the {old}.
            {S} moved to another hotel, the {v}.
        """,
        change_held="""
            {S} switched hotels from the {old} to the {v}.
            The {old} was full, so {Sm} staying at the {v}.
        """,
        tool="get_booking booking.hotel",
    ),
    Attribute(
        key="room",
        pool="room_numbers",
        noun="room number",
        tell="""
            {P} hotel room is {v}.
            {P} room number is {v}.
            {Sm} in room {v}.
            The reception gave {O} room {v}.
            {S} got room {v} at the hotel.
            Please bring the towels to {O}, room {v}.
            {P} hotel room has the number {v}.
            {S} {be} staying in room {v}.
        """,
        tell_held="""
            You'll find {O} in room {v}.
            {P} key card is for room {v}.
            {S} checked into room {v}.
            At the hotel, {S} {have} room {v}.
        """,
        ask="""
            What is {P} room number?
            Which room {do} {S} have?
            What's {P} hotel room?
            Which hotel room is {P} room?
            Do you remember {P} room number?
        """,
        ask_held="""
            In which room {be} {S} staying?
            What number is {P} hotel room?
            Which room is {P} key for?
        """,
        answer="""
            {P} room number is {v}.
        """,
        change="""
            {S} moved from room {old} to room {v}.
            {P} room number is {v} now.
            They gave {O} another room, number {v}.
        """,
        change_held="""
            {P} room was changed to {v}.
            Room {old} was too loud, {Sm} in room {v} now.
        """,
        tool="get_booking booking.room\nbook_hotel room.number",
    ),
    Attribute(
        key="flight",
        pool="flights",
        noun="flight number",
        tell="""
            {P} flight is {v}.
            {P} flight number is {v}.
            {S} booked flight {v}.
            {Sm} on flight {v}.
            {S} {be} taking flight {v}.
            Please check flight {v} for {O}.
            {S} {have} a ticket for flight {v}.
            The flight {S} take{s} is {v}.
        """,
        tell_held="""
            {P} plane is flight {v}.
            {S} go{es} with {v}, that's the flight number.
            {S} will arrive on flight {v}.
            The number of {P} flight is {v}.
        """,
        ask="""
            What is {P} flight number?
            Which flight {be} {S} on?
            What's {P} flight?
            Which flight {do} {S} take?
            Do you remember {P} flight number?
        """,
        ask_held="""
            What flight {be} {S} taking?
            What number does {P} flight have?
            Which flight did {S} book?
        """,
        answer="""
            {P} flight is {v}.
            {P} flight number is {v}.
        """,
        change="""
            {P} flight was changed from {old} to {v}.
            {S} rebooked, {his} flight is {v} now.
            {P} new flight is {v}.
        """,
        change_held="""
            {S} {be} on flight {v} instead of {old}.
            The airline moved {O} to flight {v}.
        """,
        tool="get_booking booking.flight",
    ),
    Attribute(
        key="seat",
        pool="seats",
        noun="seat number",
        tell="""
            {P} seat is {v}.
            {P} seat number is {v}.
            {S} {have} seat {v}.
            {S} reserved seat {v}.
            {S} got a window seat, {v}.
            {P} boarding pass says seat {v}.
            {S} sit{s} in seat {v} on the plane.
            They gave {O} seat {v}.
        """,
        tell_held="""
            {S} will be sitting in {v}.
            {P} place on the plane is {v}.
            {S} chose seat {v}.
            {S} {was} assigned seat {v}.
        """,
        ask="""
            What is {P} seat?
            What's {P} seat number?
            Which seat {do} {S} have?
            Where {do} {S} sit on the plane?
            Do you remember {P} seat?
        """,
        ask_held="""
            What seat did {S} get?
            Which seat is {P} seat?
            In which seat will {S} be sitting?
        """,
        answer="""
            {P} seat is {v}.
        """,
        change="""
            {P} seat was changed from {old} to {v}.
            {P} seat is {v} now.
            {S} swapped seats, {he} {have} {v} now.
        """,
        change_held="""
            {S} {was} moved to seat {v}.
            {P} seat isn't {old} but {v}.
        """,
        tool="get_booking booking.seat",
    ),
    Attribute(
        key="gate",
        pool="gates",
        noun="gate",
        tell="""
            {P} gate is {v}.
            {P} plane leaves from gate {v}.
            {S} {have} to go to gate {v}.
            {P} flight boards at gate {v}.
            {S} will wait at gate {v}.
            The airport app shows gate {v} for {O}.
            {P} departure gate is {v}.
            {S} {be} already sitting at gate {v}.
        """,
        tell_held="""
            {S} need{s} to be at gate {v}.
            {P} boarding is at gate {v}.
            The screen sends {O} to gate {v}.
            Meet {O} at gate {v}.
        """,
        ask="""
            What is {P} gate?
            Which gate {do} {S} have to go to?
            From which gate does {P} plane leave?
            What's {P} departure gate?
            Do you remember {P} gate?
        """,
        ask_held="""
            At which gate {do} {S} board?
            What gate {do} {S} need?
            Which gate is {P} gate?
        """,
        answer="""
            {P} gate is {v}.
        """,
        change="""
            {P} gate was changed from {old} to {v}.
            {P} gate is {v} now.
            They moved {P} flight to gate {v}.
        """,
        change_held="""
            {P} boarding was shifted to gate {v}.
            {S} had to walk from gate {old} to gate {v}, which is the right one.
        """,
        tool="get_booking booking.gate",
    ),
    Attribute(
        key="train",
        pool="times",
        noun="train time",
        tell="""
            {P} train leaves at {v}.
            {S} take{s} the train at {v}.
            {S} {have} to catch the train at {v}.
            {P} train departs at {v}.
            {S} bought a ticket for the train at {v}.
            {S} {be} taking the {v} train.
            {P} train is the one at {v}.
            {S} will be on the train at {v}.
        """,
        tell_held="""
            {S} travel{s} on the train at {v}.
            {P} train goes at {v}.
            {S} reserved a seat on the {v} train.
            {P} rail ticket is for {v}.
        """,
        ask="""
            When does {P} train leave?
            What time is {P} train?
            Which train {do} {S} take?
            At what time does {P} train depart?
            Do you remember when {P} train leaves?
        """,
        ask_held="""
            What time {do} {S} have to catch the train?
            When {do} {S} take the train?
            At which time does {P} train go?
        """,
        answer="""
            {P} train leaves at {v}.
        """,
        change="""
            {P} train doesn't leave at {old}, it leaves at {v}.
            {S} missed the train at {old} and take{s} the one at {v}.
            {P} train is at {v} now.
        """,
        change_held="""
            {P} train is delayed until {v}.
            {S} changed {his} ticket to the {v} train.
        """,
    ),
)
