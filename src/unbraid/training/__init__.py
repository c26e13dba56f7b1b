"""Training with Lightning: a recipe of values in, a run folder out.

    recipe = read_recipe(find_recipe("speech-2"), ["data.folder=/data/speech8k"])
    train(recipe, Path("runs/speech-2"), watch=print)

The same call on the same folder resumes the run.
"""

from unbraid.hub.recipes import find_recipe
from unbraid.training.checkpoints import Standing
from unbraid.training.dry_run import Rehearsal, rehearse
from unbraid.training.recipe import Recipe, read_recipe
from unbraid.training.run import Start, check_export, export_run, is_chief, look, train
from unbraid.training.tasks.task import Score

__all__ = [
    "Recipe",
    "Rehearsal",
    "Score",
    "Standing",
    "Start",
    "check_export",
    "export_run",
    "find_recipe",
    "is_chief",
    "look",
    "read_recipe",
    "rehearse",
    "train",
]
