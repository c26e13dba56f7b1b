"""Training data for speech synthesis: flite's voice slt with strings of digits and phrases of common words.

The voice was built from recordings that may be used for any purpose (Black & Lenzo, "Flite", SSW4 2001; CMU ARCTIC,
http://www.festvox.org/cmu_arctic). Phrases are random words without meaning, so that any word can follow any other.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from unbraid.corpora.rendering.digits import DIGITS
from unbraid.corpora.rendering.programs import find_program
from unbraid.corpora.rendering.speech import Take, record

VOICE = "slt"
DIGIT_SHARE = 0.5  # of the utterances
COMMA_SHARE = 0.25  # of the utterances that have one, somewhere
_DIGITS, _WORDS = (3, 9), (2, 7)  # in an utterance, from to below
_SPLITS = {8: "dev", 9: "test"}  # by the last digit of an utterance's number; else train
_COMMON = """
about above across after again air all almost along also always and animal answer any apple are around art as ask at
away baby back bad bag ball bank be beach bear beautiful because bed been before begin behind below best better
between big bird black blue boat body book both box boy bread break bridge bright bring brother brown build bus but
buy by cake call came can car carry cat catch chair change cheap child choose church city class clean clear clock
cloud coat coffee cold color come cook cool corn could country cousin cow cup dance dark daughter day decision deep
dinner do doctor dog door down draw dream dress drink drive dry each ear early earth east easy eat egg empty end
enough evening every eye face fall family far farm fast father feel few field find fine finger fire first fish floor
flower fly food foot for forest four free fresh friend from fruit full game garage garden gave girl give glass go gold
good grass gray great green ground group grow hair half hand happy hard hat have he head hear heart heavy help her
here high hill him his hold home hope horse hot hour house how hundred ice in inside is island it job join juice jump
just keep key kind kitchen know lake land large last late laugh leaf learn leave left leg letter life light like line
listen little long look lost loud love low lunch made make man many map market may me measure meat meet milk minute
money month moon more morning mother mountain mouth move much music must my name near neck need never new news next
nice night noise north nose not now number ocean of off often old on only open orange other our out over page paint
paper park part pay people picture place plane plant play please pleasure point poor pretty pull push put queen
question quick quiet rain ready red rest rice rich ride right ring river road rock room round run sad salt same sand
saw say school sea second see sell send she ship shirt shoe shop short shout show sick side silver sing sister sit sky
sleep slow small smell smile smoke snow so soap soft some son song soon sound soup south speak spoon sport spring
stand star start station stay stone stop store story street strong sugar summer sun sure sweet swim table take talk
tall taste tea teach television tell thank that the their them then there they thick thin thing think this thousand
through tie time tired to today together tomorrow too tooth top town toy train travel treasure tree true try turn
under until up usual very village vision voice wait walk wall want warm was wash watch water way we wear weather week
well went west wet what wheel when where which white who why wide wife will window winter wish with woman wood word
work world would write year yellow yes yesterday yet you young your
"""
WORDS = tuple(_COMMON.split())


def speak_phrases(folder: Path, utterances: int, seed: int = 0) -> Iterator[Path]:
    """Write utterances and their manifest.csv, with texts such as "3 0, 5" and "warm bread", into a new folder; yields
    each path once it is written. The same program says the same for the same seed.

    Raises:
        RuntimeUnavailable: flite is not installed.
        UsageError: the folder is there already.
    """
    flite = find_program("flite")
    yield from record(folder, (_take(flite, n, np.random.default_rng((seed, n))) for n in range(utterances)))


def _take(flite: str, number: int, random: np.random.Generator) -> Take:
    of_digits = random.random() < DIGIT_SHARE
    count = int(random.integers(*(_DIGITS if of_digits else _WORDS)))
    drawn = random.integers(0, len(DIGITS if of_digits else WORDS), count)
    commas = [""] * count
    if random.random() < COMMA_SHARE:
        commas[int(random.integers(count - 1))] = ","
    texts, spoken = (map(str, range(10)), DIGITS) if of_digits else (WORDS, WORDS)
    text, said = (_joined(list(words), drawn, commas) for words in (texts, spoken))
    command = (flite, "-voice", VOICE, "-t", f"{said}.", "-o")
    return Take(f"flite-{VOICE}", text, command, _SPLITS.get(number % 10, "train"))


def _joined(words: Sequence[str], drawn: np.ndarray, commas: Sequence[str]) -> str:
    return " ".join(words[n] + comma for n, comma in zip(drawn, commas, strict=True))
