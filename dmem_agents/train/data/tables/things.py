"""Foods, drinks, jobs, animals, sports and other things people talk about."""

from __future__ import annotations

from dmem_agents.train.data.rows import rows

FOODS = rows("""
    pizza; lasagna; spaghetti; risotto; gnocchi; ravioli; carbonara; minestrone; sushi; ramen; udon;
    tempura; okonomiyaki; gyoza; pad thai; green curry; tom yum; pho; banh mi; spring rolls; dim sum; fried
    rice; dumplings; kung pao chicken; peking duck; bibimbap; kimchi; bulgogi; tacos; burritos; enchiladas;
    quesadillas; nachos; guacamole; ceviche; empanadas; arepas; feijoada; paella; tapas; gazpacho; tortilla;
    moussaka; souvlaki; gyros; tzatziki; falafel; hummus; shawarma; kebab; tabbouleh; couscous; tagine;
    shakshuka; baba ganoush; biryani; tikka masala; samosas; dal; palak paneer; dosa; naan; vindaloo;
    pierogi; borscht; goulash; schnitzel; bratwurst; sauerkraut; pretzels; fondue; raclette; rosti;
    ratatouille; quiche; croissants; crepes; onion soup; bouillabaisse; meatballs; gravlax; pickled herring;
    fish and chips; shepherd's pie; roast beef; Yorkshire pudding; haggis; burgers; hot dogs; mac and
    cheese; fried chicken; pulled pork; clam chowder; lobster; crab cakes; jambalaya; gumbo; cornbread;
    pancakes; waffles; omelettes; grilled salmon; tuna salad; Caesar salad; tomato soup; lentil soup;
    mushroom soup; baked potatoes; mashed potatoes; stuffed peppers; roast lamb; oysters; mussels; octopus;
    steak; jollof rice; fufu; injera; bobotie; poutine; mango salad; cheesecake; tiramisu; apple pie;
    baklava; gelato; chocolate mousse
""")

DRINKS = rows("""
    green tea; black tea; mint tea; chai; matcha; espresso; cappuccino; flat white; iced coffee; hot
    chocolate; lemonade; orange juice; apple juice; tomato juice; cranberry juice; carrot juice; ginger ale;
    root beer; kombucha; kefir; lassi; horchata; coconut water; sparkling water; oat milk; buttermilk; red
    wine; white wine; cider; stout; pale ale; mulled wine; sangria; mojito; margarita; gin and tonic;
    whisky; bourbon; tequila; sake; prosecco; champagne; port wine; absinthe; rooibos; hibiscus tea; yerba
    mate; elderflower cordial; grape juice; pineapple juice; eggnog; Turkish coffee; oolong; jasmine tea;
    bubble tea; mango smoothie; banana milkshake; rum punch; limoncello; aquavit
""")

COLOURS = rows("""
    green; blue; red; yellow; orange; purple; pink; turquoise; teal; crimson; scarlet; maroon; burgundy;
    navy; indigo; violet; lavender; lilac; magenta; beige; ivory; white; black; grey; silver; gold; bronze;
    copper; olive; mint; emerald; sapphire; coral; peach; apricot; mustard; ochre; terracotta; brown;
    charcoal; cyan; amber
""")

MUSIC = rows("""
    jazz; blues; rock; punk; techno; house music; reggae; ska; hip hop; soul; funk; disco; country music;
    bluegrass; folk; classical music; opera; baroque music; heavy metal; grunge; indie pop; K-pop; salsa;
    samba; bossa nova; flamenco; fado; tango; gospel; ambient music; trip hop; drum and bass; dubstep;
    trance; synthwave; afrobeat; swing; gregorian chant; chamber music; big band; mariachi; cumbia; bachata;
    merengue; klezmer; polka
""")

SPORTS = rows("""
    tennis; badminton; squash; table tennis; football; rugby; cricket; baseball; basketball; volleyball;
    handball; field hockey; ice hockey; golf; archery; fencing; boxing; judo; karate; wrestling; rowing;
    kayaking; sailing; surfing; swimming; diving; water polo; cycling; running; skiing; snowboarding;
    curling; figure skating; gymnastics; climbing; bouldering; bowling; darts; polo; lacrosse; softball;
    weightlifting; orienteering; skateboarding; parkour
""")

