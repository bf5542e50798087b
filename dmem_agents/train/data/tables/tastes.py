"""Phrasings: what people like, eat, play and can't stand."""

from __future__ import annotations

from dmem_agents.train.data.attributes import Attribute


def _favourite(
    key: str,
    pool: str,
    noun: str,
    *,
    topic: str,
    plural: bool = False,
    tell: str,
    tell_held: str,
    ask: str,
    ask_held: str,
    use: str = "",
    use_held: str = "",
) -> Attribute:
    """A favourite `noun`: the common phrasings, and a few of its own.

    `topic` is what one talks about when it comes to it; `plural` for nouns like "flowers".
    """
    verb, beats = ("are", "beat") if plural else ("is", "beats")
    return Attribute(
        key=key,
        pool=pool,
        noun="" if plural else f"favourite {noun}",
        tell=f"""
            {{P}} favourite {noun} {verb} {{v}}.
            {{P}} favorite {noun} {verb} {{v}}.
            {{v}} {verb} {{P}} favourite {noun}.
            The {noun} {{S}} like{{s}} best {verb} {{v}}.
            For {{O}}, the best {noun} {verb} {{v}}.
            When it comes to {topic}, {{S}} love{{s}} {{v}} most.
            {tell}
        """,
        tell_held=f"""
            No {noun} {beats} {{v}}, if you ask {{O}}.
            {{P}} number one {noun} {verb} {{v}}.
            {{P}} {noun} of choice {verb} {{v}}.
            {tell_held}
        """,
        ask=f"""
            What {verb} {{P}} favourite {noun}?
            Tell me, what {verb} {{P}} favorite {noun}?
            Which {noun} {{do}} {{S}} like best?
            Do you remember {{P}} favourite {noun}?
            {ask}
        """,
        ask_held=f"""
            What {noun} {{do}} {{S}} like most?
            Can you name {{P}} favourite {noun}?
            Which {noun} {verb} {{P}} number one?
            {ask_held}
        """,
        answer=f"""
            {{P}} favourite {noun} {verb} {{v}}.
            {{S}} like{{s}} {{v}} best.
        """,
        change=f"""
            {{P}} favourite {noun} {verb} {{v}} now, not {{old}}.
            {{S}} {{dont}} like {{old}} anymore, {{his}} favourite {noun} {verb} {{v}} now.
            Actually, {{P}} favourite {noun} {verb} {{v}}.
            {{S}} {{be}} over {{old}}, the best {noun} {verb} {{v}}.
        """,
        change_held=f"""
            {{S}} changed {{his}} mind: {{v}} {verb} the best {noun}.
            {{S}} used to prefer {{old}}, but now the favourite {noun} {verb} {{v}}.
        """,
        use=use,
        use_held=use_held,
    )


