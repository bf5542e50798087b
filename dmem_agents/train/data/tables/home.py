"""Phrasings: where people live and come from, their animals and plants, their car."""

from __future__ import annotations

from dmem_agents.train.data.attributes import Attribute

HOME = (
    Attribute(
        key="city",
        pool="cities",
        noun="place of residence",
        tell="""
            {S} live{s} in {v}.
            {P} home is in {v}.
            {S} moved to {v} last year.
            {S} {have} lived in {v} for ten years.
            {Sm} based in {v} these days.
            {S} rent{s} a small flat in {v}.
            {S} settled in {v} with the family.
            {v} is where {S} live{s}.
            These days {P} home is {v}, and {he} love{s} it there.
            {S} share{s} an apartment in {v} with two friends.
            I'm calling from {v}, that's where I live.
            I live in {v}, not in {other}.
        """,
        tell_held="""
            {S} reside{s} in {v}.
            {P} house is in {v}.
            {v} has been {P} home for a while now.
            {S} bought a place in {v} and live{s} there now.
            {S} stay{s} in {v} permanently.
            After all the moving around, {S} ended up living in {v}.
        """,
        ask="""
            Where {do} {S} live?
            Which city {do} {S} live in?
            What city {be} {S} based in?
            In which city is {P} home?
            Can you tell me where {S} live{s}?
            Do you remember where {S} live{s}?
        """,
        ask_held="""
            What's the name of the city where {S} live{s}?
            Where is {P} home?
            Remind me, which town {do} {S} live in?
            Which city do you know {O} to live in?
        """,
        answer="""
            {S} live{s} in {v}.
            {P} home is in {v}.
        """,
        change="""
            {S} moved to {v}.
            {S} {have} just moved from {old} to {v}.
            Actually, {S} live{s} in {v} now, not in {old} anymore.
            Big news: {S} left {old} and live{s} in {v} now.
            Correction, {P} home is in {v}.
        """,
        change_held="""
            {S} relocated to {v} last week.
            {P} new home is in {v}, no longer in {old}.
            Scratch that, {S} {be} living in {v} now.
        """,
        use="""
            Where should the parcel be sent? => I would send it to {v}, where you live.
            What weather should I check for today? => I would check the weather in {v}, where you live.
        """,
        use_held="""
            Which airport is closest to my home? => The closest one is the airport of {v}, where you live.
            Find me a gym near home. => I will look for a gym in {v}, where you live.
        """,
        tool="get_profile profile.city\nlookup_address address.city",
    ),
    Attribute(
        key="street",
        pool="streets",
        noun="street",
        tell="""
            {P} address is on {v}.
            {P} apartment is on {v}.
            {S} {have} a house on {v}.
            {P} street is called {v}.
            {S} moved into a flat on {v}.
            {P} front door opens onto {v}.
            The taxi should pick {O} up on {v}.
            {P} building stands on {v}, next to a bakery.
        """,
        tell_held="""
            {S} {have} an apartment over on {v}.
            The street {S} live{s} on is {v}.
            You'll find {P} house on {v}.
            {P} place is on {v}, near the corner.
        """,
        ask="""
            What street {do} {S} live on?
            Which street is {P} home on?
            What is the name of {P} street?
            What's {P} street address?
            Do you remember {P} street?
        """,
        ask_held="""
            On which street is {P} place?
            What is {P} street called?
            Which street should a letter to {O} go to?
        """,
        answer="""
            {P} street is {v}.
            {S} live{s} on {v}.
        """,
        change="""
            {P} address changed from {old} to {v}.
            {S} moved from {old} to {v}.
            Please note {P} new address on {v}.
        """,
        change_held="""
            {P} street isn't {old} anymore, it's {v}.
            {S} now {have} a flat on {v} instead of {old}.
        """,
        tool="lookup_address address.street",
    ),
    Attribute(
        key="country",
        pool="countries",
        noun="home country",
        tell="""
            {S} come{s} from {v}.
            {Sm} originally from {v}.
            {S} {was} born in {v}.
            {P} home country is {v}.
            {S} grew up in {v}.
            {P} family is from {v}.
            {P} passport is from {v}.
            {S} left {v} as a child, but {he} {was} born there.
            {Sm} not from {other}, but from {v}.
        """,
        tell_held="""
            {P} country of birth is {v}.
            {P} roots are in {v}.
            {S} hail{s} from {v}.
            {v} is the country {S} come{s} from.
        """,
        ask="""
            Which country {do} {S} come from?
            What country {be} {S} from?
            What is {P} home country?
            In which country {was} {S} born?
            Do you know which country {Sm} from?
        """,
        ask_held="""
            What is {P} country of origin?
            Which country {be} {S} originally from?
            What country {was} {S} born in?
        """,
        answer="""
            {S} come{s} from {v}.
            {Sm} from {v}.
        """,
    ),
    Attribute(
        key="pet",
        pool="animals",
        noun="pet",
        noun_value="{av}",
        tell="""
            {S} {have} a pet {v}.
            {S} keep{s} {av} at home.
            {P} pet is {av}.
            There is {av} living in {P} kitchen.
            {S} adopted {av} last spring.
            {S} got {av} for {his} birthday.
            {P} kids finally talked {O} into getting {av}.
            {P} {v} kept everyone awake last night.
            {S} wanted {av} for years, and now {he} {have} one.
            {S} {dont} have {av_other}, {he} {have} {av}.
        """,
        tell_held="""
            {S} share{s} {his} home with {av}.
            {S} look{s} after a little {v}.
            {P} flatmate is {av}, so to speak.
            {S} {be} the proud owner of {av}.
        """,
        ask="""
            What kind of pet {do} {S} have?
            Which animal {do} {S} keep?
            What pet {do} {S} have?
            What animal lives with {O}?
            Do you remember what pet {S} {have}?
        """,
        ask_held="""
            What sort of animal is {P} pet?
            Which pet {do} {S} own?
            What kind of animal {do} {S} have at home?
        """,
        answer="""
            {S} {have} {av}.
            {P} pet is {av}.
        """,
        change="""
            {S} gave the {old} away and now {have} {av}.
            {P} pet isn't {av_old}, it's {av}.
            {S} no longer {have} {av_old}, {he} {have} {av} now.
        """,
        change_held="""
            Instead of the {old}, {S} now keep{s} {av}.
            Sorry, I mixed it up: {P} pet is {av}.
        """,
        use="""
            What should I put on my shopping list for my pet? => I would add food for your {v}.
            Who needs to be fed while I'm away? => Your {v} needs to be fed.
        """,
        use_held="""
            Which vet should I look for? => Look for a vet who knows about your {v}.
            What should my house sitter take care of? => Your house sitter should take care of your {v}.
        """,
    ),
    Attribute(
        key="pet_name",
        pool="pet_names",
        noun="pet's name",
        tell="""
            {P} pet is called {v}.
            {P} dog is called {v}.
            {P} cat's name is {v}.
            {S} named {his} pet {v}.
            {S} walk{s} {his} dog {v} every morning.
            {P} little {v} is asleep on the sofa, that's {his} cat.
            {v} is the name of {P} pet.
            {S} took {v}, {his} dog, to the vet today.
        """,
        tell_held="""
            {P} pet answers to the name {v}.
            {P} pet goes by {v}.
            {S} decided to call {his} pet {v}.
            {S} gave {his} pet the name {v}.
        """,
        ask="""
            What is {P} pet's name?
            What is {P} pet called?
            What's the name of {P} pet?
            What {do} {S} call {his} pet?
            Do you remember the name of {P} pet?
        """,
        ask_held="""
            What name did {S} give {his} pet?
            Which name does {P} pet have?
            What do people call {P} pet?
        """,
        answer="""
            {P} pet is called {v}.
            {P} pet's name is {v}.
        """,
        change="""
            {S} renamed {his} pet from {old} to {v}.
            {P} pet is called {v} now, not {old}.
            Sorry, {P} pet's name is {v}, not {old}.
        """,
        change_held="""
            {S} changed {his} pet's name to {v}.
            Not {old}: {P} pet is really called {v}.
        """,
    ),
    Attribute(
        key="car",
        pool="cars",
        noun="car",
        noun_value="{av}",
        tell="""
            {S} drive{s} {av}.
            {P} car is {av}.
            {S} bought {av} in June.
            {S} {have} an old {v}.
            {P} {v} is at the garage again.
            {S} parked {his} {v} outside.
            {S} got a used {v} from {his} uncle.
            {S} go{es} to work in {his} {v}.
        """,
        tell_held="""
            {S} get{s} around in {av}.
            {S} own{s} {av}.
            There's {av} in {P} garage.
            {P} vehicle is {av}.
        """,
        ask="""
            What car {do} {S} drive?
            Which car {do} {S} have?
            What kind of car is {P} car?
            What make is {P} car?
            Do you know what car {S} drive{s}?
        """,
        ask_held="""
            What sort of car {do} {S} own?
            Which make of car {do} {S} drive?
            What vehicle {do} {S} drive?
        """,
        answer="""
            {S} drive{s} {av}.
            {P} car is {av}.
        """,
        change="""
            {S} sold the {old} and bought {av}.
            {S} drive{s} {av} now instead of the {old}.
            {P} new car is {av}.
        """,
        change_held="""
            {S} traded {his} {old} for {av}.
            {P} {old} is gone, {he} drive{s} {av} now.
        """,
    ),
    Attribute(
        key="plant",
        pool="plants",
        noun="plant",
        noun_value="{av}",
        tell="""
            {S} {have} {av} on {his} desk.
            {S} bought {av} for the balcony.
            {P} favourite plant is {his} {v}.
            {S} water{s} {his} {v} every Sunday.
            {P} {v} is finally growing.
            {S} got {av} as a housewarming plant.
            There is {av} on {P} windowsill.
            {S} put {av} in the living room.
        """,
        tell_held="""
            {S} keep{s} {av} by the window.
            The plant in {P} office is {av}.
            {S} {be} growing {av}.
            {P} flat has one plant, {av}.
        """,
        ask="""
            What plant {do} {S} have?
            Which plant {do} {S} own?
            What is growing at {P} place?
            What kind of plant is {P} plant?
            Do you remember which plant {S} {have}?
        """,
        ask_held="""
            What sort of plant {do} {S} have?
            Which plant stands in {P} home?
            What plant {do} {S} take care of?
        """,
        answer="""
            {S} {have} {av}.
            {P} plant is {av}.
        """,
        use="""
            What needs water while I'm on holiday? => Your {v} needs water.
        """,
        use_held="""
            What should my neighbour water? => Your neighbour should water your {v}.
            Which plant needs looking after? => Your {v} needs looking after.
        """,
    ),
    Attribute(
        key="hometown",
        pool="cities",
        noun="hometown",
        tell="""
            {P} hometown is {v}.
            {S} spent {his} childhood in {v}.
            {S} went to school in {v}.
            {P} parents still live in {v}, {his} hometown.
            {S} {was} a child in {v}.
            {P} childhood home stood in {v}.
            The town of {P} childhood is {v}.
            {S} learned to walk in {v}, that's {his} hometown.
        """,
        tell_held="""
            {P} early years were spent in {v}.
            {v} is {P} hometown.
            As a kid, {S} called {v} home.
            {S} {was} raised in {v}.
        """,
        ask="""
            What is {P} hometown?
            Where did {S} spend {his} childhood?
            Where did {S} go to school?
            Which town is {P} hometown?
            Do you remember {P} hometown?
        """,
        ask_held="""
            What's the name of {P} hometown?
            Where {was} {S} as a child?
            Which place is {P} hometown?
        """,
        answer="""
            {P} hometown is {v}.
        """,
    ),
)