FILMS = rows("""
    Casablanca; Vertigo; Psycho; Jaws; Alien; Titanic; Gladiator; Inception; Interstellar; The Matrix; Pulp
    Fiction; Fargo; Goodfellas; The Godfather; Star Wars; Blade Runner; The Shining; Jurassic Park; Forrest
    Gump; The Lion King; Finding Nemo; Toy Story; Spirited Away; Parasite; Oldboy; La Dolce Vita; Cinema
    Paradiso; The Pianist; Schindler's List; Rear Window; Some Like It Hot; Singin' in the Rain; The Wizard
    of Oz; Citizen Kane; Taxi Driver; Back to the Future; Groundhog Day; Fight Club; Memento; The Prestige;
    Whiplash; La La Land; Moonlight; Arrival; Dune; Avatar; Black Swan; The Big Lebowski; No Country for Old
    Men; The Truman Show; Dead Poets Society; Good Will Hunting; Mary Poppins
""")

BOOKS = rows("""
    Moby Dick; Dracula; Frankenstein; Middlemarch; Jane Eyre; Wuthering Heights; Great Expectations; Bleak
    House; Ulysses; Dubliners; Walden; The Odyssey; The Iliad; Don Quixote; War and Peace; Anna Karenina;
    The Idiot; Crime and Punishment; The Trial; The Castle; Siddhartha; Steppenwolf; The Magic Mountain;
    Faust; The Hobbit; The Great Gatsby; Lolita; Catch-22; Slaughterhouse-Five; Beloved; The Alchemist;
    Norwegian Wood; Kokoro; Persepolis; Maus; Neuromancer; Foundation; Hyperion; Brave New World; Fahrenheit
    451; Animal Farm; The Stranger; The Plague; Candide; Les Miserables; Treasure Island; Robinson Crusoe;
    Gulliver's Travels; Little Women; The Secret Garden; Watership Down; Life of Pi; The Kite Runner; Wolf
    Hall
""")

JOBS = rows("""
    baker; butcher; carpenter; plumber; electrician; mechanic; welder; roofer; painter; gardener; florist;
    farmer; fisherman; beekeeper; vet; nurse; surgeon; dentist; pharmacist; paramedic; midwife; therapist;
    psychologist; optician; teacher; professor; librarian; translator; interpreter; journalist; editor;
    novelist; poet; photographer; sculptor; architect; surveyor; civil engineer; software developer; data
    analyst; accountant; auditor; banker; economist; lawyer; judge; notary; detective; firefighter; police
    officer; soldier; pilot; flight attendant; sailor; truck driver; bus driver; taxi driver; train
    conductor; postman; courier; chef; waiter; barista; bartender; sommelier; hotel manager; travel agent;
    tour guide; museum curator; archivist; archaeologist; geologist; astronomer; physicist; chemist;
    biologist; botanist; zookeeper; meteorologist; statistician; mathematician; actor; dancer; musician;
    conductor; piano tuner; sound engineer; film director; stage designer; tailor; shoemaker; jeweller;
    watchmaker; hairdresser; tattoo artist; yoga teacher; football coach; lifeguard; real estate agent;
    insurance broker; social worker; kindergarten teacher; web designer; game designer; blacksmith
""")

ANIMALS = rows("""
    rabbit; hamster; guinea pig; gerbil; ferret; chinchilla; hedgehog; parrot; canary; budgie; cockatoo;
    goldfish; turtle; tortoise; iguana; gecko; chameleon; snake; tarantula; kitten; puppy; poodle; beagle;
    labrador; dachshund; greyhound; bulldog; corgi; husky; collie; terrier; spaniel; pug; boxer dog; Siamese
    cat; Persian cat; Maine Coon; pony; donkey; goat; alpaca; llama; duck; goose; hen; pigeon; owl; pig;
    hermit crab; stick insect; newt; axolotl; frog; bearded dragon; degu
""")

ALLERGENS = rows("""
    peanuts; walnuts; hazelnuts; almonds; cashews; pistachios; milk; eggs; wheat; gluten; soy; shellfish;
    shrimp; fish; sesame; mustard; celery; lupin; strawberries; kiwi; apples; peaches; tomatoes; bananas;
    pollen; dust; cats; dogs; horses; bee stings; wasp stings; penicillin; aspirin; ibuprofen; latex;
    nickel; mould; feathers; grass; birch pollen; ragweed; sulphites; lactose; avocado; mango; pineapple;
    garlic; onions; cinnamon; corn
""")

