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
            There {verb} no {noun} {{S}} enjoy{{s}} more than {{v}}.
            {{v}} {verb} the {noun} {{S}} would never give up.
            If {{S}} could keep only one kind of {noun}, it would be {{v}}.
            {{S}} rank{{s}} {{v}} above any other {noun}.
            With {topic}, {{S}} always put{{s}} {{v}} first.
            When someone mentions {topic}, {{S}} think{{s}} of {{v}} at once.
            Ask {{O}} about {topic} and {{he}} will say {{v}}.
            The {noun} closest to {{P}} heart {verb} {{v}}.
            {{v}} {verb} the {noun} {{S}} would pick out of a hundred.
            {{S}} take{{s}} {{v}} over any other {noun}.
            Everybody knows that {{P}} favourite {noun} {verb} {{v}}.
            {{S}} made up {{his}} mind about {topic} long ago, it's {{v}}.
            On a list about {topic}, {{S}} would write {{v}} at the very top.
            {{S}} voted for {{v}} as the best {noun}.
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
            Which {noun} {verb} closest to {{P}} heart?
            When it comes to {topic}, what {{do}} {{S}} like most?
            I can't recall which {noun} {{S}} prefer{{s}}, can you?
            Name the {noun} {{S}} love{{s}} most.
            If {{S}} could choose any {noun}, what would it be?
            A survey asks about {{P}} taste in {topic}. What do I enter?
            Did I mention which {noun} {{S}} like{{s}} best?
            With {topic}, what comes first for {{O}}?
            Say which {noun} {{S}} would never give up.
            Which {noun} would {{S}} pick out of a hundred?
            Which {noun} {{do}} {{S}} rank highest?
            Have I told you about the {noun} {{S}} love{{s}}?
            Remind me which {noun} {{S}} enjoy{{s}} most.
            {{P}} favourite {noun}, what was that again?
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
            Forget {{old}}, {{P}} favourite {noun} {verb} {{v}} these days.
            {{v}} took the place of {{old}} as {{P}} favourite {noun}.
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
            A plate of {v} makes {P} day.
            At any restaurant {S} look{s} for {v} on the menu.
            For {P} birthday {S} always get{s} {v}.
        """,
        tell_held="""
            {S} {be} crazy about {v}.
            If {S} could eat one thing forever, it would be {v}.
        """,
        ask="""
            What {do} {S} like to eat most?
            Which meal makes {O} happy?
            What would {S} eat every day, given the chance?
            What should be cooking when {S} come{s} home?
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
            There is always some {v} in {P} glass.
            In a bar {S} ask{s} for {v} without looking at the menu.
            Nothing quenches {P} thirst like {v}.
        """,
        tell_held="""
            {S} will never say no to {v}.
            A glass of {v} is all {S} need{s}.
        """,
        ask="""
            What {do} {S} like to drink?
            What {do} {S} usually order in a bar?
            What should be in {P} glass?
            The waiter asks what {S} would like to drink. What's the answer?
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
            Half of {P} clothes are {v}, the colour {he} love{s}.
            Whatever {S} buy{s}, it should be {v}.
            {P} eyes light up when {he} see{s} something {v}.
        """,
        tell_held="""
            {S} adore{s} the colour {v}.
            {S} would paint everything {v}.
        """,
        ask="""
            What colour {do} {S} love?
            In which colour would {S} paint everything?
            Which shade {do} {S} wear most gladly?
            {P} new bike can have any colour. Which should it be?
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
            {P} headphones play {v} from morning to night.
            {S} never miss{es} a concert with {v}.
            Put on some {v} and {S} will start to dance.
        """,
        tell_held="""
            {S} {be} a big fan of {v}.
            {P} headphones play nothing but {v}.
        """,
        ask="""
            What music {do} {S} listen to?
            What comes out of {P} headphones?
            Which kind of music makes {O} dance?
            What should the band play for {O}?
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
            {S} know{s} every line of {v}, {his} favourite movie.
            A poster of {v} hangs over {P} bed, {he} love{s} that film.
            On rainy evenings {S} put{s} on {v} once more.
        """,
        tell_held="""
            {S} never get{s} tired of watching {v}.
            {S} know{s} the whole film {v} by heart.
        """,
        ask="""
            Which movie {do} {S} love?
            Which movie {have} {S} watched again and again?
            What film should be on when {S} come{s} over?
            Which picture would {S} show to everyone?
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
            {v} lies on {P} bedside table, the book {he} love{s}.
            {S} give{s} everyone a copy of {v}, {his} favourite novel.
            On a desert island {S} would read {v}.
        """,
        tell_held="""
            {S} keep{s} rereading {v}.
            {S} would take {v} to a desert island.
        """,
        ask="""
            Which novel {do} {S} love?
            Which book {have} {S} read again and again?
            What {do} {S} read on a desert island?
            Which title belongs on {P} bedside table?
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
            At the market {S} always come{s} back with {v}.
            {P} basket is full of {v}, the fruit {he} love{s}.
            For dessert {S} want{s} nothing but {v}.
        """,
        tell_held="""
            {S} {be} always snacking on {v}.
            Of all fruit, {S} like{s} {v} best.
        """,
        ask="""
            What fruit {do} {S} enjoy?
            Which fruit from the market makes {O} happy?
            Which fruit {do} {S} want for dessert?
            What belongs in {P} fruit basket?
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
            A bunch of {v} always cheers {O} up.
            {S} planted {v} all along the fence, since {he} love{s} them.
            At the florist's {S} ask{s} for {v}.
        """,
        tell_held="""
            {S} smile{s} whenever {he} see{s} {v}.
            {S} would choose {v} over any other flower.
        """,
        ask="""
            Which flowers {do} {S} love?
            What should be in a bouquet for {O}?
            Which flowers would cheer {O} up?
            What {do} {S} ask for at the florist's?
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
            For {O} the year could be {v} all the time.
            {S} always take{s} {his} holidays in {v}, {his} favourite time of year.
            The best part of the year, for {O}, is {v}.
        """,
        tell_held="""
            {S} come{s} alive in {v}.
            If it were {v} all year, {S} would be happy.
        """,
        ask="""
            What time of year {do} {S} love?
            When in the year {be} {S} happiest?
            Which part of the year {do} {S} wait for?
            What time of year should never end for {O}?
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
            {P} pizza comes with {v}, every single time.
            Whoever orders pizza for {O} must not forget the {v}.
            Extra {v} on the pizza is what {S} ask{s} for.
        """,
        tell_held="""
            {S} never eat{s} pizza without {v}.
            {P} pizza needs {v}.
        """,
        ask="""
            What {do} {S} like on {his} pizza?
            What has to be on a pizza for {O}?
            A pizza for {O}, please. What goes on top?
            What must not be missing on {P} pizza?
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
            {v} keeps {O} fit.
            To stay in shape, {S} go{es} in for {v}.
            {S} {be} keen on {v} and never skip{s} a training session.
            No other sport gives {O} as much joy as {v}.
            After work {S} get{s} changed and head{s} off to {his} training for {v}.
            {P} coach says {he} {have} real talent for {v}.
            When {S} need{s} exercise, {v} is what {he} choose{s}.
            If there were a medal in {v} to win, {S} would train day and night.
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
            What athletic activity {do} {S} go in for?
            Help me remember which sport {S} practise{s}.
            Name the sport {S} train{s} in.
            {P} sport again, which one?
            How {do} {S} keep fit, with which sport?
            The fitness coach asks what discipline {S} compete{s} in. What should I say?
            Have you noted down what kind of sport {S} {be} keen on?
            A health questionnaire wants the sport {S} {be} active in. What goes in there?
            What sort of sports club would have {O} as a member?
            In which sport would {S} love to win a medal?
            What do I do for exercise?
            For what sport {do} {S} need {his} training gear?
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
            {S} used to go in for {old}, but these days {he} keep{s} fit with {v}.
            {P} days in {old} are over, {S} {be} training in {v} instead.
            {S} changed {his} sport and go{es} in for {v} now.
            {P} old sport is history, a new coach got {him} into {v}.
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
            {v} is how {S} pass{es} the time when there's no work.
            As a pastime, {S} took up {v}.
            Once the work is done, {S} devote{s} the rest of the day to {v}.
            {S} unwind{s} best with some {v}.
            On a free day you can be sure {S} {be} busy with {v}.
            {P} passion outside of work is {v}.
            {S} could talk for hours about {v}, the pastime {he} love{s}.
            If {S} had more leisure time, all of it would go into {v}.
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
            How {do} {S} pass the time when there's no work?
            I can't recall what pastime {S} {have}.
            Name {P} leisure activity.
            {P} pastime again, what was it?
            What occupies {O} on a free evening?
            A form has a field for {P} interests. What pastime goes in there?
            Someone asks what {S} do{es} for fun. What should I say?
            Can you tell me the leisure pursuit {S} {be} passionate about?
            With what activity {do} {S} unwind after a long day?
            Friends want to give {O} something useful for {his} pastime. Which one is that?
            What do I do just for pleasure?
            If {S} had a whole week off, to what pastime would {he} devote it?
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
            {S} lost interest in {old} and devote{s} {his} free time to {v} these days.
            {old} is a thing of the past, {S} pass{es} the time with {v} instead.
            {S} {have} taken up {v} as a new pastime and dropped the previous one.
            {P} leisure time belongs to {v} from now on.
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
            The {v} is what {S} make{s} music on.
            Ever since picking up the {v}, {S} {have} been practising.
            At parties {S} like{s} to perform something on the {v}.
            {P} music teacher shows {him} how to master the {v}.
            Of all instruments, {S} picked the {v} to learn.
            If your orchestra needs someone on the {v}, ask {O}.
            {S} {have} lessons on the {v} at the music school.
            Give {O} {av} and {he} will perform a tune for you.
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
            What {do} {S} make music on?
            It has slipped my mind what instrument {S} practise{s}.
            Remind me of the instrument {S} took up.
            {P} instrument again, which one?
            What would {S} bring along to a band rehearsal to play on?
            The conductor asks what {S} would play in the orchestra. What do I answer?
            Did I mention the instrument {S} {have} lessons in?
            Which sound do the neighbours hear when {S} practise{s}?
            The music school wants to know what {S} {be} going to be taught. Which instrument do I put down?
            Someone is looking for musicians. On what instrument could {S} help out?
            What instrument did I learn?
            On which instrument could {S} perform a solo?
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
            Instead of the {old}, {S} {have} lessons on the {v} these days.
            {S} changed instruments and practise{s} the {v} from now on.
            In the band {S} {have} a new role, {he} play{s} the {v} now.
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
            {v} is the language {S} {be} trying to master.
            {S} signed up for lessons in {v}.
            Every evening {S} cram{s} vocabulary in {v}.
            The grammar of {v} gives {O} a headache, but {he} keep{s} learning.
            One day {S} would like to hold a whole conversation in {v}, hence the lessons.
            {P} teacher says {he} {be} making good progress in {v}.
            At the language school {S} go{es} to the class for {v}.
            To keep {his} brain fit, {S} {have} taken up {v} as a foreign language.
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
            What foreign tongue {do} {S} take lessons in?
            I keep forgetting which language {S} signed up for.
            Quick, name the language {S} {be} trying to master.
            {P} language class again, which one was it?
            Vocabulary from what language {be} {S} cramming?
            The bookshop asks for what language {S} need{s} a textbook. What do I say?
            Have I told you the tongue {S} would like to be fluent in one day?
            A language school wants to know what {S} came to learn. What do I tick?
            Friends want to greet {O} in the language {he} {be} picking up. Which is it?
            Grammar of what language gives {O} a headache in class?
            What am I taking language lessons in?
            What foreign language is {P} teacher trying to get into {his} head?
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
            {S} dropped out of the class in {old} and signed up for {v}.
            Lessons in {old} were too dull for {O}, so {he} {be} trying to master {v} now.
            {S} changed {his} language course and take{s} lessons in {v} these days.
            From now on {S} cram{s} vocabulary in {v}, the previous language is history.
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
            {P} skin starts to itch after any contact with {v}.
            Even a trace of {v} triggers {P} allergy.
            {S} react{s} to {v} with hives and a swollen throat.
            The allergen {S} must watch out for is {v}.
            With {v} nearby, {S} start{s} sneezing, since {he} {have} an allergy.
            Under allergies on the medical form, {S} wrote {v}.
            Blood tests showed that {P} immune system overreacts to {v}.
            If {S} ever swell{s} up like a balloon, blame {v} and that old allergy.
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
            Which substance triggers {P} allergic reactions?
            I can't recall what {S} {be} allergic to, can you help?
            Name the allergen {P} immune system can't handle.
            {P} allergy again, what was it to?
            A nurse wants to hear about {P} allergies. What should I tell her?
            What makes {O} break out in hives?
            Did I mention which allergen is dangerous for {O}?
            What could send {O} to hospital with anaphylactic shock?
            The form has a line for allergies, what goes there for {O}?
            Please look up the trigger on {P} allergy card.
            What {do} {S} react to with itching and swelling?
            If I start sneezing and my throat swells, what did I come too close to?
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
            {S} outgrew the {old} allergy, these days it's {v} that {he} can't tolerate.
            Forget the allergy to {old}, the real trigger for {O} is {v}.
            The doctors got it wrong at first, {P} true allergen is {v}.
            A new skin test cleared {old} and found that {S} react{s} to {v}.
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
            To {O}, nothing tastes worse than {v}.
            {S} would rather go hungry than eat {v}.
            Whenever {v} lands on the table, {S} leave{s} the room in disgust.
            The dish {S} loathe{s} most of all is {v}.
            Since childhood {S} {have} despised {v}.
            If there's {v} for dinner, {S} will order a pizza instead.
            {S} think{s} {v} tastes awful.
            Ever since the school canteen, the thought of {v} makes {O} shudder.
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
            Which dish would {S} refuse at any dinner table?
            I can't recall which dish {S} find{s} disgusting.
            Name the meal {S} loathe{s} the most.
            {P} most detested dish again?
            Someone is cooking for {O} tonight. Which dish would be a terrible idea?
            What tastes awful to {O}?
            Did I ever say which meal makes {O} go yuck?
            What should nobody put on {P} plate, because {he} simply won't like it?
            Tell me the one food {S} would push to the side of the plate in disgust.
            Which item on the menu {do} {S} despise?
            What's the worst thing anyone could cook for {O}, purely as a matter of taste?
            Which food do I think is gross?
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
            {S} made peace with {old}, the dish {he} loathe{s} these days is {v}.
            {P} taste has changed, by now the food {he} despise{s} most is {v}.
            That was wrong earlier, {S} {dont} mind {old}, {he} detest{s} {v}.
            Serving {old} to {O} is fine again, just never serve {v}.
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
            For health reasons {S} stick{s} to {av} diet.
            {P} eating plan is strictly {v}.
            When {S} shop{s} for groceries, everything has to be {v}.
            Only {v} dishes end up on {P} plate.
            At restaurants {S} always ask{s} for the {v} menu.
            The nutritionist told {O} to keep all meals {v}.
            Anything {S} order{s} must be {v}, those are {his} dietary rules.
            Going {v} was the best decision {S} ever made about food.
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
            What sort of eating plan {be} {S} following?
            I can't recall which dietary rules {S} stick{s} to.
            Name the diet {S} {be} keeping to.
            {P} eating regime again, what was it called?
            The caterer asks about {P} dietary requirements. What do I reply?
            In one dietary term, how would you describe the way {S} eat{s}?
            Did I mention what type of food plan {P} doctor recommended?
            A restaurant wants to know which special menu {S} need{s}. What should I say?
            Which label should {P} ready meals carry?
            What kind of cookbook would suit {P} diet?
            Please tell the cook which special diet applies to {O}.
            The airline offers special meals, so which type fits my diet?
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
            {S} dropped the {old} eating plan and went {v} instead.
            {P} days of {old} meals are over, {he} keep{s} to {v} food these days.
            Since last week {P} meals have been {v}, that's a new diet.
            The nutritionist changed {P} plan, so every meal must be {v} from now on.
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