TASTES = (
    _favourite(
        "food",
        "foods",
        "food",
        topic="food",
        tell="""
            {S} love{s} eating {v}.
            {S} could eat {v} every day.
            {S} can't get enough of {v}.
            On Sundays {S} always cook{s} {v}.
        """,
        tell_held="""
            {S} {be} crazy about {v}.
            If {S} could eat one thing forever, it would be {v}.
        """,
        ask="""
            What {do} {S} like to eat most?
            Which dish {do} {S} love?
        """,
        ask_held="""
            What dish makes {O} happy?
        """,
        use="""
            Plan my dinner. => How about {v} tonight?
            What should I cook tonight? => How about {v} tonight?
            Suggest something for lunch. => How about {v}?
            I'm hungry. Any ideas? => How about {v}?
        """,
        use_held="""
            What could I have for dinner? => How about {v} tonight?
            Make a dinner suggestion. => How about {v} tonight?
            Surprise me with a meal I enjoy. => How about {v}?
        """,
    ),
    _favourite(
        "drink",
        "drinks",
        "drink",
        topic="drinks",
        tell="""
            {S} always order{s} {v}.
            {S} love{s} drinking {v}.
            {S} need{s} {v} to start the day.
        """,
        tell_held="""
            {S} will never say no to {v}.
            A glass of {v} is all {S} need{s}.
        """,
        ask="""
            What {do} {S} like to drink?
        """,
        ask_held="""
            What drink should I bring for {O}?
        """,
        use="""
            What should I order at the bar? => How about {v}?
            Suggest something to drink. => How about {v}?
        """,
        use_held="""
            I'm thirsty, any ideas? => How about {v}?
            Pick a drink for me. => How about {v}?
        """,
    ),
    _favourite(
        "colour",
        "colours",
        "colour",
        topic="colours",
        tell="""
            {S} painted {his} room {v} because it's {his} favourite.
            {S} wear{s} {v} all the time, {he} love{s} that colour.
            {S} really love{s} the colour {v}.
        """,
        tell_held="""
            {S} adore{s} the colour {v}.
            {S} would paint everything {v}.
        """,
        ask="""
            What colour {do} {S} love?
        """,
        ask_held="""
            Which color {do} {S} prefer?
        """,
        use="""
            Which colour should I paint the wall? => How about {v}?
            Pick a colour for my new bike. => How about {v}?
        """,
        use_held="""
            What colour should my new sofa have? => How about {v}?
            Choose a colour for my website. => How about {v}?
        """,
    ),
    _favourite(
        "music",
        "music",
        "music",
        topic="music",
        tell="""
            {S} listen{s} to {v} all day.
            {S} love{s} {v}.
            {S} grew up with {v} and still listen{s} to it.
        """,
        tell_held="""
            {S} {be} a big fan of {v}.
            {P} headphones play nothing but {v}.
        """,
        ask="""
            What music {do} {S} listen to?
        """,
        ask_held="""
            What kind of music {be} {S} into?
        """,
        use="""
            Make a playlist for me. => I would fill it with {v}.
            What should we play at my party? => I would play {v}.
        """,
        use_held="""
            Which concert should I go to? => I would pick a concert with {v}.
            Put on some music I enjoy. => I would play {v}.
        """,
    ),
    _favourite(
        "film",
        "films",
        "film",
        topic="films",
        tell="""
            {S} {have} watched {v} twenty times.
            The movie {S} like{s} most is {v}.
            {S} weep{s} every time {he} watch{es} {v}.
        """,
        tell_held="""
            {S} never get{s} tired of watching {v}.
            {S} know{s} the whole film {v} by heart.
        """,
        ask="""
            Which movie {do} {S} love?
            What's {P} favourite movie?
        """,
        ask_held="""
            What movie {do} {S} like best?
        """,
        use="""
            What should I watch tonight? => How about {v}?
            Plan a movie night for me. => How about {v}?
        """,
        use_held="""
            Choose a film for tonight. => How about {v}?
            I'm bored, what could I watch again? => How about {v}?
        """,
    ),
    _favourite(
        "book",
        "books",
        "book",
        topic="books",
        tell="""
            {S} {have} read {v} three times.
            The novel {S} love{s} most is {v}.
            {S} always take{s} {v} along on trips.
        """,
        tell_held="""
            {S} keep{s} rereading {v}.
            {S} would take {v} to a desert island.
        """,
        ask="""
            Which novel {do} {S} love?
        """,
        ask_held="""
            What novel {do} {S} like best?
        """,
    ),
    _favourite(
        "fruit",
        "fruits",
        "fruits",
        topic="fruit",
        plural=True,
        tell="""
            {S} buy{s} {v} every week, {his} favourite fruit.
            {S} love{s} fresh {v} in the morning.
            {S} put{s} {v} in every fruit salad.
        """,
        tell_held="""
            {S} {be} always snacking on {v}.
            Of all fruit, {S} like{s} {v} best.
        """,
        ask="""
            What fruit {do} {S} enjoy?
        """,
        ask_held="""
            Which fruit should I buy for {O}?
        """,
        use="""
            What should I put in my fruit salad? => I would put in {v}.
        """,
        use_held="""
            Which smoothie should I make? => I would make one with {v}.
            Pick a healthy snack for me. => How about {v}?
        """,
    ),
    _favourite(
        "flower",
        "flowers",
        "flowers",
        topic="flowers",
        plural=True,
        tell="""
            {S} always {have} {v} on the table.
            {S} love{s} getting {v}.
            {P} garden is full of {v}, {he} love{s} them.
        """,
        tell_held="""
            {S} smile{s} whenever {he} see{s} {v}.
            {S} would choose {v} over any other flower.
        """,
        ask="""
            Which flowers {do} {S} love?
        """,
        ask_held="""
            What flowers make {O} happy?
        """,
        use="""
            Which flowers should be on {P} table? => I would choose {v}.
        """,
        use_held="""
            Order flowers for {O}. => I would order {v}.
            Pick a bouquet for {O}. => I would pick {v}.
        """,
    ),
    _favourite(
        "season",
        "seasons",
        "season",
        topic="the seasons",
        tell="""
            {S} feel{s} best in {v}.
            {S} wait{s} for {v} all year long.
            Nothing makes {O} as happy as {v}.
        """,
        tell_held="""
            {S} come{s} alive in {v}.
            If it were {v} all year, {S} would be happy.
        """,
        ask="""
            What time of year {do} {S} love?
        """,
        ask_held="""
            Which time of year {do} {S} like best?
        """,
    ),
    _favourite(
        "topping",
        "toppings",
        "pizza topping",
        topic="pizza",
        tell="""
            {S} always put{s} {v} on {his} pizza.
            {S} want{s} {v} on every pizza.
            A pizza without {v} is nothing to {O}.
        """,
        tell_held="""
            {S} never eat{s} pizza without {v}.
            {P} pizza needs {v}.
        """,
        ask="""
            What {do} {S} like on {his} pizza?
        """,
        ask_held="""
            What should be on {P} pizza?
        """,
        use="""
            Order a pizza for me. => I would order one with {v}.
        """,
        use_held="""
            Which pizza should I get? => I would get one with {v}.
            What goes on my pizza tonight? => I would put {v} on it.
        """,
    ),
    Attribute(
        key="sport",
        pool="sports",
        noun="favourite sport",
        tell="""
            {P} favourite sport is {v}.
            {P} sport is {v}.
            {S} {do} {v} twice a week.
            {S} {be} really into {v}.
            {S} train{s} for {av} competition.
            {S} joined a club for {v}.
            {S} spend{s} every weekend on {v}.
            {S} started with {v} at the age of six.
            The sport {S} love{s} is {v}.
        """,
        tell_held="""
            {S} stay{s} fit with {v}.
            {S} {have} taken up {v}.
            {P} weekends belong to {v}.
            The sport for {O} is {v}.
        """,
        ask="""
            What sport {do} {S} do?
            Which sport {do} {S} like?
            What is {P} favourite sport?
            What's {P} sport?
            Do you remember which sport {S} do{es}?
        """,
        ask_held="""
            What kind of sport {be} {S} into?
            Which sport {do} {S} practise?
            How {do} {S} stay fit?
        """,
        answer="""
            {P} sport is {v}.
            {P} favourite sport is {v}.
        """,
        change="""
            {S} gave up {old} for {v}.
            {S} quit {old}, {his} sport is {v} now.
            {P} new sport is {v}.
        """,
        change_held="""
            {S} moved on from {old} to {v}.
            {S} {dont} do {old} anymore, only {v}.
        """,
        use="""
            Plan my Saturday morning workout. => How about some {v}?
            How could I get some exercise? => How about some {v}?
        """,
        use_held="""
            I want to move, any ideas? => How about some {v}?
            Suggest some exercise that I enjoy. => How about some {v}?
        """,
    ),
    Attribute(
        key="hobby",
        pool="hobbies",
        noun="hobby",
        tell="""
            {P} hobby is {v}.
            {P} favourite hobby is {v}.
            In {his} free time {S} enjoy{s} {v}.
            {S} spend{s} the evenings on {v}.
            {S} {have} a new hobby, {v}.
            {S} relax{es} with {v} after work.
            {S} discovered {v} during the holidays and love{s} it.
            For fun, {S} choose{s} {v}.
        """,
        tell_held="""
            {P} pastime is {v}.
            {S} unwind{s} with {v}.
            {S} got hooked on {v}.
            {P} spare time goes into {v}.
        """,
        ask="""
            What is {P} hobby?
            What {do} {S} do in {his} free time?
            Which hobby {do} {S} have?
            What's {P} favourite hobby?
            Do you remember {P} hobby?
        """,
        ask_held="""
            What {do} {S} do for fun?
            What is {P} favourite pastime?
            How {do} {S} spend {his} spare time?
        """,
        answer="""
            {P} hobby is {v}.
            {S} enjoy{s} {v}.
        """,
        change="""
            {S} stopped with {old}, {his} hobby is {v} now.
            {S} got bored of {old} and switched to {v}.
            {P} new hobby is {v}.
        """,
        change_held="""
            {S} swapped {old} for {v} as a hobby.
            {P} hobby isn't {old} anymore but {v}.
        """,
        use="""
            How should I spend my evening? => How about some {v}?
            Plan a relaxing afternoon for me. => How about some {v}?
        """,
        use_held="""
            I have a free hour, what could I do? => How about some {v}?
            Suggest a hobby evening. => How about some {v}?
        """,
    ),
    Attribute(
        key="instrument",
        pool="instruments",
        noun="instrument",
        noun_value="the {v}",
        tell="""
            {S} play{s} the {v}.
            {S} {be} learning the {v}.
            {P} instrument is the {v}.
            {S} practise{s} the {v} every evening.
            {S} play{s} the {v} in a band.
            {S} {have} played the {v} since school.
            {S} bought {av} and take{s} lessons.
            {S} play{s} the {v}, not the {other}.
            The neighbours hear {O} play the {v} at night.
        """,
        tell_held="""
            {S} can play the {v}.
            {S} took up the {v}.
            In the orchestra {S} play{s} the {v}.
            {S} own{s} {av} and play{s} it well.
        """,
        ask="""
            What instrument {do} {S} play?
            Which instrument {do} {S} play?
            What is {P} instrument?
            Which musical instrument can {S} play?
            Do you remember which instrument {S} play{s}?
        """,
        ask_held="""
            What musical instrument {do} {S} play?
            Which instrument {be} {S} able to play?
            What {do} {S} play in the band?
        """,
        answer="""
            {S} play{s} the {v}.
            {P} instrument is the {v}.
        """,
        change="""
            {S} gave up the {old} and play{s} the {v} now.
            {S} switched from the {old} to the {v}.
            Actually, {S} play{s} the {v}.
        """,
        change_held="""
            {S} sold the {old} and took up the {v}.
            {P} instrument is now the {v} instead of the {old}.
        """,
    ),
    Attribute(
        key="language",
        pool="languages",
        noun="language course",
        tell="""
            {S} {be} learning {v}.
            {S} {be} taking a course in {v}.
            {S} {be} studying {v} this year.
            {S} want{s} to become fluent in {v}.
            {S} started learning {v} in spring.
            The language {S} {be} learning is {v}.
            {P} next exam is in {v}, the language {he} {be} learning.
            {S} practise{s} {v} with an app.
        """,
        tell_held="""
            {S} {have} signed up for {v} lessons.
            {S} {be} trying to pick up {v}.
            {P} evening class teaches {him} {v}.
            {S} {be} getting better at speaking {v}.
        """,
        ask="""
            What language {be} {S} learning?
            Which language {be} {S} studying?
            Which language {do} {S} want to speak?
            What language course {be} {S} taking?
            Do you remember which language {Sm} learning?
        """,
        ask_held="""
            What language {do} {S} practise?
            Which language {do} {S} take lessons in?
            What language {be} {S} trying to learn?
        """,
        answer="""
            {Sm} learning {v}.
        """,
        change="""
            {S} stopped learning {old} and started {v}.
            {S} {be} learning {v} now instead of {old}.
            Actually, the language {S} {be} learning is {v}.
        """,
        change_held="""
            {S} dropped {old} and picked up {v}.
            {S} switched {his} course from {old} to {v}.
        """,
    ),
    Attribute(
        key="allergy",
        pool="allergens",
        noun="allergy",
        tell="""
            {Sm} allergic to {v}.
            {S} {have} an allergy to {v}.
            {P} allergy is to {v}.
            {S} {have} to stay away from {v}, because of an allergy.
            {S} get{s} a rash from {v}, it's an allergy.
            The doctor says {Sm} allergic to {v}.
            {Sm} not allergic to {other}, but to {v}.
            Careful, {v} would make {O} sick, it's an allergy.
        """,
        tell_held="""
            {S} {have} to avoid {v} because of an allergy.
            {S} react{s} badly to {v}.
            {S} tested positive for an allergy to {v}.
            {P} body can't handle {v}, it's an allergy.
        """,
        ask="""
            What {be} {S} allergic to?
            Which allergy {do} {S} have?
            What is {P} allergy?
            What {do} {S} have to avoid?
            Do you remember what {Sm} allergic to?
        """,
        ask_held="""
            What could cause {O} an allergic reaction?
            What allergy should a doctor know about for {O}?
            What gives {O} an allergic reaction?
        """,
        answer="""
            {Sm} allergic to {v}.
        """,
        change="""
            {Sm} not allergic to {old} after all, but to {v}.
            The test came back, {Sm} allergic to {v}, not {old}.
            Correction: {P} allergy is to {v}.
        """,
        change_held="""
            It turns out {S} react{s} to {v}, not to {old}.
            {P} allergy isn't to {old}, it's to {v}.
        """,
        use="""
            What should the cook keep in mind for {O}? => Keep in mind the allergy to {v}.
        """,
        use_held="""
            What should the nurse know about {O}? => The nurse should know about the allergy to {v}.
            What should a host be careful about with {O}? => Be careful about the allergy to {v}.
        """,
    ),
    Attribute(
        key="dislike",
        pool="foods",
        noun="most hated food",
        tell="""
            {S} can't stand {v}.
            {S} hate{s} {v}.
            {S} {dont} like {v} at all.
            {S} never touch{es} {v}.
            {S} find{s} {v} disgusting.
            {S} {dont} eat {v}, {he} hate{s} it.
            Please don't serve {O} {v}, {he} can't stand it.
            The only food {S} dislike{s} is {v}.
            Just the smell of {v} makes {O} sick.
        """,
        tell_held="""
            {S} {be} no friend of {v}.
            {S} really dislike{s} {v}.
            You can chase {O} away with {v}.
            {S} would rather starve than eat {v}.
        """,
        ask="""
            What food {do} {S} hate?
            What food can't {S} stand?
            Which food {do} {S} dislike?
            What {do} {S} never eat?
            Do you remember which food {S} hate{s}?
        """,
        ask_held="""
            What dish should nobody serve {O}?
            Which food {do} {S} refuse to eat?
            Which food {do} {S} find disgusting?
        """,
        answer="""
            {S} can't stand {v}.
            {S} hate{s} {v}.
        """,
        change="""
            {S} got used to {old}, but now {he} can't stand {v}.
            Actually, it's not {old} that {S} hate{s}, it's {v}.
            {S} like{s} {old} now, but {he} hate{s} {v}.
        """,
        change_held="""
            {S} meant {v}, not {old}, when {he} talked about bad food.
            {P} problem isn't {old} anymore, the food {he} can't stand is {v}.
        """,
        use="""
            What should the cook avoid for {O}? => The cook should avoid {v}.
        """,
        use_held="""
            What must not be on the menu for {O}? => The menu should be free of {v}.
            What should I leave out when cooking for {O}? => Leave out {v}.
        """,
    ),
    Attribute(
        key="diet",
        pool="diets",
        noun="diet",
        tell="""
            {P} diet is {v}.
            {S} only eat{s} {v} meals.
            {S} eat{s} {v} food only.
            {S} {have} been on a {v} diet for a year.
            The meal for {O} has to be {v}.
            {S} cook{s} everything {v}.
            {S} follow{s} a {v} diet.
            {P} doctor put {him} on a {v} diet.
        """,
        tell_held="""
            {S} stick{s} to a {v} diet.
            {P} food needs to be {v}.
            {S} {have} gone {v}.
            For {O} it has to be a {v} menu.
        """,
        ask="""
            What is {P} diet?
            Which diet {do} {S} follow?
            What kind of meals {do} {S} eat?
            What diet {be} {S} on?
            Do you remember {P} diet?
        """,
        ask_held="""
            What sort of diet {do} {S} keep?
            Which kind of menu {do} {S} need?
            What dietary rule {do} {S} follow?
        """,
        answer="""
            {P} diet is {v}.
            {S} follow{s} a {v} diet.
        """,
        change="""
            {S} gave up the {old} diet, {he} eat{s} {v} food now.
            {P} diet is {v} now, not {old}.
            {S} switched to a {v} diet.
        """,
        change_held="""
            {S} moved from {old} meals to {v} ones.
            No more {old} food for {O}, the diet is {v} now.
        """,
        use="""
            Find a restaurant for me. => I would look for a {v} restaurant.
        """,
        use_held="""
            Which menu should I book on the plane? => I would book the {v} menu.
            What kind of cookbook do I need? => You need a {v} cookbook.
        """,
    ),
)