INSTRUMENTS = rows("""
    piano; guitar; violin; viola; cello; double bass; harp; flute; clarinet; oboe; bassoon; saxophone;
    trumpet; trombone; tuba; French horn; accordion; harmonica; banjo; mandolin; ukulele; lute; sitar;
    tabla; drums; marimba; xylophone; vibraphone; organ; harpsichord; bagpipes; recorder; theremin;
    synthesizer; bongos; djembe; erhu; koto; oud; balalaika; zither; fiddle
""")

HOBBIES = rows("""
    painting; knitting; sewing; crocheting; embroidery; pottery; woodworking; gardening; birdwatching;
    stargazing; hiking; camping; fishing; baking; home brewing; photography; calligraphy; origami; chess;
    crossword puzzles; jigsaw puzzles; sudoku; model trains; model planes; stamp collecting; coin
    collecting; geocaching; beekeeping; juggling; magic tricks; salsa dancing; ballroom dancing; choir
    singing; creative writing; blogging; scrapbooking; candle making; soap making; leather crafting; metal
    detecting; kite flying; drone racing; board games; poker; yoga; meditation; tai chi; genealogy; mushroom
    picking; rock climbing; cave diving; ice skating; horse riding; paragliding; scuba diving; 3D printing;
    robotics; astronomy; quilting
""")

LANGUAGES = rows("""
    Norwegian; Swedish; Danish; Finnish; Icelandic; German; Dutch; French; Spanish; Portuguese; Italian;
    Greek; Turkish; Polish; Czech; Slovak; Hungarian; Romanian; Bulgarian; Croatian; Serbian; Russian;
    Ukrainian; Lithuanian; Latvian; Estonian; Irish; Welsh; Basque; Catalan; Arabic; Hebrew; Persian; Hindi;
    Urdu; Bengali; Tamil; Telugu; Nepali; Thai; Vietnamese; Malay; Indonesian; Tagalog; Mandarin; Cantonese;
    Korean; Japanese; Mongolian; Swahili; Amharic; Yoruba; Zulu; Latin; Esperanto
""")

CARS = rows("""
    Volvo; Toyota; Honda; Mazda; Nissan; Subaru; Suzuki; Mitsubishi; Hyundai; Kia; Ford; Chevrolet; Jeep;
    Dodge; Cadillac; Buick; Tesla; BMW; Audi; Mercedes; Porsche; Opel; Volkswagen; Skoda; Seat Ibiza; Fiat
    Panda; Alfa Romeo; Lancia; Ferrari; Maserati; Peugeot; Renault; Citroen; Dacia; Mini Cooper; Jaguar;
    Land Rover; Bentley; Saab; Lada; Vauxhall; Smart; Lexus; Polestar
""")

GIFTS = rows("""
    silk scarf; wristwatch; necklace; pair of earrings; bracelet; leather wallet; handbag; umbrella; teapot;
    coffee grinder; toaster; cookbook; board game; chess set; jigsaw puzzle; telescope; camera; record
    player; pair of headphones; e-reader; fountain pen; notebook; sketchbook; watercolour set; pottery
    class; concert ticket; spa voucher; bottle of perfume; scented candle; houseplant; picnic basket;
    hammock; tent; sleeping bag; backpack; bicycle helmet; yoga mat; tennis racket; skateboard; kite; drone;
    music box; photo album; wool blanket; bathrobe; pair of slippers; bird feeder; wine decanter; cheese
    board; chocolate box
""")

MEDICINES = rows("""
    ibuprofen; paracetamol; aspirin; amoxicillin; penicillin; insulin; metformin; lisinopril; atorvastatin;
    omeprazole; cetirizine; loratadine; prednisone; warfarin; levothyroxine; amlodipine; simvastatin;
    sertraline; gabapentin; naproxen; codeine; salbutamol; melatonin; vitamin D; iron tablets; magnesium;
    folic acid; antihistamines; cough syrup; eye drops; nasal spray; antibiotics
""")

DIETS = rows("""
    vegan; vegetarian; pescatarian; gluten-free; lactose-free; keto; paleo; halal; kosher; low-carb;
    low-salt; sugar-free; dairy-free; nut-free; Mediterranean; raw-food; high-protein; macrobiotic; low-fat;
    fruitarian; egg-free; soy-free
""")

