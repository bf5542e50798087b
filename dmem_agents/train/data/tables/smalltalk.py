"""Turns that tell nothing about anybody: small talk, remarks, and requests the assistant answers at once."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from functools import cache

from dmem_agents.train.data.rows import lines
from dmem_agents.train.data.splits import Split, split_of

REMARKS = lines("""
    How are you today?
    Nice to hear from you again.
    Traffic was terrible again.
    Let's talk about something else.
    What a day!
    I'm a bit tired today.
    That was a long meeting.
    I need a break.
    Do you like music?
    Tell me something interesting.
    The coffee machine is broken again.
    I just came back from the shop.
    Sorry, I was away for a minute.
    The internet is so slow today.
    I can't believe it's already evening.
    Did you see the news?
    Someone left the window open all night.
    The elevator is stuck again.
    I spilled water on the keyboard.
    The printer ran out of paper.
    It's so quiet in here.
    There's a lot of noise outside.
    They're repairing the road again.
    I slept really badly last night.
    I have a slight headache.
    Let me think about that for a second.
    That's an interesting thought.
    You're quite helpful.
    I have no idea what to do next.
    I'm just killing time here.
    What should we talk about?
    Anyway, how does this work?
    Can you help me with something later?
    I'll be right back.
    Okay, I'm back.
    Never mind.
    That reminds me of an old joke.
    Time flies, doesn't it?
    The weekend was far too short.
    I finally cleaned the kitchen.
    The laundry is still wet.
    I lost my keys and found them again.
    My phone battery is almost empty.
    The bus was late.
    There was a long queue at the bakery.
    The neighbours are having a party.
    Somebody rang the bell, but nobody was there.
    The heating makes strange noises.
    I watched the rain for a while.
    There's a rainbow outside!
    The moon looks huge tonight.
    A bird just landed on the balcony.
    I burned the toast this morning.
    The milk went bad.
    I should really go for a walk.
    I forgot what I wanted to say.
    Let's keep going.
    Is it normal that computers get so hot?
    I read a funny story today.
    What would you do on a rainy day?
    Have you ever seen a whale?
    Do robots dream?
    Why is the sky blue?
    Tell me a joke, please.
    What's the tallest mountain in the world?
    How do airplanes fly?
    Why do cats purr?
    How many legs does a spider have?
    Is a tomato a fruit?
    What is the capital of the moon?
    Could you explain gravity?
    How do I remove a coffee stain?
    How long do you boil an egg?
    What's a good way to fall asleep?
    How do I fold a paper plane?
    I'm trying to drink more water.
    My back hurts from sitting.
    The chair is squeaking.
    Someone is mowing the lawn.
    The lights flickered for a moment.
    There was a power cut yesterday.
    The package still hasn't arrived.
    I waited on the phone for an hour.
    Customer service was surprisingly nice.
    The new update looks strange.
    My screen is too bright.
    I deleted the wrong file.
    Luckily there was a backup.
    The cinema was completely full.
    The soup was too salty.
    The cake turned out fine.
    I dropped a glass in the kitchen.
    Nothing is broken, luckily.
    We laughed a lot yesterday.
    It was a lovely evening.
    The park is full of people.
    There's snow on the roofs.
    The leaves are falling already.
    The sunset was beautiful.
    It smells like rain.
    I can hear thunder.
    My hands are cold.
    I need new batteries.
    The door won't close properly.
    The clock stopped.
    A fly keeps buzzing around.
    I should answer a few mails.
    So many mails today.
    The presentation went well.
    The server was down for an hour.
    Everybody is on holiday.
    The office is empty today.
    I walked up all the stairs.
    I found some money on the street.
    Somebody parked in front of the gate.
    A man with a huge hat walked past.
    The library closes early today.
    I took the wrong turn twice.
    The map was upside down.
    I almost missed the stop.
    The concert was sold out.
    I got soaked in the rain.
    The shop was already closed.
    Prices go up all the time.
    I'm looking forward to the weekend.
    Let's change the subject.
    What do you think about that?
    That makes sense.
    Really? I didn't know that.
    Good point.
    That's funny.
    I agree.
    Hmm, maybe.
    I'm not sure about that.
    Great, thank you.
    Thanks for your help.
    You did well.
    Let's start over.
    Where were we?
    Are you still there?
    Can you hear me?
    Please be brief.
    Is anybody there?
    Good morning!
    Good evening!
    Hello again!
    Have a nice day!
    See you later!
    I'm back at the computer.
    The keyboard is sticky.
    Someone is singing in the stairwell.
    The stairs are being cleaned.
    There's a spider in the corner.
    The curtains are too long.
    The fridge is humming.
    Two pigeons are fighting outside.
    The taxi driver knew a shortcut.
    The parade blocked the whole street.
    The museum was free of charge.
    The bakery ran out of bread.
    The waiter mixed up our orders.
    The dessert was too sweet.
    I ate too much at lunch.
    I skipped breakfast.
    I'm getting hungry.
    I'm getting sleepy.
    I could use some fresh air.
    My shoes are wet.
    My hair is a mess.
    I left my umbrella somewhere.
    I found my umbrella again.
    I bought new light bulbs.
    I replaced the batteries.
    I changed the sheets.
    I tidied up the cupboard.
    I watered nothing for a week.
    I missed the beginning of the film.
    I can't find the remote control.
    I can't get this song out of my head.
    I didn't get much done today.
    I did some stretching.
    I took a short nap.
    I took the stairs today.
    I took a lot of pictures.
    I waited half an hour at the counter.
    I had to stand all the way.
    I almost fell asleep on the train.
    I heard a strange noise.
    I read the manual twice.
    I had a weird dream.
    I'm almost done with the dishes.
    I'm in a good mood today.
    I'm a little nervous.
    I'm curious what happens next.
    I'm listening.
    I'm just thinking out loud.
    It's getting dark early.
    It's getting late.
    It's much warmer than last week.
    It stopped raining.
    It was worth the wait.
    It was only a small mistake.
    It took longer than planned.
    That took forever.
    That was quick.
    That was close!
    That's a good idea.
    That's all for now.
    That sounds complicated.
    There's fog everywhere.
    There was nothing on television.
    There was a fire drill this morning.
    There were balloons everywhere.
    They closed the bridge for repairs.
    They changed the menu.
    They turned off the water for an hour.
    The new carpet smells funny.
    The vending machine ate my coins.
    The mail came late.
    The candle burned down.
    The news was depressing.
    The game went into overtime.
    The wind is very strong.
    The sea was calm.
    The air is so dry.
    The queue was endless.
    The hall was freezing.
    The alarm went off by mistake.
    The dog next door won't stop barking.
    Some kids are playing in the yard.
    Somebody is practising scales.
    Someone took the last biscuit.
    We ran out of sugar.
    We had a good laugh.
    We got lost twice.
    Who left the lights on?
    Who would have thought?
    Why is everything so expensive?
    Why do people yawn?
    When will it finally stop raining?
    What's that noise?
    What's new?
    What a mess!
    What a surprise!
    What a strange dream that was.
    Guess what happened today.
    Did you hear that?
    Do you have a minute?
    Do you ever get bored?
    Is it just me or is it cold?
    Can we talk about something cheerful?
    Could you write shorter answers?
    Could you be a bit more cheerful?
    Let me just finish this.
    Let me check something first.
    Give me a second.
    Hold on, somebody is calling.
    Okay, where was I?
    Sorry for the delay.
    Sorry, wrong window.
    Thanks, that helped.
    Thank you for waiting.
    No worries.
    No problem at all.
    Not bad at all.
    Fair enough.
    Sounds good.
    Wonderful!
    Oh well.
    Oh no, not again!
    Almost there.
    One step at a time.
    Better late than never.
    Practice makes perfect.
    Tomorrow is another day.
    Some things never change.
