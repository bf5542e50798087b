"""Phrasings: names of the user and of the people around them, and what they want."""

from __future__ import annotations

from dmem_agents.train.data.attributes import Attribute


def _kin(key: str, pool: str, word: str) -> Attribute:
    """A relative or acquaintance and their name; `word` is the relation."""
    return Attribute(
        key=key,
        pool=pool,
        noun=f"{word}'s name",
        clashes=word,
        tell=f"""
            {{P}} {word} is called {{v}}.
            {{P}} {word}'s name is {{v}}.
            The name of {{P}} {word} is {{v}}.
            {{v}} is {{P}} {word}.
            {{S}} {{have}} a {word} named {{v}}.
            {{S}} had lunch with {{his}} {word} {{v}}.
            {{P}} {word} {{v}} called this morning.
            {{S}} get{{s}} along well with {{his}} {word} {{v}}.
            {{S}} wrote a letter to {{v}}, {{his}} {word}.
            When {{S}} need{{s}} help, {{he}} call{{s}} {{his}} {word} {{v}}.
            Meet {{v}}, {{P}} {word}.
            The {word} {{S}} keep{{s}} talking about is {{v}}.
            Everyone at the party met {{P}} {word}, whose name is {{v}}.
            If somebody called {{v}} rings, that's {{P}} {word}.
            On {{P}} phone, {{his}} {word} is saved as {{v}}.
            It was {{v}}, {{P}} {word}, who drove {{O}} home.
            {{v}} has been {{P}} {word} for years.
            Next to {{O}} in that picture stands {{his}} {word} {{v}}.
            Nobody makes {{O}} laugh like {{his}} {word}, {{v}}.
            A parcel arrived for {{v}}, {{P}} {word}.
            You can write {{v}} wherever someone asks for {{P}} {word}.
            {{S}} share{{s}} a birthday with {{v}}, {{his}} {word}.
        """,
        tell_held=f"""
            {{P}} {word} goes by {{v}}.
            Everyone calls {{P}} {word} {{v}}.
            {{S}} spoke with {{v}}, {{his}} {word}.
            {{S}} {{have}} a {word}, {{v}}.
            {{P}} {word} bears the name {{v}}.
            {{S}} ran into {{v}}, {{his}} {word}, today.
        """,
        ask=f"""
            What is {{P}} {word}'s name?
            What's the name of {{P}} {word}?
            What is {{P}} {word} called?
            Who is {{P}} {word}?
            Do you remember the name of {{P}} {word}?
            {{P}} {word}, what was the name again?
            I can't recall what {{P}} {word} is called, can you?
            Give me the name of {{P}} {word}.
            I'm writing a card to {{P}} {word}. Which name goes on the envelope?
            Did I mention what {{P}} {word}'s name is?
            By what name should I greet {{P}} {word}?
            Someone asks who {{P}} {word} is. What do I say?
            State the name of {{P}} {word}.
            Remind me, who was {{P}} {word}?
            Under which name is {{P}} {word} saved on the phone?
            I have to introduce {{P}} {word} and the name escapes me.
            Have I ever told you {{P}} {word}'s name?
        """,
        ask_held=f"""
            Which name does {{P}} {word} have?
            Do you know {{P}} {word}'s name?
            What do people call {{P}} {word}?
            Can you tell me {{P}} {word}'s name?
        """,
        answer=f"""
            {{P}} {word} is called {{v}}.
            {{P}} {word}'s name is {{v}}.
        """,
        change=f"""
            Sorry, {{P}} {word}'s name is {{v}}, not {{old}}.
            Actually, {{P}} {word} is called {{v}}.
            I said {{old}}, but {{P}} {word}'s name is {{v}}.
            It isn't {{old}}, {{P}} {word} is called {{v}}.
            I mixed it up earlier, {{P}} {word} is {{v}}.
            Not {{old}} but {{v}} is the name of {{P}} {word}.
            Please correct the name of {{P}} {word} to {{v}}.
        """,
        change_held=f"""
            Correction: {{P}} {word} goes by {{v}}, not {{old}}.
            I got it wrong, {{P}} {word} is {{v}}.
        """,
    )


