"""Phrasings: dates, numbers and codes of everyday life."""

from __future__ import annotations

from dmem_agents.train.data.attributes import Attribute


def _code(key: str, pool: str, noun: str, *, own: str, own_held: str, tool: str = "", third: bool = False) -> Attribute:
    """A code or number that opens or identifies something; `noun` names it."""
    return Attribute(
        key=key,
        pool=pool,
        noun=noun,
        third=third,
        tell=f"""
            {{P}} {noun} is {{v}}.
            The {noun} is {{v}}.
            Please note the {noun}: {{v}}.
            Remember the {noun} {{v}}.
            The {noun} to use is {{v}}.
            Here's {{P}} {noun}: {{v}}.
            I always forget my {noun}, it's {{v}}.
            Write this down, the {noun} is {{v}}.
            {{v}} is the {noun}, don't lose it.
            If I ever ask for the {noun}, it's {{v}}.
            For {{P}} {noun}, the slip of paper says {{v}}.
            On the note it says {{v}}, that's {{P}} {noun}.
            Keep {{v}} in mind, it's {{P}} {noun}.
            The text message with {{P}} {noun} says {{v}}.
            As {noun} {{S}} {{was}} given {{v}}.
            They just told {{O}} the {noun}, and it's {{v}}.
            {{v}} belongs to {{O}}, as {{his}} {noun}.
            {own}
        """,
        tell_held=f"""
            As for the {noun}, use {{v}}.
            Write down {{v}}, that's my {noun}.
            {{P}} {noun} reads {{v}}.
            {own_held}
        """,
        ask=f"""
            What is {{P}} {noun}?
            What's {{P}} {noun}?
            What is the {noun}?
            Which {noun} do I need?
            Do you remember {{P}} {noun}?
            I can't recall {{P}} {noun}. What was it?
            Which {noun} did I give you?
            How does {{P}} {noun} read?
            I'm standing here without {{P}} {noun}. Can you help?
            The {noun} again?
            State the {noun} I told you.
            What should I type when they want the {noun}?
            They are asking for {{P}} {noun}. What do I tell them?
            Did I mention {{P}} {noun}?
            The note with {{P}} {noun} is gone. What did it say?
            Do you still have {{P}} {noun}?
            Repeat {{P}} {noun} for me.
        """,
        ask_held=f"""
            Tell me {{P}} {noun}.
            What did I say {{P}} {noun} was?
            Look up {{P}} {noun} in your memory.
            I forgot my {noun}, what is it?
        """,
        answer=f"""
            {{P}} {noun} is {{v}}.
        """,
        change=f"""
            {{P}} {noun} changed to {{v}}.
            The new {noun} is {{v}}.
            {{P}} {noun} is {{v}} now, not {{old}}.
            Forget {{old}}, {{P}} {noun} is {{v}} from now on.
            They replaced {{P}} {noun} {{old}} by {{v}}.
            I got {{P}} {noun} wrong, it's {{v}}.
            {{v}} is what {{P}} {noun} was changed to.
        """,
        change_held=f"""
            {{P}} {noun} isn't {{old}} anymore, it's {{v}}.
            Forget {{old}}, the {noun} is {{v}}.
            They gave {{O}} a new {noun}, {{v}}.
        """,
        tool=tool,
    )


