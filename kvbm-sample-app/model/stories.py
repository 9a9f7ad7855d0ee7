"""Stories with a hero, a place, a friend and a lesson, each a walk through one of a few plots."""

from grammar import article, expand

NAMES = {
    "she": "Mira Anna Lily Ruby Nora Clara Emma Luna".split(),
    "he": "Tom Ben Max Oscar Finn Leo Hugo Paul".split(),
}
HEROES = ("fox bear rabbit cat dog owl mouse duck frog hedgehog squirrel wolf dragon robot "
          "sailor baker farmer painter wizard giant").split()
TRAITS = "little brave curious clever shy old young friendly proud kind".split()
PLACES = "forest valley village harbour meadow garden castle town mill park".split()
LOOKS = "old quiet green small hidden windy sunny cold beautiful lonely".split()
OBJECTS = "kite lantern key map bell boat book drum ball hat ring flute".split()
COLOURS = "red blue green yellow white black golden silver".split()
FOODS = "bread honey soup apples cheese berries nuts cake".split()
WEATHER = ["the sun was shining", "it was raining", "the wind was strong", "the first snow fell", "there was fog over the fields", "the sky was grey", "a storm was coming", "the leaves were falling"]
LESSONS = [
    "it is good to have a friend", "one should never give up", "it helps to ask", "patience is worth more than strength",
    "sharing makes everything better", "small hands can do great things", "one should look before one jumps",
    "a promise has to be kept", "being different is not a bad thing", "telling the truth is easier than lying",
]

