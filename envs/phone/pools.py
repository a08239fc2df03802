"""What phones are filled with: names, texts and goods to draw from."""

GIVEN_NAMES = (
    "Ada", "Anton", "Bianca", "Carlos", "Chloé", "Dana", "Elif", "Emma", "Farid", "Grace",
    "Hugo", "Ines", "Jakob", "Jonas", "Karin", "Lena", "Lucía", "Marco", "Mia", "Nadia",
    "Noah", "Olga", "Paul", "Priya", "Quinn", "Rosa", "Sami", "Tara", "Umar", "Vera",
    "Wanda", "Yusuf", "Zoe",
)  # fmt: skip
FAMILY_NAMES = (
    "Abel", "Bauer", "Castro", "Dietz", "Evans", "Fischer", "Garcia", "Haddad", "Ivanova",
    "Jensen", "Kaya", "Lindholm", "Moreau", "Nowak", "Okafor", "Petrov", "Quist", "Rossi",
    "Sato", "Tanaka", "Ullman", "Varga", "Weber", "Xu", "Young", "Zeman",
)  # fmt: skip

ALARM_LABELS = (
    "Work", "Gym", "School run", "Medicine", "Call home", "Train", "Bakery", "Run", "Yoga",
    "Market",
)  # fmt: skip

INCOMING_TEXTS = (
    "Are you free on Friday?", "Can you pick up some bread?", "The train is late again.",
    "Thanks for yesterday!", "Where did you park the car?", "Dinner at seven?",
    "I left the keys with Paul.", "Did you see the match?", "Happy birthday!",
    "The parcel has arrived.", "Call me when you can.", "See you at the station.",
    "Bring the blue folder, please.", "The meeting moved to Tuesday.",
    "Can we swap shifts?", "What is the wifi password?", "I will be ten minutes late.",
    "The plants need water.",
)  # fmt: skip
OUTGOING_TEXTS = (
    "Yes, gladly.", "No problem.", "I am on my way.", "Let me check.", "See you soon!",
    "Sorry, not today.", "Sounds good.", "I will call you later.", "Of course.",
    "Give me five minutes.", "Great, thank you!", "Maybe next week.",
)  # fmt: skip

NOTES = (
    ("Groceries", "Milk, eggs, rice, two lemons."),
    ("Book list", "The Overstory, Piranesi, Stoner."),
    ("Bike repair", "New brake pads, check the chain."),
    ("Gift ideas", "Scarf for Emma, puzzle for Noah."),
    ("Packing", "Charger, rain jacket, passport."),
    ("Recipe soup", "One leek, three potatoes, stock."),
    ("Meeting", "Ask about the budget for May."),
    ("Garden", "Plant the tomatoes after the frost."),
    ("Films", "Stalker, Paterson, Yi Yi."),
    ("Flat", "Rent is due on the third."),
    ("Workout", "Three sets of ten squats."),
    ("Spanish", "La manzana, el puente, la llave."),
    ("Car", "Oil change at 60,000 km."),
    ("Party", "Balloons, juice, music."),
)
NEW_NOTE_TITLES = ("Dentist", "Library", "Weekend", "Holiday", "Insurance", "Tickets", "Paint")
NEW_NOTE_BODIES = (
    "Appointment on Monday at 9.", "Return the books by Friday.", "Call the landlord.",
    "Two adults and one child.", "Ask Vera about the boat.", "Order forms are in the drawer.",
)  # fmt: skip

PRODUCTS = (
    ("Desk lamp", "Home"), ("Wool blanket", "Home"), ("Door mat", "Home"),
    ("Wall clock", "Home"), ("Frying pan", "Kitchen"), ("Tea kettle", "Kitchen"),
    ("Bread knife", "Kitchen"), ("Salad bowl", "Kitchen"), ("Coffee mug", "Kitchen"),
    ("Running shoes", "Sports"), ("Yoga mat", "Sports"), ("Tennis balls", "Sports"),
    ("Swim goggles", "Sports"), ("Notebook", "Office"), ("Fountain pen", "Office"),
    ("Stapler", "Office"), ("Desk chair", "Office"), ("Headphones", "Electronics"),
    ("Power bank", "Electronics"), ("Keyboard", "Electronics"), ("Card reader", "Electronics"),
    ("Garden hose", "Garden"), ("Flower pot", "Garden"), ("Bird feeder", "Garden"),
)  # fmt: skip

ARTICLES = (
    ("Why bridges sing in the wind", "Engineers listen to cables to find the weak ones early."),
    ("The slow return of night trains", "Sleepers are full again, and new lines open in spring."),
    ("A city that counts its trees", "Every trunk has a number, and volunteers check them all."),
    ("Bread without kneading", "Time does the work: mix at night and bake in the morning."),
    ("How whales find their way", "Songs travel far in cold water, and maps are made of them."),
    ("The last typewriter repairer", "In a small shop, springs and ribbons wait for visitors."),
    ("Deserts that bloom for a week", "After rare rain, seeds that slept for years wake up."),
    ("Learning to read at seventy", "An evening class, six pupils and a shelf of thin books."),
    ("What bees see in the dark", "Polarised moonlight guides a few species back to the nest."),
    ("The quiet art of dry stone walls", "No mortar, only patience and an eye for the next stone."),
    ("Ferries run on batteries now", "Short routes go first, and the harbour has become quiet."),
    ("A museum of lost sounds", "Dial tones, steam whistles and the click of a slide tray."),
)
FILLER_SENTENCES = (
    "People who live nearby had long suspected it.",
    "The first attempt failed, and so did the second.",
    "A report from the spring gives exact figures.",
    "Nobody expected the results to last.",
    "Visitors are welcome on the first Sunday of the month.",
    "It costs little, and it takes time.",
    "The method is old, the tools are new.",
    "Children notice it before adults do.",
    "Winter will show whether the idea holds.",
)