DAILY = (
    Attribute(
        key="age",
        pool="ages",
        noun="age",
        tell="""
            {Sm} {v} years old.
            {P} age is {v}.
            {S} turned {v} last week.
            {S} just turned {v}.
            {S} {be} {v} now.
            {S} celebrated {his} birthday and {be} {v} years old now.
            At {v}, {S} feel{s} pretty young.
            {S} will be {v} for another few months.
            {S} {have} been on this planet for {v} years.
            Last month {S} reached the age of {v}.
            {P} last cake had {v} candles on it, one for each year.
            Believe it or not, {P} last cake had {v} candles.
            In the field for age, {S} always write{s} {v} these days.
            Being {v} years of age, {S} know{s} a thing or two about life.
            As of this year {S} {be} {v} years of age.
            People never guess that {S} {be} {v}.
        """,
        tell_held="""
            {S} {have} reached the age of {v}.
            {S} {be} already {v}.
            There are {v} candles on {P} cake this year.
            Believe it or not, {Sm} {v}.
        """,
        ask="""
            How old {be} {S}?
            What is {P} age?
            What's {P} age?
            How many years old {be} {S}?
            Do you remember how old {S} {be}?
            What number of years {have} {S} reached by now?
            I can't recall {P} age, could you say it?
            Give me {P} current age in years.
            {P} age again?
            A form wants {P} age. Which number goes in there?
            How many candles belong on {P} latest birthday cake?
            Did I mention how many years {S} {have} lived so far?
            Someone is guessing how old {S} {be}. What's the correct number?
            What age did {S} reach on {his} last birthday?
            Tell me how far along in years {S} {be}.
            What should I say if someone asks me how old I am?
        """,
        ask_held="""
            Which age {do} {S} have?
            Can you tell me {P} age?
            How many years {have} {S} lived?
        """,
        answer="""
            {Sm} {v} years old.
            {Sm} {v}.
        """,
        change="""
            {Sm} not {old} anymore, {S} turned {v} today.
            {S} had a birthday, {he} {be} {v} now.
            Actually, {Sm} {v} years old.
            {S} {have} left {old} behind and reached the age of {v}.
            Time flies, {S} {be} no longer {old} but {v}.
            {P} age needs an update, make it {v}.
            There was another birthday cake for {O}, this time with {v} candles.
        """,
        change_held="""
            Since yesterday {Sm} {v} instead of {old}.
            I got it wrong, {P} age is {v}.
        """,
    ),
    Attribute(
        key="birthday",
        pool="dates",
        noun="birthday",
        tell="""
            {P} birthday is on {v}.
            {S} {was} born on {v}.
            {S} celebrate{s} {his} birthday on {v}.
            {P} birthday party is always on {v}.
            {S} {have} {his} birthday on {v}.
            Don't forget {P} birthday on {v}.
            {P} birthday falls on {v}.
            {v} is {P} birthday.
            Every year on {v}, {S} blow{s} out the candles on a cake.
            Leaving out the year, {P} passport has {v} as the day.
            On {v} people sing Happy Birthday for {O}.
            If you want to congratulate {O}, do it on {v}, the day {he} {was} born.
            Each {v} {S} turn{s} a year older.
            {P} passport gives {v} as the day of birth.
            Mark {v} in the calendar, because {S} expect{s} birthday presents that day.
        """,
        tell_held="""
            {P} date of birth is {v}.
            Every {v}, {S} get{s} a birthday cake.
            {S} turn{s} a year older on {v}.
            {S} came into the world on {v}.
        """,
        ask="""
            When is {P} birthday?
            What is {P} birthday?
            On which date {was} {S} born?
            On what day is {P} birthday?
            Do you remember {P} birthday?
            On which day of the year do people congratulate {O}?
            I can't recall the date {S} {was} born on, can you?
            Name the month and day of {P} birth.
            {P} birthday again, when was that?
            A form wants {P} birth date, so which month and day go in there?
            When {do} {S} get older each year?
            On what calendar day {do} {S} blow out the candles?
            Did I mention when {S} celebrate{s} being born?
            Which date deserves a circle in the calendar for {P} birthday party?
            By when must a birthday gift be ready for {O}?
            Someone wants to send {O} a birthday card. For which date?
            Tell me the day on which everybody sings Happy Birthday to me.
        """,
        ask_held="""
            What date is {P} birthday?
            When {do} {S} celebrate {his} birthday?
            When {was} {S} born?
        """,
        answer="""
            {P} birthday is on {v}.
        """,
        tool="get_profile profile.birthday",
    ),
    Attribute(
        key="phone",
        pool="phone_numbers",
        noun="phone number",
        tell="""
            {P} phone number is {v}.
            You can reach {O} at {v}.
            Call {O} at {v}.
            {P} number is {v}.
            {P} mobile number is {v}.
            {S} got a new phone number, {v}.
            If something happens, ring {O} on {v}.
            {P} phone number has changed to {v}.
            To talk to {O}, just dial {v}.
            {P} telephone has the number {v}.
            Text messages for {O} go to {v}.
            {v} is the number to dial when someone wants to speak to {O}.
            Save {v} in your contacts, that's {P} cell phone.
            {S} can be called on {v} at any time.
            When {S} call{s}, the screen shows {v}.
            {S} put {v} in the form as {his} telephone number.
        """,
        tell_held="""
            {S} can be reached on {v}.
            {P} telephone number is {v}.
            Dial {v} to get {O} on the phone.
            For calls, {S} use{s} {v}.
        """,
        ask="""
            What is {P} phone number?
            What's {P} number?
            By which number can one reach {O}?
            Which phone number {do} {S} have?
            Do you remember {P} phone number?
            Which digits must someone dial to call {O}?
            I can't recall the number people ring {O} on.
            Give me the digits of {P} phone.
            {P} cell number again?
            A form asks for {P} telephone number. What goes in there?
            Under which number can people call {O}?
            Did I mention what to dial if someone needs to talk to {O}?
            Somebody wants to text {O}. Which number should they use?
            What number shows up on the screen when {S} call{s}?
            Read out {P} mobile number, please.
            Which telephone number belongs under {P} name in the contacts?
            A courier wants to call me, so what number do I give him?
        """,
        ask_held="""
            What number do I dial to call {O}?
            What is {P} telephone number?
            Which number is {P} phone number?
        """,
        answer="""
            {P} phone number is {v}.
        """,
        change="""
            {P} phone number isn't {old} anymore, it's {v}.
            {P} new phone number is {v}.
            Please delete {old}, {P} number is {v} now.
            Nobody answers at {old} anymore, to call {O} dial {v}.
            {S} switched providers, so ring {him} on {v} from today.
            With the new SIM card {P} telephone number became {v}.
        """,
        change_held="""
            {S} switched {his} number to {v}.
            {P} old number {old} is dead, use {v}.
        """,
        tool="get_contact contact.phone",
    ),
    _code(
        "door_code",
        "codes",
        "door code",
        own="""
            You need {v} to open the front door.
            The front door opens with the code {v}.
        """,
        own_held="""
            Type {v} at the front door, that's the door code.
        """,
    ),
    _code(
        "alarm_code",
        "codes",
        "alarm code",
        own="""
            You switch off the alarm with {v}.
            The alarm stops with the code {v}.
        """,
        own_held="""
            To silence the alarm, enter {v}.
        """,
    ),
    _code(
        "locker",
        "room_numbers",
        "locker number",
        third=True,
        own="""
            {P} locker is number {v}.
            {S} put {his} bag in locker {v}.
        """,
        own_held="""
            {P} things are in locker {v}.
        """,
    ),
    _code(
        "wifi_password",
        "passwords",
        "wifi password",
        own="""
            To get online here, type {v}, that's the wifi password.
            My router uses the wifi password {v}.
        """,
        own_held="""
            Guests log in to the wifi with {v}.
        """,
    ),
    _code(
        "order_number",
        "order_numbers",
        "order number",
        own="""
            I placed an order, the order number is {v}.
            My parcel has the order number {v}.
        """,
        own_held="""
            The shop confirmed my order as {v}.
        """,
        tool="get_order order.number",
    ),
    _code(
        "booking_code",
        "booking_codes",
        "booking code",
        own="""
            The airline gave me the booking code {v}.
            My trip is booked under the code {v}.
        """,
        own_held="""
            My booking was confirmed with the code {v}.
        """,
        tool="get_booking booking.code",
    ),
    Attribute(
        key="wake_up",
        pool="morning_times",
        noun="wake-up time",
        tell="""
            {S} get{s} up at {v}.
            {S} wake{s} up at {v} every day.
            {P} alarm clock rings at {v}.
            {S} set{s} {his} alarm for {v}.
            {P} day starts at {v}.
            {S} {be} always awake by {v}.
            {S} crawl{s} out of bed at {v}.
            Every morning {S} rise{s} at {v}.
            {P} night ends at {v} sharp.
            {S} sleep{s} until {v} and not a minute longer.
            At {v} {S} jump{s} out of bed and open{s} the curtains.
            It's {v} when {P} alarm goes off.
            {P} usual time for getting out of bed is {v}.
            Don't ring before {v}, because {S} will still be asleep.
            By habit {S} open{s} {his} eyes at {v}, even on Sundays.
            The wake-up call for {O} should come at {v}.
        """,
        tell_held="""
            {P} mornings begin at {v}.
            {S} {be} out of bed at {v}.
            {P} alarm goes off at {v}.
            {S} need{s} to be up by {v}.
        """,
        ask="""
            When {do} {S} get up?
            What time {do} {S} wake up?
            At what time {do} {S} get up?
            When does {P} alarm clock ring?
            Do you remember when {S} get{s} up?
            When does {P} day begin?
            I can't recall at what hour {S} leave{s} {his} bed.
            Name the time {P} alarm goes off.
            {P} wake-up time again?
            From what time in the morning {be} {S} awake?
            Nobody should ring before {S} {be} up. What time would that be?
            Did I mention when {S} usually rise{s}?
            How early {do} {S} get out of bed?
            What time is {P} alarm set for?
            The hotel offers {O} a wake-up call. For what time?
            Until when {do} {S} sleep in the morning?
            When should someone shake me awake?
        """,
        ask_held="""
            What time {do} {S} get out of bed?
            When does {P} day start?
            At what time does {P} alarm go off?
        """,
        answer="""
            {S} get{s} up at {v}.
            {S} wake{s} up at {v}.
        """,
        change="""
            {S} get{s} up at {v} now instead of {old}.
            {P} alarm rings at {v} now.
            From now on {S} wake{s} up at {v}.
            {S} used to get up at {old}, these days {he} leave{s} the bed at {v}.
            {P} alarm no longer goes off at {old}, it goes off at {v}.
            The new job has {O} out of bed by {v}.
            {S} reset {his} alarm clock to {v}.
        """,
        change_held="""
            {S} moved {his} alarm from {old} to {v}.
            {P} day starts at {v} now.
        """,
        use="""
            Set my alarm. => I would set your alarm for {v}.
        """,
        use_held="""
            When should my alarm ring? => Your alarm should ring at {v}.
            When should you wake me? => I should wake you at {v}.
        """,
    ),
    Attribute(
        key="shoe_size",
        pool="shoe_sizes",
        noun="shoe size",
        tell="""
            {P} shoe size is {v}.
            {S} wear{s} shoes in size {v}.
            {S} take{s} a size {v} in shoes.
            {S} need{s} sneakers in size {v}.
            {P} feet are size {v}.
            {P} boots are size {v}.
            In shoes, {Sm} a size {v}.
            {S} always buy{s} shoes in size {v}.
            Only footwear in size {v} fits {O}.
            The label inside {P} sneakers says {v}.
            At the bowling alley {S} ask{s} for shoes in {v}.
            Size {v} is what {S} look{s} for in a shoe shop.
            {P} slippers, sandals and boots all come in {v}.
            If you order footwear for {O}, pick a {v} in the size menu.
            {S} {have} feet that fit into size {v} shoes.
            The clerk measured {P} foot and brought a pair in size {v}.
        """,
        tell_held="""
            {P} shoes are a {v}.
            Shoes fit {O} in size {v}.
            {S} {have} feet of size {v}.
            For footwear, {S} go{es} with size {v}.
        """,
        ask="""
            What is {P} shoe size?
            What's {P} shoe size?
            Which shoe size {do} {S} wear?
            What size are {P} shoes?
            Do you remember {P} shoe size?
            How big are {P} feet in shoe sizes?
            I can't recall which size of footwear fits {O}.
            Name the size of {P} sneakers.
            {P} shoe size again?
            The sales clerk wants to fetch boots for {O}. Which size should I say?
            Somebody is buying slippers for {O}, which size will fit?
            Did I mention what size {S} wear{s} on {his} feet?
            Which number is printed inside {P} shoes?
            When ordering sandals for {O}, what size is right?
            At the bowling alley, which size of shoes should {S} ask for?
            Tell me the size of footwear {S} take{s}.
            What size of ski boots do I have to rent?
        """,
        ask_held="""
            What size of shoes {do} {S} need?
            In which size {do} {S} buy shoes?
            Which size are {P} feet?
        """,
        answer="""
            {P} shoe size is {v}.
        """,
    ),
    Attribute(
        key="medication",
        pool="medicines",
        noun="medication",
        tell="""
            {S} take{s} {v} every day.
            {P} medication is {v}.
            The doctor prescribed {O} {v}.
            {S} {be} on {v} at the moment.
            {S} need{s} to pick up {his} {v} at the pharmacy.
            {S} take{s} {v} in the morning.
            {P} prescription is for {v}.
            {S} {have} been taking {v} for a month.
            {P} pill box is filled with {v}.
            A daily dose of {v} keeps {O} healthy.
            {S} swallow{s} {his} {v} with a glass of water.
            At the pharmacy {S} always ask{s} for {v}.
            The drug {S} {have} to take is called {v}.
            Remind {O} to take the {v} tonight.
            {P} treatment consists of {v}, one tablet a day.
            {S} would feel much worse without {v} from the pharmacy.
        """,
        tell_held="""
            {P} daily pill is {v}.
            {S} {was} put on {v}.
            {P} treatment is {v}.
            The pharmacy keeps {v} ready for {O}.
        """,
        ask="""
            What medication {do} {S} take?
            Which medicine {do} {S} need?
            What is {P} medication?
            What did the doctor prescribe {O}?
            Do you remember {P} medication?
            Which drug {be} {S} on?
            I can't recall the name of the pills {S} take{s}.
            Name the remedy {S} {have} to take.
            {P} pills again, what are they called?
            A new doctor asks which drugs {S} take{s}. What should I say?
            What should be picked up for {O} at the pharmacy?
            Did I mention which drug is on {P} prescription?
            What is written on {P} pill box?
            Which tablets must {S} not forget?
            Tell the nurse what medicine {S} {be} taking.
            What {be} {S} being treated with?
            Which refill do I need from the pharmacist?
        """,
        ask_held="""
            What medicine {be} {S} on?
            What {do} {S} get at the pharmacy?
            Which drug {was} {S} prescribed?
        """,
        answer="""
            {S} take{s} {v}.
            {P} medication is {v}.
        """,
        change="""
            {S} stopped taking {old} and take{s} {v} now.
            The doctor switched {O} from {old} to {v}.
            {P} new medication is {v}.
            Since {old} didn't help {O}, the treatment is {v} now.
            {S} came off {old} and started on {v}.
            There's a different drug in {P} pill box now, {v}.
            The pharmacist replaced {P} old tablets with {v}.
        """,
        change_held="""
            Instead of {old}, {S} {be} on {v} now.
            {P} prescription was changed to {v}.
        """,
        use="""
            What must I not forget to take? => Don't forget to take your {v}.
        """,
        use_held="""
            What should I pick up at the pharmacy? => You should pick up your {v}.
            Remind me of my pills. => Don't forget to take your {v}.
        """,
    ),
    Attribute(
        key="bus",
        pool="bus_lines",
        noun="bus line",
        tell="""
            {S} take{s} bus {v} to work.
            {P} bus is line {v}.
            {S} ride{s} on bus {v} every day.
            {S} go{es} home on bus {v}.
            The bus for {O} is number {v}.
            {S} waited for bus {v} in the rain.
            Bus {v} stops right at {P} house.
            {S} always catch{es} bus number {v}.
            {P} commute is on the {v} bus.
            {S} get{s} on line {v} every morning at the bus stop.
            The number on the front of {P} bus is {v}.
            Without bus {v}, {S} would have to walk to the office.
            {S} hop{s} on the {v} at the bus stop around the corner.
            Line {v} is the bus that brings {O} home.
            If bus {v} is late, {S} will be late too.
            From {P} stop {he} can only take the bus with the number {v}.
        """,
        tell_held="""
            {P} way to work is by bus {v}.
            {S} commute{s} with bus {v}.
            The bus {S} use{s} has the number {v}.
            {S} get{s} on bus {v} in the morning.
        """,
        ask="""
            Which bus {do} {S} take?
            What bus {do} {S} take to work?
            What is the number of {P} bus?
            Which bus line {do} {S} use?
            Do you remember {P} bus?
            Which line brings {O} to the office?
            I can't recall the number of the bus {S} ride{s}.
            Name the bus {S} commute{s} on.
            {P} bus again, what number?
            At the bus stop, which number {be} {S} waiting for?
            Someone wants to ride along with {O}. Which bus should they board?
            Did I mention which bus line goes past {P} place?
            What number is on the front of the bus {S} board{s}?
            Which bus {do} {S} hop on in the morning?
            By which bus route {do} {S} travel?
            A delay on which bus line would make {O} late?
            Several buses stop here, so which one do I get on?
        """,
        ask_held="""
            What bus line {do} {S} ride?
            Which bus gets {O} to work?
            What number is {P} bus?
        """,
        answer="""
            {S} take{s} bus {v}.
        """,
        change="""
            {S} take{s} bus {v} now instead of bus {old}.
            Bus {old} was cancelled, {S} take{s} bus {v} now.
            {P} bus is line {v} now.
            Line {old} no longer stops near {O}, so {he} ride{s} bus {v}.
            {S} changed {his} route and board{s} the {v} bus these days.
            Instead of waiting for the {old}, {S} hop{s} on bus {v}.
            There's a faster line for {O}, so {he} commute{s} on bus {v}.
        """,
        change_held="""
            {S} switched from bus {old} to bus {v}.
            {P} new bus has the number {v}.
        """,
    ),
    Attribute(
        key="parking",
        pool="desk_numbers",
        noun="parking spot",
        tell="""
            {P} parking spot is number {v}.
            {S} parked in spot {v}.
            {P} car is in parking spot {v}.
            {S} left the car in parking spot {v}.
            {P} parking space is {v}.
            {S} {have} parking spot {v} in the garage.
            They gave {O} parking spot {v}.
            {P} space in the garage is number {v}.
            {P} vehicle stands in bay {v}.
            In the car park, number {v} is reserved for {O}.
            {S} rent{s} space {v} in the underground garage.
            You will find {P} car at number {v} in the car park.
            Bay {v} is where {S} leave{s} the car overnight.
            {S} squeezed {his} car into space {v}.
            If anyone blocks space {v}, {S} can't get {his} car out.
            The garage assigned bay {v} to {P} car.
        """,
        tell_held="""
            {S} always use{s} parking spot {v}.
            {P} place in the car park is number {v}.
            {S} {was} given parking space {v}.
            {P} car stands in space {v}.
        """,
        ask="""
            What is {P} parking spot?
            Where did {S} park?
            Which parking spot is {P} spot?
            What's the number of {P} parking space?
            Do you remember {P} parking spot?
            In which bay is {P} car standing?
            I can't recall where {S} left the car in the garage.
            Name the number painted on {P} parking bay.
            {P} parking space again?
            A friend is in the garage looking for {P} car. At which number is it?
            Which space in the car park is reserved for {O}?
            Did I mention where {P} vehicle is parked?
            The guard asks where {P} car is. Which space do I tell him?
            Where in the garage can {S} put {his} car?
            At what number in the garage is {P} vehicle?
            Which bay did they assign to {O} in the car park?
            Where do I have to walk to get back to my car?
        """,
        ask_held="""
            In which parking space is {P} car?
            What number is {P} parking spot?
            Which parking spot {do} {S} use?
        """,
        answer="""
            {P} parking spot is number {v}.
        """,
        change="""
            {P} parking spot changed from {old} to {v}.
            {S} moved the car to parking spot {v}.
            {P} parking spot is number {v} now.
            {P} car isn't in {old} anymore, it stands in bay {v}.
            {S} gave up space {old} and park{s} in {v} now.
            The garage gave {O} a different bay, number {v}.
            Look for {P} car in space {v}, it was moved there today.
        """,
        change_held="""
            {P} parking space is no longer {old} but {v}.
            {S} had to move the car to space {v}.
        """,
    ),
)