OPENINGS = [
    "Once upon a time there was a {trait} {hero} named {name}.", "There once was a {trait} {hero} whose name was {name}.",
    "Long ago, in {a_look} {place}, there lived a {trait} {hero} named {name}.", "{name} was a {trait} {hero}.",
    "In {a_look} {place} lived a {trait} {hero}. [{Their} name was {name}|Everybody called {them} {name}].",
]
HOMES = [
    "{They} lived in {a_look} {place} [with {their} family|all alone|near a river|at the end of the road].",
    "{Their} home was a small house [by the river|under a big tree|on a hill] in {a_look} {place}.",
]
SETTINGS = [
    "Every day {they} [walked through the {place}|went for a walk|sat by the window] and [thought about the world|looked at the clouds|sang a song].",
    "{They} loved {food} more than anything else.", "{They} had {a_colour} {object} that {they} [took everywhere|loved very much|never lent to anybody].",
]
PLOTS = [
    [  # something is lost
        "One [morning|evening|day], {weather}, and {name} could not find {their} {colour} {object}. [{They} looked under the bed|{They} looked everywhere|{They} searched the whole house], but it was not there.",
        "{name} was [very sad|close to tears|worried]. \"[Where can it be|Who has taken it|What shall I do now]?\" {they} [asked|said].",
        "Then {friend} the {other} came by. \"[Do not worry|Do not cry], {name},\" said {friend}. \"[I will help you to find it|We will look for it together].\"",
        "They [looked in the {place}|followed the tracks in the mud|asked everybody they met], and at last they found the {object} [behind an old tree|under a pile of leaves|beside the river|in a bird's nest].",
        "{name} was so happy that {they} [danced|laughed out loud|gave {friend} a big hug]. In the evening they [shared some {food}|ate {food} together].",
    ],
    [  # a wish
        "{name} had one wish. {They} wanted to [see the sea|fly like a bird|climb the highest mountain|find a friend|learn to sing].",
        "One day {name} packed {a_colour} bag with some {food} and [went on a journey|set out|walked down the road]. {weather_cap}, but that did not stop {them}.",
        "On the way {they} met {friend}, a {other_trait} {other}. \"[Where are you going|What are you doing here]?\" asked {friend}. {name} told {friend} everything.",
        "\"[That is a long way|That is not easy],\" said {friend}, \"but [I know the way|I can come with you|two are stronger than one].\" So they went on together.",
        "It took them [three days|a whole week|many days]. [They crossed a river|They slept under the stars|They got lost twice], but in the end {name}'s wish came true.",
    ],
    [  # a storm
        "One night there was a terrible storm. The wind [shook the trees|blew the roof away|howled around the house], and the river rose higher and higher.",
        "{name} heard somebody calling for help. It was {friend} the {other}, who [sat on a rock in the middle of the water|could not find the way home|was afraid of the dark].",
        "{name} was afraid too, but {they} [took a rope and ran outside|took {their} {object} and went out|did not think about it for long].",
        "\"[Hold on|Do not be afraid]!\" called {name}. [Step by step|Slowly and carefully], {they} brought {friend} back to the house.",
        "There they sat by the fire, ate {food} and waited until the morning came. [The storm was over, and the sky was clear|Outside, everything was quiet again].",
    ],
    [  # a stranger and a riddle
        "One day a stranger came to the {place}. It was {friend}, an old {other} with {a_colour} coat, and nobody knew where {friend} had come from.",
        "\"[I have a riddle for you|Who can answer my question]?\" said {friend}. \"{riddle}?\"",
        "Everybody thought about it. [The others laughed and went away|Nobody knew the answer], but {name} [sat down under a tree|did not give up] and thought [all day|for a long time].",
        "Then {they} [jumped up|smiled]. \"I know it!\" {they} said. \"It is {answer}.\" {friend} nodded and gave {them} {a_colour} {object}.",
        "From then on {name} [was known as the cleverest {hero} of all|was asked whenever there was something to be decided].",
    ],
    [  # sharing
        "That year the winter was long, and there was little to eat in the {place}. {name} had hidden some {food} [under the floor|in a hollow tree|in the cellar].",
        "One evening somebody knocked at the door. It was {friend} the {other}. \"[I am so hungry|I have not eaten for two days],\" said {friend}. \"[Can you give me something|Have you got anything to eat]?\"",
        "{name} thought for a moment. [There was hardly enough for one|It was not much], but {they} opened the door. \"Come in,\" {they} said. \"[We will share it|There is enough for both of us].\"",
        "When the spring came, {friend} came back with {a_colour} {object} and a basket full of {food}. \"[You helped me|I have not forgotten you],\" said {friend}. \"[Now it is my turn|This is for you].\"",
    ],
]
RIDDLES = [
    ("What gets bigger the more you take away from it", "a hole"), ("What has a face and two hands but no legs", "a clock"),
    ("What can you catch but never throw", "a cold"), ("What has teeth but cannot bite", "a comb"),
    ("What goes up when the rain comes down", "an umbrella"), ("What is full of holes and still holds water", "a sponge"),
]
ENDINGS = [
    "And [so|from that day on] {name} [knew|understood] that {lesson}.", "They were friends [for the rest of their lives|from then on].",
    "{name} never forgot that day, for {they} had learnt that {lesson}.", "And if nothing has happened to them, they are still there today.",
    "That night {name} slept better than ever before.",
]


def story(rng, **given):
    they = rng.choice(["she", "he"])
    hero, other = rng.sample(HEROES, 2)
    slots = {"name": rng.choice(NAMES[they]), "hero": hero, "other": other, "trait": rng.choice(TRAITS),
             "friend": rng.choice(NAMES["he" if they == "she" else "she"]), "place": rng.choice(PLACES),
             "other_trait": rng.choice(TRAITS), "object": rng.choice(OBJECTS), "food": rng.choice(FOODS),
             "weather": rng.choice(WEATHER), "lesson": rng.choice(LESSONS), "colour": rng.choice(COLOURS)}
    slots.update(given)
    slots["riddle"], slots["answer"] = rng.choice(RIDDLES)
    slots.update(they=they, them="her" if they == "she" else "him", their="her" if they == "she" else "his",
                 They=they.capitalize(), Their="Her" if they == "she" else "His",
                 a_look=article(rng.choice(LOOKS)), a_colour=article(slots["colour"]),
                 weather_cap=slots["weather"].capitalize())
    opening = rng.choice(OPENINGS)
    home = [] if "{place}" in opening else [rng.choice(HOMES)]
    settings = home + rng.sample(SETTINGS, rng.choice([0, 1, 1, 2]))
    plot = rng.choice(PLOTS)
    parts = [" ".join([opening] + settings)] + plot
    parts[-1] += " " + rng.choice(ENDINGS)
    return [expand(rng, p, slots) for p in parts], slots