""")

PATTERNS: tuple[tuple[str, ...], ...] = (
    (
        "The {0} {1} {2}.",
        "weather; traffic; service; internet connection",
        "was awful; was okay; was fine; got worse; got better; was a mess",
        "today; yesterday; this morning; again",
    ),
    (
        "The {0} {1} was {2}.",
        "film; lecture; play; show; talk; concert",
        "yesterday; last night; on the radio; at the festival",
        "great; awful; strange; boring; better than expected; far too long; surprisingly good",
    ),
    (
        "I {0} the {1} {2}.",
        "cleaned; fixed; moved; painted; dropped; lost; found",
        "chair; lamp; shelf; mirror; ladder; carpet; vase; kettle",
        "today; yesterday; this morning; last night",
    ),
    (
        "{0} is so {1} {2}.",
        "The street; The office; This room; The train; Everything",
        "quiet; crowded; noisy; cold; warm; dusty",
        "today; at the moment; these days; right now",
    ),
    (
        "Can you {0} {1}?",
        "explain; describe; sum up",
        "how rain forms; what a prime number is; how bread rises; why the sea is salty; "
        "what inflation means; how a lock works; what an echo is; how bees find their way",
    ),
    (
        "What's the opposite of '{0}'?",
        "big; early; heavy; bright; rich; sharp; noisy; smooth; empty; ancient",
    ),
    (
        "How do you spell '{0}'?",
        "necessary; rhythm; accommodate; conscience; separate; embarrass; definitely; weird; receive; vacuum",
    ),
    (
        "{0} is my least urgent problem {1}.",
        "The dust; The noise; The weather; The laundry",
        "today; right now; this week",
    ),
    (
        "I {0} a {1} on the way {2}.",
        "saw; noticed; found",
        "traffic light; lost glove; broken umbrella; hot air balloon; marching band; flat tyre",
        "home; to the shop; to the park",
    ),
    (
        "Somebody {0} {1} {2}.",
        "left; forgot; threw away",
        "an umbrella; a hat; a bag; some flyers; a shoe",
        "in the hallway; on the stairs; at the door; on the bench",
    ),
    (
        "Luckily, the {0} {1}.",
        "lift; printer; projector; heating; radio",
        "works again; was repaired; is new",
    ),
    (
        "Sadly, the {0} {1}.",
        "lift; printer; projector; heating; radio",
        "is broken; stopped working; is too loud",
    ),
)
"""Templates with the values of each slot."""

EXCHANGES = tuple(
    (question, answer)
    for question, answer in (
        line.split(" | ")
        for line in lines("""
            What is two plus two? | Two plus two is four.
            How many minutes does an hour have? | An hour has sixty minutes.
            What do you call a young sheep? | A young sheep is called a lamb.
            Is water wet? | Yes, you could say so.
            Which planet is closest to the sun? | That is Mercury.
            Who wrote Hamlet? | Shakespeare wrote it.
            How many days are in a leap year? | A leap year has one day more than usual.
            What is ice made of? | Ice is frozen water.
            Can penguins fly? | No, but they swim well.
            What do bees make? | Bees make honey.
            Do fish sleep? | Yes, in their own way.
            What's the freezing point of water? | It is zero degrees Celsius.
            Tell me a joke. | Why did the tomato blush? It saw the salad dressing.
            How many sides does a triangle have? | A triangle has three sides.
            Can a lemon be sweet? | Rarely, but it happens.
            What does a barometer show? | It shows the air pressure.
            How many strings does a rope have? | That depends on the rope.
            Which month is the shortest? | The second one of the year.
            Is glass a liquid? | No, that's a myth.
            How deep is the sea? | In some places more than ten kilometres.
            Can you sing? | I can only write the words.
            What's a palindrome? | A word that reads the same backwards.
            How far away is the sun? | About one hundred fifty million kilometres.
            Do plants breathe? | Yes, through their leaves.
            What's the fastest land animal? | That is the cheetah.
            Who painted the Mona Lisa? | Leonardo da Vinci did.
            How do magnets work? | Opposite poles attract each other.
            What is half of ten? | Half of ten is five.
            Is it rude to yawn? | It is better to cover your mouth.
            What's the hardest natural material? | Diamond is the hardest.
            Do snakes have ears? | Not on the outside.
            Why is snow white? | Because it scatters all light.
            What do koalas do all day? | They mostly sleep.
            Can you hear me? | I can read what you write.
            Is silence golden? | So the saying goes.
            How heavy is air? | A cubic metre weighs about a kilo.
            What comes after Tuesday's noon? | Tuesday afternoon.
            Do you ever get tired? | No, I'm always awake.
            What's the point of small talk? | It makes people feel at ease.
            How do I sharpen a pencil? | With a sharpener or a knife.
            What is a dozen? | A dozen is twelve.
            Is lightning hot? | Hotter than the surface of the sun.
            Can you keep a secret? | I will do my best.
            How do birds find south? | They follow the sun and the stars.
            What's the secret of good bread? | Time and patience.
            Are clouds heavy? | Yes, heavier than they look.
            What should I do if I'm bored? | Go outside for a while.
            What's a haiku? | A haiku is a short poem.
            What is the largest ocean? | It is the Pacific.
            What does a thermometer measure? | It measures temperature.
            How do you say goodbye politely? | You can say: have a good day.
            What do you need to make toast? | Bread and some heat.
            Is the earth flat? | No, it is round.
            What's the plural of mouse? | The plural is mice.
            Why do leaves fall? | Trees save water that way.
            What is an island? | Land with water all around.
            Are you a human? | No, I'm an assistant.
            How are you? | I'm fine, thanks for asking.
            Can you count to three? | One, two, three.
            What rhymes with moon? | Spoon rhymes with it.
            What's a synonym for happy? | Glad is one.
            Should I take an umbrella? | It can't hurt.
        """)
    )
)
"""Questions that need no memory, and their answers."""


def draw_turn(rng: random.Random, split: Split) -> tuple[str, str]:
    """A user's line and the assistant's answer ("" for none), out of those of a split."""
    chance = rng.random()
    return rng.choice(_remarks(split) if chance < 0.5 else _exchanges(split) if chance < 0.7 else _made(split))


def train_texts() -> Iterator[str]:
    """Every text of this module that training may show."""
    for user, assistant in (*_remarks("train"), *_exchanges("train"), *_made("train")):
        yield user
        yield assistant


@cache
def _remarks(split: Split) -> tuple[tuple[str, str], ...]:
    return tuple((text, "") for text in REMARKS if split_of(text) == split)


@cache
def _exchanges(split: Split) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in EXCHANGES if split_of(pair[0]) == split)


@cache
def _made(split: Split) -> tuple[tuple[str, str], ...]:
    return tuple((text, "") for pattern in PATTERNS for text in _expand(pattern) if split_of(text) == split)


def _expand(pattern: tuple[str, ...]) -> Iterator[str]:
    template, *slots = pattern
    for values in itertools.product(*(re.split(r";\s*", slot) for slot in slots)):
        yield template.format(*values)
