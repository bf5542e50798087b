"""First names, last names and pet names. No name here is also a month, a city or a common noun."""

from __future__ import annotations

WOMEN = """
Anna Maria Kate Emma Olivia Sophia Mia Isabella Amelia Harper Evelyn Abigail Emily Ella Camila Luna Sofia
Avery Mila Aria Scarlett Penelope Layla Chloe Zoey Nora Eleanor Hannah Lillian Addison Aubrey Ellie Stella
Natalie Zoe Leah Audrey Bella Lucy Paisley Everly Caroline Nova Genesis Emilia Kennedy Samantha Maya Willa
Kinsley Naomi Aaliyah Elena Sarah Ariana Allison Gabriella Alice Madelyn Cora Eva Serenity Adeline Hailey
Gianna Valentina Isla Eliana Nevaeh Piper Lydia Alexa Josephine Emery Julia Delilah Arianna Vivian Kaylee
Sophie Brielle Madeline Peyton Rylee Clara Hadley Melanie Mackenzie Reagan Adalynn Liliana Aubree Katherine
Isabelle Raelynn Athena Jocelyn Annie Greta Ingrid Astrid Freya Sigrid Helga Ulrike Sabine Petra Monika
Katarina Olga Irina Svetlana Natasha Tatiana Ludmila Oksana Milena Jelena Ivana Dragana Zuzana Agnieszka
Malgorzata Yuki Sakura Aiko Haruka Keiko Mei Ling Xiu Jia Priya Anjali Deepika Kavya Lakshmi Meera Nisha Pooja
Radha Sunita Fatima Aisha Zainab Leila Yasmin Samira Noor Amina Khadija Mariam Salma Hana Dina Rania Nadia
Lina Chiara Giulia Francesca Paola Beatrice Ginevra Lucia Carmen Pilar Dolores Marisol Ximena Paloma Catalina
Fernanda Beatriz Ines Joana Mafalda Margot Celine Amelie Juliette Manon Elodie Aurelie Delphine Solene Anouk
Femke Sanne Lotte Marijke Aoife Niamh Siobhan Ciara Moira Fiona Eilidh Bronwen Carys Ngozi Adaeze Chiamaka
Folake Wanjiru Thandiwe Lerato Nomvula Zola Abena Akua Esi Brenda Denise Gloria Joyce Tamara Wendy Yvonne
Renata Bianca Dana Edith Flora Judith Kirsten
""".split()

MEN = """
Tom Liam Noah Oliver Elijah James William Benjamin Lucas Henry Theodore Alexander Mason Michael Ethan Daniel
Jacob Logan Levi Sebastian Mateo Owen Theo Aiden Samuel Joseph John David Wyatt Matthew Luke Asher Carter
Julian Grayson Leo Jayden Gabriel Isaac Anthony Dylan Thomas Charles Christopher Jaxon Maverick Josiah Isaiah
Andrew Elias Joshua Nathan Caleb Ryan Adrian Miles Eli Nolan Christian Aaron Cameron Ezekiel Colton Luca
Landon Hunter Jonathan Santiago Axel Easton Cooper Jeremiah Angelo Roman Connor Jameson Robert Greyson Jordan
Ian Carson Jaxson Leonardo Nicholas Dominic Everett Brooks Xavier Kai Jose Parker Adam Jace Wesley Kayden
Silas Ben Max Felix Oskar Anton Emil Jonas Lukas Moritz Niklas Tobias Stefan Jurgen Dieter Klaus Gunther Rolf
Bjorn Lars Sven Nils Erik Magnus Henrik Anders Mikkel Rasmus Ivan Dmitri Sergei Nikolai Boris Vladimir Pavel
Andrei Igor Oleg Marek Tomasz Piotr Wojciech Jakub Ondrej Zoltan Laszlo Istvan Hiroshi Kenji Takeshi Haruto
Ren Sora Daichi Wei Jun Feng Hao Bo Chen Arjun Rohan Vikram Sanjay Rahul Anil Ravi Kiran Suresh Omar Ahmed
Hassan Ali Yusuf Ibrahim Khalid Tariq Karim Bilal Mustafa Mehmet Emre Kerem Marco Giovanni Alessandro Matteo
Lorenzo Paolo Enzo Carlos Javier Diego Alejandro Rafael Pablo Miguel Andres Joao Tiago Duarte Pierre Antoine
Baptiste Luc Olivier Thierry Bram Joost Pieter Sjoerd Sean Declan Cormac Finn Callum Hamish Rhys Gareth Chidi
Emeka Tunde Kwame Kofi Sipho Thabo Jabari Bruno Cedric Desmond Edgar Gilbert Hector Ira Kelvin Lionel Ned
Orson Percy Quentin Rupert Stanley Trevor Vernon Walter Yannick Zachary
""".split()

LAST_NAMES = """
Smith Johnson Keller Novak Garcia Rossi Tanaka Kim Nguyen Patel Okafor Haddad Silva Kowalski Andersen
Lindqvist Virtanen Murphy Campbell Jones Dubois Moreau Schneider Weber Fischer Hoffmann Vermeer Jansen Peeters
Costa Pereira Fernandez Lopez Morales Castillo Ortega Bianchi Ricci Greco Papadakis Ivanov Petrov Sokolov
Horvat Kovac Nagy Szabo Popescu Demir Yilmaz Khan Malik Sharma Gupta Reddy Singh Chowdhury Perera Wong Zhang
Liu Yamamoto Sato Suzuki Park Choi Santos Reyes Cruz Mensah Boateng Diallo Traore Kamau Otieno Dlamini Nkosi
Abebe Tesfaye Cohen Levy Friedman Goldberg Mitchell Turner Phillips Evans Edwards Collins Stewart Morris
Rogers Cook Morgan Cooper Bailey Richardson Cox Howard Peterson Ramirez Watson Brooks Kelly Sanders Bennett
Wood Barnes Ross Henderson Coleman Jenkins Perry Powell Long
""".split()

PETS = """
Biscuit Coco Rex Luna Milo Pepper Whiskers Ziggy Nacho Pickles Mochi Waffles Bruno Daisy Simba Nala Oreo
Pumpkin Ginger Shadow Smokey Tiger Gizmo Buster Rocky Bandit Ruby Sunny Snowball Fluffy Peanut Cookie Cinnamon
Muffin Noodle Dumpling Tofu Wasabi Sushi Pancake Truffle Cocoa Hazel Maple Willow Poppy Clover Juniper Basil
Sage Olive Bean Button Socks Mittens Boots Patches Domino Checkers Bingo Banjo Jazz Disco Rumba Salsa Bongo
Kiwi Mango Papaya Fig Plum Nugget Chewie Yoda Frodo Gandalf Pippin Merlin Zeus Apollo Hera Odin Loki Thor
Freckles Dobby Sherlock Watson Pixel Turbo Rocket Comet Cosmo Nimbus Stormy Breezy Sparky Blaze Ember Ash Onyx
Pebbles Dusty Sandy Rusty Copper Goldie Silver
""".split()
