"""The text that the sample's model learns from: stories and conversations of a seeded grammar, and
sentences of Python's own documentation.

A small model speaks well of a small world, so this one is asked about world.py most of the time. It
is also asked, in words of the documentation, about what lies outside, so that it has learnt to say
that it does not know. Everything but the documentation is our own text.
"""

import re

from documentation import docstrings, reference
from grammar import article, expand
from stories import COLOURS, HEROES, NAMES, OBJECTS, PLACES, TRAITS, story
from world import ANIMALS, BARE, DIFFERENCES, GROUPS, NATURE, NUMBERS, PLANTS, TASKS, TERMS, THINGS, UNIQUE


def known(rng):
    """(what is asked about, its sentences): what the model is to know."""
    kind = rng.choices(["animal", "term", "plant", "nature", "thing"], [4, 8, 1, 2, 2])[0]
    if kind == "animal":
        name = rng.choice(list(ANIMALS))
        what, where, food, more, _ = ANIMALS[name]
        return article(name), [
            f"{article(name).capitalize()} is {what}.",
            f"It lives {where}, and it eats {food}.",
            more + ".",
        ]
    if kind == "term":
        name = rng.choice(list(TERMS))
        return name, TERMS[name]
    table = {"plant": PLANTS, "nature": NATURE, "thing": THINGS}[kind]
    name = rng.choice(list(table))
    what, one, two = table[name]
    subject = name if name in BARE else "the " + name if name in UNIQUE else article(name)
    return subject, [f"{subject[0].upper() + subject[1:]} is {what}.", one + ".", two + "."]


DO_NOT_KNOW = [
    "I am a small model, and I do not know that. Ask me about animals, about programs, or for a story.",
    "I am sorry, but I do not know the answer. Shall I tell you a story instead?",
    "That is more than I know. You could ask me what a cache is, or what a fox eats.",
]
OPEN_QUESTIONS = [
    "Who [invented|wrote|found|won|made] the {x}?",
    "When was the {x} [made|built|found]?",
    "Who is {x}?",
    "How [many|much|old|far] is the {x}?",
    "What happened to the {x} in [1969|1990|2001|2020|1815]?",
    "Where can I [buy|find|see] {x}?",
    "What is the best {x}?",
    "Why is the {x} so [big|old|strange|slow]?",
    "What is the [capital|price|name|size|colour] of {x}?",
    "Which {x} should I choose?",
    "Can you [translate|write|fix|summarize|calculate] {x} for me?",
    "What do you think about {x}?",
    "Is {x} [true|good|dangerous]?",
]
ASK_KNOWN = [
    "What is {x}?",
    "What is {x}?",
    "Explain {x}.",
    "Tell me about {x}.",
    "Can you explain {x}?",
    "What do you know about {x}?",
    "Tell me more about {x}.",
    "Please describe {x}.",
    "Do you know what {x} is?",
    "I would like to know what {x} is.",
]
SMALL_TALK = [
    (
        "[Hello|Hi|Hello there|Good morning|Hey]",
        "[Hello|Hi|Hello there]! [What would you like to know|How can I help you|What can I do for you]?",
    ),
    (
        "[How are you|How are you today|How do you do]?",
        "[I am well, thank you|Very well, thank you]. [And you|How are you|What can I do for you]?",
    ),
    (
        "[Who are you|What are you|What is your name]?",
        "I am a small language model [that was trained in less than half an hour|that runs inside of a Java program]. [I can tell stories and explain a few things|Ask me for a story, if you like].",
    ),
    (
        "[What can you do|How can you help me|What do you know]?",
        "I can [tell stories|tell you a story], explain what a cache or a fox is, [and say how to bake bread|and answer questions about a text]. [I am small, so do not trust me too much|Just ask me something].",
    ),
    (
        "[Thank you|Thanks|Thank you very much|Thanks a lot]",
        "[You are welcome|I was happy to help]. [Is there anything else|Do you have another question]?",
    ),
    (
        "[Goodbye|Bye|See you|Good night]",
        "[Goodbye|See you soon|Until next time]! [It was nice to talk to you|Come back whenever you like].",
    ),
    (
        "[Are you a human|Are you alive|Do you have feelings]?",
        "No, I am a program. I guess the next word again and again, and that is [all that I do|how I answer you].",
    ),
    (
        "[Tell me a joke|Do you know a joke|Make me laugh].",
        "[Why did the programmer go home? Because his cache was empty|What did the block say to the pool? I will be back|Why do owls never get lost? Because they always ask who].",
    ),
    ("[Yes|Yes, please|OK|Sure].", "[Good|Fine]! [Then ask me something|What would you like to hear]?"),
    ("[No|No, thank you|Not now].", "[That is fine|As you like]. I am here if you need me."),
]


