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
            {Sm} a resident of {v}.
            {v} has been {P} place of residence for a while now.
            If you want to visit {O} at home, come to {v}.
            {S} found a nice apartment in {v}, so that's {his} home now.
            After a long search, {S} bought a home in {v}, where {he} now live{s}.
            When {S} {be} done travelling, {he} always return{s} to {his} flat in {v}.
            {P} current city is {v}.
            Every morning {S} wake{s} up in {v}, because that's where {he} reside{s}.
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
            What town {do} {S} call home these days?
            I'm not sure anymore which city {S} {have} settled in.
            And {P} current city is?
            Remind me of the city where {S} currently reside{s}.
            Have you noted in which city {S} {have} {his} home now?
            Someone asks where {S} live{s}. What should I say?
            A form wants {P} city of residence. What goes in there?
            To which city must guests travel to visit {O} at home?
            Which city {be} {S} a resident of?
            If someone mailed {O} a parcel today, to which city would it go?
            Which city's weather forecast matters for {P} home?
            Where on the map can {P} current place of residence be found?
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
            {S} gave up {his} flat in {old} and settled in {v}.
            {old} is history, {S} {have} relocated to {v}.
            {S} packed up everything and now reside{s} in {v}.
            What I said about {P} city is outdated, {he} now live{s} in {v}.
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
            {S} live{s} on {v}, in the house with the green door.
            To get to {P} place, turn into {v}.
            {v} is the road {P} house is on.
            From {his} living room window, {S} look{s} out on {v}.
            Letters for {O} have to be sent to {v}.
            The sign outside {P} building reads {v}, so that's {his} street.
            {S} bought a place on {v} because it's so quiet there.
            If the courier is looking for {O}, {his} home is on {v}.
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
            On which road can {P} house be found?
            I can't recall what the road {S} live{s} on is called.
            {P} street name, once more please?
            Look up which road leads to {P} front door.
            Did I say on which street {S} {have} {his} home?
            The courier needs a street name for {O}. Which one do I give?
            Which street sign hangs outside {P} building?
            A taxi should drop {O} off at home. On what road?
            What road must visitors turn into to reach {P} place?
            An envelope for {O} is missing the street. What do I write?
            Along which street do {P} neighbours live?
            Which road {do} {S} look out on from {his} living room window?
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
            {S} {dont} live on {old} anymore, {his} home is on {v} now.
            Send {P} mail to {v} instead of {old}.
            {P} new street is called {v}.
            {S} found another flat and live{s} on {v} from now on.
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
            {v} is {P} native country.
            {S} call{s} {v} {his} homeland.
            {P} birth certificate was issued in {v}.
            The country {S} originate{s} from is {v}.
            When the anthem of {v} is played, {S} feel{s} at home, because {he} {was} born there.
            At the Olympics {S} always cheer{s} for {v}, {his} home country.
            As a native of {v}, {S} miss{es} the food there.
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
            Which nation {do} {S} originate from?
            It slipped my mind which country {P} roots are in.
            So {P} native country was what?
            Write down which nation issued {P} passport.
            Can you still tell what country {S} {was} born in?
            The border officer asks for {P} country of origin. What's the answer?
            Which national team {do} {S} cheer for as {his} own?
            Which land {do} {S} call {his} homeland?
            If {S} talked about {his} native land, which country would it be?
            {P} birth certificate is from which country?
            Which flag would {S} wave as {his} own?
            A form has a field for {P} country of birth. What belongs there?
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
            {P} animal companion is {av}.
            With {av} in the house, {S} {be} never bored.
            {S} took in {av} from the shelter.
            Every evening {S} feed{s} {his} {v} before dinner.
            At the vet {S} waited an hour with {his} {v}.
            If you visit {O}, don't be surprised to meet {av}, because that's {his} pet.
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
            I'm drawing a blank on which species {P} pet is.
            {P} animal companion, what kind was it again?
            Kindly repeat what creature {S} look{s} after.
            Did I mention what animal {S} own{s}?
            The vet wants to know what animal {S} will bring in. What do I answer?
            Which creature greets visitors at {P} place?
            For what kind of animal {do} {S} buy food?
            What animal did {S} take in?
            A pet sitter asks what animal to expect at {P} home. What's the answer?
            Which animal counts {O} as its owner?
            A landlord wants to know which animal {S} would bring along. What goes in the form?
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
            {S} found a new home for the {old} and took in {av}.
            The {old} is gone, and {S} look{s} after {av} these days.
            {P} animal at home is {av} now.
            {S} {have} a different pet these days, namely {av}.
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
            {P} pet answers to {v}.
            {v} is written on the collar of {P} dog.
            When {S} shout{s} {v}, {his} pet comes running.
            {P} cat goes by {v}, and everyone loves that name.
            The food bowl with {v} on it belongs to {P} pet.
            {S} picked the name {v} for {his} dog on the very first day.
            Every night {P} cat {v} sleeps at the foot of the bed.
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
            I've forgotten what {P} animal answers to.
            {P} pet's name again?
            Just say the name on the collar of {P} pet.
            Have I ever told you the name {P} pet was given?
            The vet's form has a line for the name of {P} animal. What do I write?
            {P} pet has run away. What should I shout to get it back?
            What name {do} {S} shout when it's feeding time for {his} pet?
            What name is painted on {P} pet's food bowl?
            To which name does {P} pet come running?
            When {S} got {his} pet, what did {he} name it?
            Say what {P} furry companion goes by.
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
            {P} pet doesn't answer to {old} anymore, only to {v}.
            {S} found a better name for {his} pet and call{s} it {v} now.
            I had the wrong name for {P} pet, it goes by {v}.
            The name {old} is gone from {P} pet's collar, now it says {v}.
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
            In {P} garage there is {av}.
            In all these years {P} trusty {v} has never let {him} down.
            You can usually see {O} behind the wheel of {av}.
            {S} washed {his} {v} this morning.
            On long trips {S} trust{s} {his} {v}.
            After years of saving, {S} finally got the keys to {av}.
            The mechanic changed the tyres on {P} {v} yesterday.
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
            What vehicle {do} {S} own?
            I no longer know which brand {P} car is.
            {P} car, which make again?
            Tell me what is parked in {P} garage.
            Do you still know what {S} drive{s}?
            The insurance form wants the make of {P} vehicle. What goes in there?
            Which automobile brand {do} {S} trust on the road?
            Someone is waiting for {O} in a car park. Which make should they look out for?
            Behind the wheel of which car can you see {O}?
            A mechanic asks what {S} will bring to the workshop. Which make is it?
            Whose logo is on {P} steering wheel?
            What {do} {S} sit in when {he} take{s} the motorway?
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
            The {old} broke down for good, so {S} {have} {av} now.
            {S} got a different car, it's {av}.
            In {P} garage the {old} has made room for {av}.
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
            {Sm} growing {av} in a big pot.
            In {P} flowerpot there is {av}.
            {P} houseplant is {av}.
            While {S} {was} away, a friend watered {his} {v}.
            {S} bought fresh soil for {his} {v}.
            By the window, {P} {v} gets plenty of sunlight.
            {S} came home from the garden centre with {av}.
            It took a while, but {P} {v} has new leaves.
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
            What sort of greenery {do} {S} keep?
            I keep forgetting what stands in {P} flowerpot.
            {P} plant, which kind was it again?
            Let me know what {S} {be} growing in a pot.
            Did you catch which plant {S} look{s} after?
            What {do} {S} water at home?
            A gardener asks which species {S} {have}. What's the answer?
            Which houseplant belongs to {O}?
            {S} {be} on holiday. Which plant will need water meanwhile?
            What thrives in the sunlight by {P} window?
            For which plant did {S} buy soil and a pot?
            Which botanical roommate {do} {S} have?
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
            {S} learnt to walk in {v}, the town {he} know{s} best.
            {P} earliest memories are of {v}.
            {v} is the town {S} grew up in.
            As a kid, {S} played in the streets of {v}.
            The school {S} attended as a child is in {v}.
            Back in {v}, the town of {P} youth, everyone still knows {him}.
            Every class reunion takes {O} back to {v}, where {he} spent {his} early years.
            {S} know{s} every corner of {v}, since {he} went to kindergarten there.
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
            In which town did {S} grow up?
            Help me remember which town {S} spent {his} early years in.
            And {P} childhood town is?
            Remind me of the town {S} {was} raised in.
            Have you noted in which city {S} went to primary school?
            An interviewer asks about the town of {P} youth. What's the answer?
            Where did {S} play as a kid, in what town?
            Where would a class reunion of {P} old school take place?
            In what town did {P} parents bring {him} up?
            Which town holds {P} earliest memories?
            In what town is the house in which {S} took {his} first steps?
            When {S} talk{s} about the town {he} grew up in, which one is it?
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
