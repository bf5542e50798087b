"""Phrasings: jobs, employers, projects, studies and the calendar around them."""

from __future__ import annotations

from dmem_agents.train.data.attributes import Attribute

WORK = (
    Attribute(
        key="job",
        pool="jobs",
        noun="profession",
        tell="""
            {S} work{s} as {av}.
            {Sm} {av} by profession.
            {S} {have} a job as {av}.
            {S} {have} been {av} for years.
            {S} earn{s} {his} living as {av}.
            {S} trained as {av} and still work{s} as one.
            {S} got a job as {av}.
            By trade, {Sm} {av}.
            {P} profession is {v}.
            I work as {av}, not as {av_other}.
            {P} business card has the job title {v} on it.
            As {av}, {S} {have} a lot to do every week.
            {S} chose a career as {av} right after school.
            Professionally speaking, {S} {be} {av}.
            Five days a week {S} {be} busy being {av}, because that's {his} job.
            Working as {av} pays {P} bills.
        """,
        tell_held="""
            {P} occupation is {v}.
            {S} make{s} a living as {av}.
            {S} {be} employed as {av}.
            {S} {have} a career as {av}.
            Professionally, {Sm} {av}.
        """,
        ask="""
            What is {P} job?
            What {do} {S} do for a living?
            What {do} {S} work as?
            What is {P} profession?
            Which job {do} {S} have?
            Do you remember what {P} job is?
            What line of work {be} {S} in?
            I'm not sure anymore what {P} occupation is.
            {P} trade, once more please?
            Look up what {S} earn{s} {his} money as.
            Did I say what {S} {do} professionally?
            A form wants {P} occupation. What goes in there?
            What job title is on {P} business card?
            Which career did {S} choose?
            At a party someone asks about {P} line of work. What's the answer?
            In what role {do} {S} make a living?
            Which vocation {do} {S} follow from nine to five?
            What {be} {S} by trade?
        """,
        ask_held="""
            What's {P} occupation?
            How {do} {S} earn {his} money?
            What kind of work {do} {S} do?
        """,
        answer="""
            {S} work{s} as {av}.
            {Sm} {av}.
        """,
        change="""
            {S} quit as {av_old} and work{s} as {av} now.
            {S} changed jobs, {he} work{s} as {av} now.
            {Sm} not {av_old} anymore, {he} {be} {av}.
            Actually, {S} work{s} as {av}.
            {P} career as {old} is over, {he} make{s} {his} money as {av} now.
            {P} occupation used to be {old}, today it is {v}.
            {P} line of work has changed, the new job title is {v}.
        """,
        change_held="""
            {P} new job is that of {av}.
            {S} left {his} job as {av_old} to become {av}.
            {S} retrained and {be} now {av}.
        """,
    ),
    Attribute(
        key="employer",
        pool="companies",
        noun="employer",
        tell="""
            {S} work{s} for {v}.
            {S} work{s} at {v}.
            {P} employer is {v}.
            {S} started at {v} in May.
            {S} {have} a job at {v}.
            The company {S} work{s} for is {v}.
            {S} signed a contract with {v}.
            {P} office badge says {v}.
            {P} salary is paid by {v}.
            {v} is the company that hired {O}.
            The logo on {P} payslip belongs to {v}, where {he} work{s}.
            Since last summer {S} {have} had a desk at {v}.
            Among the employees of {v} you can find {O}.
            {S} commute{s} by train to {his} office at {v}.
        """,
        tell_held="""
            {Sm} employed by {v}.
            {P} salary comes from {v}.
            {S} joined {v} some time ago.
            {S} {be} on the staff of {v}.
        """,
        ask="""
            Where {do} {S} work?
            Who {do} {S} work for?
            Which company {do} {S} work for?
            What is {P} employer?
            Do you remember which company {S} work{s} at?
            Which firm {be} {S} employed by?
            I can't recall which company {S} {be} with.
            So {P} company was which one?
            Write down which business pays {P} salary.
            Can you still tell whose staff {S} belong{s} to?
            The bank wants to know {P} current employer. What do I write?
            Which logo is on {P} company badge?
            At what firm {do} {S} have {his} desk?
            Which organisation {do} {S} give {his} working hours to?
            With which company did {S} sign an employment contract?
            {P} payslip was issued by which corporation?
            Which company counts {O} among its employees?
        """,
        ask_held="""
            What company employs {O}?
            At which company {do} {S} work?
            Who is {P} employer?
        """,
        answer="""
            {S} work{s} for {v}.
            {P} employer is {v}.
        """,
        change="""
            {S} left {old} and work{s} for {v} now.
            {S} switched from {old} to {v}.
            {P} new employer is {v}.
            {S} resigned from {old} and got hired by {v}.
            {Sm} no longer with {old}, {his} salary comes from {v} now.
            {S} joined a different company, namely {v}.
            {P} payslip used to come from {old}, but now it comes from {v}.
        """,
        change_held="""
            {S} quit {old} and joined {v}.
            {S} {be} with {v} these days, not {old}.
        """,
        tool="get_profile profile.employer",
    ),
    Attribute(
        key="project",
        pool="projects",
        noun="project's name",
        tell="""
            {P} project is called {v}.
            {S} {be} working on project {v}.
            The name of {P} project is {v}.
            {S} lead{s} project {v}.
            {P} team is busy with project {v}.
            {S} joined project {v} in March.
            {S} named {his} project {v}.
            The code name of {P} project is {v}.
            {v} is the project {S} {be} responsible for at work.
            Most of {P} working hours go into a project by the name of {v}.
            Since last month {S} {have} been assigned to project {v}.
            The project that keeps {O} up at night goes by the name of {v}.
            At the office everybody refers to {P} project as {v}.
            After a long discussion, {v} was picked as the name for {P} project.
            My current project at work? It runs under the title {v}.
            Whenever {S} talk{s} about {his} project, it's {v} that {he} mean{s}.
        """,
        tell_held="""
            {P} current project goes by {v}.
            {S} {be} in charge of project {v}.
            {P} work is all about project {v}.
            {S} call{s} {his} project {v}.
        """,
        ask="""
            What is {P} project called?
            What's the name of {P} project?
            Which project {be} {S} working on?
            What is the code name of {P} project?
            Do you remember {P} project's name?
            Under what title does {P} project run?
            I can't recall which project {S} {be} assigned to.
            Name the project that keeps {O} busy at work.
            {P} project, how was it named again?
            A status report wants the name of {P} project. What should I write?
            Someone asks what {S} call{s} {his} project. What do I answer?
            Did I mention the name {P} project goes by?
            Which project can count {O} among its members?
            What name did {P} project get?
            To which project {do} {S} devote {his} working hours?
            Help me out, what's that project of mine called?
            I need the title of the project {S} {be} part of, please.
        """,
        ask_held="""
            What project {do} {S} work on?
            How is {P} project named?
            Which project {be} {S} busy with?
        """,
        answer="""
            {P} project is called {v}.
        """,
        change="""
            {P} project was renamed from {old} to {v}.
            {S} moved from project {old} to project {v}.
            {P} project is called {v} now.
            Forget {old}, the project {S} {be} on these days is {v}.
            {P} project carries a different name since Monday, namely {v}.
            {S} handed project {old} over to a colleague and took on {v}.
            They gave {P} project a new title, and from now on it runs as {v}.
        """,
        change_held="""
            {P} project isn't {old} anymore, it's {v}.
            {S} left {old} and {be} on project {v} now.
        """,
        tool="get_project project.name",
    ),
    Attribute(
        key="deadline",
        pool="dates",
        noun="deadline",
        tell="""
            {P} deadline is {v}.
            {P} report is due on {v}.
            {S} {have} to hand in the report by {v}.
            The deadline for {P} project is {v}.
            {S} must finish everything by {v}.
            {P} thesis is due on {v}.
            {P} boss wants everything done by {v}, that's the deadline.
            {S} {have} time until {v}, then it's due.
            {v} is the last day for {O} to submit the work.
            Everything {S} {be} working on has to be delivered no later than {v}.
            The client gave {O} until {v} to get it all done.
            {P} work has to be on the boss's table by {v} at the latest.
            Please note that {v} is the cut-off date for {P} report.
            {S} {be} under pressure because the submission date is {v}.
            If {S} {dont} deliver by {v}, it will be too late.
            I've got to submit the whole thing by {v}, no excuses.
        """,
        tell_held="""
            {P} submission has to be in by {v}.
            {P} work is due {v}.
            {P} cut-off date is {v}.
            {S} {have} to deliver on {v}.
        """,
        ask="""
            When is {P} deadline?
            What is {P} deadline?
            By when {do} {S} have to finish?
            When is {P} report due?
            Do you remember {P} deadline?
            What's the last possible date for {O} to submit the work?
            I forgot the cut-off date {S} {have} to respect. Which one is it?
            Tell me the due date of {P} work.
            {P} due date again, please?
            Until what date {do} {S} have time to deliver?
            Someone wants to know how long {S} can still work on the report. What's the final date?
            Did I say which date {P} work must be ready by?
            How long have I got before everything is due?
            The boss is asking for the submission date of {P} report. What do I tell him?
            On what date does {P} time run out for handing things in?
            Could you look up the date {S} must not overrun with {his} work?
            Which date should I circle in red as {P} final submission day?
        """,
        ask_held="""
            On which date is {P} deadline?
            What date is {P} work due?
            Until when {do} {S} have time?
        """,
        answer="""
            {P} deadline is {v}.
        """,
        change="""
            {P} deadline was moved from {old} to {v}.
            {P} deadline is {v} now.
            Good news, {P} deadline was extended to {v}.
            Instead of {old}, {S} now {have} until {v} to hand everything in.
            The due date of {P} report is no longer {old}, it was changed to {v}.
            {S} asked for a different submission date and got {v}.
            They rescheduled the date {P} work is due, and {v} is the new limit.
        """,
        change_held="""
            {P} deadline shifted to {v}.
            Not {old} anymore: {P} deadline is {v}.
        """,
        tool="get_project project.deadline",
    ),
    Attribute(
        key="budget",
        pool="amounts",
        noun="budget",
        tell="""
            {P} budget is {v}.
            {S} {have} a budget of {v}.
            {S} can spend {v} at most.
            {P} budget for this is {v}.
            {S} saved {v} for it, that's the budget.
            {S} got a budget of {v} approved.
            {P} limit is {v}, more is not in the budget.
            The budget {S} {have} is {v}.
            {v} is all the money {S} {have} available for this.
            The spending limit {S} set for the purchase is {v}.
            {S} {dont} want to pay more than {v}.
            There's {v} set aside for {P} purchase.
            With {v} in total to spend, {S} will have to plan carefully.
            Anything above {v} would be too expensive for {O}.
            The money {S} {was} allotted for all this comes to {v}.
            I can afford {v} and not a cent more.
        """,
        tell_held="""
            {S} {be} working with a budget of {v}.
            {P} spending limit is {v}.
            {S} set aside {v} as a budget.
            {P} financial limit is {v}.
        """,
        ask="""
            What is {P} budget?
            How much can {S} spend?
            How big is {P} budget?
            What's the budget {S} {have}?
            Do you remember {P} budget?
            What amount of money {do} {S} have available for this?
            I can't remember the spending limit {S} {have} to stick to.
            State the sum {S} may spend.
            {P} price limit, what was it again?
            What's the maximum {S} can afford to pay?
            The salesman asks how much money {S} want{s} to lay out. What should I say?
            Did I tell you what sum is set aside for {P} purchase?
            How expensive may it get for {O} at most?
            A form wants {P} available funds. Which amount goes in there?
            Above which amount would it be too costly for {O}?
            How much cash am I allowed to use up?
            Where's the financial ceiling for {O}?
        """,
        ask_held="""
            How much money {do} {S} have to spend?
            What budget {do} {S} have?
            What is the limit of {P} budget?
        """,
        answer="""
            {P} budget is {v}.
        """,
        change="""
            {P} budget was raised from {old} to {v}.
            {P} budget is {v} now.
            {P} budget was cut to {v}.
            Instead of {old}, {S} may now spend {v}.
            {S} did the sums again and changed {his} spending limit to {v}.
            Scrap the {old}, the amount {S} can spend is {v} from now on.
            Things have changed, and {S} {have} {v} available to spend these days.
        """,
        change_held="""
            {P} budget changed to {v}.
            Instead of {old}, the budget {S} {have} is {v}.
        """,
        tool="get_project project.budget",
    ),
    Attribute(
        key="team",
        pool="teams",
        noun="favourite team",
        noun_value="the {v}",
        tell="""
            {P} team is the {v}.
            {P} favourite team is the {v}.
            {S} support{s} the {v}.
            {S} cheer{s} for the {v}.
            {S} never miss{es} a game of the {v}.
            {S} {be} a fan of the {v}.
            {S} bought tickets to see the {v}, {his} team.
            {P} whole family roots for the {v}.
            The {v} can always count on {P} support.
            When it comes to clubs, {P} heart belongs to the {v}.
            On match day {S} root{s} for the {v} as loud as {he} can.
            {S} wear{s} the jersey of the {v} with pride.
            No other team means as much to {O} as the {v} do.
            Ever since childhood {S} {have} been following the {v} through wins and defeats.
            If the {v} lose, {P} day is ruined.
            Go, {v}! That's the team {S} back{s}.
        """,
        tell_held="""
            {S} back{s} the {v} every season.
            {S} {have} a season ticket for the {v}.
            {P} heart beats for the {v}.
            The team {S} follow{s} is the {v}.
        """,
        ask="""
            What is {P} favourite team?
            Which team {do} {S} support?
            What team {be} {S} a fan of?
            Who {do} {S} cheer for?
            Do you remember which team {S} support{s}?
            Which club can count on {P} support?
            Whose games {do} {S} always follow?
            It has slipped my mind which team {S} root{s} for.
            Remind me of the team that has {P} heart.
            {P} team again, who were they?
            For whom {do} {S} keep {his} fingers crossed on match day?
            Grandma is buying {O} a fan scarf. Which club should be on it?
            Have I told you the team {S} back{s}?
            Whose jersey would {S} put on for a game?
            Someone at the stadium asks who {S} side{s} with. What's the right reply?
            Whose victory makes {O} jump for joy?
            Who am I rooting for, which team?
        """,
        ask_held="""
            What team {do} {S} root for?
            Which team {do} {S} follow?
            Whose games {do} {S} never miss?
        """,
        answer="""
            {S} support{s} the {v}.
            {P} team is the {v}.
        """,
        change="""
            {S} {be} not a fan of the {old} anymore, {he} support{s} the {v} now.
            {S} cheer{s} for the {v} now instead of the {old}.
            {P} new team is the {v}.
            {S} turned {his} back on the {old} and follow{s} the {v} these days.
            The {old} have lost {O} as a fan, {his} heart belongs to the {v} now.
            {S} changed sides and root{s} for the {v} these days.
            These days it's the {v} who can count on {P} support.
        """,
        change_held="""
            {S} gave up on the {old} and back{s} the {v} now.
            {S} switched to the {v} after years with the {old}.
        """,
    ),
    Attribute(
        key="meeting_day",
        pool="weekdays",
        noun="meeting day",
        tell="""
            {P} meeting is on {v}.
            {S} {have} a meeting on {v}.
            {P} team meeting takes place on {v}.
            The meeting with {P} client is on {v}.
            {S} scheduled the meeting for {v}.
            {P} next meeting will be on {v}.
            Put it in the calendar: {P} meeting is on {v}.
            {S} {have} to prepare for the meeting on {v}.
            Keep {v} free for {O}, that's when the meeting takes place.
            {P} meeting falls on {v} this time.
            The colleagues want to sit down with {O} for a meeting on {v}.
            On {v} {S} will be sitting in a meeting.
            For the meeting, {P} team agreed on {v}.
            The day that {S} {have} blocked for the meeting is {v}.
            Don't plan anything else for {v}, because {S} {have} to be in that meeting.
        """,
        tell_held="""
            {v} is the day of {P} meeting.
            {P} meeting was set for {v}.
            {S} will be in a meeting on {v}.
            Come {v}, {S} {have} that meeting.
        """,
        ask="""
            When is {P} meeting?
            On which day is {P} meeting?
            What day is {P} meeting?
            Which day {do} {S} have the meeting?
            Do you remember when {P} meeting is?
            For which weekday did {S} schedule the meeting?
            I keep forgetting what weekday {P} meeting falls on.
            Quick, name the weekday of {P} meeting.
            {P} meeting again, which day of the week?
            On what day {do} {S} have to sit down with the others for the meeting?
            A colleague wants to know what day {S} will be in the meeting. What do I tell her?
            Do you happen to know the weekday that's blocked for {P} meeting?
            Which day of the week should stay free because of {P} meeting?
            What weekday did they fix for the meeting with {O}?
            What day of the week am I meeting the team?
            The calendar asks for the day of {P} meeting. What goes in there?
            Which day {be} {S} expected in the meeting room?
        """,
        ask_held="""
            On what weekday is {P} meeting?
            For which day is {P} meeting planned?
            Which weekday is {P} meeting?
        """,
        answer="""
            {P} meeting is on {v}.
        """,
        change="""
            {P} meeting was moved from {old} to {v}.
            {P} meeting is on {v} now.
            They shifted {P} meeting to {v}.
            Instead of {old}, {P} meeting will take place on {v}.
            {S} can't make it on {old}, so the meeting was rescheduled for {v}.
            The day of {P} meeting has changed, it's on {v} after all.
            The others had no time, and so {P} meeting had to switch to {v}.
        """,
        change_held="""
            {P} meeting got rescheduled to {v}.
            {P} meeting isn't on {old}, it's on {v}.
        """,
        tool="get_calendar meeting.day",
    ),
    Attribute(
        key="appointment_time",
        pool="times",
        noun="dentist appointment time",
        tell="""
            {P} dentist appointment is at {v}.
            {S} {have} a dentist appointment at {v}.
            The dentist expects {O} at {v}.
            {S} {have} to be at the dentist at {v}.
            {P} appointment with the dentist starts at {v}.
            {S} booked the dentist for {v}.
            {P} slot at the dentist is {v}.
            The dentist gave {O} a slot at {v}.
            At {v} {S} will be sitting in the dentist's chair.
            {v} is the time {S} {be} due at the dentist's.
            The dental practice put {O} down for {v}.
            {P} dental checkup begins at {v} sharp.
            {S} must not be late, because the dentist will see {him} at {v}.
            According to the reminder card, {P} teeth get checked at {v}.
            When the clock shows {v}, it's {P} turn at the dentist.
            {S} agreed with the dental clinic on {v} for the checkup.
        """,
        tell_held="""
            {P} dentist can see {him} at {v}.
            At {v} {S} {be} due at the dentist.
            {P} dental appointment is set for {v}.
            {S} {have} to see {his} dentist at {v}.
        """,
        ask="""
            When is {P} dentist appointment?
            What time is {P} dentist appointment?
            At what time {do} {S} have to be at the dentist?
            When {do} {S} have to be at the dentist?
            Do you remember the time of {P} dentist appointment?
            At what hour is the dentist expecting {O}?
            I forgot what time the dentist will see {O}.
            Give me the exact time of {P} dental visit.
            {P} dentist slot, what time again?
            What time does {P} dental checkup begin?
            The receptionist asks when {P} tooth appointment starts. What do I tell her?
            Did I say what time {S} will be sitting in the dentist's chair?
            I want to set an alarm for {P} visit to the dentist. For what time is it booked?
            How late is it when {P} turn comes at the dental practice?
            For what time did {S} book the dentist?
            By what time must I show up at the dental clinic?
            On the clock, when {be} {S} due at the dentist's?
        """,
        ask_held="""
            What time does the dentist expect {O}?
            At which hour is {P} dental appointment?
            When {be} {S} due at the dentist?
        """,
        answer="""
            {P} dentist appointment is at {v}.
        """,
        change="""
            {P} dentist appointment was moved from {old} to {v}.
            {P} dentist appointment is at {v} now.
            The dentist moved {P} appointment to {v}.
            Instead of {old}, {S} {have} to show up at the dentist's at {v}.
            The dental practice called, {P} checkup starts at {v} and not at {old}.
            {S} asked the dentist for a different time and got {v}.
            There was a change at the dental clinic, they will see {O} at {v}.
        """,
        change_held="""
            {P} dentist can only see {O} at {v}, not at {old}.
            {P} dental appointment changed to {v}.
        """,
        tool="get_calendar dentist.time",
    ),
    Attribute(
        key="university",
        pool="universities",
        noun="university",
        tell="""
            {S} studied at {v}.
            {S} went to {v}.
            {S} graduated from {v}.
            {P} degree is from {v}.
            {P} university is {v}.
            {S} got {his} diploma at {v}.
            {S} spent four years at {v}.
            {S} {was} a student at {v}.
            Before starting to work, {S} sat through lectures at {v}.
            Back in {his} student days {S} {was} enrolled at {v}.
            The alumni list shows that {v} counts {O} among its former students.
            The university that awarded {O} the degree was {v}.
            {S} still meet{s} old friends from {v}, where {he} took {his} exams.
            It was at {v} that {S} sat through all those lectures.
        """,
        tell_held="""
            {P} alma mater is {v}.
            {S} earned {his} degree at {v}.
            {S} attended {v}.
            {S} finished {his} studies at {v}.
        """,
        ask="""
            Where did {S} study?
            Which university did {S} go to?
            What is {P} university?
            Where did {S} graduate?
            Do you remember which university {S} went to?
            At which university did {S} earn {his} degree?
            I can't recall the name of {P} alma mater.
            Please state the university {S} attended.
            {P} uni again, which one was it?
            Which school awarded {O} the degree?
            A job application wants the name of {P} university. What goes in there?
            Someone asks from what college {S} {have} {his} diploma. What should I say?
            Did I let you know the university {S} {was} enrolled at?
            Which institution can call {O} one of its alumni?
            On what campus did {S} spend {his} student days?
            Where was I enrolled as a student?
            Whose lecture halls did {S} sit in as a student?
        """,
        ask_held="""
            What university did {S} attend?
            Where did {S} get {his} degree?
            At which university {was} {S} a student?
        """,
        answer="""
            {S} studied at {v}.
            {S} went to {v}.
        """,
    ),
    Attribute(
        key="subject",
        pool="subjects",
        noun="major",
        tell="""
            {P} degree is in {v}.
            {P} major is {v}.
            {S} majored in {v}.
            The subject {S} studied is {v}.
            {S} {have} a diploma in {v}.
            {S} wrote {his} thesis in {v}.
            {S} chose {v} as a major.
            {P} field of study is {v}.
            {v} was the subject {S} picked at university.
            As a student, {S} specialised in {v}.
            {P} diploma says {v} in big letters.
            {S} sat through years of lectures on {v} to earn {his} degree.
            The discipline {S} took {his} final exams in was {v}.
            {S} {have} an academic background in {v}.
            Out of all the courses on offer, {v} was the one {S} signed up for as a major.
            Thanks to {his} studies, {S} know{s} a lot about {v}.
        """,
        tell_held="""
            {P} field is {v}.
            Academically, {P} subject is {v}.
            {S} {have} a master's in {v}.
            {S} took {his} exams in {v}.
        """,
        ask="""
            What is {P} major?
            What subject did {S} study?
            What is {P} degree in?
            Which subject did {S} choose?
            Do you remember what {S} studied?
            In what field did {S} earn the degree?
            I'm no longer sure what discipline {S} specialised in at university.
            Just tell me the subject on {P} diploma.
            {P} field of study again, what was it?
            What {have} {S} got {his} diploma in?
            A form wants {P} field of study. What goes in there?
            Someone asks what {S} read at college. What should I say?
            Have you noted down which major {S} picked?
            Lectures on what topic filled {P} student days?
            About what academic field {do} {S} know most thanks to {his} studies?
            What am I academically trained in?
            Which discipline was {P} thesis about?
        """,
        ask_held="""
            What is {P} field of study?
            In what subject is {P} degree?
            What did {S} major in?
        """,
        answer="""
            {S} studied {v}.
            {P} major is {v}.
        """,
    ),
    Attribute(
        key="desk",
        pool="desk_numbers",
        noun="desk number",
        tell="""
            {P} desk is number {v}.
            {S} sit{s} at desk {v}.
            {P} desk number is {v}.
            {S} got desk {v} in the new office.
            You'll find {O} at desk {v}.
            They gave {O} desk {v}.
            {P} workplace is desk {v}.
            {S} {have} desk {v} by the window.
            Desk {v} belongs to {O}.
            {S} work{s} at desk {v} most of the time.
            On the seating plan, {P} name is next to number {v}, that's the desk.
            The sticker on {P} desk shows the number {v}.
            If you need {O} in the office, come to desk {v}.
            Mail for {O} should go to desk number {v}.
            When {S} started the job, desk {v} was assigned to {him}.
            Number {v} is the desk where {S} keep{s} all {his} things.
        """,
        tell_held="""
            {S} can be found at desk {v}.
            {P} seat in the office is desk {v}.
            {S} {was} assigned desk {v}.
            In the office, {S} use{s} desk {v}.
        """,
        ask="""
            What is {P} desk number?
            Which desk is {P} desk?
            At which desk {do} {S} sit?
            Which desk {do} {S} have?
            Do you remember {P} desk number?
            What number is written on {P} desk?
            I've lost track of which desk {S} {was} given.
            Tell me the number of the desk {S} work{s} at.
            {P} desk again, which number?
            Where in the office can people find {O}, at which desk?
            The courier asks for {P} desk. What number should I tell him?
            Can you tell me the number of {P} place in the office?
            Which desk is reserved for {O}?
            The seating plan needs a number next to {P} name. Which one?
            Behind which desk {do} {S} spend {his} office hours?
            To what desk number should the mail for {O} go?
            At what numbered desk am I placed?
        """,
        ask_held="""
            What desk {do} {S} use?
            What number is {P} desk?
            Which desk {was} {S} given?
        """,
        answer="""
            {P} desk number is {v}.
        """,
        change="""
            {S} moved from desk {old} to desk {v}.
            {P} desk is number {v} now.
            {P} new desk number is {v}.
            {S} left desk {old} and sit{s} at number {v} these days.
            Don't look for {O} at desk {old}, the new place is desk {v}.
            {S} had to change seats and work{s} at desk {v} now.
            After the move, the seating plan has {O} at desk {v}.
        """,
        change_held="""
            {S} swapped desk {old} for desk {v}.
            {S} now sit{s} at desk {v}.
        """,
    ),
)