def casual(rng, question):
    """The question as people type it."""
    if ". " in question:
        return question
    if rng.random() < 0.1:
        question = rng.choice(["Hey, ", "So, ", "Now, ", "And "]) + question[0].lower() + question[1:]
    if rng.random() < 0.2:
        question = question[0].lower() + question[1:]
    return question.rstrip(".?") if rng.random() < 0.2 else question


def explained(rng):
    x, sentences = known(rng)
    return expand(rng, rng.choice(ASK_KNOWN), {"x": x}), " ".join(sentences[: rng.choice([2, 3, 3, 3])])


def animal_detail(rng):
    name = rng.choice(list(ANIMALS))
    what, where, food, more, size = ANIMALS[name]
    a, subject = article(name), f"{article(name).capitalize()}"
    other = rng.choice([n for n in ANIMALS if abs(ANIMALS[n][4] - size) > 1])
    bigger, smaller = (name, other) if size > ANIMALS[other][4] else (other, name)
    word = rng.choice([("bigger", bigger, smaller), ("smaller", smaller, bigger)])
    return rng.choice(
        [
            (f"Where does {a} live?", f"{subject} lives {where}."),
            (f"What does {a} eat?", f"{subject} eats {food}."),
            (f"What is special about {a}?", f"{subject} is {what}. {more}."),
            (
                f"Which is {word[0]}, {a} or {article(other)}?",
                f"{article(word[1]).capitalize()} is {word[0]} than {article(word[2])}.",
            ),
        ]
    )


def task(rng):
    name = rng.choice(list(TASKS))
    first, second, third, last = TASKS[name]
    question = rng.choice(
        [
            "How do I {}?",
            "How can I {}?",
            "How do you {}?",
            "Tell me how to {}.",
            "What do I need to do to {}?",
        ]
    ).format(name)
    return question, rng.choice(
        [
            f"First, {first}. Then {second}. After that, {third}. Finally, {last}.",
            f"It is easy to {name}. First, {first}, and then {second}. Next, {third}. In the end, {last}.",
            f"1. {first.capitalize()}.\n2. {second.capitalize()}.\n3. {third.capitalize()}.\n4. {last.capitalize()}.",
        ]
    )


def difference(rng):
    one, two, answer = rng.choice(DIFFERENCES)
    if rng.random() < 0.4:
        one, two = two, one
    return (
        rng.choice(
            ["What is the difference between {} and {}?", "How do {} and {} differ?", "Compare {} and {}."]
        ).format(one, two),
        answer,
    )


def group(rng):
    name = rng.choice(list(GROUPS))
    count = rng.choice([2, 3, 3, 4])
    some = [("the " if name in ("animals", "plants") else "") + s for s in GROUPS[name][:count]]
    question = rng.choice(
        [
            f"Name {NUMBERS[count]} {name}.",
            f"Tell me {NUMBERS[count]} {name}.",
            f"List {NUMBERS[count]} {name}.",
            f"Give me {NUMBERS[count]} {name}.",
        ]
    )
    return question, f"{NUMBERS[count].capitalize()} {name} are {', '.join(some[:-1])} and {some[-1]}."


def unknown(rng, words):
    x = rng.choice(words)
    if rng.random() < 0.5:
        question = expand(rng, rng.choice(ASK_KNOWN), {"x": rng.choice(["", "the ", "a "]) + x})
    else:
        question = expand(
            rng, rng.choice(OPEN_QUESTIONS), {"x": x + rng.choice(["", "", " " + rng.choice(words)])}
        )
    return question, rng.choice(DO_NOT_KNOW)


def small_talk(rng):
    question, answer = rng.choice(SMALL_TALK)
    return expand(rng, question, {}) + rng.choice(["", "", "."] if question.endswith("]") else [""]), expand(
        rng, answer, {}
    )


def echo(rng, words):
    some = " ".join(rng.choice(words) for _ in range(rng.randint(1, 6)))
    return rng.choice(
        [
            ("Repeat after me: " + some, some),
            (f'Say "{some}".', some),
            (
                f'How many words are in "{some}"?',
                f"There {'is one word' if some.count(' ') == 0 else 'are ' + NUMBERS[some.count(' ') + 1] + ' words'} in it.",
            ),
        ]
    )


def about_text(rng):
    """A text of a few facts and a question about one of them."""
    people = rng.sample(NAMES["she"] + NAMES["he"], 2)
    things, colours, places = rng.sample(OBJECTS, 2), rng.sample(COLOURS, 2), rng.sample(PLACES, 2)
    facts = [
        f"{p} has {article(c)} {t} and lives in the {q}."
        for p, t, c, q in zip(people, things, colours, places)
    ]
    i = rng.randrange(2)
    p, t, c, q = people[i], things[i], colours[i], places[i]
    question, answer = rng.choice(
        [
            (f"What does {p} have?", f"{p} has {article(c)} {t}."),
            (f"Where does {p} live?", f"{p} lives in the {q}."),
            (f"Who has the {t}?", f"{p} has the {t}."),
            (f"What colour is the {t}?", f"The {t} is {c}."),
            (f"Who lives in the {q}?", f"{p} lives in the {q}."),
        ]
    )
    return " ".join(facts) + " " + question, answer


