"""The commands that write, each with what it starts from, so that it can be killed anywhere and given again."""

from pathlib import Path

from kill_inputs import fetch
from kill_points import command
from kill_trials import Command, Work

from unbraid.hub.spec import read_spec
from unbraid.runtime.int8 import int8_graph


def _copied_in_int8(model: str) -> Work:
    """The first use of a model in int8, which leaves a copy in the cache."""
    return lambda: int8_graph(read_spec(Path(model)), Path(model))


def _fetch_an_encoder() -> None:
    """The first training upon a published encoder, as far as that is fetched."""
    from unbraid.training import pretrained

    pretrained.fetch_trunk = fetch
    pretrained.read_trunk = Path
    pretrained.pretrained_trunk("facebook/hubert-base-ls960")


def _trained(folder: Path) -> object:
    """The weights and the log of a run, without its minutes."""
    import torch

    best = torch.load(folder / "runs/tiny/best.pt", weights_only=True)
    weights = {name: value.numpy().tobytes() for name, value in best["model"].items()}
    log = (folder / "runs/tiny/log.csv").read_text().splitlines()
    return best["step"], weights, [line.rsplit(",", 1)[0] for line in log]


FLAT = ("--template", "{track}_{stem}.{ext}")
TWO = ("separate", "a.wav", "b.wav", "-o", "out", "-q")
ONE = ("separate", "a.wav", "-o", "out", "-q")
STEMS = (*ONE, "--template", "{stem}/{track}.{ext}")
ENHANCE = ("enhance", "a.wav", "b.wav", "-m", "clean", "-o", "out", "-q")
TRANSCRIBE = ("transcribe", "a.wav", "b.wav", "-m", "digits", "-o", "texts/", "-q", "--force")
EVALUATE = command("evaluate", "model", "data", "--metrics", "si-sdr", "-o", "scores", "-q", "--overwrite")
SONG = ("analyse", "song.wav", "-o", "analysis", "-q")
SAY = ("synthesize", "ab", "-o", "said.wav", "-q")
RENDER = ("data", "render", "--midi", "songs", "--soundfont", "font.sf2", "--seconds", "2", "--songs", "2")
CONVERSE = ("data", "converse", "talkers", "--split", "dev", "--minutes", "0.2", "-n", "2", "-o", "talks")
SPEAK = ("data", "speak", "-n", "3", "-o", "spoken")
MINE = "cache/models/mine"
EXPORT = ("export", "best.pt", "-o", "exported", "--name", "exported")
LEARN = ("torch", "lightning", "tensorboard", "unbraid.training")


def _import(checkpoint: str) -> Work:
    return command("models", "import", checkpoint, "--to", "mine", "--overwrite")


def _resumed(*words: str, before: tuple[Work, ...] = (), same_bytes: bool = True) -> Command:
    return Command(command(*words), command(*words, "--resume"), before, same_bytes)


def _overwritten(*words: str, before: tuple[Work, ...] = ()) -> Command:
    return Command(command(*words), command(*words, "--overwrite"), before)


COMMANDS = {
    "separate": _resumed(*TWO),
    "separate into one folder": _resumed(*TWO, *FLAT),
    "separate into a folder for each stem": _resumed(*STEMS),
    "separate with a page": _resumed(*ONE, *FLAT, "--report", same_bytes=False),
    "separate again, otherwise": _resumed(*TWO, "--subtype", "24", "--overwrite", before=(command(*TWO),)),
    "separate another stem": _resumed(
        *ONE, "--stems", "voice2", "--resume", before=(command(*ONE, "--stems", "voice1"),)
    ),
    "separate and count": _resumed(*TWO, "-m", "voices"),
    "separate people": _resumed("separate", "talk.wav", "a.wav", "-m", "voices", "-o", "out", "-q"),
    "separate into a stem file": _resumed(
        "separate", "played.wav", "-m", "music-4", "-f", "stem.m4a", "-o", "out", "-q", same_bytes=False
    ),
    "analyse": Command(command(*SONG), command(*SONG, "--overwrite"), same_bytes=False),
    "singers": _overwritten("singers", "talk.wav", "a.wav", "--no-separate", "-o", "sung", "-f", "json", "-q"),
    "diarize": _overwritten("diarize", "talk.wav", "a.wav", "-m", "voices", "-o", "who", "-f", "json", "-q"),
    "separate standard input": Command(
        command("separate", "-", "-o", "out", "-q", stdin="a.wav"),
        command("separate", "-", "-o", "out", "-q", "--overwrite", stdin="a.wav"),
        same_bytes=False,
    ),
    "enhance": _resumed(*ENHANCE),
    "transcribe": _overwritten(*TRANSCRIBE),
    "synthesize": _overwritten(*SAY),
    "synthesize in place of another": Command(
        command(*SAY, "--overwrite"), before=(command("synthesize", "ba", "-o", "said.wav", "-q"),)
    ),
    "convert": _overwritten("convert", "talk.wav", "a.wav", "--voice", "anna.npy", "-m", "other", "-o", "said", "-q"),
    "attention": _overwritten("attention", "speller", "bad", "-o", "pages/bad.html"),
    "evaluate": Command(EVALUATE, before=(EVALUATE,), same_bytes=False),
    "evaluate beside other files": Command(
        EVALUATE, before=(EVALUATE, lambda: Path("scores/mine").write_text("mine")), same_bytes=False
    ),
    "import": Command(_import("checkpoint"), before=(_import("checkpoint"),)),
    "import in place of another": Command(
        _import("checkpoint"), before=(_import("other"), _copied_in_int8(MINE))
    ),
    "pull": Command(command("models", "pull", "speechbrain/sepformer-wsj02mix", "-q")),
    "remove": Command(
        command("models", "remove", "mine"),
        before=(_import("checkpoint"), _copied_in_int8(MINE)),
        done="mine is not in the cache, so there is nothing to remove.",
    ),
    "int8": Command(_copied_in_int8("model")),
    "export": Command(command(*EXPORT), done="exported exists; choose another place", needs=("torch",)),
    "render": Command(command(*RENDER, "--workers", "1", "-o", "rendered"), needs=("mido",)),
    "converse": Command(command(*CONVERSE)),
    "speak": Command(command(*SPEAK), done="spoken is there already;"),
    "speak digits": Command(command(*SPEAK, "--digits"), done="spoken is there already;"),
    "doctor": Command(command("doctor")),
    "fetch an encoder": Command(_fetch_an_encoder, needs=LEARN),
    "train": Command(command("train", "tiny.toml"), same_bytes=False, result=_trained, needs=LEARN),
    "train and export": Command(
        command("train", "tiny.toml", "trainer.epochs=1", "--export", "tiny"),
        same_bytes=False, done="tiny exists; choose another place", needs=LEARN,
    ),
}  # fmt: skip
