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
            {S} {be} off to {v} soon.
            {P} suitcase is packed for {v}.
            A trip to {v} is next on {P} calendar.
            {S} bought a travel guide, because {he} will visit {v}.
            {S} can't wait to go sightseeing in {v} on {his} vacation.
            In {v}, {S} will finally relax for two weeks.
            {P} next journey takes {him} to {v}.
            Postcards from {O} will come from {v} this time.
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
            What place {be} {S} going to visit on vacation?
            I can't recall where {S} {be} headed for the holidays.
            Name the city {S} {have} booked a trip to.
            {P} holiday spot again, where was it?
            Somebody is buying a travel guide for {O}. For which city?
            To what place did {S} buy tickets?
            Did I mention where {P} journey ends?
            Someone asks where {S} will travel. What should I say?
            Which city will {S} be sending postcards from?
            Before {P} vacation, the weather of which city matters?
            In which city will {S} be sightseeing on {his} trip?
            My suitcase is packed, so where am I off to?
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
            {S} dropped the plan to see {old} and will visit {v} instead.
            Not {old} but {v} is where {P} vacation will be.
            {S} changed {his} mind about the trip, {he} {be} off to {v}.
            {P} journey was rebooked, so {he} will fly to {v}.
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
            {P} reservation is with the {v}.
            A taxi should bring {O} to the {v}, where {he} {have} a room.
            For the trip {S} picked the {v} as {his} hotel.
            At the {v}, {S} {have} a room with breakfast.
            The {v} is where {S} will spend the night.
            {P} luggage is already at the {v}, waiting in the hotel lobby.
            If someone looks for {O} tonight, try the {v}, that's the hotel.
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
            Where will {S} be spending the night, in which hotel?
            I can't recall the name of the place where {S} booked a room.
            Name the hotel {S} reserved.
            {P} hotel again, what was the name?
            The taxi driver asks which hotel to bring {O} to. What do I say?
            At which hotel did {S} check in?
            Did I mention where {S} {have} a room reservation?
            Which accommodation did {S} pick for the trip?
            Under what name is {P} hotel on the map?
            What does the sign above the entrance of {P} hotel say?
            Somebody wants to send a parcel to {P} hotel. What is it called?
            Which hotel do I call to extend my stay?
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
            The {old} was full, so {S} will sleep at the {v}.
            {S} {be} no longer at the {old}, {he} checked in at the {v}.
            {S} changed {his} reservation, the hotel is the {v} now.
            {S} didn't like the {old} and went to the {v} instead.
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
            {P} key card opens room {v}.
            Knock on door {v} at the hotel if you need {O}.
            The number on {P} hotel door is {v}.
            Room service should bring {P} breakfast to {v}.
            At check-in {S} was sent to room {v}.
            Room {v} is where {S} sleep{s} at the hotel.
            {S} charged the drinks to {his} room, number {v}.
            {P} luggage was carried up to room {v}.
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
            Which door in the hotel corridor is for {O}?
            I can't recall which room {S} {be} sleeping in.
            Name the number on {P} hotel room door.
            {P} room again, what number?
            Room service wants to know where to bring {P} breakfast. Which number?
            What number is on {P} hotel key card?
            Did I mention which room the reception gave {O}?
            At the hotel, which door should visitors knock on to find {O}?
            To which room should the hotel bring {P} luggage?
            The bar wants to charge the drinks to {P} room. Which one is it?
            Which room should the hotel operator connect to reach {O}?
            I'm in the hotel elevator, so which room do I go to?
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
            The shower in {old} was broken, so {S} sleep{s} in room {v} now.
            {S} {be} no longer in {old}, knock on door {v} instead.
            The hotel moved {O} to a better room, {v}.
            {S} got a new key card, this one opens room {v}.
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
            {S} {be} flying with {v}.
            {P} plane has the number {v}.
            If you want to track {P} plane, search for {v}.
            The air ticket {S} bought is for {v}.
            On the airport board, {P} flight shows up as {v}.
            Flight {v} will bring {O} there.
            When {v} lands, {S} will be on board.
            Should {v} be delayed, please warn {O}, because that's {his} flight.
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
            Which flight on the airport board is the one for {O}?
            I can't recall what flight {S} booked.
            Name the flight {S} {be} travelling with.
            {P} flight again, which number was it?
            Someone is picking {O} up at the airport. Which flight should they track?
            Under what flight code {be} {S} flying?
            Did I mention which flight {S} {have} a ticket for?
            The transfer service asks for {P} flight code. What goes in there?
            What does {P} plane ticket give as the flight?
            A delay of which flight would leave {O} stranded?
            The airline wants to know which flight {S} {be} booked on. What do I say?
            Which flight do I have to catch?
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
            {old} was cancelled, so {S} will go with flight {v}.
            The airline put {O} on another flight, {v}.
            {S} missed {old} and will fly with {v} instead.
            Don't track {old} for {O} anymore, track flight {v}.
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
            At check-in {S} picked {v} as {his} seat.
            The crew can find {O} in {v}.
            Row and letter of {P} place on the plane are {v}.
            {S} paid extra for seat {v}.
            Seat {v} on the plane is for {O}.
            If somebody is sitting in {v}, tell them the seat belongs to {O}.
            When the plane takes off, {S} will be buckled up in {v}.
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
            Which row and letter {be} {S} sitting in?
            I can't recall what seat {S} reserved.
            Name the seat on {P} boarding pass.
            {P} seat again?
            The flight attendant asks where {S} {be} supposed to sit. What do I say?
            Which place on board is assigned to {O}?
            Did I mention where on the aircraft {S} {have} {his} seat?
            Someone is walking down the aisle to find {O}. Which row and letter is it?
            In which seat can the crew find {O}?
            Somebody wants to sit beside {O}. Which seat {have} {S} got?
            Which seat did {S} pick at check-in?
            Someone is in my place on the plane, which seat is mine?
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
            {S} won't sit in {old} after all, {he} got seat {v}.
            The crew asked {O} to leave {old} and sit in {v}.
            There's a new boarding pass for {O}, with seat {v}.
            {S} picked a better seat at check-in, {v}.
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
            {S} {have} to board at {v}.
            In the terminal, {S} must follow the signs to {v}.
            Boarding for {O} takes place at {v}.
            The departure board sends {O} to {v}.
            It's a long walk to gate {v}, so {S} should hurry.
            Gate {v} is where {S} get{s} on the plane.
            If you want to wave goodbye to {O}, come to gate {v}.
            After security {S} went straight to gate {v} to wait for boarding.
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
            Where in the terminal does {P} boarding take place?
            I can't recall to which gate {S} must walk.
            Name the gate for {P} departure.
            {P} gate again?
            Someone wants to meet {O} right before boarding. At which gate?
            In the terminal, which sign {do} {S} have to follow for boarding?
            Did I mention where {S} board{s} the plane?
            Which gate does the departure board show for {O}?
            The airport bus driver asks for {P} gate. What do I tell him?
            At which exit in the terminal {be} {S} waiting for boarding?
            Passengers on {P} flight should proceed to which gate?
            I just passed security, so which gate do I head for?
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
            Boarding for {O} isn't at {old} anymore, it's at {v}.
            {S} walked to {old} for nothing, the plane leaves from {v}.
            There was a gate change for {O}, boarding is at {v}.
            The departure board sends {O} to another gate now, {v}.
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
            {P} rail ticket is valid for the {v} departure.
            At {v} {P} train pulls out of the station.
            {S} must be on the platform before {v}, or the train is gone.
            {P} railway connection starts at {v}.
            The {v} train is the one {S} reserved.
            When the clock at the station shows {v}, {P} train departs.
            {S} {be} leaving by rail at {v}.
            Bring {O} to the station in time, because the train goes at {v}.
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
            By what time must {S} be on the platform?
            I can't recall the departure time of {P} train.
            Name the time at which {S} leave{s} by rail.
            {P} train again, at what time?
            A friend is taking {O} to the station. When does the train pull out?
            Which departure time is printed on {P} rail ticket?
            Did I mention when {S} {have} to catch the train?
            What time does {P} railway connection start?
            On the station board, which departure time is the one for {O}?
            When is it too late for {O} to reach the platform?
            When will {S} be rolling out of the station?
            What's the time of my rail departure?
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
            The {old} was cancelled, so {P} train departs at {v}.
            {S} changed {his} rail ticket from {old} to {v}.
            {P} train has been rescheduled, it pulls out at {v}.
            {S} will take a different train, the one departing at {v}.
        """,
        change_held="""
            {P} train is delayed until {v}.
            {S} changed {his} ticket to the {v} train.
        """,
    ),
)