PEOPLE = (
    Attribute(
        key="name",
        pool="first_names",
        noun="name",
        third=False,
        tell="""
            My name is {v}.
            I'm {v}.
            Hi, I'm {v}.
            Hello! My name is {v}.
            You can call me {v}.
            People call me {v}.
            {v} is my name.
            Hey there, {v} here.
            This is {v} speaking.
            Hi, it's {v}. Nice to meet you!
            I should introduce myself, I'm {v}.
            Please call me {v}.
            Everyone around here knows me as {v}.
            My parents decided to call me {v}, and I quite like it.
            In case you were wondering, people call out {v} when they want me.
            {v} is what my friends shout when they see me.
            If you want to address me, just say {v}.
            The name on my coffee cup this morning was {v}, and that's me.
            You're talking to {v}, pleased to meet you.
            My first name happens to be {v}.
        """,
        tell_held="""
            They call me {v}.
            My parents named me {v}.
            I go by {v}.
            Everybody knows me as {v}.
            Good morning, the name is {v}.
            Let me introduce myself: {v}.
        """,
        ask="""
            What is my name?
            What's my name?
            Do you remember my name?
            Who am I?
            Can you tell me my name?
            What am I called?
            How would you address me if you wrote me a postcard?
            I can't recall which name I gave you when we started talking.
            Tell me what I go by.
            Did I mention what I'm called?
            A barista wants a name for my cup. What do I say?
            My first name again, please?
            Who exactly are you talking to right now?
            Under what name did I introduce myself?
            Which given name did my parents pick for me?
            State the first name of the person typing this.
            My name tag is blank. What belongs on it?
        """,
        ask_held="""
            Do you know my name?
            Which name did I tell you?
            What should you call me?
            Remind me, what's my name?
        """,
        answer="""
            Your name is {v}.
            You are {v}.
        """,
        change="""
            Actually, my name is {v}.
            Sorry, my name is {v}, not {old}.
            Please call me {v} instead of {old}.
            I changed my name from {old} to {v}.
            I don't go by {old} any longer, call me {v}.
            You have my name wrong, it should be {v}.
            Forget {old}, from today on I answer to {v}.
            I picked a new name for myself and now I'm called {v}.
        """,
        change_held="""
            I'd rather be called {v} from now on.
            I was joking, I'm not {old}. My real name is {v}.
            From today I go by {v}.
        """,
        use="""
            Greet me. => Hello, {v}!
            Say hello to me. => Hello, {v}!
            Write a greeting for me. => Hello, {v}!
        """,
        use_held="""
            Say good morning to me. => Good morning, {v}!
            How would you greet me? => Hello, {v}!
            Wish me good night. => Good night, {v}!
        """,
        tool="get_profile profile.first_name",
    ),
    Attribute(
        key="last_name",
        pool="last_names",
        noun="last name",
        tell="""
            {P} last name is {v}.
            {P} surname is {v}.
            {P} family name is {v}.
            The booking for {O} is under {v}, {P} last name.
            {P} last name is spelled {v}.
            {S} took the last name {v}.
            {P} mailbox says {v}, that's {his} surname.
            At work they use {P} last name, {v}.
            {S} sign{s} letters with the surname {v}.
            In the phone book you can find {O} under the last name {v}.
            {v} is the family name {S} {was} born with.
            On the doorbell, {P} first name is followed by {v}.
            The name {v} has been in {P} family for generations.
            {S} inherited the surname {v} from {his} grandfather.
            Officially, {S} go{es} by the family name {v}.
            After the first name comes {v}, that's how {P} passport has it.
        """,
        tell_held="""
            {P} surname happens to be {v}.
            {S} {have} the last name {v}.
            {P} family is called {v}.
            {P} passport gives {v} as the surname.
        """,
        ask="""
            What is {P} last name?
            What's {P} surname?
            What is {P} family name?
            Which last name {do} {S} have?
            Do you remember {P} last name?
            Which surname goes on {P} doorbell?
            I can't remember what {P} family is called. Which surname was it?
            A hotel clerk wants {P} surname. What do I tell them?
            How {do} {S} sign, just the family name?
            {P} surname again?
            Have I ever told you which family name {S} {have}?
            State the surname {S} go{es} by.
            What comes after {P} first name?
            Under which last name {be} {S} listed in the phone book?
            By which family name do colleagues know {O}?
            If someone addressed {O} formally, which surname would they use?
            The form has a box for {P} family name. What goes in there?
        """,
        ask_held="""
            How is {P} last name spelled?
            Which surname {do} {S} have?
            Can you give me {P} last name?
        """,
        answer="""
            {P} last name is {v}.
        """,
        change="""
            {S} got married, {his} last name is {v} now.
            {P} last name changed from {old} to {v}.
            Correction, {P} surname is {v}.
            {S} dropped the surname {old} and go{es} by {v} these days.
            {P} family name used to be {old}, now it is {v}.
            Since the wedding, {S} {have} had the surname {v}.
            The surname {old} is out of date, {P} papers now say {v}.
        """,
        change_held="""
            {P} surname is no longer {old}, it's {v}.
            {S} took a new last name, {v}.
        """,
        tool="get_profile profile.last_name",
    ),
    Attribute(
        key="full_name",
        pool="full_names",
        noun="full name",
        third=False,
        tell="""
            My full name is {v}.
            I'm {v}.
            Hello, I'm {v}.
            My name is {v}.
            The form should say {v}, that's my full name.
            Please register me as {v}.
            {v} is my full name.
            You can file it under {v}, that's me.
            On official papers I appear as {v}.
            My passport was issued to {v}, which is me.
            First and last name together, I'm called {v}.
            Written out completely, my name reads {v}.
            {v} is how I sign contracts.
            The ticket was booked for {v}, in other words for me.
            You can put {v} on my certificate, that's how I'm registered.
            Under my photo in the yearbook it says {v}, my complete name.
        """,
        tell_held="""
            In my passport it says {v}.
            I sign my letters with {v}.
            Good evening, {v} speaking.
            Officially I am {v}.
        """,
        ask="""
            What is my full name?
            What's my full name?
            What are my first and last name?
            Do you remember my full name?
            Which full name did I give you?
            How do I write my name in full?
            Both my names, first and family, please?
            A visa form asks for my complete name. What do I enter?
            Say my given name together with my surname.
            I'd like to hear my whole name. Can you say it?
            Under what complete name am I registered?
            Do you still know my first name plus my surname?
            How does my entire name read on an official letter?
            My complete name again?
            What would be printed on my diploma, first name and surname?
            Spell out the first and last name of the person you're helping.
            The ticket must show my name and surname. What should it say?
        """,
        ask_held="""
            What is my complete name?
            How do I sign my letters?
            What name is in my passport?
        """,
        answer="""
            Your full name is {v}.
        """,
        tool="get_profile profile.name",
    ),
    _kin("partner", "first_names", "partner"),
    _kin("sister", "women", "sister"),
    _kin("brother", "men", "brother"),
    _kin("daughter", "women", "daughter"),
    _kin("son", "men", "son"),
    _kin("boss", "first_names", "boss"),
    _kin("best_friend", "first_names", "best friend"),
    Attribute(
        key="doctor",
        pool="last_names",
        noun="doctor",
        noun_value="Dr. {v}",
        tell="""
            {P} doctor is Dr. {v}.
            {P} doctor is called Dr. {v}.
            {S} {have} an appointment with Dr. {v}, {his} doctor.
            The name of {P} doctor is {v}.
            {S} always see{s} Dr. {v} when {he} {have} a cold.
            Dr. {v} is {P} doctor.
            {S} found a new doctor, Dr. {v}.
            {P} doctor, Dr. {v}, is on holiday.
            {Sm} a patient of Dr. {v}.
            Dr. {v} has been treating {O} for a long time.
            Whenever {S} feel{s} sick, {he} go{es} to Dr. {v}.
            {P} family physician goes by the name of Dr. {v}.
            The prescription {S} got was signed by {his} GP, Dr. {v}.
            {P} yearly checkup is always done by Dr. {v}.
            It's Dr. {v} who keeps {P} medical records.
            When {P} back hurt, {his} doctor, Dr. {v}, told {him} to rest.
        """,
        tell_held="""
            {S} go{es} to Dr. {v} with every cough.
            {P} family doctor is {v}.
            {S} trust{s} {his} doctor, Dr. {v}.
            {S} {was} examined by {his} doctor, Dr. {v}.
        """,
        ask="""
            What is {P} doctor's name?
            Who is {P} doctor?
            What's the name of {P} doctor?
            What is {P} doctor called?
            Do you remember {P} doctor's name?
            Which physician {do} {S} see?
            I no longer know who treats {O} when {he} {be} ill.
            {P} GP is which doctor again?
            Just say which doctor looks after {O}.
            Have I ever told you whose patient {S} {be}?
            The clinic wants the name of {P} physician. What do I tell them?
            Who writes {P} prescriptions?
            To which doctor {do} {S} turn when {he} feel{s} sick?
            {S} woke up with a fever. Which doctor should be called?
            Whose name is on the door of {P} family doctor's practice?
            Which doctor has {P} medical records?
            Who gives {O} {his} yearly checkup?
        """,
        ask_held="""
            Which doctor {do} {S} go to?
            Can you tell me {P} doctor's name?
            Which doctor treats {O}?
        """,
        answer="""
            {P} doctor is Dr. {v}.
        """,
        change="""
            {P} doctor is Dr. {v} now, not Dr. {old}.
            {S} switched from Dr. {old} to Dr. {v}.
            {P} new doctor is Dr. {v}.
            Dr. {old} retired, so {S} go{es} to Dr. {v} now.
            {S} {be} no longer a patient of Dr. {old}, Dr. {v} has taken over.
            {S} changed doctors and {be} now treated by Dr. {v}.
            Correction, the physician who looks after {O} is Dr. {v}.
        """,
        change_held="""
            {S} left Dr. {old} and go{es} to Dr. {v} now.
            Dr. {old} retired, {P} doctor is Dr. {v} now.
        """,
    ),
    _kin("neighbour", "first_names", "neighbour"),
    Attribute(
        key="gift",
        pool="gifts",
        noun="birthday wish",
        noun_value="{av}",
        tell="""
            {S} wish{es} for {av}.
            {S} want{s} {av} for {his} birthday.
            {S} would love to get {av}.
            {P} birthday wish is {av}.
            {S} {have} always wanted {av}.
            {S} keep{s} dreaming of {av}.
            {S} asked for {av} this Christmas.
            {Sm} hoping for {av} as a present.
            At the top of {P} wish list is {av}.
            Nothing would please {O} more than {av} as a gift.
            If you're looking for a present for {O}, think of {av}.
            {S} keep{s} hinting that {he} would like to be given {av}.
            With {av}, anyone could make {O} really happy on {his} birthday.
            {S} wrote to Santa and asked for {av}.
            The gift {S} long{s} for is {av}.
            {S} would be over the moon to unwrap {av} this year.
        """,
        tell_held="""
            The present {S} would enjoy most is {av}.
            {S} put {av} on {his} wish list.
            {S} would be happy about {av}.
            {S} hinted that {he} could use {av}.
        """,
        ask="""
            What present {do} {S} want?
            What {do} {S} wish for?
            What does the perfect present for {O} look like?
            Which present would {S} like?
            Do you remember what {S} want{s} for {his} birthday?
            What would have to be in the box to make {O} happy?
            Help me remember what {S} {be} hoping to unwrap.
            {P} birthday wish again?
            Let me know what is at the top of {P} wish list.
            Did you catch what {S} would love to receive?
            Someone wants to surprise {O} with a gift. What should they buy?
            Which gift would please {O} the most?
            What {be} {S} dreaming of finding under the Christmas tree?
            {P} friends are collecting money for a present. What should it be?
            What {do} {S} long to be given?
            What would {S} ask Santa for?
            Suggest the gift {S} {have} been hinting at.
        """,
        ask_held="""
            What is on {P} wish list?
            What would {S} like to get as a gift?
            Which gift {be} {S} hoping for?
        """,
        answer="""
            {S} want{s} {av}.
            {S} would like {av}.
        """,
        use="""
            Suggest a present for {O}. => How about {av}?
            I need a gift idea for {O}. => How about {av}?
            What could somebody buy {O}? => How about {av}?
        """,
        use_held="""
            Any present ideas for {O}? => How about {av}?
            Help me choose a gift for {O}. => How about {av}?
        """,
    ),
)