PLANTS = rows("""
    cactus; orchid; fern; ficus; monstera; aloe vera; spider plant; snake plant; peace lily; rubber plant;
    yucca; jade plant; bonsai; begonia; geranium; hydrangea; lavender bush; rosemary bush; lemon tree; olive
    tree; fig tree; philodendron; calathea; African violet; amaryllis; hibiscus; jasmine; camellia; azalea;
    tulip; sunflower; tomato plant; chilli plant; banana palm; dracaena; pothos; sansevieria; croton; bird
    of paradise; venus flytrap
""")

TEAMS = rows("""
    Red Hawks; Blue Sharks; Night Owls; Golden Eagles; River Rats; Iron Bulls; Wild Geese; Black Bears;
    Thunder; Comets; Rovers; Wanderers; Pirates; Vikings; Raptors; Stallions; Hornets; Jaguars; Penguins;
    Lightning; Avalanche; Mariners; Dragons; Phantoms; Spartans; Titans; Foxes; Otters; Badgers; Kestrels;
    Barracudas; Cobras; Mustangs; Bobcats; Grizzlies
""")

PROJECTS = rows("""
    Falcon; Bluebird; Northstar; Aurora; Horizon; Phoenix Rising; Redwood; Evergreen; Sandstorm; Moonshot;
    Lighthouse; Blackbox; Titanium; Quicksilver; Snowflake; Avalanche; Waterfall; Sunflower; Marathon;
    Compass; Keystone; Cornerstone; Gateway; Skyline; Mosaic; Kaleidoscope; Labyrinth; Pegasus; Hermes;
    Athena Plus; Poseidon; Hydra; Chimera; Griffin; Unicorn; Tornado; Monsoon; Zephyr; Glacier; Canyon;
    Savanna; Tundra; Everest; Kilimanjaro; Matterhorn; Vesuvius; Danube; Amazonas; Mississippi; Voyager;
    Pioneer; Discovery; Endeavour; Sputnik; Galileo; Kepler; Newton; Tesla Coil; Turing; Lovelace;
    Gutenberg; Mercator; Magellan; Marco Polo
""")

SUBJECTS = rows("""
    physics; chemistry; biology; mathematics; statistics; history; geography; philosophy; psychology;
    sociology; economics; law; medicine; nursing; pharmacy; architecture; civil engineering; computer
    science; linguistics; literature; art history; musicology; theology; archaeology; anthropology;
    political science; journalism; graphic design; fashion design; agriculture; forestry; veterinary
    medicine; marine biology; geology; astronomy; meteorology; oceanography; accounting; marketing;
    education; dentistry
""")

TOPPINGS = rows("""
    mushrooms; pepperoni; anchovies; olives; ham; salami; artichokes; spinach; onions; bell peppers; capers;
    rocket; prosciutto; gorgonzola; feta; ricotta; sweetcorn; pineapple; tuna; chorizo; aubergine;
    courgette; jalapenos; bacon; shrimp; goat cheese; truffle oil; cherry tomatoes; basil; roasted garlic
""")

FLOWERS = rows("""
    roses; tulips; lilies; daisies; sunflowers; orchids; peonies; carnations; irises; daffodils; hyacinths;
    violets; pansies; poppies; marigolds; dahlias; freesias; gardenias; hydrangeas; magnolias; snowdrops;
    bluebells; chrysanthemums; anemones
""")

AIRLINES = rows("LH; BA; AF; KL; SK; UA; QF; EK; TK; LX; OS; AY; IB; DL; AA; NH")
SEASONS = rows("spring; summer; autumn; winter")
WEEKDAYS = rows("Monday; Tuesday; Wednesday; Thursday; Friday; Saturday; Sunday")
MONTHS = rows("January; February; March; April; May; June; July; August; September; October; November; December")

FRUITS = rows("""
    apples; pears; peaches; plums; cherries; apricots; nectarines; grapes; figs; dates; bananas; oranges;
    mandarins; grapefruits; lemons; limes; pineapples; mangoes; papayas; guavas; lychees; kiwis; melons;
    watermelons; strawberries; raspberries; blueberries; blackberries; cranberries; gooseberries;
    redcurrants; pomegranates; persimmons; quinces; coconuts; passion fruits; dragon fruits; star fruits;
    tangerines; clementines; mulberries
""")

PASSWORD_WORDS = rows("""
    tiger; panda; rocket; banana; pepper; castle; dragon; guitar; island; jungle; kitten; lemon; magnet;
    nectar; orange; pirate; quartz; ribbon; silver; tunnel; velvet; walnut; yellow; zebra; anchor; button;
    candle; desert; engine; falcon; garden; hammer
""")