def story_turns(rng):
    """A story and perhaps questions about it."""
    given, request = {}, "Tell me a story."
    which = rng.random()
    if which < 0.25:
        given = {"hero": rng.choice(HEROES)}
        request = "[Tell me a story|Write a story|Write a short story] about " + article(given["hero"]) + "."
    elif which < 0.5:
        given = {"hero": rng.choice(HEROES), "place": rng.choice(PLACES)}
        request = (
            "[Tell me a story|Write a story] about "
            + article(given["hero"])
            + " in "
            + article(given["place"])
            + "."
        )
    elif which < 0.65:
        given = {"trait": rng.choice(TRAITS), "hero": rng.choice(HEROES)}
        request = "[Tell me|Write] a story about a " + given["trait"] + " " + given["hero"] + "."
    elif which < 0.75:
        given = {"object": rng.choice(OBJECTS)}
        request = "[Tell me|Write] a story [about|with] a " + given["object"] + "."
    else:
        request = "[Tell me a story|Write a story|Please tell me a story|I would like to hear a story|Another story, please|Write a short story]."
    parts, slots = story(rng, **given)
    if given.get("object") and slots["object"] not in " ".join(parts):
        return story_turns(rng)
    turns = [(expand(rng, request, {}), rng.choice(["\n\n", " "]).join(parts))]
    while rng.random() < 0.4:
        turns.append(
            rng.choice(
                [
                    ("What was the name of the {hero}?", "The {hero}'s name was {name}."),
                    ("Who was the story about?", "It was about a {trait} {hero} named {name}."),
                    ("Where did {name} live?", "{name} lived in the {place}."),
                    ("Who was {friend}?", "{friend} was {name}'s friend."),
                    ("Did you like the story?", "Yes, I did. I liked {name} best."),
                ]
            )
        )
        turns[-1] = tuple(expand(rng, t, slots) for t in turns[-1])
        if turns[-1][0].startswith("Where") and slots["place"] not in turns[0][1]:
            turns.pop()
    return turns


SYSTEMS = [
    "You are a helpful assistant.",
    "You are a helpful assistant that answers questions.",
    "Answer the question in a few sentences.",
    "You are a friendly assistant.",
    "Be brief.",
    "You tell stories and explain things.",
    "You are a small language model inside of a Java program.",
    "You answer questions about Python.",
    "Be polite and say so when you do not know something.",
]


def documented(rng, docs):
    name, paragraph = rng.choice(docs)
    question = rng.choice(
        [
            "What does {} do?",
            "What does {} do?",
            "What is {}?",
            "Explain {}.",
            "What is {} for?",
            "Tell me about {}.",
        ]
    )
    return question.format(name), paragraph


def conversations(rng, count):
    """That many documents, each as a list of turns (role, text); a text alone has the role None."""
    docs, paragraphs = docstrings(), reference()
    words = sorted({w for p in paragraphs for w in re.findall(r"\b[a-z]{4,10}\b", p)})
    makers = [
        (explained, 26),
        (animal_detail, 10),
        (task, 8),
        (difference, 5),
        (group, 5),
        (small_talk, 10),
        (about_text, 10),
        (lambda r: unknown(r, words), 12),
        (lambda r: echo(r, words), 3),
        (lambda r: documented(r, docs), 14),
    ]
    makes, weights = zip(*makers)
    for _ in range(count):
        kind = rng.random()
        if kind < 0.08:
            yield [(None, rng.choice(["\n\n", " "]).join(story(rng)[0]))]
        elif kind < 0.13:
            yield [(None, " ".join(" ".join(known(rng)[1]) for _ in range(rng.randint(1, 4))))]
        elif kind < 0.17:
            yield [(None, rng.choice(["\n\n", " "]).join(rng.sample(paragraphs, rng.randint(1, 3))))]
        else:
            turns = []
            if rng.random() < 0.4:
                system = rng.sample(SYSTEMS, rng.choice([1, 1, 1, 2, 3]))
                if rng.random() < 0.2:  # instructions may be long
                    system += rng.sample(paragraphs, rng.randint(1, 3))
                turns.append(("system", " ".join(system)))
            for _ in range(rng.choice([1, 1, 2, 2, 3, 4, 6])):
                asked = story_turns(rng) if rng.random() < 0.1 else [rng.choices(makes, weights)[0](rng)]
                for question, answer in asked:
                    turns += [("user", casual(rng, question)), ("assistant", answer)]
            yield turns
