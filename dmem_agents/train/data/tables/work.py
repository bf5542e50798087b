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
        """,
        change_held="""
            {S} swapped desk {old} for desk {v}.
            {S} now sit{s} at desk {v}.
        """,
    ),
)
