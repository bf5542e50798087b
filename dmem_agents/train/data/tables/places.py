"""Cities, countries, streets, hotels, universities and employers."""

from __future__ import annotations

from dmem_agents.train.data.rows import rows

CITIES = rows("""
    Oslo; Bergen; Trondheim; Stockholm; Gothenburg; Uppsala; Helsinki; Tampere; Turku; Copenhagen; Aarhus;
    Odense; Berlin; Hamburg; Munich; Cologne; Frankfurt; Stuttgart; Leipzig; Dresden; Bremen; Hanover;
    Vienna; Graz; Salzburg; Innsbruck; Linz; Zurich; Geneva; Basel; Bern; Lausanne; Lucerne; Amsterdam;
    Rotterdam; Utrecht; Eindhoven; Brussels; Antwerp; Ghent; Bruges; Rome; Milan; Naples; Turin; Venice;
    Bologna; Palermo; Verona; Genoa; Pisa; Madrid; Barcelona; Valencia; Seville; Bilbao; Granada; Malaga;
    Lisbon; Porto; Braga; Coimbra; Lyon; Marseille; Toulouse; Nice; Nantes; Bordeaux; Lille; Strasbourg;
    London; Manchester; Liverpool; Leeds; Bristol; Oxford; Cambridge; Brighton; York; Edinburgh; Glasgow;
    Aberdeen; Cardiff; Swansea; Belfast; Dublin; Cork; Galway; Limerick; Reykjavik; Prague; Brno;
    Bratislava; Budapest; Debrecen; Warsaw; Krakow; Gdansk; Poznan; Wroclaw; Vilnius; Riga; Tallinn; Kyiv;
    Lviv; Odessa; Minsk; Bucharest; Cluj; Sofia City; Plovdiv; Belgrade; Zagreb; Split; Ljubljana; Sarajevo;
    Skopje; Tirana; Athens; Patras; Istanbul; Ankara; Izmir; Antalya; Cairo; Alexandria; Casablanca; Rabat;
    Marrakesh; Fez; Tunis; Algiers; Lagos; Abuja; Accra; Kumasi; Dakar; Nairobi; Mombasa; Kampala; Kigali;
    Addis Ababa; Lusaka; Harare; Johannesburg; Cape Town; Durban; Pretoria; Windhoek; Dubai; Abu Dhabi;
    Doha; Muscat; Riyadh; Jeddah; Amman; Beirut; Haifa; Tehran; Shiraz; Baku; Tbilisi; Yerevan; Tashkent;
    Almaty; Mumbai; Delhi; Bangalore; Chennai; Kolkata; Hyderabad; Pune; Jaipur; Lahore; Karachi; Dhaka;
    Colombo; Kathmandu; Bangkok; Chiang Mai; Phuket; Hanoi; Saigon; Da Nang; Singapore; Kuala Lumpur;
    Penang; Jakarta; Bandung; Manila; Cebu; Taipei; Kaohsiung; Shanghai; Beijing; Shenzhen; Guangzhou;
    Chengdu; Wuhan; Seoul; Busan; Incheon; Tokyo; Osaka; Kyoto; Nagoya; Sapporo; Fukuoka; Hiroshima; Kobe;
    Melbourne; Brisbane; Perth; Hobart; Canberra; Auckland; Wellington; Christchurch; Toronto; Montreal;
    Vancouver; Calgary; Ottawa; Quebec; Winnipeg; Halifax; Boston; Chicago; Seattle; Portland; Denver;
    Dallas; Houston; San Diego; Phoenix; Miami; Atlanta; Nashville; Detroit; Cleveland; Pittsburgh;
    Philadelphia; Baltimore; New Orleans; Salt Lake City; Minneapolis; Las Vegas; Albuquerque; Tucson;
    Omaha; Honolulu; Anchorage; Tampa; Memphis; Sacramento; Oakland; Mexico City; Guadalajara; Monterrey;
    Puebla; Havana; Kingston; Bogota; Medellin; Cali; Quito; Guayaquil; Lima; Cusco; La Paz; Santiago de
    Chile; Valparaiso; Buenos Aires; Rosario; Cordoba; Mendoza; Montevideo; Asuncion; Sao Paulo; Rio de
    Janeiro; Salvador; Recife; Curitiba; Brasilia
""")

COUNTRIES = rows("""
    Norway; Sweden; Finland; Denmark; Iceland; Germany; Austria; Switzerland; Belgium; France; Spain;
    Portugal; Italy; Greece; Turkey; Poland; Hungary; Romania; Bulgaria; Croatia; Serbia; Slovenia;
    Slovakia; Ukraine; Estonia; Latvia; Lithuania; Ireland; Scotland; Wales; England; Egypt; Morocco;
    Tunisia; Algeria; Nigeria; Ghana; Senegal; Kenya; Uganda; Rwanda; Ethiopia; Zambia; Zimbabwe; South
    Africa; Namibia; Botswana; Jordan; Lebanon; Israel; Iran; Iraq; Georgia; Armenia; Azerbaijan;
    Kazakhstan; Uzbekistan; India; Pakistan; Bangladesh; Sri Lanka; Nepal; Thailand; Vietnam; Laos;
    Cambodia; Malaysia; Indonesia;  Taiwan; China; South Korea; Japan; Mongolia; Australia;
    New Zealand; Canada; Mexico; Guatemala; Honduras; Nicaragua; Costa Rica; Panama; Cuba; Jamaica;
    Colombia; Ecuador; Peru; Bolivia; Chile; Argentina; Uruguay; Paraguay; Brazil; Venezuela; Malta; Cyprus;
    Luxembourg; Madagascar; Fiji
""")

STREETS = rows("""
    Maple Street; Oak Avenue; Church Lane; Mill Road; Station Road; High Street; Park Avenue; Elm Street;
    Cedar Lane; Pine Street; Chestnut Avenue; Birch Road; Willow Lane; Harbour Street; Bridge Street; Castle
    Road; Garden Lane; Market Street; Queen Street; King's Road; Victoria Road; Albert Street; Baker Street;
    Abbey Road; River Road; Hill Street; Meadow Lane; Orchard Road; School Lane; Windsor Road; Linden
    Street; Poplar Avenue; Ash Grove; Rosewood Drive; Lakeview Drive; Sunset Boulevard; Ocean Drive; Canal
    Street; Union Street; Liberty Avenue; Franklin Street; Madison Avenue; Monroe Street; Spring Street;
    Spruce Street; Walnut Street; Juniper Lane; Magnolia Drive; Heather Lane; Foxglove Close; Kestrel Way;
    Swan Lane; Falcon Road; Copper Street; Silver Street; Tanner Street; Weaver Lane; Potter's Row; Granary
    Road; Quarry Road
""")

HOTELS = rows("""
    Astoria; Grand Plaza; Bellevue; Excelsior; Majestic; Savoy; Continental; Metropole; Bristol Palace;
    Imperial; Regent; Ambassador; Belvedere; Miramar; Panorama; Seaview; Lakeside Inn; Mountain Lodge;
    Golden Lion; White Swan; Red Fox Inn; Blue Lagoon; Coral Bay; Palm Court; Royal Garden; Park Central;
    Old Station; Harbour View; Old Mill; Queen's Head; King's Arms; Sunrise Resort; Alpine Star; Nordic
    Light; Casa Verde; Villa Rosa; Riviera; Esplanade; Monopol; Schweizerhof; Adler; Krone; Waldhaus;
    Sonnenhof; Bayview; Crystal Palace; Emerald; Sapphire; Montana; Colonial House; Maison Blanche; Orient
    Express; Bosphorus; Sakura Inn; Lotus Garden; Jade Palace; Tropicana; Copacabana; Capri; Portofino
""")

UNIVERSITIES = rows("""
    Harvard; Stanford; Yale; Princeton; Columbia; Cornell; Brown; Dartmouth; Berkeley; Caltech; Georgetown;
    Duke; Rice; Northwestern; Vanderbilt; Emory; Tufts; Purdue; McGill; Durham; Warwick; Exeter; Heidelberg;
    Tübingen; Göttingen; Leiden; Delft; Uppsala University; Lund; Aalto; Bocconi; Sorbonne; Trinity College;
    King's College; St Andrews; Bath University; Keio; Waseda; Tsinghua; Fudan; Monash; Otago; Coimbra
    University; Salamanca; Jagiellonian; Charles University; ETH; Sciences Po; Imperial College; Lancaster
    University
""")

COMPANIES = rows("""
    Siemens; Bosch; Nokia; Ericsson; Volvo; Ikea; Spotify; Klarna; Novartis; Nestle; Philips; Shell;
    Unilever; Airbus; Renault; Michelin; Danone; Lufthansa; Adidas; Puma; Bayer; Allianz; Deloitte;
    Accenture; Google; Microsoft; Amazon; Apple; Netflix; Intel; Nvidia; Oracle; Adobe; Tesla; Boeing;
    Pfizer; Starbucks; Walmart; Costco; Disney; Pixar; Sony; Nintendo; Toyota; Honda; Samsung; Hyundai;
    Tata; Infosys; Petrobras; Embraer; Shopify; Bombardier; Lego; Maersk; Carlsberg; Rolex; Swatch; Ferrari;
    Fiat; Barilla; Lavazza; Zara; Mango Airlines; Northwind; Bluepeak; Greenfield Labs; Silverline;
    Brightwater; Oakridge Foods; Redstone; Ironbridge; Summit Health; Harbor Bank; Lighthouse Media;
    Pinecrest; Quantum Works; Solaris; Meridian; Vertex; Polaris; Orion Systems; Helios Energy; Atlas
    Freight; Nimbus Cloud; Falcon Air; Kestrel Books; Bluebird Bakery; Copper Kettle; Willow Clinic;
    Riverbank Press; Tidewater; Stonegate; Cedar Homes; Everlight; Moonrise Games
""")
